"""Whether a challenger ranks frauds better than the champion: a bet that may be looked at any time.

**The gain.** Average precision is the mean, over frauds, of the precision at the fraud's own score:
the share of frauds among all that score at least as high. So the mean over frauds of

    g = precision(challenger) - precision(champion), from -1 to 1,

is the difference of their average precisions. Both precisions are taken *within the fraud's day*.
Over days on which scores changed their scale, as after a drift, a pooled ranking compares the days
and not the models: such a test promoted models that were worse by .045.

**The bet.** Somebody who believes in the challenger begins with a wealth of 1 and stakes the share
l of it on each fraud of the day: wealth x (1 + l g). If the challenger is no better, nobody can
expect to win, whatever the stakes were, as long as each was chosen before the day it is for. And
wealth that cannot be expected to grow reaches 20 with a probability of at most 1/20, *ever*
(Ville's inequality). So it may be looked at after every day, and the first time it is 20 counts.

**The stake**, from the frauds of earlier days alone, with sums of their gains and squares:

    l = clip(.5 sum g / (D (sum g^2 + .1)), 0, .95)

Half of what would let the wealth grow fastest were the past gains all there is to know. The .1 is
ten frauds with a variance of .01 that nobody saw, so nothing is staked on the first day, and little
after a few frauds.

**Luck that the frauds of a day share.** Frauds of one day are not independent: one legitimate
payment with a high score lowers the precision of all frauds below it, and thirty frauds of one
attack are one piece of luck. Bets that win and lose together win too much in the mean. D is how
many times more the sum of a day's gains varies than that of as many independent ones: over the
earlier days, and one of D = 1.5 that nobody saw, the mean of (S - n m)^2 / (n s), at least 1. S is
the day's sum, n its frauds; m is the mean gain, s the mean square. It makes the stakes smaller, and
the wealth pays for it at the end of each day: x exp(-.5 l^2 (D - 1) sum g^2). With D = 1 this is
the plain bet.

**What is assumed.** That what is expected of the next day's gains, given the past, is not above
zero for a challenger that is no better: nobody chooses the days by looking at them, labels arrived
after the challenger was made, both scored the same transactions. That D of the past is D of the
next day, which is why the bound is not exact where it changes. Equal scores are one level: no
threshold comes between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Labels

PROVED_AT = 20.0
"""Wealth that proves a challenger better: of equal ones at most one in 20 ever has it."""
_LARGEST_STAKE = 0.95
_UNSEEN_FRAUDS, _UNSEEN_VARIANCE = 10, 0.01
_UNSEEN_DAYS, _UNSEEN_SHARED_LUCK = 1, 1.5


@dataclass(frozen=True)
class FairBet:
    """The bet after some days. Plain numbers: `FairBet(**json.loads(json.dumps(asdict(bet))))`.

    Attributes:
        day: Number of the last day that was counted; None before the first.
        log_wealth: Natural logarithm of the wealth.
        days: How many days had frauds.
        frauds: How many frauds there were.
        gain_sum: Of all gains.
        gain_squares: Sum of their squares.
        day_squares: Sum over the days of the square of the day's sum, divided by its frauds.
    """

    day: int | None = None
    log_wealth: float = 0.0
    days: int = 0
    frauds: int = 0
    gain_sum: float = 0.0
    gain_squares: float = 0.0
    day_squares: float = 0.0

    @property
    def wealth(self) -> float:
        """What a wealth of 1 has become."""
        return math.exp(min(self.log_wealth, 700.0))  # as much as a float holds

    @property
    def is_proved(self) -> bool:
        """Whether the challenger is taken for better now."""
        return self.log_wealth >= math.log(PROVED_AT)

    @property
    def mean_gain(self) -> float:
        """Mean gain of a fraud: the difference of the average precisions within days."""
        return self.gain_sum / self.frauds if self.frauds else 0.0

    @property
    def shared_luck(self) -> float:
        """D: how much more a day's sum varies than if its frauds were independent; at least 1."""
        seen = self.frauds + _UNSEEN_FRAUDS
        mean, square = self.gain_sum / seen, self._squares / seen
        apart = self.day_squares - 2 * mean * self.gain_sum + mean**2 * self.frauds
        total = _UNSEEN_DAYS * _UNSEEN_SHARED_LUCK + apart / square
        return max(1.0, total / (_UNSEEN_DAYS + self.days))

    @property
    def stake(self) -> float:
        """l: the share of the wealth that is staked on each fraud of the next day."""
        wanted = 0.5 * self.gain_sum / (self.shared_luck * self._squares)
        return min(max(wanted, 0.0), _LARGEST_STAKE)

    def after(self, day: int, labels: Labels, champion: Floats, challenger: Floats) -> FairBet:
        """The bet after another day; one without frauds changes nothing but `day`.

        Args:
            day: Its number, later than the last one's.
            labels: 1 for fraud, shape (rows,): all transactions of that day that both scored.
            champion: Their scores, shape (rows,); higher is more like fraud.
            challenger: Likewise.

        Raises:
            ValueError: the day is not later than the last, or a score is not a number.
        """
        if self.day is not None and day <= self.day:
            raise ValueError(f"day {day} is not later than day {self.day}, which was counted")
        gains = precision_gains(labels, champion, challenger)
        if not len(gains):
            return replace(self, day=day)
        stake, shared = self.stake, self.shared_luck
        day_sum, squares = float(gains.sum()), float(np.square(gains).sum())
        won = float(np.log1p(stake * gains).sum()) - 0.5 * stake**2 * (shared - 1) * squares
        return FairBet(
            day,
            self.log_wealth + won,
            self.days + 1,
            self.frauds + len(gains),
            self.gain_sum + day_sum,
            self.gain_squares + squares,
            self.day_squares + day_sum**2 / len(gains),
        )

    @property
    def _squares(self) -> float:
        return self.gain_squares + _UNSEEN_FRAUDS * _UNSEEN_VARIANCE


def precision_gains(labels: Labels, champion: Floats, challenger: Floats) -> Floats:
    """What the challenger gains in precision at the own score of each fraud of a day.

    Args:
        labels: 1 for fraud, shape (rows,).
        champion: Scores of the same rows, shape (rows,).
        challenger: Likewise.

    Returns:
        From -1 to 1, shape (frauds,), in the order of the rows.

    Raises:
        ValueError: a score is not a number.
    """
    return _precisions(labels, challenger) - _precisions(labels, champion)


def _precisions(labels: Labels, scores: Floats) -> Floats:
    """The share of frauds among all that score at least as high as each fraud."""
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {len(scores)} scores are not numbers")
    is_fraud = labels == 1
    falling = -scores
    as_high = np.searchsorted(np.sort(falling), falling[is_fraud], side="right")
    caught = np.searchsorted(np.sort(falling[is_fraud]), falling[is_fraud], side="right")
    precisions: Floats = caught / as_high
    return precisions
