"""A challenger beside the champion, on the same transactions and the same labels, day by day."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from fraudline.measures.fair_bet import FairBet

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import DecisionCodes, Floats, Labels

# Who learns is another one each day, and soon means what it says by what it learned since.
_OF_DAY_BEFORE = 0.5
_LEAST_PROBABILITY = 1e-15  # as scikit-learn's log loss has it, nearly


@dataclass(frozen=True)
class DayOfOne:
    """What one of the two says of the transactions of a day; the n-th entries belong together.

    Attributes:
        scores: Probability of fraud, shape (rows,).
        codes: What it decides, as places in `DECISIONS`, 0 for what it approves, shape (rows,).
        costs: What its decisions cost, shape (rows,).
    """

    scores: Floats
    codes: DecisionCodes
    costs: Floats


@dataclass(frozen=True)
class Side:
    """Sums over the transactions of all days for one of the two.

    Attributes:
        cost: What its decisions cost.
        log_loss: Sum of its losses, of each day half as much as of the one after it; a low sum has
            scores that mean what they say.
        stopped: How many it does not approve.
        stopped_frauds: How many of them are frauds.
    """

    cost: float = 0.0
    log_loss: float = 0.0
    stopped: int = 0
    stopped_frauds: int = 0

    def after(self, labels: Labels, day: DayOfOne) -> Side:
        """The sums after another day."""
        right = np.where(labels == 1, day.scores, 1 - day.scores)
        is_stopped = day.codes != 0
        return Side(
            self.cost + float(day.costs.sum()),
            _OF_DAY_BEFORE * self.log_loss
            - float(np.log(np.maximum(right, _LEAST_PROBABILITY)).sum()),
            self.stopped + int(is_stopped.sum()),
            self.stopped_frauds + int((is_stopped & (labels == 1)).sum()),
        )


@dataclass(frozen=True)
class Challenge:
    """Both, after some days.

    Attributes:
        rows: How many transactions were compared.
        lately: The same as `log_loss` counts them.
        cost_of_approving: What it would cost to approve them all.
        bet: On who ranks the frauds better.
        champion: Its sums.
        challenger: The other one's.
    """

    rows: int = 0
    lately: float = 0.0
    cost_of_approving: float = 0.0
    bet: FairBet = field(default_factory=FairBet)
    champion: Side = field(default_factory=Side)
    challenger: Side = field(default_factory=Side)

    def after(
        self,
        day: int,
        labels: Labels,
        champion: DayOfOne,
        challenger: DayOfOne,
        costs_of_approving: Floats,
    ) -> Self:
        """Both after another day.

        Args:
            day: Its number, later than the last one's.
            labels: 1 for fraud, shape (rows,).
            champion: What it says of these transactions.
            challenger: Likewise.
            costs_of_approving: What it would cost to approve each, shape (rows,).

        Raises:
            ValueError: as for `FairBet.after`.
        """
        return replace(
            self,
            rows=self.rows + len(labels),
            lately=_OF_DAY_BEFORE * self.lately + len(labels),
            cost_of_approving=self.cost_of_approving + float(costs_of_approving.sum()),
            bet=self.bet.after(day, labels, champion.scores, challenger.scores),
            champion=self.champion.after(labels, champion),
            challenger=self.challenger.after(labels, challenger),
        )

    def on_another_scale(self) -> Challenge:
        """The same beside a champion that ranks as the one before and means another thing.

        Who ranks better is one bet; cost and calibration are asked of what decides now.
        """
        return Challenge(bet=self.bet)
