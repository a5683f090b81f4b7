"""Whether a share is what it was: of high scores, of nulls, of rejects.

Two questions. Of the scores a change may be small and last, so deviations are added up: a CUSUM
(Page, 1954) of what lies more than half a standard deviation from what is usual, to either side,
alarms at six. Nulls and rejects come when a producer changes and then at once, so each period is
looked at alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Integers

# Share of the champion's own scores above the score that is watched.
HIGH_SHARE = 0.005
SLACK_SDS = 0.5
ALARM_SDS = 6.0
# A sum grows no further, so that it is down again some periods after all is as before.
MOST_SDS = ALARM_SDS + 2.0
# A period alone: standard deviations from what is usual, and the least difference that counts.
PERIOD_SDS = 4.0
LEAST_DIFFERENCE = 0.001


@dataclass(frozen=True)
class UsualShare:
    """What a share is usually.

    Attributes:
        mean: Over all rows.
        between_sd: Standard deviation between periods, beyond what chance makes of it.
        mean_sd: How uncertain the mean is.
    """

    mean: float
    between_sd: float
    mean_sd: float

    def sd(self, rows: int) -> float:
        """Standard deviation of the share among so many rows."""
        mean = min(max(self.mean, 1 / rows), 1 - 1 / rows) if rows > 1 else 0.5
        return float(np.hypot(self.between_sd, np.sqrt(mean * (1 - mean) / rows)))


def usual_share(counts: Integers, rows: Integers) -> UsualShare:
    """What a share is usually, from periods.

    Args:
        counts: How many rows of each period count, shape (periods,).
        rows: How many it has, 1 at least.
    """
    mean = float(counts.sum() / rows.sum())
    by_chance = mean * (1 - mean) / rows
    beyond = np.square(counts / rows - mean) - by_chance
    periods = len(rows)
    between = max(float(beyond.sum()) / max(periods - 1, 1), 0.0)
    mean_sd = np.sqrt(between / periods + mean * (1 - mean) / rows.sum())
    return UsualShare(mean, float(np.sqrt(between)), float(mean_sd))


@dataclass(frozen=True)
class Cusum:
    """Deviations to either side, added up; each sum is 0 or has risen from it since a period.

    Attributes:
        above: Sum of what was too high, in standard deviations.
        below: Likewise too low.
        above_since: Start of the first period of the sum, None where it is 0.
        below_since: Likewise.
    """

    above: float = 0.0
    below: float = 0.0
    above_since: dt.datetime | None = None
    below_since: dt.datetime | None = None

    def after(self, usual: UsualShare, count: int, rows: int, start: dt.datetime) -> Cusum:
        """What it is after one more period.

        Args:
            usual: What is usual.
            count: How many rows of the period count.
            rows: How many it has, 1 at least.
            start: When it began.
        """
        sd = usual.sd(rows)
        deviation = (count / rows - usual.mean) / sd
        slack = SLACK_SDS + usual.mean_sd / sd  # what is usual is not known better
        above = min(max(self.above + deviation - slack, 0.0), MOST_SDS)
        below = min(max(self.below - deviation - slack, 0.0), MOST_SDS)
        return Cusum(
            above,
            below,
            (self.above_since or start) if above else None,
            (self.below_since or start) if below else None,
        )

    @property
    def greatest(self) -> float:
        """The greater sum."""
        return max(self.above, self.below)

    @property
    def is_alarm(self) -> bool:
        """Whether it is too great."""
        return self.greatest >= ALARM_SDS

    @property
    def since(self) -> dt.datetime | None:
        """When the greater sum began to rise; None where both are 0."""
        return self.above_since if self.above >= self.below else self.below_since


def share_limits(usual: UsualShare, rows: int) -> tuple[float, float]:
    """The shares below and above which a period of so many rows alarms."""
    far = PERIOD_SDS * usual.sd(rows) + LEAST_DIFFERENCE
    return usual.mean - far, usual.mean + far
