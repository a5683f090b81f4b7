"""A period of the stream held against a version's reference, column by column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraudline.measures.column_drift import LEAST_ROWS, scaled_distance
from fraudline.measures.level_drift import count_levels, level_distance

if TYPE_CHECKING:  # the rooms of the names bring Arrow, which no measure needs
    from fraudline.bundle.reference import Reference, ReferenceFacts
    from fraudline.contract.array_types import Floats, Matrix, Vector

# The shares of the values that a distribution is told by.
TOLD_SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
# What stands for the levels that are not watched one by one.
OTHER_LEVELS = "other levels"
_MOST_CHARACTERS = 60  # of a level's name


@dataclass(frozen=True)
class ColumnFound:
    """How a column was in a period.

    Attributes:
        name: The column.
        distance: The greatest difference of two cumulative shares, or of a category the total
            variation, 0 to 1: so large a part of the values lies elsewhere.
        excess: How many standard deviations the scaled distance is above what is usual.
        threshold: From where on it alarms.
        usual: The values that `TOLD_SHARES` of the reference reach at most, in the column's unit;
            of a category the shares of the levels that changed most.
        found: Likewise of the period.
        levels: The names of those levels; None where it is no category.
    """

    name: str
    distance: float
    excess: float
    threshold: float
    usual: tuple[float, ...]
    found: tuple[float, ...]
    levels: tuple[str, ...] | None = None

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
        if name in facts.levels:
            compared += _compare_levels(name, facts, values[:, at])
            continue
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


def _compare_levels(name: str, facts: ReferenceFacts, codes: Vector) -> list[ColumnFound]:
    """How the levels of a category were in a period; nothing where too few rows have one."""
    levels, usual = facts.levels[name], facts.distances[name]
    counts = count_levels(np.array(levels.codes, np.int64), codes)
    if counts.sum() < min(LEAST_ROWS, len(codes)):
        return []
    shares = np.array([*levels.shares, max(1 - sum(levels.shares), 0.0)])
    nulls = facts.nulls[name].mean if name in facts.nulls else 0.0
    distance, scaled = level_distance(shares, round(facts.rows * (1 - nulls)), counts)
    found = counts / counts.sum()
    order = np.argsort(-np.abs(found - shares), kind="stable")[: len(TOLD_SHARES)]
    names = (*levels.names, OTHER_LEVELS)
    return [
        ColumnFound(
            name,
            distance,
            (scaled - usual.mean) / usual.sd,
            usual.threshold,
            tuple(shares[order].tolist()),
            tuple(found[order].tolist()),
            tuple(names[at][:_MOST_CHARACTERS] for at in order),
        )
    ]


def told_quantiles(values: Floats | Vector) -> tuple[float, ...]:
    """Values that were seen, one for each of `TOLD_SHARES`."""
    return tuple(np.quantile(values, TOLD_SHARES, method="inverted_cdf").astype(float).tolist())
