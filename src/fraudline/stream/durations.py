"""Durations as a histogram: what a loop's latencies and steps are kept in."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# Powers of two: each bucket is as exact, relative to what it counts, as the next one.
BOUNDS_S: tuple[float, ...] = tuple(0.001 * 2**power for power in range(20))


@dataclass
class DurationHistogram:
    """Durations, counted in buckets.

    Attributes:
        counts: One entry for each of `BOUNDS_S`, its upper bound, and one for longer ones.
        sum_s: Their sum, seconds.
    """

    counts: npt.NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(len(BOUNDS_S) + 1, dtype=np.int64)
    )
    sum_s: float = 0.0

    def add(self, duration_s: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.sum_s += duration_s

    def add_all(self, durations_s: npt.NDArray[np.float64]) -> None:
        """Count many."""
        buckets = np.searchsorted(BOUNDS_S, durations_s)
        self.counts += np.bincount(buckets, minlength=len(self.counts))
        self.sum_s += float(durations_s.sum())
