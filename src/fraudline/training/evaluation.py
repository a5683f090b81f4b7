"""What scores are worth, told against the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn import metrics

from fraudline.errors import InputError
from fraudline.training.reliability import measure_reliability

BOOTSTRAP_SEED = 0
FALSE_POSITIVE_RATE = 0.01

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]
Drawn = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """How well scores and a threshold tell fraud from legitimate transactions.

    Attributes:
        legitimate_approved: Legitimate transactions below the threshold (true negatives).
        legitimate_blocked: Legitimate transactions blocked by mistake (false positives).
        frauds_missed: Frauds below the threshold (false negatives).
        frauds_caught: Frauds blocked (true positives).
        average_precision: Area under the precision-recall curve, as scikit-learn sums it.
        average_precision_low: Lower end of its 95 % bootstrap interval.
        average_precision_high: Upper end of it.
        roc_auc: Area under the receiver operating characteristic.
        precision: Share of frauds among the blocked; 0 where nothing is blocked.
        recall: Share of the frauds that is blocked.
        f1: Harmonic mean of precision and recall.
        accuracy: Share of transactions decided rightly. Blocking nothing scores high here.
        recall_at_1pct_fpr: Largest recall that blocks at most 1 % of the legitimate ones.
        amount_caught: Sum of the amounts of the frauds caught, in the contract's unit.
        amount_missed: Sum of the amounts of the frauds missed.
        brier: Mean squared difference of score and label; see `Reliability`.
        calibration_error: Expected calibration error; see `Reliability`.
        calibration_error_of_alerts: The same over the higher scores; see `Reliability`.
        expected_frauds: Sum of the scores, which for calibrated ones is near the frauds.
        classification_report: scikit-learn's table of precision and recall by class.
    """

    legitimate_approved: int
    legitimate_blocked: int
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
    amount_caught: float
    amount_missed: float
    brier: float
    calibration_error: float
    calibration_error_of_alerts: float
    expected_frauds: float
    classification_report: str

    @property
    def rows(self) -> int:
        """Number of transactions."""
        return self.legitimate_approved + self.legitimate_blocked + self.frauds

    @property
    def frauds(self) -> int:
        """Number of frauds."""
        return self.frauds_missed + self.frauds_caught

    def metrics(self) -> dict[str, float]:
        """Every figure by name, for a manifest."""
        return {
            name: float(value) for name, value in vars(self).items() if not isinstance(value, str)
        }


def evaluate(
    labels: Labels, scores: Scores, threshold: float | Scores, amounts: Scores
) -> Evaluation:
    """Judge scores and a threshold by the labels.

    Args:
        labels: 1 for fraud, shape (rows,).
        scores: Probability of fraud, shape (rows,).
        threshold: Least score that counts as blocked; one, or one for each row.
        amounts: In the contract's unit, shape (rows,).

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
    is_fraud, is_blocked = labels == 1, scores >= threshold
    caught, missed = is_fraud & is_blocked, is_fraud & ~is_blocked
    wrong = int((~is_fraud & is_blocked).sum())
    low, high = average_precision_interval(labels, scores)
    reliability = measure_reliability(labels, scores)
    false_positive_rate, true_positive_rate, _ = metrics.roc_curve(labels, scores)
    return Evaluation(
        legitimate_approved=len(labels) - frauds - wrong,
        legitimate_blocked=wrong,
        frauds_missed=int(missed.sum()),
        frauds_caught=int(caught.sum()),
        average_precision=float(metrics.average_precision_score(labels, scores)),
        average_precision_low=low,
        average_precision_high=high,
        roc_auc=float(metrics.auc(false_positive_rate, true_positive_rate)),
        precision=float(metrics.precision_score(labels, is_blocked, zero_division=0)),
        recall=float(metrics.recall_score(labels, is_blocked)),
        f1=float(metrics.f1_score(labels, is_blocked)),
        accuracy=float((is_fraud == is_blocked).mean()),
        recall_at_1pct_fpr=float(
            true_positive_rate[false_positive_rate <= FALSE_POSITIVE_RATE].max()
        ),
        amount_caught=float(amounts[caught].sum()),
        amount_missed=float(amounts[missed].sum()),
        brier=reliability.brier,
        calibration_error=reliability.calibration_error,
        calibration_error_of_alerts=reliability.calibration_error_of_alerts,
        expected_frauds=reliability.expected_frauds,
        classification_report=metrics.classification_report(
            labels, is_blocked.astype(np.int8), digits=4, zero_division=0
        ),
    )


