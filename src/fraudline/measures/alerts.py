"""What a team would see that looks at the highest scores of each day, and how days differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraudline.measures.days import DAY_S
from fraudline.measures.ranking import rank

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Labels

ALERTS_A_DAY = (20, 50, 100, 200)


@dataclass(frozen=True)
class Budget:
    """What so many alerts a day catch.

    Attributes:
        alerts_a_day: How many; of a day that is not whole, in proportion.
        alerts: How many that makes over all days.
        precision: Share of frauds among the alerts.
        recall: Share of the frauds that is among the alerts.
    """

    alerts_a_day: int
    alerts: int
    precision: float
    recall: float


@dataclass(frozen=True)
class Day:
    """One day, judged alone.

    Attributes:
        number: Days since event time 0.
        rows: Transactions.
        frauds: How many of them are frauds.
        expected_frauds: Sum of the scores.
        average_precision: None on a day without a fraud, or with nothing else.
        roc_auc: Likewise.
    """

    number: int
    rows: int
    frauds: int
    expected_frauds: float
    average_precision: float | None
    roc_auc: float | None


def measure_budgets(event_s: Floats, labels: Labels, scores: Floats) -> list[Budget]:
    """Precision and recall of the k highest scores of each day, for each k of `ALERTS_A_DAY`.

    Args:
        event_s: Event times, seconds, in order, shape (rows,).
        labels: 1 for fraud, shape (rows,); at least one is.
        scores: Shape (rows,).
    """
    day = np.floor(event_s / DAY_S).astype(np.int64)
    # Each transaction's rank among those of its day, 0 for the highest score.
    order = np.lexsort((-scores, day))
    starts = np.searchsorted(day, day[order], side="left")
    rank = np.empty(len(day), dtype=np.int64)
    rank[order] = np.arange(len(day)) - starts
    # The first and the last day may be cut.
    first, last = event_s[0], event_s[-1]
    covered_s = np.minimum((day + 1) * DAY_S, last + 1) - np.maximum(day * DAY_S, first)
    found = []
    for alerts_a_day in ALERTS_A_DAY:
        is_alert = rank < np.ceil(alerts_a_day * covered_s / DAY_S)
        caught = int(labels[is_alert].sum())
        alerts = int(is_alert.sum())
        found.append(Budget(alerts_a_day, alerts, caught / alerts, caught / int(labels.sum())))
    return found


def measure_days(event_s: Floats, labels: Labels, scores: Floats) -> list[Day]:
    """Each day alone; arguments as of `measure_budgets`."""
    day = np.floor(event_s / DAY_S).astype(np.int64)
    found = []
    for number in np.unique(day):
        rows = day == number
        frauds, can_tell = int(labels[rows].sum()), len(np.unique(labels[rows])) == 2
        ranking = rank(labels[rows], scores[rows]) if can_tell else None
        found.append(
            Day(
                int(number),
                int(rows.sum()),
                frauds,
                float(scores[rows].sum()),
                ranking.average_precision if ranking else None,
                ranking.roc_auc if ranking else None,
            )
        )
    return found
