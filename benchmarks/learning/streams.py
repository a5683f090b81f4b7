"""The two data sets as worlds: what is known when, and what changes are put into them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from benchmarks.alarms_handbook import Stream, times
from benchmarks.learning.follow import WAYS
from benchmarks.learning.rows import DAY_S, DELAY_DAYS, HOUR_S, TwoDays
from benchmarks.learning.world import Floats, Labels, World

from fraudline.contract import Contract

# First day that the first champion learns from, and first day that is scored: 28 days are known by
# then. Settings are tried on the first weeks alone.
WEEKS = {"weeks that judge nothing": (37, 72), "weeks that judge": (91, 126)}
QUIET_DAYS = 56
# A change comes a week after the first day that is scored, and is followed for four.
CHANGE_AFTER, CHANGED_DAYS = 7, 28
CHANGE_STARTS_LATER = 7  # so that the change comes on the fifteenth of the quiet days
TERMINALS = 2  # scenario 2 of the simulation: terminals that are compromised for four weeks
FACTOR, ONE_IN = 4.0, 3

CHANGES = {
    "a1": "a new pattern, scenario 3: bursts with a stolen card's number",
    "a2": "a new pattern, scenario 2: terminals that are compromised for weeks",
    "x4": "all amounts four times as large, as when a unit changes",
    "rate": "three times as many frauds: one in three was kept before",
}


@dataclass(frozen=True)
class Streamed:
    """A world, and what measuring its scores needs: nothing of it goes to a learner.

    Attributes:
        contract: Of its transactions.
        world: What a learner sees.
        labels: Of the transactions that are scored, shape (rows,).
        told: Their amounts as they are told, which decisions go by.
        amounts: Their true amounts, which costs go by.
        period: Of each the number of the day or hour, from the first that is scored.
    """

    contract: Contract
    world: World
    labels: Labels
    told: Floats
    amounts: Floats
    period: npt.NDArray[np.int64]


def quiet(stream: Stream, weeks: str) -> Streamed:
    """Eight weeks of the handbook in which nothing is changed."""
    learn, begin = WEEKS[weeks]
    return _handbook(stream, (learn, begin, begin + QUIET_DAYS))


def changed(stream: Stream, weeks: str, change: str) -> Streamed:
    """Five weeks of the handbook; from the second on something is other than it was before.

    Args:
        stream: All days.
        weeks: One of `WEEKS`.
        change: One of `CHANGES`; anything else changes nothing.
    """
    learn, begin = (day + CHANGE_STARTS_LATER for day in WEEKS[weeks])
    at = begin + CHANGE_AFTER
    days = learn, begin, at + CHANGED_DAYS
    is_after = stream.day >= at
    if change == "x4":
        return _handbook(stream, days, is_multiplied=is_after)
    known = {
        "a1": stream.is_known_pattern,
        "a2": stream.scenario != TERMINALS,
        "rate": stream.is_at_low_rate,
    }
    return _handbook(stream, days, is_kept=is_after | known.get(change, np.True_))


def _handbook(
    stream: Stream,
    days: tuple[int, int, int],
    is_kept: npt.NDArray[np.bool_] | None = None,
    is_multiplied: npt.NDArray[np.bool_] | None = None,
) -> Streamed:
    learn, begin, end = days
    is_meant = (stream.day >= learn) & (stream.day < end)
    if is_kept is not None:
        is_meant &= is_kept
    contract = stream.contract
    rows, day = stream.rows.filter(pa.array(is_meant)), stream.day[is_meant]
    amounts = contract.amounts(rows)
    if is_multiplied is not None:
        rows = times(rows, np.where(is_multiplied[is_meant], FACTOR, 1.0), _in_money(contract))
    second = contract.event_seconds(rows)
    event_at = day + second % DAY_S / DAY_S
    world = World(
        contract.feature_matrix(rows),
        contract.labels(rows),
        contract.amounts(rows),
        event_at,
        (day + DELAY_DAYS).astype(np.float64),
        begin,
        step=1,
        ways=len(WAYS),
    )
    first = world.first_row
    return Streamed(
        contract,
        world,
        contract.labels(rows)[first:],
        contract.amounts(rows)[first:],
        amounts[first:],
        day[first:] - begin,
    )


def _in_money(contract: Contract) -> list[str]:
    unit = contract.column(contract.amount).unit
    return [name for name in contract.features if contract.column(name).unit == unit]


def second_day(days: TwoDays, delay_h: float) -> Streamed:
    """The creditcard data's second day, hour by hour; of the first all labels are known.

    Args:
        days: Both.
        delay_h: After how many hours a label of the second day is known.
    """
    contract, hour = days.contract, days.seconds / HOUR_S
    labels, amounts = contract.labels(days.rows), contract.amounts(days.rows)
    known_at = np.where(hour < 24, hour, hour + delay_h)
    features = contract.feature_matrix(days.rows)
    world = World(
        features, labels, amounts, hour, known_at, 24.0, step=1.0, ways=len(WAYS), unit_s=HOUR_S
    )
    first = world.first_row
    period = (hour[first:] - 24.0).astype(np.int64)
    return Streamed(contract, world, labels[first:], amounts[first:], amounts[first:], period)
