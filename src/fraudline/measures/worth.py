"""What ways to decide are worth in money, each beside the others on the same transactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraudline.measures.bootstrap import sum_intervals

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import DecisionCodes, Floats, Labels


@dataclass(frozen=True)
class Saving:
    """One way to decide, and what it costs on labelled rows.

    Attributes:
        name: Which way.
        cost: Of its decisions, in the contract's unit.
        saved: What it saves against approving everything; an amount and its 95 % interval.
        ahead: What the policy saves against this way; likewise. None for the policy itself.
        approved, reviewed, blocked: Transactions, and how many of them are frauds.
    """

    name: str
    cost: float
    saved: tuple[float, float, float]
    ahead: tuple[float, float, float] | None
    approved: tuple[int, int]
    reviewed: tuple[int, int]
    blocked: tuple[int, int]


@dataclass(frozen=True)
class Way:
    """One way to decide the transactions.

    Attributes:
        codes: What it decides: 0 approves, 1 reviews, 2 blocks, shape (rows,).
        costs: What each of these decisions costs, in the contract's unit, shape (rows,).
    """

    codes: DecisionCodes
    costs: Floats


def measure_worth(
    ways: Mapping[str, Way], approving: str, labels: Labels, one_in: int = 1
) -> list[Saving]:
    """What each way costs and saves; the first is the policy that the others are held against.

    Args:
        ways: By name, on the same transactions.
        approving: Name of the way that approves everything.
        labels: 1 for fraud, shape (rows,).
        one_in: Of the legitimate transactions one in so many was drawn, and is there as often.
    """
    costs = [way.costs for way in ways.values()]
    differences = [ways[approving].costs - each for each in costs]
    differences += [each - costs[0] for each in costs]
    intervals = sum_intervals(np.stack(differences, axis=1), labels == 1, one_in)
    return [
        Saving(
            name,
            float(way.costs.sum()),
            intervals[place],
            intervals[len(ways) + place] if place else None,
            *_counts(way.codes, labels),
        )
        for place, (name, way) in enumerate(ways.items())
    ]


def _counts(
    codes: DecisionCodes, labels: Labels
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    approved, reviewed, blocked = (
        (int((codes == code).sum()), int(labels[codes == code].sum())) for code in range(3)
    )
    return approved, reviewed, blocked
