"""How far a figure would move if other transactions of the same period had come.

Resamples are stratified: as many frauds and as many legitimate transactions as there are, each
drawn with replacement (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter
13). Intervals hold 95 % of them. What is compared meets the same resamples, so differences are
paired: what makes one resample easy makes it easy for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Integers, Labels

    Counts = Integers | Floats  # numpy counts with weights in floats

RESAMPLES = 1000
SEED = 0
ENDS = (2.5, 97.5)  # percentiles between which 95 % of the resamples lie


def average_precision_interval(
    labels: Labels, scores: Floats, one_in: int = 1
) -> tuple[float, float]:
    """The interval of the average precision.

    Average precision needs no more of the legitimate transactions than how many of them
    score at least as high as each fraud, so only these counts are drawn.

    Args:
        labels: 1 for fraud, shape (rows,).
        scores: Shape (rows,).
        one_in: Of the legitimate transactions one in so many was drawn, and is there as often: a
            resample draws as many as were drawn.
    """
    levels, frauds_at = np.unique(scores[labels == 1], return_counts=True)
    levels, frauds_at = levels[::-1], frauds_at[::-1]  # highest score first
    # Legitimate transactions by the highest level that they reach; the last reach none.
    reached = len(levels) - np.searchsorted(levels[::-1], scores[labels == 0], side="right")
    legitimate_at = np.bincount(reached, minlength=len(levels) + 1)
    random = np.random.default_rng(SEED)
    drawn_frauds = random.multinomial(frauds_at.sum(), frauds_at / frauds_at.sum(), size=RESAMPLES)
    drawn_legitimate = one_in * random.multinomial(
        legitimate_at.sum() // one_in, legitimate_at / legitimate_at.sum(), size=RESAMPLES
    )
    precisions = average_precisions(drawn_frauds, drawn_legitimate[:, :-1])
    low, high = np.percentile(precisions, ENDS)
    return float(low), float(high)


def average_precision_resamples(
    labels: Labels, contenders: Sequence[Floats], one_in: int = 1
) -> npt.NDArray[np.float64]:
    """Average precision of each contender on the same resamples.

    Args:
        labels: 1 for fraud, shape (rows,).
        contenders: Scores of each contender, shape (rows,).
        one_in: Of the legitimate transactions one in so many was drawn, and counts as often.

    Returns:
        Shape (contenders, `RESAMPLES`).
    """
    is_fraud = labels == 1
    frauds, legitimate = int(is_fraud.sum()), int((~is_fraud).sum())
    ranked = [Ranked(scores[is_fraud], scores[~is_fraud]) for scores in contenders]
    random = np.random.default_rng(SEED)
    found = np.empty((len(contenders), RESAMPLES))
    for resample in range(RESAMPLES):
        drawn_frauds = np.bincount(random.integers(0, frauds, frauds), minlength=frauds)
        drawn = np.bincount(random.integers(0, legitimate, legitimate), minlength=legitimate)
        for number, each in enumerate(ranked):
            found[number, resample] = each.average_precision(drawn_frauds, one_in * drawn)
    return found


class Ranked:
    """One contender's order of the rows, so that each resample only counts.

    Args:
        frauds: Its scores of the frauds.
        legitimate: Its scores of the legitimate transactions.
    """

    def __init__(self, frauds: Floats, legitimate: Floats) -> None:
        levels, level_of_fraud = np.unique(-frauds, return_inverse=True)  # highest score first
        self._level_of_fraud = level_of_fraud
        # The level from which on a legitimate transaction is above the threshold.
        self._level = np.searchsorted(levels, -legitimate, side="left")
        self._levels = len(levels)

    def average_precision(self, frauds: Integers, legitimate: Integers) -> float:
        """Of a resample in which each row was drawn so many times."""
        caught = np.bincount(self._level_of_fraud, frauds, self._levels)
        wrong = np.bincount(self._level, legitimate, self._levels + 1)[:-1]
        return float(average_precisions(caught[None], wrong[None])[0])


def average_precisions(frauds: Counts, legitimate: Counts) -> npt.NDArray[np.float64]:
    """Average precision of each row of counts.

    Args:
        frauds: Frauds at each level of score, highest first, shape (samples, levels).
        legitimate: Legitimate transactions at each level or between it and the one above.
    """
    caught = frauds.cumsum(axis=1)
    alerts = caught + legitimate.cumsum(axis=1)
    precision = caught / np.maximum(alerts, 1)
    average: npt.NDArray[np.float64] = (precision * frauds).sum(axis=1) / caught[:, -1]
    return average


def sum_intervals(
    values: Floats, is_fraud: npt.NDArray[np.bool_], one_in: int = 1
) -> list[tuple[float, float, float]]:
    """Sum of each column, and the ends of its interval; all columns meet the same resamples.

    Args:
        values: One row for each transaction, shape (rows, columns).
        is_fraud: Shape (rows,).
        one_in: As for `average_precision_interval`.
    """
    random = np.random.default_rng(SEED)
    drawn = np.zeros((RESAMPLES, values.shape[1]))
    for stratum, each in ((values[is_fraud], 1), (values[~is_fraud], one_in)):
        if not len(stratum):
            continue
        # Most legitimate rows cost the same either way; only how often others are drawn counts.
        differing = stratum[stratum.any(axis=1)]
        shares = np.full(len(differing) + 1, 1 / len(stratum))
        shares[-1] = 1 - len(differing) / len(stratum)
        often = each * random.multinomial(len(stratum) // each, shares, RESAMPLES)
        drawn += often[:, :-1] @ differing
    low, high = np.percentile(drawn, ENDS, axis=0)
    return [
        (float(total), float(least), float(most))
        for total, least, most in zip(values.sum(axis=0), low, high, strict=True)
    ]
