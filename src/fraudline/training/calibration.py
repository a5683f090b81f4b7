"""From a network's log-odds to a probability, and from there to a threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_recall_curve

from fraudline.bundle.policy import score_text
from fraudline.contract.array_types import Floats, Labels
from fraudline.errors import InputError


@dataclass(frozen=True)
class Platt:
    """A straight line through log-odds: calibrated = slope * log-odds + intercept."""

    slope: float
    intercept: float

    def probabilities(self, log_odds: Floats) -> Floats:
        """The calibrated probability of each row, shape (rows,)."""
        calibrated: Floats = np.exp(-np.logaddexp(0, -self.slope * log_odds - self.intercept))
        return calibrated


def fit_platt(labels: Labels, log_odds: Floats) -> Platt:
    """Fit the line that makes scores probabilities on the rows given.

    Logistic regression on the log-odds with the smoothed targets of Platt (Probabilistic
    outputs for support vector machines, 1999): a fraud counts as (n + 1) / (n + 2) of a
    fraud, so that even perfectly separated rows give a finite line. The intercept also
    undoes what a train part with fewer legitimate transactions did to the prior.

    Raises:
        InputError: higher log-odds do not mean more fraud on these rows.
    """
    frauds = int(labels.sum())
    target = np.where(labels == 1, (frauds + 1) / (frauds + 2), 1 / (len(labels) - frauds + 2))
    line = fit_line(target, log_odds)
    if line.slope <= 0:
        raise InputError(
            "the network's scores do not rise with fraud on the validation part "
            f"({frauds} frauds among {len(labels)} transactions), so there is nothing to "
            "calibrate. Take a longer period with more frauds."
        )
    return line


def fit_line(shares: Floats, log_odds: Floats) -> Platt:
    """The line of greatest likelihood, whatever its slope.

    Args:
        shares: How much of a fraud each row is, from 0 to 1, shape (rows,); not all 0 or all 1.
        log_odds: Of the same rows.
    """
    is_fraud, is_not = shares > 0, shares < 1  # a row that is neither wholly is in both
    line = LogisticRegression(C=np.inf, tol=1e-10).fit(
        np.concatenate([log_odds[is_fraud], log_odds[is_not]])[:, None],
        np.repeat([1, 0], [is_fraud.sum(), is_not.sum()]),
        sample_weight=np.concatenate([shares[is_fraud], 1 - shares[is_not]]),
    )
    return Platt(float(line.coef_[0, 0]), float(line.intercept_[0]))


def best_f1(labels: Labels, scores: Floats) -> float:
    """The largest F1 that any threshold reaches on these rows."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(f1.max())


def threshold_of(labels: Labels, scores: Floats) -> tuple[float, str]:
    """The threshold for figures that need one, by calibrated scores, and how it was chosen."""
    best = best_f1(labels, scores)
    rule = (
        f"half of {score_text(best)}, the best F1 that any threshold reaches on the validation "
        "part: for calibrated scores this is the threshold that maximises F1 (Lipton, Elkan and "
        "Naryanaswamy, 2014), and it does not hang on a single transaction"
    )
    return float(score_text(best / 2)), rule
