"""What scores were worth: average precision within periods, cost by the policy, intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from benchmarks.learning.costs import policy
from benchmarks.learning.streams import Streamed
from benchmarks.learning.world import Floats
from sklearn.metrics import average_precision_score

from fraudline.measures.bootstrap import ENDS, RESAMPLES, SEED

Integers = npt.NDArray[np.int64]


def precisions(streamed: Streamed, scores: Floats) -> tuple[Floats, Integers]:
    """Average precision of each period, and its frauds; shape (periods,) each."""
    found = []
    for period in range(int(streamed.period[-1]) + 1):
        rows = streamed.period == period
        frauds = int(streamed.labels[rows].sum())
        reached = average_precision_score(streamed.labels[rows], scores[rows]) if frauds else 0.0
        found.append((reached, frauds))
    reached, frauds = (np.array(each) for each in zip(*found, strict=True))
    return reached, frauds.astype(np.int64)


def by_week(streamed: Streamed, scores: Floats, days: int = 7) -> Floats:
    """Average precision within days, the mean over the frauds of each week, shape (weeks,)."""
    reached, frauds = precisions(streamed, scores)
    weeks = len(reached) // days
    shape = weeks, days
    sums = (reached * frauds)[: weeks * days].reshape(shape).sum(axis=1)
    return np.asarray(sums / frauds[: weeks * days].reshape(shape).sum(axis=1))


def costs_by_week(streamed: Streamed, scores: Floats, days: int = 7) -> Floats:
    """What the policy's decisions cost a day, shape (weeks,); true amounts are lost."""
    rule = policy()
    codes = rule.decide(scores, streamed.told)
    costs = rule.costs(codes, streamed.labels, streamed.amounts)
    of_days = np.bincount(streamed.period, costs)
    weeks = len(of_days) // days
    return np.asarray(of_days[: weeks * days].reshape(weeks, days).mean(axis=1))


def cost_of_approving(streamed: Streamed) -> float:
    """What approving everything costs a day."""
    losses = policy().losses(streamed.amounts)[streamed.labels == 1]
    return float(losses.sum() / (streamed.period[-1] + 1))


def gain_interval(
    streamed: Streamed, frozen: list[Floats], learned: list[Floats]
) -> tuple[float, float, float]:
    """Mean gain of a fraud within its day, over seeds, and the ends of its interval.

    Days are drawn with replacement, the same for both and for all seeds: frauds of a day share
    their luck.

    Args:
        streamed: Whose scores they are.
        frozen: Scores, seed by seed, shape (rows,).
        learned: Likewise.
    """
    frauds = precisions(streamed, frozen[0])[1]
    gains = np.mean(
        [
            precisions(streamed, of_learned)[0] - precisions(streamed, of_frozen)[0]
            for of_frozen, of_learned in zip(frozen, learned, strict=True)
        ],
        axis=0,
    )
    days = len(frauds)
    drawn = np.random.default_rng(SEED).integers(0, days, (RESAMPLES, days))
    resampled = (gains * frauds)[drawn].sum(axis=1) / frauds[drawn].sum(axis=1)
    low, high = np.percentile(resampled, ENDS)
    return float((gains * frauds).sum() / frauds.sum()), float(low), float(high)


def signed(value: float, digits: int = 3) -> str:
    """A difference, with its sign."""
    return f"{value:+.{digits}f}"


def signed_interval(found: tuple[float, float, float]) -> str:
    """A difference and its interval."""
    value, low, high = found
    return f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
