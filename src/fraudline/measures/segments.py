"""What a policy does to payments of one kind and of another: level by level of a category."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fraudline.measures.policy_effect import Count
from fraudline.measures.ranking import rank

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.bundle.policy import Policy
    from fraudline.contract.array_types import Flags, Labels
    from fraudline.measures.scored_rows import ScoredRows

MOST_CATEGORIES = 3
MOST_LEVELS = 8
OTHERS = "all others together"
NULL = "no value (null)"


@dataclass(frozen=True)
class Segment:
    """The payments with one level of a category, and what a policy does to them.

    Attributes:
        level: In words.
        payments: How many there are, with their frauds.
        average_precision: Among them alone; None without a fraud or with nothing else.
        frauds_stopped: Share of their frauds that are reviewed or blocked; None without a fraud.
        legitimate_reviewed: How many legitimate ones are.
        legitimate_blocked: Likewise.
    """

    level: str
    payments: Count
    average_precision: float | None
    frauds_stopped: float | None
    legitimate_reviewed: int
    legitimate_blocked: int

    @property
    def blocked_share(self) -> float:
        """Of the legitimate payments, the share that is blocked; 0 without one."""
        return self.legitimate_blocked / max(self.payments.legitimate, 1)


def grouped(levels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Levels as text, the rarer ones as one: the most frequent ones stay, ties by their names.

    Args:
        levels: Text, shape (rows,).
    """
    names, counts = np.unique(levels, return_counts=True)
    if len(names) <= MOST_LEVELS + 1:
        return levels
    kept = names[np.lexsort((names, -counts))][:MOST_LEVELS]
    return np.where(np.isin(levels, kept), levels, OTHERS)


def information(levels: np.ndarray[Any, Any], labels: Labels) -> float:
    """How much a level tells of the label, in nats: their mutual information.

    Args:
        levels: Text, shape (rows,).
        labels: 1 for fraud.
    """
    _, of_row = np.unique(levels, return_inverse=True)
    counts = np.zeros((of_row.max() + 1, 2))
    np.add.at(counts, (of_row, labels.astype(np.int64)), 1)
    joint = counts / counts.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    is_seen = joint > 0
    return float((joint[is_seen] * np.log(joint[is_seen] / apart[is_seen])).sum())


def measure_segments(policy: Policy, judged: ScoredRows) -> dict[str, list[Segment]]:
    """What a policy does, by category and level; the most frequent level first.

    Args:
        policy: Any.
        judged: Scored payments, with the levels of the categories to be told.
    """
    labels = judged.labels
    codes = policy.decide(judged.scores, judged.amounts)

    def segment(level: str, is_of: Flags) -> Segment:
        of_labels = labels[is_of]
        frauds = int(of_labels.sum())
        ranked = None
        if 0 < frauds < len(of_labels):
            ranked = rank(of_labels, judged.scores[is_of]).average_precision
        stopped = codes[is_of] != 0
        legitimate = codes[is_of][of_labels == 0]
        return Segment(
            level=level,
            payments=Count(len(of_labels), frauds),
            average_precision=ranked,
            frauds_stopped=float(stopped[of_labels == 1].mean()) if frauds else None,
            legitimate_reviewed=int((legitimate == 1).sum()),
            legitimate_blocked=int((legitimate == 2).sum()),
        )

    told = {}
    for name, levels in judged.segments.items():
        found = [segment(str(level), levels == level) for level in np.unique(levels)]
        told[name] = sorted(
            found, key=lambda each: (each.level == OTHERS, -each.payments.payments, each.level)
        )
    return told
