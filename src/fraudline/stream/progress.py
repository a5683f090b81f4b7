"""What a loop tells of itself while it runs: how far it is, what it does, what it waits for.

A loop writes here from its one thread, a few plain numbers for each batch. Whoever wants to
know reads them from other threads at any time: the console line, the metrics, the health.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

# Powers of two, so that each bucket is as exact, relative to what it counts, as the next one.
LATENCY_BOUNDS_S: tuple[float, ...] = tuple(0.001 * 2**power for power in range(20))

Position = tuple[str, int]
"""Topic and partition."""


class Progress:
    """The account of one loop, from its start to its end, whatever sessions it needs.

    Args:
        task: What runs, in a word: `score` or `sink`.

    Attributes:
        done: Messages by what became of them: a decision, or the table they are stored in.
        rejected: Messages by the reason why they could not be dealt with.
        failures: Ends of a session, by kind.
        latencies: Messages by their age when they were done: one entry for each of
            `LATENCY_BOUNDS_S`, its upper bound, and one for those that were older.
        latency_sum_s: The sum of these ages, seconds.
        positions: The next offset to be dealt with, of each partition.
        appends_in_flight: Appends that the store has not answered yet.
        failed_with: What ended the last session, in words, until something went well again.
        waits_for: What the loop waits for, in words, while it can do nothing; else None.
        doing: The step that the loop is in.
        doing_since: When it began, by `time.monotonic`.
    """

    def __init__(self, task: str) -> None:
        self.task = task
        self.done: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.latencies = np.zeros(len(LATENCY_BOUNDS_S) + 1, dtype=np.int64)
        self.latency_sum_s = 0.0
        self.positions: dict[Position, int] = {}
        self.appends_in_flight = 0
        self.failed_with: str | None = None
        self.waits_for: str | None = None
        self.doing = "start"
        self.doing_since = time.monotonic()

    def step(self, name: str) -> None:
        """Tell what the loop does from now on."""
        self.doing = name
        self.doing_since = time.monotonic()

    def batch(
        self,
        positions: Mapping[Position, int],
        sent_at_ms: Sequence[int],
        done: Mapping[str, int],
        rejected: Mapping[str, int],
    ) -> None:
        """Tell of messages whose outcomes are safe now: committed, or stored.

        Args:
            positions: The offset after the last of them, of each partition.
            sent_at_ms: When each was sent, milliseconds since 1970 UTC.
            done: How many came to which end.
            rejected: How many were refused, by reason.
        """
        self.failed_with = None
        self.positions.update(positions)
        self.done.update(done)
        self.rejected.update(rejected)
        ages_s = time.time() - np.asarray(sent_at_ms, dtype=np.float64) / 1000
        buckets = np.searchsorted(LATENCY_BOUNDS_S, ages_s)
        self.latencies += np.bincount(buckets, minlength=len(self.latencies))
        self.latency_sum_s += float(ages_s.sum())

    def idle(self) -> None:
        """Tell that there was nothing to take, and that nothing is in hand."""
        self.failed_with = None

    def waiting(self, for_what: str) -> None:
        """Tell that the loop can do nothing until something outside changes."""
        self.waits_for = for_what

    def resumed(self) -> None:
        """Tell that the wait is over."""
        self.waits_for = None

    def in_flight(self, appends: int) -> None:
        """Tell how many appends the store has not answered yet."""
        self.appends_in_flight = appends

    def failed(self, kind: str, reason: str) -> None:
        """Tell that a session ended; the next one begins after a pause.

        Args:
            kind: Which side failed, in a word.
            reason: What failed, in words.
        """
        self.failed_with = reason
        self.failures[kind] += 1
        self.step("pause")
