"""Whether another calibration of a network says better what its scores mean: a bet, at any time.

**The gain.** Of each payment the log loss by the champion's score, less the one by the other's: d.
Scores below one in a thousand, or above all but that, count as that: nobody acts on what lies
beyond, and a payment's loss has a bound.

**The bound.** Both are straight lines through the log-odds of one network, known before the day
begins. So the most that two losses of a payment can differ by is known then, too: as much as the
two lines are apart where they are furthest, between the bounds of scores. With B, that or 4 where
it is less,

    g = d / B, from -1 to 1,

and g is what a purse of `fair_bet` may be staked on. With 4 the purses stake .09 to .24 of d. Half
of d would be right where payments are independent and a calibration is a little off; where days
have more or fewer frauds than others by a third, it is too much, and wins nothing.

Where one of the two takes money in another unit before its network, they are no lines through the
same log-odds. B is the difference of the losses at the two bounds of scores then, 6.9.

**The bet** is the one of `fair_bet`, with payments in place of frauds: what the payments of a day
share is paid for by V, the sum of all g^2, and by the D of the days before; no day makes more than
six of one; 20 proves. A day on which there are twice the frauds is one piece of luck and not that
many, and it is D that learns how often there are such days.

**A reserve.** Weeks in which nothing is amiss cost a bet nearly all of it, and then a change comes.
So half of the wealth is not staked at first, and before each day a hundredth of all of it is dealt
out anew, half to the reserve and half to the purses. That is fixed before the day, so it is fair;
after a hundred quiet days .3 of the wealth is left, and what is proved after a change is proved on
its third day where that is great. The limit of six a day is one of the whole.

**What is assumed.** As there; and that the other calibration knows nothing of the day's payments.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from fraudline.measures.challenge import Challenge, DayOfOne
from fraudline.measures.fair_bet import MOST_A_DAY, PROVED_AT, STAKES, DayGains, FairBet

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Floats, Labels

LEAST_SCORE = 1e-3
_MOST_ODDS = math.log(1 / LEAST_SCORE - 1)
_LEAST_BOUND = 4.0
RESERVE = 0.5
DEALT_SHARE = 0.01
"""Of the wealth, before each day."""

Line = tuple[float, float]
"""Slope, above 0, and intercept of a calibration, by the log-odds of the network."""


def most_apart(one: Line, other: Line) -> float:
    """How far the losses of a payment can be apart at most by two calibrations of one network.

    Between the bounds of scores both are straight, so they are furthest apart where one of them
    reaches a bound.
    """
    bends = [
        (bound - intercept) / slope
        for slope, intercept in (one, other)
        for bound in (-_MOST_ODDS, _MOST_ODDS)
    ]
    return max(abs(_within(one, at) - _within(other, at)) for at in bends)


def _within(line: Line, log_odds: float) -> float:
    return min(max(line[0] * log_odds + line[1], -_MOST_ODDS), _MOST_ODDS)


def losses(labels: Labels, scores: Floats) -> Floats:
    """The log loss of each payment, of a score that is held within its bounds, shape (rows,).

    Args:
        labels: 1 for fraud, shape (rows,).
        scores: Probability of fraud, shape (rows,).

    Raises:
        ValueError: a score is not a number.
    """
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {len(scores)} scores are not numbers")
    held = np.clip(scores, LEAST_SCORE, 1 - LEAST_SCORE)
    found: Floats = -np.log(np.where(labels == 1, held, 1 - held))
    return found


def _purses_of_half() -> FairBet:
    return FairBet(log_purses=(math.log(1 - RESERVE),) * len(STAKES))


@dataclass(frozen=True)
class CalibrationBet:
    """The bet after some days.

    Attributes:
        reserve: What is not staked.
        purses: What is, and what is known of the days.
        gained: By how much the sum of the losses is less than the champion's.
    """

    reserve: float = RESERVE
    purses: FairBet = field(default_factory=_purses_of_half)
    gained: float = 0.0

    @property
    def wealth(self) -> float:
        """What a wealth of 1 has become."""
        return self.reserve + self.purses.wealth

    @property
    def days(self) -> int:
        """How many days there were."""
        return self.purses.days

    @property
    def is_proved(self) -> bool:
        """Whether the other calibration is taken for better now."""
        return self.wealth >= PROVED_AT

    def after(
        self, day: int, labels: Labels, champion: Floats, challenger: Floats, bound: float
    ) -> CalibrationBet:
        """The bet after another day.

        Args:
            day: Its number, later than the last one's.
            labels: 1 for fraud, shape (rows,): all payments of that day that both scored.
            champion: Their scores, shape (rows,).
            challenger: Likewise.
            bound: B.

        Raises:
            ValueError: the day is not later than the last, or a score is not a number.
        """
        gained = losses(labels, champion) - losses(labels, challenger)
        # A score has 32 bits, so a gain may pass the bound by what it was rounded by.
        gains = np.clip(gained / bound, -1.0, 1.0)
        before = self._dealt()
        staked = before.purses.staked(day, DayGains(gains, float(np.square(gains).sum())))
        of_all = np.logaddexp(math.log(before.reserve), staked.log_wealth)
        above = max(float(of_all) - math.log(MOST_A_DAY * before.wealth), 0.0)
        return CalibrationBet(
            before.reserve * math.exp(-above),
            staked.lowered(above),
            self.gained + float(gained.sum()),
        )

    def _dealt(self) -> CalibrationBet:
        dealt = DEALT_SHARE * self.wealth
        logs = tuple(
            float(np.logaddexp(math.log1p(-DEALT_SHARE) + each, math.log(dealt * (1 - RESERVE))))
            for each in self.purses.log_purses
        )
        return replace(
            self,
            reserve=(1 - DEALT_SHARE) * self.reserve + dealt * RESERVE,
            purses=replace(self.purses, log_purses=logs),
        )


@dataclass(frozen=True)
class CalibrationChallenge(Challenge):
    """Two calibrations of one network, after some days.

    Who ranks better is no question here: `bet` counts the frauds, and gains nothing.

    Attributes:
        calibration: The bet on the log loss of payments.
        bound: B of the next day.
    """

    calibration: CalibrationBet = field(default_factory=CalibrationBet)
    bound: float = _LEAST_BOUND

    def between(self, champion: Line, challenger: Line) -> CalibrationChallenge:
        """The same, before a day on which these two are compared."""
        return replace(self, bound=max(_LEAST_BOUND, most_apart(champion, challenger)))

    def beyond_lines(self) -> Self:
        """The same, before a day on which two are compared that rank differently.

        Both losses of a payment are between those of the bounds of scores.
        """
        return replace(self, bound=_MOST_ODDS)

    def after(
        self,
        day: int,
        labels: Labels,
        champion: DayOfOne,
        challenger: DayOfOne,
        costs_of_approving: Floats,
    ) -> Self:
        """As for `Challenge`; between the two that `between` was told."""
        found = super().after(day, labels, champion, challenger, costs_of_approving)
        scores = champion.scores, challenger.scores
        return replace(found, calibration=self.calibration.after(day, labels, *scores, self.bound))
