"""The scorer, topic to topic: one process, exactly once, from a topic that is full already.

The producer is done before, so that it takes nothing from the scorer; the rate is read from
the decisions' own time stamps, between a tenth and nine tenths of them, so that neither start
nor end counts.
"""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from benchmarks.before import ROOT
from benchmarks.decider_cost import BEYOND, WINDOW
from benchmarks.measure import (
    cpu_seconds_a_call,
    median,
    percent,
    ratio,
    spread,
    table,
    take_turns,
)
from benchmarks.place import Place, Throughput, throughput

from benchmarks import before
from fraudline.bundle.bundle import Bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, write_manifest
from fraudline.contract import load_contract

_CONTRACT = ROOT / "src" / "fraudline" / "contracts" / "creditcard.toml"
TITLE = "The scorer, topic to topic"
ROUNDS = 3
TRANSACTIONS = 300_000
QUIX_PYTHON = Path(__file__).parent / ".venv" / "bin" / "python"
_MODEL, _OURS = "model alone, batches of 2,000", "`fraudline score`, exactly once"
_BEFORE = f"the same at commit {before.REVISION}"


def measure(place: Place) -> list[str]:
    """Our scorer, the model alone, and the rivals, in turns."""
    bundle = place.train("default")
    topic = place.kafka.topic_transactions
    lines = place.lines()
    place.fill(topic, lines, TRANSACTIONS)
    graph, keras_file = bundle.path / GRAPH_FILE, bundle.path / "model.keras"
    alone = model_alone(place, bundle)
    found = take_turns(
        {
            _MODEL: lambda: Throughput(1e6 / (us := alone()), us),
            _OURS: lambda: ours(place, TRANSACTIONS),
            _BEFORE: lambda: ours(place, TRANSACTIONS, is_before=True),
            "Quix Streams, the same graph, exactly once": lambda: quix(place, 50_000, graph),
            "Keras `predict` of 32 in a consumer loop": lambda: keras(place, 6_400, keras_file, 32),
            "the tutorial's way: `predict` of each message": lambda: keras(
                place, 200, keras_file, 1
            ),
        },
        ROUNDS,
    )
    cpu_us = {name: [run.cpu_us for run in runs] for name, runs in found.items()}
    rates = {name: [run.rate for run in runs] for name, runs in found.items()}
    mean_bytes = sum(map(len, lines)) / len(lines)
    return [
        f"{TRANSACTIONS:,} transactions of {mean_bytes:.0f} bytes in {place.kafka.partitions} "
        "partitions; one process each. The broker has the machine's other core. The last two "
        "rows are at least once. Median (least to most); ratios are medians of each round's:",
        table(
            (
                "",
                "transactions/s",
                "processor us a transaction",
                "share of the model alone: rate",
                "processor time",
                "times as fast is ours",
                "its processor time to ours",
            ),
            [
                (
                    name,
                    spread(rates[name]),
                    spread(cpu_us[name], 1),
                    percent(ratio(rates[name], rates[_MODEL])),
                    percent(ratio(cpu_us[_MODEL], cpu_us[name])),
                    f"{ratio(rates[_OURS], rates[name]):,.1f}",
                    f"{ratio(cpu_us[name], cpu_us[_OURS]):,.2f}",
                )
                for name in found
            ],
        ),
        *_decider_alone(place, bundle, lines),
    ]


def _decider_alone(place: Place, bundle: Bundle, lines: list[bytes]) -> list[str]:
    """One message by itself, and ids beyond a full window, beside the commit before."""
    home = place.project.settings.home
    (home / "messages.jsonl").write_bytes(b"\n".join(lines))
    with_id = home / "with_id.toml"
    with_id.write_text(_with_id(_CONTRACT.read_text()))
    other = home / "with_id"
    shutil.copytree(bundle.path, other)
    changed = {"contract_fingerprint": load_contract(str(with_id)).fingerprint}
    write_manifest(other, msgspec.structs.replace(bundle.manifest, **changed))
    cases = {
        "one message by itself": ("alone", "creditcard", bundle.path),
        f"with an id, {BEYOND:,} beyond a full window of {WINDOW:,}": ("ids", str(with_id), other),
    }

    def run(case: tuple[str, str, Path], *, is_before: bool) -> dict[str, float]:
        script = str(Path(__file__).parent / "decider_cost.py")
        way, contract, directory = case
        words = (script, way, contract, str(directory), str(home / "messages.jsonl"))
        done = subprocess.run(
            before.python(*words, is_before=is_before), check=True, stdout=subprocess.PIPE
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found

    found = take_turns(
        {
            (name, is_before): functools.partial(run, case, is_before=is_before)
            for name, case in cases.items()
            for is_before in (False, True)
        },
        ROUNDS,
    )
    rows = []
    for name in cases:
        now, then = ([one["us"] for one in found[name, is_old]] for is_old in (False, True))
        held = [
            f"{median([one['bytes'] for one in found[name, is_old]]):,.0f}"
            if "bytes" in found[name, is_old][0]
            else ""
            for is_old in (False, True)
        ]
        rows.append((name, spread(now, 1), spread(then, 1), f"{ratio(then, now):,.1f}", *held))
    return [
        "Deciding alone, in one process without a broker, beside the same at commit "
        f"{before.REVISION}. Microseconds of the processor a message, from its bytes to its "
        "decision's, and bytes of memory for an id that is remembered:",
        table(
            ("", "ours, us", "before, us", "times as long", "ours, bytes", "before, bytes"), rows
        ),
    ]


def _with_id(contract: str) -> str:
    """The contract with a column more, which identifies a payment."""
    named = contract.replace("[roles]", '[roles]\nid = "payment_id"', 1)
    return named + '\n[columns.payment_id]\ntype = "string"\n'


def model_alone(place: Place, bundle: Bundle) -> Callable[[], float]:
    """A function that gives the microseconds a row that the graph takes by itself."""
    features = place.project.contract.feature_matrix(place.rows())[:2000]
    return lambda: cpu_seconds_a_call(lambda: bundle.score(features), 1.0) / len(features) * 1e6


def ours(place: Place, count: int, *, is_before: bool = False) -> Throughput:
    """One `fraudline score`, of this revision or of the one before."""
    here = place.sibling()
    words = before.python("-m", "fraudline.cli", "score", is_before=is_before)
    return throughput(here, words, count)


def quix(place: Place, count: int, graph: Path) -> Throughput:
    """The same graph in Quix Streams."""
    here = place.sibling()
    command = quix_command(here, graph, "default")
    return throughput(here, command, count)


def quix_command(place: Place, graph: Path, way: str) -> tuple[str, ...]:
    """How Quix Streams is started; `way` as in `rival_quix.py`."""
    return (str(QUIX_PYTHON), *_script(place, "rival_quix.py"), str(graph), way)


def keras(place: Place, count: int, model: Path, batch_rows: int) -> Throughput:
    """Keras `predict` in a plain consumer loop."""
    here = place.sibling()
    return throughput(here, keras_command(here, model, batch_rows), count)


def keras_command(place: Place, model: Path, batch_rows: int) -> tuple[str, ...]:
    """How the loop around Keras is started."""
    return (sys.executable, *_script(place, "rival_keras.py"), str(model), str(batch_rows))


def _script(place: Place, name: str) -> tuple[str, ...]:
    kafka = place.kafka
    path = str(Path(__file__).parent / name)
    return path, kafka.bootstrap_servers, kafka.topic_transactions, kafka.topic_decisions
