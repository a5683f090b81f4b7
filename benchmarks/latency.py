"""Latency at a steady rate: from the time a transaction was due to its decision and its row.

A decision counts when a consumer that reads committed messages only has it, a row when a
query answers with it. The producer is a process of its own and dates each message by when it
was due. The baseline is a topic without any scorer: what broker and clients take by
themselves.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
from benchmarks.measure import spread, table, take_turns
from benchmarks.place import Place, wait_until
from benchmarks.scorer import quix_command

from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.contract import Messages
from fraudline.stream.broker import wait_for_member
from fraudline.stream.read_topic import watch_topic
from fraudline.warehouse.query import query

TITLE = "Latency at a steady rate"
ROUNDS = 2
RATES = (1_000, 10_000)
SECONDS = 6.0
WARM_UP_S = 2.0
_POLL_S = 0.2
_DRAIN_S = 60.0
_ROWS_A_SECOND = 100  # of these it is seen when they can be queried; all would be a load


class _Received(msgspec.Struct):
    """When a decision's transaction was sent, as ours tells it and as the rival does."""

    received_at: dt.datetime | int

    @property
    def received_ms(self) -> float:
        at = self.received_at
        return at if isinstance(at, int) else at.timestamp() * 1000


def measure(place: Place) -> list[str]:
    """Every way at every rate, in turns."""
    graph = place.train("default").path / GRAPH_FILE
    lines = place.project.settings.home / "lines.jsonl"
    lines.write_bytes(b"\n".join(place.lines()))
    _Run(place, max(RATES), lines).score()  # the broker warms up, and this does not count
    return [block for rate in RATES for block in _at(_Run(place, rate, lines), graph)]


def _at(run: _Run, graph: Path) -> list[str]:
    ways = {
        "no scorer: the topic itself": run.bare,
        "`fraudline score`, to the decision": run.score,
        "`score` and `sink`, to the row in BigQuery": run.to_row,
        "Quix Streams, commits every 20 ms": lambda: run.quix(graph, "often"),
    }
    if run.rate == min(RATES):
        ways["Quix Streams, as it comes"] = lambda: run.quix(graph, "default")
    found = take_turns(ways, ROUNDS)
    return [
        f"{run.rate:,} transactions/s for {SECONDS:.0f} s after {WARM_UP_S:.0f} s of warming up, "
        "exactly once. Milliseconds, median of the rounds (least to most):",
        table(
            ("", "p50", "p99", "p99.9", "the producer's own lateness, p99"),
            [
                (
                    name,
                    *(spread([turn.ms(part) for turn in turns], 1) for part in (50, 99, 99.9)),
                    spread([turn.producer_late_ms for turn in turns], 1),
                )
                for name, turns in found.items()
            ],
        ),
    ]


class Latencies:
    """What one run saw.

    Args:
        seen: For each message: when it was due and when it came, milliseconds.
        producer_late_ms: How late the producer was itself, 99th percentile.
    """

    def __init__(self, seen: list[tuple[float, float]], producer_late_ms: float) -> None:
        seen_ms = np.array(seen)
        steady = seen_ms[seen_ms[:, 0] >= seen_ms[:, 0].min() + WARM_UP_S * 1000]
        self._ms = steady[:, 1] - steady[:, 0]
        self.producer_late_ms = producer_late_ms

    def ms(self, part: float) -> float:
        """A percentile."""
        return float(np.percentile(self._ms, part))

    def __str__(self) -> str:
        parts = ", ".join(f"p{part} {self.ms(part):.1f}" for part in (50, 99, 99.9))
        return f"{parts} ms of {len(self._ms)}; producer late {self.producer_late_ms:.1f} ms"


