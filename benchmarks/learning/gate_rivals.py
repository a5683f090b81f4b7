"""The plain bet, beside which the product's is told: what it is without shared luck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fraudline.measures.fair_bet import PROVED_AT, DayGains

_UNSEEN_FRAUDS, _UNSEEN_VARIANCE, _LARGEST_STAKE = 10, 0.01, 0.95


@dataclass
class PlainBet:
    """Wealth times (1 + l g) for each fraud, as if frauds of a day were independent.

    The stake l is half of what would have let the wealth grow fastest on earlier days.
    """

    log_wealth: float = 0.0
    frauds: int = 0
    gain_sum: float = 0.0
    squares: float = _UNSEEN_FRAUDS * _UNSEEN_VARIANCE

    @property
    def is_proved(self) -> bool:
        """As the product has it."""
        return self.log_wealth >= np.log(PROVED_AT)

    def after_gains(self, day: int, of_day: DayGains) -> PlainBet:
        """The bet after another day."""
        del day
        gains = of_day.gains
        stake = float(np.clip(0.5 * self.gain_sum / self.squares, 0, _LARGEST_STAKE))
        return PlainBet(
            self.log_wealth + float(np.log1p(stake * gains).sum()),
            self.frauds + len(gains),
            self.gain_sum + float(gains.sum()),
            self.squares + float(np.square(gains).sum()),
        )
