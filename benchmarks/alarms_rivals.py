"""What else could watch the columns: measured beside ours, never used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fraudline.measures.column_drift import distances_from_others, scaled_distance

Matrix = npt.NDArray[np.float32]

BINS = 10
_LEAST_SHARE = 1e-4  # of a bin, so that a logarithm is finite
DRAWN_ROWS = 2000


@dataclass(frozen=True)
class Rival:
    """A statistic of a day against the days of a reference, and from where on it alarms."""

    statistic: Callable[[Matrix], float]
    threshold: float


def rivals(reference: Sequence[Matrix], without: Sequence[int]) -> dict[str, Rival]:
    """Each way to watch, with its threshold.

    Args:
        reference: Values of each day of the reference, shape (rows, columns).
        without: Columns that differ between days by themselves: PSI is told of the others alone,
            where it would never be quiet.
    """
    kept = np.setdiff1d(np.arange(reference[0].shape[1]), without)
    bins = _Bins(np.concatenate(reference)[:, kept])
    own = [
        _Bins(np.concatenate([*reference[:day], *reference[day + 1 :]])[:, kept]).greatest(
            each[:, kept]
        )
        for day, each in enumerate(reference)
    ]

    def psi(day: Matrix) -> float:
        return bins.greatest(day[:, kept])

    drawn = [_drawn(day) for day in reference]
    pooled = np.sort(_drawn(np.concatenate(reference)), axis=0)

    def distance(day: Matrix) -> float:
        sample = np.sort(_drawn(day), axis=0)
        return max(
            scaled_distance(pooled[:, at], len(pooled), sample[:, at])[1]
            for at in range(day.shape[1])
        )

    of_days = distances_from_others(drawn).max(axis=1)
    return {
        "greatest distance, not told by what is usual of its column": Rival(
            distance, float(of_days.mean() + 4 * of_days.std(ddof=1))
        ),
        "greatest PSI above .1": Rival(psi, 0.1),
        "greatest PSI above .25": Rival(psi, 0.25),
        "greatest PSI, mean and 4 sd of the reference's days": Rival(
            psi, float(np.mean(own) + 4 * np.std(own, ddof=1))
        ),
    }


class _Bins:
    """Bins of each column with a tenth of the reference each, as far as its values allow."""

    def __init__(self, values: Matrix) -> None:
        shares = np.arange(1, BINS) / BINS
        self._edges = [np.unique(np.quantile(column, shares)) for column in values.T]
        self._expected = self._shares(values)

    def greatest(self, values: Matrix) -> float:
        """The greatest population stability index of a column."""
        pairs = zip(self._shares(values), self._expected, strict=True)
        return max(float(((found - usual) * np.log(found / usual)).sum()) for found, usual in pairs)

    def _shares(self, values: Matrix) -> list[npt.NDArray[np.float64]]:
        return [
            np.maximum(
                np.bincount(np.searchsorted(edges, column, side="left"), minlength=len(edges) + 1)
                / len(column),
                _LEAST_SHARE,
            )
            for edges, column in zip(self._edges, values.T, strict=True)
        ]


def _drawn(values: Matrix) -> Matrix:
    return values[np.random.default_rng(0).permutation(len(values))[:DRAWN_ROWS]]
