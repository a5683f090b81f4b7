"""What scores are worth, told against the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraudline.errors import InputError
from fraudline.measures.bootstrap import average_precision_interval
from fraudline.measures.classification_table import (
    ConfusionCounts,
    classification_table,
    precision_recall_f1,
)
from fraudline.measures.drawn_rows import repeated
from fraudline.measures.ranking import rank
from fraudline.measures.reliability import measure_reliability

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Labels

FALSE_POSITIVE_RATE = 0.01
COUNTS = ("frauds_caught", "frauds_missed", "legitimate_stopped", "legitimate_approved")
# Figures that hang on the threshold; the others hang on the scores alone.
AT_THRESHOLD = (
    *COUNTS,
    *("precision", "recall", "f1", "accuracy", "amount_caught", "amount_missed"),
)


@dataclass(frozen=True)
class Evaluation:
    """How well scores and a threshold tell fraud from legitimate transactions.

    A transaction that reaches the threshold is stopped here: reviewed or blocked.

    Attributes:
        legitimate_approved: Legitimate transactions below the threshold (true negatives).
        legitimate_stopped: Legitimate transactions stopped by mistake (false positives).
        frauds_missed: Frauds below the threshold (false negatives).
        frauds_caught: Frauds stopped (true positives).
        average_precision: Area under the precision-recall curve, as scikit-learn sums it.
        average_precision_low: Lower end of its 95 % bootstrap interval.
        average_precision_high: Upper end of it.
        roc_auc: Area under the receiver operating characteristic.
        precision: Share of frauds among the stopped; 0 where nothing is stopped.
        recall: Share of the frauds that is stopped.
        f1: Harmonic mean of precision and recall.
        accuracy: Share of transactions told rightly. Stopping nothing scores high here.
        recall_at_1pct_fpr: Largest recall that stops at most 1 % of the legitimate ones.
        amount_caught: Sum of the amounts of the frauds caught, in the contract's unit; None
            where it has no amount.
        amount_missed: Likewise of the frauds missed.
        brier: Mean squared difference of score and label; see `Reliability`.
        calibration_error: Expected calibration error; see `Reliability`.
        calibration_error_of_alerts: The same over the higher scores; see `Reliability`.
        expected_frauds: Sum of the scores, which for calibrated ones is near the frauds.
        classification_report: Table of precision and recall by class, as scikit-learn prints it.
    """

    legitimate_approved: int
    legitimate_stopped: int
    frauds_missed: int
    frauds_caught: int
    average_precision: float
    average_precision_low: float
    average_precision_high: float
    roc_auc: float
    precision: float
    recall: float
    f1: float
    accuracy: float
    recall_at_1pct_fpr: float
    amount_caught: float | None
    amount_missed: float | None
    brier: float
    calibration_error: float
    calibration_error_of_alerts: float
    expected_frauds: float
    classification_report: str

    @property
    def rows(self) -> int:
        """Number of transactions."""
        return self.legitimate_approved + self.legitimate_stopped + self.frauds

    @property
    def frauds(self) -> int:
        """Number of frauds."""
        return self.frauds_missed + self.frauds_caught

    def metrics(self) -> dict[str, float]:
        """Every figure that there is by name, for a manifest."""
        return {
            name: float(value)
            for name, value in vars(self).items()
            if value is not None and not isinstance(value, str)
        }


def evaluate(
    labels: Labels,
    scores: Floats,
    threshold: float | Floats,
    amounts: Floats | None,
    *,
    one_in: int = 1,
) -> Evaluation:
    """Judge scores and a threshold by the labels.

    Args:
        labels: 1 for fraud, shape (rows,).
        scores: Probability of fraud, shape (rows,).
        threshold: Least score that is stopped; one, or one for each row.
        amounts: In the contract's unit, shape (rows,); None: there are none.
        one_in: Of the legitimate transactions one in so many was drawn, and counts as often.

    Raises:
        InputError: there are no frauds, or nothing but frauds, so nothing can be told apart.
    """
    frauds = int(labels.sum())
    if not 0 < frauds < len(labels):
        raise InputError(
            f"scores cannot be judged by these labels: {frauds} of {len(labels)} transactions "
            "are frauds, expected at least one fraud and one legitimate transaction. "
            "Take a longer period."
        )
    thresholds = np.broadcast_to(threshold, labels.shape)
    worth = np.zeros(labels.shape) if amounts is None else amounts
    labels, scores, thresholds, worth = repeated(labels, one_in, scores, thresholds, worth)
    is_fraud, is_stopped = labels == 1, scores >= thresholds
    caught, missed = is_fraud & is_stopped, is_fraud & ~is_stopped
    wrong = int((~is_fraud & is_stopped).sum())
    counts = ConfusionCounts(
        legitimate_approved=len(labels) - frauds - wrong,
        legitimate_stopped=wrong,
        frauds_missed=int(missed.sum()),
        frauds_caught=int(caught.sum()),
    )
    precision, recall, f1 = precision_recall_f1(counts.frauds_caught, wrong, counts.frauds_missed)
    low, high = average_precision_interval(labels, scores, one_in)
    reliability = measure_reliability(labels, scores)
    ranking = rank(labels, scores)
    return Evaluation(
        **counts._asdict(),
        average_precision=ranking.average_precision,
        average_precision_low=low,
        average_precision_high=high,
        roc_auc=ranking.roc_auc,
        precision=precision,
        recall=recall,
        f1=f1,
        accuracy=float((is_fraud == is_stopped).mean()),
        recall_at_1pct_fpr=ranking.recall_within(FALSE_POSITIVE_RATE),
        amount_caught=None if amounts is None else float(worth[caught].sum()),
        amount_missed=None if amounts is None else float(worth[missed].sum()),
        brier=reliability.brier,
        calibration_error=reliability.calibration_error,
        calibration_error_of_alerts=reliability.calibration_error_of_alerts,
        expected_frauds=reliability.expected_frauds,
        classification_report=classification_table(counts),
    )
