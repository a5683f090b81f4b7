"""The sink, topic to row: one process, exactly once, from a topic that is full already.

How many rows there are is asked by a query four times a second; the rate is that between a
tenth and nine tenths of them. BigQuery is bqlite on the same machine: the figures say what our
side and Google's client cost, not how fast Google is.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ratio, spread, table, take_turns
from benchmarks.place import Place, Throughput

from fraudline.contract import Decoder, Messages
from fraudline.scoring import Decider
from fraudline.warehouse.query import query

TITLE = "The sink, topic to row"
ROUNDS = 3
_OURS, _INSERT, _LOAD = (
    "`fraudline sink`, exactly once",
    "`insert_rows_json`, 500 rows a request",
    "load jobs of 10,000 rows",
)
_ROWS = {_OURS: 200_000, _INSERT: 10_000, _LOAD: 50_000}
_POLL_S = 0.25
_TIMEOUT_S = 180.0


def measure(place: Place) -> list[str]:
    """Our sink and Google's client, in turns."""
    topic = place.kafka.topic_decisions
    decisions = _decisions(place)
    place.fill(topic, decisions, max(_ROWS.values()))
    found = take_turns(
        {
            _OURS: lambda: _run(place, _OURS, "sink"),
            _INSERT: lambda: _run(place, _INSERT, "insert"),
            _LOAD: lambda: _run(place, _LOAD, "load"),
        },
        ROUNDS,
    )
    rates = {name: [run.rate for run in runs] for name, runs in found.items()}
    columns = place.project.contract.decision_columns
    rows, _, _ = Decoder(columns).decode(decisions)
    return [
        f"Decisions of {sum(map(len, decisions)) / len(decisions):.0f} bytes of JSON, "
        f"{rows.nbytes / rows.num_rows:.0f} as Arrow, and {len(columns)} columns in "
        f"{place.kafka.partitions} partitions; one process each, bqlite beside it. "
        "The last two rows are at least once. Median (least to most); ratios are medians of each "
        "round's:",
        table(
            ("", "rows/s", "processor us a row", "times as fast is ours"),
            [
                (
                    name,
                    spread(rates[name]),
                    spread([run.cpu_us for run in runs], 1),
                    f"{ratio(rates[_OURS], rates[name]):,.1f}",
                )
                for name, runs in found.items()
            ],
        ),
    ]


def _decisions(place: Place) -> list[bytes]:
    """What the scorer would make of the transactions."""
    lines = place.lines()
    count = len(lines)
    now = dt.datetime.now(dt.UTC)
    messages = Messages(
        topic=place.kafka.topic_transactions,
        partitions=[0] * count,
        offsets=list(range(count)),
        keys=[None] * count,
        values=lines,
        sent_at_ms=[int(now.timestamp() * 1000)] * count,
    )
    outcomes = Decider(place.train("default")).decide(messages, now)
    return [outcome.value for outcome in outcomes]


def _run(place: Place, name: str, way: str) -> Throughput:
    here = place.sibling(topic_decisions=place.kafka.topic_decisions)
    warehouse = here.project.warehouse
    target = warehouse.table(warehouse.settings.table_decisions)
    command = (
        ("sink",)
        if way == "sink"
        else (
            sys.executable,
            str(Path(__file__).parent / "rival_rows.py"),
            here.kafka.bootstrap_servers,
            here.kafka.topic_decisions,
            here.services.bigquery_rest,
            target,
            way,
        )
    )
    count, seen = _ROWS[name], [_Moment(0, 0.0, 0.0)]
    deadline = time.monotonic() + _TIMEOUT_S
    with here.running(*command) as process:
        while seen[-1].rows < count * 0.9:
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"`{name}` stored {seen[-1].rows:,} of {count:,} rows")
            time.sleep(_POLL_S)
            rows = query(warehouse, f"SELECT COUNT(*) AS n FROM `{target}`").to_pylist()[0]["n"]
            times = process.cpu_times()
            seen.append(_Moment(rows, time.monotonic(), times.user + times.system))
    first, last = next(moment for moment in seen if moment.rows >= count * 0.1), seen[-1]
    rows = last.rows - first.rows
    return Throughput(rows / (last.at_s - first.at_s), (last.cpu_s - first.cpu_s) / rows * 1e6)


@dataclass(frozen=True)
class _Moment:
    """Rows in the table, when, and the processor time that the process had taken by then."""

    rows: int
    at_s: float
    cpu_s: float
