"""Whether a score of 0.3 means three in ten: reliability of probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Labels

BINS = 15


@dataclass(frozen=True)
class Reliability:
    """How probabilities came true.

    Attributes:
        brier: Mean squared difference of score and label (Brier, 1950); lower is better.
        brier_of_share: What it would be if every score were the share of frauds.
        calibration_error: Expected calibration error over 15 bins of equal width: the mean,
            over transactions, of the distance between mean score and share of frauds in the
            transaction's bin (Naeini, Cooper and Hauskrecht, 2015).
        calibration_error_of_alerts: The same over the transactions that score at least as
            high as the share of frauds. Where frauds are rare the first figure is small for
            any model that gives most transactions a low score; this one is not.
        expected_frauds: Sum of the scores; so many frauds they promise.
    """

    brier: float
    brier_of_share: float
    calibration_error: float
    calibration_error_of_alerts: float
    expected_frauds: float


def measure_reliability(labels: Labels, scores: Floats) -> Reliability:
    """Compare probabilities with what happened.

    Args:
        labels: 1 for fraud, shape (rows,); at least one row.
        scores: Probability of fraud, 0 to 1, shape (rows,).
    """
    share = float(labels.mean())
    is_alert = scores >= share
    return Reliability(
        brier=float(np.mean((scores - labels) ** 2)),
        brier_of_share=share * (1 - share),
        calibration_error=calibration_error(labels, scores),
        calibration_error_of_alerts=(
            calibration_error(labels[is_alert], scores[is_alert]) if is_alert.any() else 0.0
        ),
        expected_frauds=float(scores.sum()),
    )


def calibration_error(labels: Labels, scores: Floats) -> float:
    """Expected calibration error over bins of equal width; see `Reliability`."""
    bins = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    # Rows of a bin times the distance of its two means is the distance of its two sums.
    distances = np.abs(np.bincount(bins, scores - labels, BINS))
    return float(distances.sum() / len(labels))


def without_prior_shift(scores: Floats, learned_share: float, share: float) -> Floats:
    """What scores would be if frauds had been learned in the share that they have.

    A model that learned from other shares of the classes has the right order and the wrong
    odds: too high by the ratio of the two prior odds (Elkan, The foundations of cost-sensitive
    learning, 2001, theorem 2).

    Args:
        scores: Of that model, shape (rows,).
        learned_share: Share of frauds among the rows that it learned from.
        share: Share of frauds before those rows were balanced.
    """
    shift = (share / (1 - share)) / (learned_share / (1 - learned_share))
    corrected: Floats = scores * shift / (scores * shift + (1 - scores))
    return corrected
