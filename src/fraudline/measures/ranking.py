"""How well scores put frauds before legitimate transactions, whatever the threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Integers, Labels


@dataclass(frozen=True)
class Ranking:
    """Counts at each threshold that tells transactions apart, the highest first.

    Attributes:
        caught: Frauds that score at least as high, shape (levels,); at least one in the end.
        wrong: Legitimate transactions that do, shape (levels,); likewise.
    """

    caught: Integers
    wrong: Integers

    @property
    def average_precision(self) -> float:
        """Area under the precision-recall curve, as a sum of steps without interpolation."""
        gained = np.diff(self.caught, prepend=0)
        precision = self.caught / (self.caught + self.wrong)
        return float((gained * precision).sum() / self.caught[-1])

    @property
    def roc_auc(self) -> float:
        """Area under the receiver operating characteristic, by trapezia."""
        return float(np.trapezoid(self._shares(self.caught), self._shares(self.wrong)))

    def recall_within(self, most_wrong_share: float) -> float:
        """The largest recall that stops at most such a share of the legitimate ones."""
        is_within = self._shares(self.wrong) <= most_wrong_share
        return float(self._shares(self.caught)[is_within].max())

    @staticmethod
    def _shares(counts: Integers) -> Floats:
        shares: Floats = np.concatenate([[0], counts]) / counts[-1]
        return shares


def rank(labels: Labels, scores: Floats) -> Ranking:
    """Rank transactions; equal scores are one level, since no threshold comes between them.

    Args:
        labels: 1 for fraud, shape (rows,); some are, and some are not.
        scores: Shape (rows,); higher is more like fraud.
    """
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    lasts = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    caught = np.cumsum(labels[order], dtype=np.int64)[lasts]
    return Ranking(caught, lasts + 1 - caught)
