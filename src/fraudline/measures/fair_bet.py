"""Whether a challenger ranks frauds better than the champion: a bet that may be looked at any time.

**The gain.** Average precision is the mean, over frauds, of the precision at the fraud's own score:
the share of frauds among all that score at least as high. So the mean over frauds of

    g = precision(challenger) - precision(champion), from -1 to 1,

is the difference of their average precisions. Both precisions are taken *within the fraud's day*.
Over days on which scores changed their scale, as after a drift, a pooled ranking compares days and
not the models: such a test promoted models that were worse by .045.

**The bet.** Somebody who believes in the challenger begins with a wealth of 1, in four equal
purses. Each purse stakes its own share l of itself on each fraud of a day, always the same:

    purse x (1 + l g), with l = .95, .67, .475, .34

If the challenger is no better, nobody can expect to win, whatever the stakes. And wealth that
cannot be expected to grow reaches 20 with a probability of at most 1/20, *ever* (Ville's
inequality). So it may be looked at after every day, and the first time it is 20 counts. Nobody has
to know beforehand which stake is right: after a while, the best purse is nearly all of the wealth.

**Luck that the frauds of a day share.** Frauds of one day are not independent. One legitimate
payment with a high score lowers the precision of all frauds below it; thirty frauds of one attack
are one piece of luck. Bets that win and lose together win too much in the mean, so a purse pays
for what they share:

    x exp(-.5 l^2 (D V - Q)), where D V is above Q

Q is the sum of the day's g^2: how far the sum S of its gains varies if its frauds are independent.
V is how far it varies if its *payments* are: the sum over all payments, legitimate ones too, of the
square of what each adds to S by being there. That knows what one payment does to many frauds, on
the day itself. D is what is left, payments that share their luck with others: over the earlier
days, and one of D = 1.2 that nobody saw, the mean of (S - t V)^2 / V, at least 1. t is how much of
V the gains have been so far, sum S / sum V.

**No day proves alone.** The wealth grows at most sixfold on a day: what all of its payments share,
no figure of that day can know. So it takes two good days, at least.

**What is assumed.** That what is expected of the next day's gains, given the past, is not above
zero for a challenger that is no better: nobody chooses the days by looking at them, labels arrived
after the challenger was made, both scored the same transactions. Where frauds are independent the
bound is exact: what is paid, and what is not won, only makes the wealth less. Where they are not,
it holds as far as V and the D of the past tell what the frauds of a day share. Equal scores are one
level: no threshold comes between them.
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
STAKES = (0.95, 0.67, 0.475, 0.34)
MOST_A_DAY = 6.0
"""How many times as large the wealth can become on one day."""
_UNSEEN_SHARED_LUCK = 1.2  # on one day that nobody saw; pairs of the handbook have 1.1 to 1.9


@dataclass(frozen=True)
class FairBet:
    """The bet after some days. Plain numbers: `FairBet(**json.loads(json.dumps(asdict(bet))))`.

    Attributes:
        day: Number of the last day that was counted; None before the first.
        log_purses: Natural logarithm of what each purse has become, if it had begun with 1; one
            for each of `STAKES`.
        days: How many days had frauds.
        telling_days: On how many of them a payment adds other than nothing to the gains.
        frauds: How many frauds there were.
        gain_sum: Of all gains.
        spread: Sum over the days of V: how far a day's sum of gains varies if its payments are
            independent.
        surprise: Sum over the days of the square of the day's sum, divided by its V.
    """

    day: int | None = None
    log_purses: tuple[float, ...] = (0.0,) * len(STAKES)
    days: int = 0
    telling_days: int = 0
    frauds: int = 0
    gain_sum: float = 0.0
    spread: float = 0.0
    surprise: float = 0.0

    def __post_init__(self) -> None:
        # JSON has lists alone.
        object.__setattr__(self, "log_purses", tuple(self.log_purses))

    @property
    def log_wealth(self) -> float:
        """Natural logarithm of the mean of the purses."""
        most = max(self.log_purses)
        return most + math.log(sum(math.exp(each - most) for each in self.log_purses) / len(STAKES))

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
        """D: how much more a day's sum varies than if its payments were independent; at least 1."""
        if not self.spread:
            return _UNSEEN_SHARED_LUCK
        apart = max(self.surprise - self.gain_sum**2 / self.spread, 0.0)
        # One day more was not seen, and one less is free: `apart` is from what fits the gains best.
        return max(1.0, (_UNSEEN_SHARED_LUCK + apart) / self.telling_days)

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
        return self.after_gains(day, DayGains.of(labels, champion, challenger))

    def after_gains(self, day: int, of_day: DayGains) -> FairBet:
        """The bet after another day, as `after` has it, by what the frauds of that day gained.

        Raises:
            ValueError: the day is not later than the last.
        """
        bet = self.staked(day, of_day)
        return bet.lowered(bet.log_wealth - self.log_wealth - math.log(MOST_A_DAY))

    def lowered(self, above: float) -> FairBet:
        """The bet with each purse's logarithm less by so much; itself, if that is below 0."""
        if above <= 0:
            return self
        return replace(self, log_purses=tuple(each - above for each in self.log_purses))

    def staked(self, day: int, of_day: DayGains) -> FairBet:
        """The bet after another day, without the limit of what a day can make of it.

        Raises:
            ValueError: as for `after_gains`.
        """
        if self.day is not None and day <= self.day:
            raise ValueError(f"day {day} is not later than day {self.day}, which was counted")
        gains, spread = of_day.gains, of_day.spread
        counted = replace(
            self, day=day, days=self.days + bool(len(gains)), frauds=self.frauds + len(gains)
        )
        if not spread:
            return counted
        stakes, day_sum = np.array(STAKES), float(gains.sum())
        shared = max(self.shared_luck * spread - float(np.square(gains).sum()), 0.0)
        won = np.log1p(np.multiply.outer(stakes, gains)).sum(axis=1) - 0.5 * stakes**2 * shared
        return replace(
            counted,
            log_purses=tuple((np.array(self.log_purses) + won).tolist()),
            telling_days=self.telling_days + 1,
            gain_sum=self.gain_sum + day_sum,
            spread=self.spread + spread,
            surprise=self.surprise + day_sum**2 / spread,
        )