class _Run:
    """One rate, by several ways."""

    def __init__(self, place: Place, rate: int, lines: Path) -> None:
        self._place, self.rate, self._lines = place, rate, lines
        self._count = int(rate * (SECONDS + WARM_UP_S))

    def bare(self) -> Latencies:
        """Produced and consumed, and nothing between."""
        here = self._fresh()
        seen, late_ms = self._watched(here, here.kafka.topic_transactions)
        return Latencies(
            [(sent_ms, at_ms) for batch, at_ms in seen for sent_ms in batch.sent_at_ms], late_ms
        )

    def score(self) -> Latencies:
        """To the decision, by our scorer."""
        here = self._fresh()
        return self._decided(here, ("score",), f"{here.kafka.group}.score")

    def quix(self, graph: Path, way: str) -> Latencies:
        """To the decision, by Quix Streams."""
        here = self._fresh()
        return self._decided(here, quix_command(here, graph, way), here.kafka.topic_decisions)

    def to_row(self) -> Latencies:
        """To the row in BigQuery: the time of the first answer that has it."""
        here = self._fresh()
        step = self.rate // _ROWS_A_SECOND
        came: dict[tuple[int, int], tuple[float, float]] = {}
        stop = threading.Event()

        def poll() -> None:
            while not stop.wait(_POLL_S):
                rows = query(
                    here.project.warehouse,
                    "SELECT source_partition, source_offset, received_at FROM decisions "
                    f"WHERE MOD(source_offset, {step}) = 0",
                ).to_pylist()
                at_ms = time.time() * 1000
                for row in rows:
                    key = row["source_partition"], row["source_offset"]
                    came.setdefault(key, (row["received_at"].timestamp() * 1000, at_ms))

        with (
            self._running(here, ("score",), f"{here.kafka.group}.score"),
            self._running(here, ("sink",), f"{here.kafka.group}.sink"),
        ):
            poller = threading.Thread(target=poll)
            poller.start()
            late_ms = self._produce(here)
            wait_until(lambda: len(came) >= self._count // step, _DRAIN_S, "rows in BigQuery")
            stop.set()
            poller.join()
        return Latencies(list(came.values()), late_ms)

    def _fresh(self) -> Place:
        return self._place.sibling(topic_transactions=f"transactions-{uuid.uuid4().hex[:8]}")

    def _decided(self, here: Place, command: tuple[str, ...], group: str) -> Latencies:
        with self._running(here, command, group):
            seen, late_ms = self._watched(here, here.kafka.topic_decisions)
        decode = msgspec.json.Decoder(_Received).decode
        return Latencies(
            [
                (decode(value or b"").received_ms, at_ms)
                for batch, at_ms in seen
                for value in batch.values
            ],
            late_ms,
        )

    @contextmanager
    def _running(self, here: Place, command: tuple[str, ...], group: str) -> Iterator[None]:
        with here.running(*command):
            if not wait_for_member(here.kafka, group, 60):
                raise RuntimeError(f"{command} did not begin")
            yield

    def _watched(self, here: Place, topic: str) -> tuple[list[tuple[Messages, float]], float]:
        """What came while the producer ran, with the time at which it came, milliseconds."""
        seen: list[tuple[Messages, float]] = []
        stop, ready = threading.Event(), threading.Event()
        watcher = threading.Thread(
            target=lambda: watch_topic(
                here.kafka,
                topic,
                stop=stop,
                on_messages=lambda batch, at_s: seen.append((batch, at_s * 1000)),
                ready=ready,
            ),
            daemon=True,
        )
        watcher.start()
        if not ready.wait(30):
            raise RuntimeError(f"topic '{topic}' could not be watched")
        try:
            late_ms = self._produce(here)
            wait_until(
                lambda: sum(len(batch) for batch, _ in seen) >= self._count,
                _DRAIN_S,
                f"{self._count:,} messages in '{topic}'",
            )
        finally:
            stop.set()
            watcher.join()
        return seen, late_ms

    def _produce(self, here: Place) -> float:
        """Send the transactions, at the rate; give the producer's own lateness."""
        done = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).parent / "paced_producer.py"),
                here.kafka.bootstrap_servers,
                here.kafka.topic_transactions,
                str(here.kafka.partitions),
                str(self.rate),
                str(SECONDS + WARM_UP_S),
                str(self._lines),
            ],
            check=True,
            stdout=subprocess.PIPE,
        )
        return float(json.loads(done.stdout)["late_ms_p99"])