def average_precision_interval(
    labels: Labels, scores: Scores, *, resamples: int = 1000
) -> tuple[float, float]:
    """The 95 % percentile-bootstrap interval of the average precision.

    Resamples are stratified: as many frauds and as many legitimate transactions as there
    are, each drawn with replacement (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, chapter 13). Average precision needs no more of the legitimate transactions than
    how many of them score at least as high as each fraud, so only these counts are drawn.

    Args:
        labels: 1 for fraud, shape (rows,).
        scores: Shape (rows,).
        resamples: How many.
    """
    levels, frauds_at = np.unique(scores[labels == 1], return_counts=True)
    levels, frauds_at = levels[::-1], frauds_at[::-1]  # highest score first
    # Legitimate transactions by the highest level that they reach; the last reach none.
    reached = len(levels) - np.searchsorted(levels[::-1], scores[labels == 0], side="right")
    legitimate_at = np.bincount(reached, minlength=len(levels) + 1)
    random = np.random.default_rng(BOOTSTRAP_SEED)
    drawn_frauds = random.multinomial(frauds_at.sum(), frauds_at / frauds_at.sum(), size=resamples)
    drawn_legitimate = random.multinomial(
        legitimate_at.sum(), legitimate_at / legitimate_at.sum(), size=resamples
    )
    precisions = average_precisions(drawn_frauds, drawn_legitimate[:, :-1])
    low, high = np.percentile(precisions, (2.5, 97.5))
    return float(low), float(high)


def average_precision_resamples(
    labels: Labels, contenders: Sequence[Scores], *, resamples: int = 1000
) -> npt.NDArray[np.float64]:
    """Average precision of each contender on the same bootstrap resamples, to be compared.

    A difference between two contenders is judged on the resamples that both had: what makes
    one resample easy makes it easy for both. Stratified as in `average_precision_interval`.

    Args:
        labels: 1 for fraud, shape (rows,).
        contenders: Scores of each contender, shape (rows,).
        resamples: How many.

    Returns:
        Shape (contenders, resamples).
    """
    is_fraud = labels == 1
    frauds, legitimate = int(is_fraud.sum()), int((~is_fraud).sum())
    ranked = [Ranked(scores[is_fraud], scores[~is_fraud]) for scores in contenders]
    random = np.random.default_rng(BOOTSTRAP_SEED)
    found = np.empty((len(contenders), resamples))
    for resample in range(resamples):
        drawn_frauds = np.bincount(random.integers(0, frauds, frauds), minlength=frauds)
        drawn = np.bincount(random.integers(0, legitimate, legitimate), minlength=legitimate)
        for number, each in enumerate(ranked):
            found[number, resample] = each.average_precision(drawn_frauds, drawn)
    return found


class Ranked:
    """One contender's order of the rows, so that each resample only counts.

    Args:
        frauds: Its scores of the frauds.
        legitimate: Its scores of the legitimate transactions.
    """

    def __init__(self, frauds: Scores, legitimate: Scores) -> None:
        levels, level_of_fraud = np.unique(-frauds, return_inverse=True)  # highest score first
        self._level_of_fraud = level_of_fraud
        # The level from which on a legitimate transaction is above the threshold.
        self._level = np.searchsorted(levels, -legitimate, side="left")
        self._levels = len(levels)

    def average_precision(self, frauds: Drawn, legitimate: Drawn) -> float:
        """Of a resample in which each row was drawn so many times."""
        caught = np.bincount(self._level_of_fraud, frauds, self._levels)
        wrong = np.bincount(self._level, legitimate, self._levels + 1)[:-1]
        return float(average_precisions(caught[None], wrong[None])[0])


def average_precisions(
    frauds: npt.NDArray[np.int64], legitimate: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Average precision of each row of counts.

    Args:
        frauds: Frauds at each level of score, highest first, shape (samples, levels).
        legitimate: Legitimate transactions at each level or between it and the one above.
    """
    caught = frauds.cumsum(axis=1)
    blocked = caught + legitimate.cumsum(axis=1)
    precision = caught / np.maximum(blocked, 1)
    average: npt.NDArray[np.float64] = (precision * frauds).sum(axis=1) / caught[:, -1]
    return average