@dataclass(frozen=True)
class DayGains:
    """What the challenger gained on a day.

    Attributes:
        gains: By each fraud, shape (frauds,).
        spread: V: how far their sum varies if the day's payments are independent.
    """

    gains: Floats
    spread: float

    @classmethod
    def of(cls, labels: Labels, champion: Floats, challenger: Floats) -> DayGains:
        """Of the transactions of a day and both models' scores of them, shape (rows,) each.

        Raises:
            ValueError: a score is not a number.
        """
        added = added_by_payments(labels, challenger) - added_by_payments(labels, champion)
        return cls(precision_gains(labels, champion, challenger), float(np.square(added).sum()))


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
    return _ranked(labels, challenger).precisions - _ranked(labels, champion).precisions


def added_by_payments(labels: Labels, scores: Floats) -> Floats:
    """What each payment adds to the sum of the precisions of all frauds by being there.

    A fraud adds its own precision and raises that of the frauds that score no higher; a legitimate
    payment lowers theirs. It is how the sum changes with the first bit of a payment (the influence
    function, Hampel, The influence curve and its role in robust estimation, 1974), so that of all
    payments together it is the sum itself.

    Args:
        labels: 1 for fraud, shape (rows,).
        scores: Shape (rows,).

    Returns:
        Shape (rows,).

    Raises:
        ValueError: a score is not a number.
    """
    ranked = _ranked(labels, scores)
    order = np.argsort(ranked.falling, kind="stable")
    precisions, as_high = ranked.precisions[order], ranked.as_high[order]
    # Of the frauds from each place on, in falling order of scores; after the last there are none.
    raised, lowered = (
        np.append(np.cumsum(part[::-1])[::-1], 0.0)
        for part in ((1 - precisions) / as_high, precisions / as_high)
    )
    no_higher = np.searchsorted(ranked.falling[order], -scores, side="left")
    is_fraud = labels == 1
    added: Floats = np.where(is_fraud, raised[no_higher], -lowered[no_higher])
    added[is_fraud] += ranked.precisions
    return added


@dataclass(frozen=True)
class _Ranked:
    """The frauds of a day among its payments, each entry a fraud, in the order of the rows."""

    falling: Floats  # its score, negative
    as_high: Floats  # payments that score at least as high
    precisions: Floats  # the share of frauds among them


def _ranked(labels: Labels, scores: Floats) -> _Ranked:
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {len(scores)} scores are not numbers")
    falling = -scores
    of_frauds = falling[labels == 1]
    as_high = np.searchsorted(np.sort(falling), of_frauds, side="right")
    caught = np.searchsorted(np.sort(of_frauds), of_frauds, side="right")
    return _Ranked(of_frauds, as_high, caught / as_high)
