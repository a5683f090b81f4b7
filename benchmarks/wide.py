"""What categories and nulls cost: 40 columns of a team's own beside 40 floats, topic to topic."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from benchmarks.measure import ratio, spread, table, take_turns
from benchmarks.place import Place, Throughput, throughput
from benchmarks.wide_table import FLOATS, LEVELS, MIXED, contract_text, made_rows

TITLE = "Categories and nulls beside floats"
ROUNDS = 3
TRANSACTIONS = 150_000
RECIPES = ("mlp", "default")
_TOLD = {
    FLOATS: "40 floats",
    MIXED: f"12 categories (one of {LEVELS:,} levels), 10 that may be null, 18 floats",
}
_HISTORY_ROWS = 4_000
_SENT_ROWS = 50_000  # that differ: levels are not met again and again only because rows are


@dataclass(frozen=True)
class _Table:
    """A place with a full topic, its contract and messages as files, and a version by recipe."""

    place: Place
    directory: Path
    versions: dict[str, str]


def measure(place: Place) -> list[str]:
    """Scorers of both tables in turns, with both recipes; then one message by itself."""
    tables = {name: _made(place, name) for name in (FLOATS, MIXED)}
    cases = [(recipe, name) for recipe in RECIPES for name in tables]
    found = take_turns(
        {case: functools.partial(_scored, tables[case[1]], case[0]) for case in cases}, ROUNDS
    )
    cpu_us = {case: [run.cpu_us for run in runs] for case, runs in found.items()}
    rates = {case: [run.rate for run in runs] for case, runs in found.items()}
    alone = take_turns(
        {
            (*case, way): _deciding(tables[case[1]], case[0], way)
            for case in cases
            for way in ("alone", "stopped")
        },
        ROUNDS,
    )
    return [
        f"{TRANSACTIONS:,} transactions of 40 columns, {_SENT_ROWS:,} of which differ, in "
        f"{place.kafka.partitions} partitions; one `fraudline score`, exactly once. Tables made "
        "for this. Median (least to most); ratios are medians of each round's:",
        table(
            ("", "recipe", "transactions/s", "processor us a transaction", "to that of 40 floats"),
            [
                (
                    *(_TOLD[name], recipe, spread(rates[recipe, name])),
                    spread(cpu_us[recipe, name], 1),
                    f"{ratio(cpu_us[recipe, name], cpu_us[recipe, FLOATS]):.2f}",
                )
                for recipe, name in cases
            ],
        ),
        "One message by itself, in one process without a broker: microseconds of the processor "
        "from its bytes to its decision's. A message that is stopped has its reasons:",
        table(
            ("", "recipe", "approved, us", "stopped, us"),
            [
                (
                    *(_TOLD[name], recipe),
                    *(spread(alone[recipe, name, way], 0) for way in ("alone", "stopped")),
                )
                for recipe, name in cases
            ],
        ),
    ]


def _made(place: Place, name: str) -> _Table:
    """A place for one of the two tables: its contract, its history, a full topic, versions."""
    home = place.project.settings.home / name
    directory = home.with_name(f"{name}-files")  # a home is for nothing else
    home.mkdir()
    directory.mkdir()
    contract, history, sent = (directory / each for each in ("c.toml", "h.parquet", "s.parquet"))
    contract.write_text(contract_text(name))
    pq.write_table(made_rows(name, _HISTORY_ROWS), history)
    pq.write_table(made_rows(name, _SENT_ROWS, seed=1), sent)
    there = place.elsewhere(home, str(contract))
    there.run("load", str(history))
    lines = there.lines(sent)
    there.fill(there.kafka.topic_transactions, lines, TRANSACTIONS)
    (directory / "messages.jsonl").write_bytes(b"\n".join(lines))
    versions = {recipe: there.train(recipe, sent).manifest.version for recipe in RECIPES}
    return _Table(there, directory, versions)


def _scored(made: _Table, recipe: str) -> Throughput:
    made.place.project.registry.promote(made.versions[recipe])
    return throughput(made.place.sibling(), ("score",), TRANSACTIONS)


def _deciding(made: _Table, recipe: str, way: str) -> Callable[[], float]:
    script = Path(__file__).parent / "decider_cost.py"
    version = made.place.project.registry.path(made.versions[recipe])
    files = (made.directory / "c.toml", version, made.directory / "messages.jsonl")

    def run() -> float:
        words = (sys.executable, str(script), way, *map(str, files))
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE)
        return float(json.loads(done.stdout)["us"])

    return run
