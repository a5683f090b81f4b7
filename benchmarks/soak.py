"""Ten million transactions through one scorer: does its memory grow?

They come in waves, so that the disk holds no more of them than it must; the resident memory of
scorer and broker is read once a second. `make bench` leaves this out: it takes minutes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import psutil
from benchmarks.measure import say, table
from benchmarks.place import Place

from fraudline import local

TITLE = "Ten million transactions: memory"
TRANSACTIONS = 10_000_000
WAVE = 500_000
_WAVE_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class _Moment:
    """How many decisions there were, and the memory of each process by then, MiB."""

    decided: int
    scorer_mib: float
    broker_mib: float


def measure(place: Place) -> list[str]:
    """Memory at the start, at the end, and its slope between."""
    place.train("default")
    lines, topic = place.lines(), place.kafka.topic_transactions
    (pid,) = (
        service.pid for service in local.status(place.project.settings) if service.name == "kafka"
    )
    broker = psutil.Process(pid)
    end, seen = place.end_of(place.kafka.topic_decisions), list[_Moment]()
    begun = time.monotonic()
    with place.running("score") as scorer:
        for sent in range(WAVE, TRANSACTIONS + 1, WAVE):
            place.fill(topic, lines, WAVE)
            deadline = time.monotonic() + _WAVE_TIMEOUT_S
            before, decided = -1, end()
            while decided < sent or decided != before:  # transactions' ends are counted, too
                if time.monotonic() > deadline or scorer.poll() is not None:
                    raise RuntimeError(f"{decided:,} of {sent:,} decided")
                time.sleep(1)
                before, decided = decided, end()
                seen.append(_Moment(decided, _mib(scorer), _mib(broker)))
            say(f"{sent:,} decided, scorer {_mib(scorer):.1f} MiB, broker {_mib(broker):.1f} MiB")
    took_s = time.monotonic() - begun
    decided = len(place.times_ms(place.kafka.topic_decisions))
    settled = [moment for moment in seen if moment.decided > TRANSACTIONS / 10]
    return [
        f"{TRANSACTIONS:,} transactions in {took_s:.0f} s, sent in waves of {WAVE:,}; "
        f"{decided:,} decisions were read back. Resident memory was read {len(seen)} times; the "
        "slope is a least-squares line after the first tenth:",
        table(
            ("", "MiB after a tenth", "at the end", "most", "slope, MiB a million transactions"),
            [
                _row("scorer", settled, [moment.scorer_mib for moment in settled]),
                _row("broker (heap of 512 MiB)", settled, [one.broker_mib for one in settled]),
            ],
        ),
    ]


def _row(name: str, moments: list[_Moment], memory_mib: list[float]) -> tuple[str, ...]:
    slope = np.polyfit([moment.decided / 1e6 for moment in moments], memory_mib, 1)[0]
    ends = memory_mib[0], memory_mib[-1], max(memory_mib)
    return (name, *(f"{mib:.1f}" for mib in ends), f"{slope:+.2f}")


def _mib(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)
