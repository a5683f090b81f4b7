"""The scorer, topic to topic: one process, exactly once, from a topic that is full already.

The producer is done before, so that it takes nothing from the scorer; the rate is read from
the decisions' own time stamps, between a tenth and nine tenths of them, so that neither start
nor end counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import cpu_seconds_a_call, percent, ratio, spread, table, take_turns
from benchmarks.place import Place, Throughput, throughput

from fraudline.bundle import GRAPH_FILE, Bundle

TITLE = "The scorer, topic to topic"
ROUNDS = 3
TRANSACTIONS = 300_000
QUIX_PYTHON = Path(__file__).parent / ".venv" / "bin" / "python"
_MODEL, _OURS = "model alone, batches of 2,000", "`fraudline score`, exactly once"


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
            "Quix Streams, the same graph, exactly once": lambda: quix(place, 50_000, graph),
            "Keras `predict` of 32 in a consumer loop": lambda: keras(place, 6_400, keras_file, 32),
            "the tutorial's way: `predict` of each message": lambda: keras(
                place, 200, keras_file, 1
            ),
        },
        ROUNDS,
    )
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
            ),
            [
                (
                    name,
                    spread(rates[name]),
                    spread([run.cpu_us for run in runs], 1),
                    percent(ratio(rates[name], rates[_MODEL])),
                    percent(
                        ratio([run.cpu_us for run in found[_MODEL]], [run.cpu_us for run in runs])
                    ),
                    f"{ratio(rates[_OURS], rates[name]):,.1f}",
                )
                for name, runs in found.items()
            ],
        ),
    ]


def model_alone(place: Place, bundle: Bundle) -> Callable[[], float]:
    """A function that gives the microseconds a row that the graph takes by itself."""
    features = place.project.contract.feature_matrix(place.rows())[:2000]
    return lambda: cpu_seconds_a_call(lambda: bundle.score(features), 1.0) / len(features) * 1e6


def ours(place: Place, count: int) -> Throughput:
    """One `fraudline score`."""
    here = place.sibling()
    return throughput(here, ("score",), count)


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
