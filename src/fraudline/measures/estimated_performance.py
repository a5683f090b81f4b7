"""What decisions are worth if the scores are right: an estimate before labels.

A calibrated score is the probability of fraud, so a sum of scores is an expected number of frauds
(confidence-based performance estimation). It holds as long as the stream is what the model was
calibrated on, which is what alarms watch; where a new pattern arrives it reassures, wrongly. So it
is shown with that condition, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """What the scores promise of a period.

    Attributes:
        rows: Transactions.
        stopped: How many of them were reviewed or blocked.
        expected_frauds: Sum of all scores.
        expected_caught: Sum of the scores of what was stopped.
    """

    rows: int
    stopped: int
    expected_frauds: float
    expected_caught: float

    @property
    def fraud_share(self) -> float | None:
        """Share of frauds among all; None without rows."""
        return self.expected_frauds / self.rows if self.rows else None

    @property
    def precision(self) -> float | None:
        """Share of frauds among what was stopped; None where nothing was."""
        return self.expected_caught / self.stopped if self.stopped else None

    @property
    def recall(self) -> float | None:
        """Share of the frauds that was stopped; None where none are expected."""
        return self.expected_caught / self.expected_frauds if self.expected_frauds else None
