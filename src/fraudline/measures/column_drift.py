"""Whether columns are distributed as they were: Kolmogorov and Smirnov's distance of each.

The greatest difference of two cumulative shares says how far a sample lies from a reference, in any
unit. What is usual differs between columns (whether it is a weekend is all or nothing in a day), so
each column's distance is told in standard deviations from what was usual for it while the reference
was made, and held against the distances of the reference's own periods. There each period is
compared with the others, which it is not part of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Matrix, Vector

    Values = Floats | Vector

_Real = TypeVar("_Real", bound=np.floating)

# Of a period at most so many rows are looked at, drawn with a seed: more would find differences
# that are real and of no consequence.
PERIOD_ROWS = 10_000
# Fewer rows tell nothing.
LEAST_ROWS = 100
# Standard deviations above the mean of the reference's own periods.
THRESHOLD_SDS = 4.0
# Mean and standard deviation of the scaled distance of two samples of one continuous distribution
# (Kolmogorov, 1933), and in how many periods chance alone may reach the threshold once.
CHANCE_MEAN, CHANCE_SD = 0.8687, 0.2603
CHANCE_PERIODS = 1000


def scaled_distance(reference: Values, reference_rows: int, sample: Values) -> tuple[float, float]:
    """The greatest difference of two cumulative shares, plain and scaled.

    Args:
        reference: Values at even steps of the reference's order, sorted, shape (points,).
        reference_rows: How many rows they stand for.
        sample: Of a period, sorted, shape (rows,).

    Returns:
        The distance, 0 to 1; and the same times the square root of the two numbers of rows'
        harmonic mean, halved, by which chance is the same for any number of rows.
    """
    points = np.concatenate([reference, sample])
    below = np.searchsorted(reference, points, side="right") / len(reference)
    sampled = np.searchsorted(sample, points, side="right") / len(sample)
    distance = float(np.abs(below - sampled).max())
    return distance, distance * _scale(reference_rows, len(sample))


def distances_from_others(periods: Sequence[Matrix]) -> Floats:
    """The scaled distance of each period from all others together, column by column.

    Args:
        periods: Values of each period, shape (rows, columns); two periods at least. What is NaN
            is left out.

    Returns:
        Shape (periods, columns); 0 where a column has no value, or the others have none.
    """
    values = np.concatenate(periods)
    of_period = np.repeat(np.arange(len(periods)), [len(period) for period in periods])
    found = np.zeros((len(periods), values.shape[1]))
    for column in range(values.shape[1]):
        order = np.argsort(values[:, column], kind="stable")  # NaN comes last
        order = order[: len(values) - np.isnan(values[:, column]).sum()]
        ordered, owners = values[order, column], of_period[order]
        if not len(ordered):
            continue
        ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # last of equal values
        for number, size in enumerate(np.bincount(owners, minlength=len(periods))):
            if not 0 < size < len(ordered):
                continue
            own = np.cumsum(owners == number)[ends]
            others = (ends + 1 - own) / (len(ordered) - size)
            distance = np.abs(own / size - others).max()
            found[number, column] = distance * _scale(len(ordered) - size, size)
    return found


def usual_distances(distances: Floats) -> tuple[Floats, Floats, Floats]:
    """What is usual for each column, and how far from it alarms.

    Args:
        distances: As `distances_from_others` gives them.

    Returns:
        Mean and standard deviation of each column's distances, and the excess at which it alarms,
        each of shape (columns,). That is mean and `THRESHOLD_SDS` standard deviations of the
        periods' own, each measured by what the other periods say is usual; and never less than
        what chance alone reaches in one of `CHANCE_PERIODS` periods, among so many columns.
    """
    own = np.empty_like(distances)
    for number, found in enumerate(distances):
        others = np.delete(distances, number, axis=0)
        own[number] = (found - others.mean(axis=0)) / _spread(others)
    thresholds = own.mean(axis=0) + THRESHOLD_SDS * own.std(axis=0, ddof=1)
    by_chance = np.sqrt(np.log(2 * distances.shape[1] * CHANCE_PERIODS) / 2)  # Kolmogorov's tail
    least = (by_chance - CHANCE_MEAN) / CHANCE_SD
    return distances.mean(axis=0), _spread(distances), np.maximum(thresholds, least)


def sketch(values: npt.NDArray[_Real], points: int) -> npt.NDArray[_Real]:
    """Values at even steps of the order, which stand for all of them; sorted, shape (points,).

    What is NaN is left out; where nothing else is there, all points are.
    """
    ordered = np.sort(values[~np.isnan(values)])
    if not len(ordered):
        return np.full(points, np.nan, values.dtype)
    at = (np.arange(points) + 0.5) * len(ordered) / points
    drawn: npt.NDArray[_Real] = ordered[at.astype(np.int64)]
    return drawn


def _scale(rows: int, other_rows: int) -> float:
    return float(np.sqrt(rows * other_rows / (rows + other_rows)))


def _spread(distances: Floats) -> Floats:
    """Standard deviation of each column; chance alone makes it as large as `CHANCE_SD`."""
    spread: Floats = np.maximum(distances.std(axis=0, ddof=1), CHANCE_SD)
    return spread
