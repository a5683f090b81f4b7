"""A period of the stream held against a version's reference, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraudline.measures.column_drift import LEAST_ROWS, scaled_distance

if TYPE_CHECKING:  # the rooms of the names bring Arrow, which no measure needs
    from fraudline.bundle.reference import Reference
    from fraudline.contract.array_types import Floats, Matrix, Vector

# The shares of the values that a distribution is told by.
TOLD_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class ColumnFound:
    """How a column was in a period.

    Attributes:
        name: The column.
        distance: The greatest difference of two cumulative shares, 0 to 1: so large a part of the
            values lies elsewhere.
        excess: How many standard deviations the scaled distance is above what is usual.
        threshold: From where on it alarms.
        usual: The values that `TOLD_SHARES` of the reference reach at most, in the column's unit.
        found: Likewise of the period.
    """

    name: str
    distance: float
    excess: float
    threshold: float
    usual: tuple[float, ...]
    found: tuple[float, ...]

    @property
    def is_alarm(self) -> bool:
        """Whether it is too far."""
        return self.excess >= self.threshold


def compare_columns(reference: Reference, values: Matrix) -> list[ColumnFound]:
    """How each column was in a period, the one that changed most first.

    Args:
        reference: Of the version that decided.
        values: As `watched_values` gives them of the period's transactions or a draw of them,
            shape (rows, columns), one row at least. Nulls are NaN, and left out; a column is left
            out that has too few other values.
    """
    facts = reference.facts
    compared = []
    for at, (name, usual) in enumerate(facts.distances.items()):
        points, sample = reference.columns[name], np.sort(values[~np.isnan(values[:, at]), at])
        nulls = facts.nulls[name].mean if name in facts.nulls else 0.0
        if np.isnan(points).any() or len(sample) < min(LEAST_ROWS, len(values)):
            continue
        distance, scaled = scaled_distance(points, round(facts.rows * (1 - nulls)), sample)
        excess = (scaled - usual.mean) / usual.sd
        compared.append(
            ColumnFound(
                name,
                distance,
                excess,
                usual.threshold,
                told_quantiles(points),
                told_quantiles(sample),
            )
        )
    return sorted(compared, key=lambda each: each.threshold - each.excess)


def told_quantiles(values: Floats | Vector) -> tuple[float, ...]:
    """Values that were seen, one for each of `TOLD_SHARES`."""
    return tuple(np.quantile(values, TOLD_SHARES, method="inverted_cdf").astype(float).tolist())
