"""Fifty swaps while transactions flow: how soon each takes over, and what it takes meanwhile.

Two recipes take turns as the champion of a scorer that runs. A swap is timed from the return of the
promotion to the first decision of the new version that a consumer of committed messages has. The
latency of transactions that were due within a second and a half after a promotion stands beside
that of all others.
"""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from benchmarks.measure import say, spread, table
from benchmarks.place import Place, wait_until

from fraudline.contract import Messages
from fraudline.stream.broker import wait_for_member
from fraudline.stream.read_topic import watch_topic

TITLE = "Fifty swaps in a row"
SWAPS = 50
EVERY_S = 2.0
SETTLED = 10  # swaps after which memory is compared
RATES = (1_000, 10_000)
_MEANWHILE_S = 1.5
_WARM_UP_S = 3.0
_DRAIN_S = 60.0


class _Decided(msgspec.Struct):
    """What a decision tells of its time and its version."""

    received_at: dt.datetime
    model_version: str


@dataclass
class _Seen:
    """When transactions were due, when their decisions came, and which version decided."""

    due_s: list[float] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)

    def add(self, batch: Messages, at_s: float) -> None:
        """What came in one piece."""
        decode = msgspec.json.Decoder(_Decided).decode
        for value in batch.values:
            decided = decode(value or b"")
            self.due_s.append(decided.received_at.timestamp())
            self.came_s.append(at_s)
            self.versions.append(sys.intern(decided.model_version))


@dataclass(frozen=True)
class _Swap:
    """A promotion, and the memory of the scorer before it."""

    version: str
    promoted_s: float
    scorer_mib: float


def measure(place: Place) -> list[str]:
    """Fifty swaps at each rate."""
    versions = [place.train(recipe).manifest.version for recipe in ("default", "mlp")]
    lines = place.project.settings.home / "lines.jsonl"
    lines.write_bytes(b"\n".join(place.lines()))
    rows = [_row(rate, *_swapped(place, rate, lines, versions)) for rate in RATES]
    return [
        f"{SWAPS} swaps between recipes `default` and `mlp`, one every {EVERY_S:g} s, while "
        f"transactions come at a steady rate. `meanwhile` are those that were due within "
        f"{_MEANWHILE_S:g} s after a promotion; median (least to most) of the swaps:",
        table(
            (
                *("transactions/s", "ms to the first decision", "p99 ms", "p99 ms meanwhile"),
                *(f"scorer MiB after {SETTLED} swaps", f"after {SWAPS}", "surplus decisions"),
            ),
            rows,
        ),
    ]


def _swapped(
    place: Place, rate: int, lines: Path, versions: list[str]
) -> tuple[_Seen, list[_Swap], float]:
    """What was seen, each swap, and the scorer's memory in the end."""
    here = place.sibling(topic_transactions=f"transactions-swap-{rate}")
    registry = here.project.registry
    registry.promote(versions[1])
    seconds = _WARM_UP_S + SWAPS * EVERY_S
    seen, swaps = _Seen(), []
    stop, ready = threading.Event(), threading.Event()
    watcher = threading.Thread(
        target=lambda: watch_topic(
            here.kafka,
            here.kafka.topic_decisions,
            stop=stop,
            on_messages=seen.add,
            ready=ready,
        ),
        daemon=True,
    )
    with here.running("score") as scorer:
        if not wait_for_member(here.kafka, f"{here.kafka.group}.score", 60):
            raise RuntimeError("the scorer did not begin")
        watcher.start()
        ready.wait(30)
        producer = _producer(here, rate, seconds, lines)
        time.sleep(_WARM_UP_S)
        for number in range(SWAPS):
            before_mib = scorer.memory_info().rss / 2**20
            registry.promote(versions[number % 2])
            swaps.append(_Swap(versions[number % 2], time.time(), before_mib))
            time.sleep(EVERY_S)
        late = json.loads(producer.communicate()[0])
        say(f"the producer was late by {late['late_ms_p99']:.1f} ms, p99")
        wait_until(lambda: len(seen.due_s) >= int(rate * seconds), _DRAIN_S, "decisions")
        after_mib = scorer.memory_info().rss / 2**20
    stop.set()
    watcher.join()
    return seen, swaps, after_mib


def _producer(here: Place, rate: int, seconds: float, lines: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).parent / "paced_producer.py"),
            here.kafka.bootstrap_servers,
            here.kafka.topic_transactions,
            str(here.kafka.partitions),
            str(rate),
            str(seconds),
            str(lines),
        ],
        stdout=subprocess.PIPE,
    )


def _row(rate: int, seen: _Seen, swaps: list[_Swap], after_mib: float) -> tuple[str, ...]:
    due, came = np.array(seen.due_s), np.array(seen.came_s)
    versions = np.array(seen.versions)
    took_ms, meanwhile, is_meanwhile = [], [], np.zeros(len(due), np.bool_)
    for swap in swaps:
        taken = came[(versions == swap.version) & (came > swap.promoted_s)].min()
        took_ms.append((taken - swap.promoted_s) * 1000)
        within = (due > swap.promoted_s) & (due < swap.promoted_s + _MEANWHILE_S)
        is_meanwhile |= within
        meanwhile.append(float(np.percentile((came - due)[within], 99)) * 1000)
    is_steady = ~is_meanwhile & (due > due.min() + _WARM_UP_S)
    usual = float(np.percentile((came - due)[is_steady], 99)) * 1000
    doubled = len(due) - int(rate * (_WARM_UP_S + SWAPS * EVERY_S))
    return (
        f"{rate:,}",
        spread(took_ms),
        f"{usual:.1f}",
        spread(meanwhile, 1),
        f"{swaps[SETTLED].scorer_mib:.1f}",
        f"{after_mib:.1f}",
        str(doubled),
    )
