"""Whether the levels of a category are as frequent as they were.

Shares of levels are compared by their total variation: so large a part of the payments has other
levels. It is the greatest difference that any set of levels shows, as Kolmogorov and Smirnov's is
of any range of numbers, and like that it is scaled by the numbers of rows and held against what is
usual. An order of levels, by a hash for example, would let changes of neighbours hide each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Integers, Vector

# The most frequent ones are watched one by one, all others together.
MOST_LEVELS = 100


def watched_levels(codes: Vector) -> tuple[Integers, Floats]:
    """The most frequent levels, and the share of each.

    Args:
        codes: Of rows, NaN where they are null, shape (rows,).
    """
    there = codes[~np.isnan(codes)].astype(np.int64)
    found, counts = np.unique(there, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_LEVELS]
    return found[order], counts[order] / max(len(there), 1)


def count_levels(levels: Integers, codes: Vector) -> Integers:
    """How many rows have each level, and last how many have another one; nulls are left out.

    Args:
        levels: Codes, each once, shape (levels,).
        codes: Of rows, NaN where they are null, shape (rows,).

    Returns:
        Shape (levels + 1,).
    """
    there = codes[~np.isnan(codes)].astype(np.int64)
    if not len(levels):
        return np.array([len(there)])
    order = np.argsort(levels)
    at = np.minimum(np.searchsorted(levels, there, sorter=order), len(levels) - 1)
    place = np.where(levels[order[at]] == there, order[at], len(levels))
    return np.bincount(place, minlength=len(levels) + 1)


def level_distance(shares: Floats, rows: int, counts: Integers) -> tuple[float, float]:
    """The total variation between what is usual and a sample, plain and scaled.

    Args:
        shares: What is usual, of each level and last of all others, shape (levels + 1,).
        rows: How many rows they stand for.
        counts: Of the sample, in the same order, one row at least.

    Returns:
        0 to 1: so large a part of the rows has other levels; and the same, scaled as
        `scaled_distance` does, by which chance is the same for any number of rows.
    """
    sampled = int(counts.sum())
    distance = float(np.abs(counts / sampled - shares).sum() / 2)
    return distance, distance * float(np.sqrt(rows * sampled / (rows + sampled)))


def level_distances_from_others(periods: Sequence[Vector]) -> Floats:
    """The scaled distance of each period from all others together.

    Args:
        periods: Codes of each period, NaN where they are null; two periods at least.

    Returns:
        Shape (periods,); 0 where a period has no level, or the others have none.
    """
    levels, _ = watched_levels(np.concatenate(periods))
    counts = np.array([count_levels(levels, period) for period in periods])
    total = counts.sum(axis=0)
    found = np.zeros(len(periods))
    for number, own in enumerate(counts):
        others = total - own
        if own.sum() and others.sum():
            rows = int(others.sum())
            _, found[number] = level_distance(others / rows, rows, own)
    return found
