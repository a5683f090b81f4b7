"""Why a payment was not approved, in words that can be checked."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache

import msgspec
import numpy as np

from fraudline.bundle.comparisons import LEVELS, Comparison, Comparisons, Frequency
from fraudline.contract import Contract
from fraudline.contract.array_types import Matrix
from fraudline.contract.level_codes import level_text
from fraudline.contract.time_units import seconds_of, to_seconds

# More than four reasons are not likely to be helpful to a person: so say the official
# interpretations of Regulation B, 12 CFR 1002.9(b)(2), on the reasons for a refused credit.
MOST_REASONS = 4

# A feature as Python has it; None where it is null.
Seen = bool | int | float | str | dt.datetime
Value = Seen | None

_HOUR_S, _DAY_S = 3600, 86400
_HALF = len(LEVELS) // 2
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LEGITIMATE = "legitimate payments"
_MOST_CHARACTERS = 60  # of a level in a sentence


class Reason(msgspec.Struct, frozen=True, gc=False):
    """One feature that speaks for fraud.

    Attributes:
        feature: Its name.
        value: As it was sent, or as it was derived.
        contribution: What it adds to the log-odds of fraud, compared with payments that
            were legitimate; above 0.
        sentence: The value, and how it compares with legitimate payments.
    """

    feature: str
    value: Value
    contribution: float
    sentence: str


def name_reasons(
    values: Sequence[Sequence[Value]],
    contributions: Matrix,
    contract: Contract,
    comparisons: Comparisons,
) -> list[list[Reason]]:
    """The top reasons of each row, strongest first.

    A value so far out that arithmetic overflows contributes no number, and is no reason.

    Args:
        values: Of the features as they were sent or derived, row by row, in feature order.
        contributions: Of these values, shape (rows, features).
        contract: What a transaction looks like.
        comparisons: What legitimate payments are like.

    Returns:
        For each row its reasons; at most `MOST_REASONS`.
    """
    finite = np.where(np.isfinite(contributions), contributions, 0.0)
    strongest = np.argsort(-finite, axis=1, kind="stable")[:, :MOST_REASONS]
    compared = comparisons.features
    return [
        [
            Reason(
                name := contract.features[index],
                value := of_row[index],
                round(parts[index], 3),
                sentence(
                    contract.told_name(name), value, contract.column(name).unit, compared[name]
                ),
            )
            for index in indices
            if parts[index] > 0
        ]
        for of_row, indices, parts in zip(values, strongest.tolist(), finite.tolist(), strict=True)
    ]


def sentence(name: str, value: Value, unit: str, comparison: Comparison) -> str:
    """A value beside those of legitimate payments.

    The claim holds for the payments it was counted on: 99.9 % of them have at least, or at
    most, the number named.
    """
    if value is None:
        seen = comparison.missing or Frequency(0.0)
        return f"{name} is missing{_often(seen)}; {_percent(seen.share)} of {_LEGITIMATE} lack it"
    if comparison.kind == "level":
        return _level_sentence(name, value, comparison)
    if comparison.kind == "flag":
        share = comparison.values[0] if value else 1 - comparison.values[0]
        return f"{name} is {str(bool(value)).lower()}; so are {_percent(share)} of {_LEGITIMATE}"
    if comparison.kind == "time_of_day":
        second = _second_of_day(value, unit)
        hour = second // _HOUR_S
        clock = f"{hour:02d}:{second % _HOUR_S // 60:02d}"
        return (
            f"{name} falls at {clock} of the day; {_percent(comparison.values[hour])} of "
            f"{_LEGITIMATE} come between {hour:02d}:00 and {hour + 1:02d}:00"
        )
    if comparison.kind == "weekday":
        day = int(float(value))  # type: ignore[arg-type] # a number, as above
        return (
            f"{name} falls on a {_WEEKDAYS[day]}; so do {_percent(comparison.values[day])} of "
            f"{_LEGITIMATE}"
        )
    number = float(value)  # type: ignore[arg-type] # a time is compared by its time of day
    quantiles = comparison.values
    band = bisect_right(quantiles[:_HALF], number) + bisect_left(quantiles[_HALF:], number)
    return f"{name} is {_number(number, unit)}; {_bands(comparison.values, unit)[band]}"


def _level_sentence(name: str, value: Value, comparison: Comparison) -> str:
    """A level beside how frequent it is; of one that is rare or new, how frequent such ones are."""
    assert not isinstance(value, float | dt.datetime)
    assert value is not None
    text = level_text(value)
    words = repr(text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…")
    told = f"{name} is {words if isinstance(value, str) else text}"
    seen = comparison.levels.get(text)
    if seen is not None:
        return f"{told}{_often(seen)}; {_percent(seen.share)} of {_LEGITIMATE} have it"
    seen = comparison.other or Frequency(0.0)
    return (
        f"{told}, none of the {len(comparison.levels)} most frequent{_often(seen)}; "
        f"{_percent(seen.share)} of {_LEGITIMATE} have such a one"
    )


def _often(seen: Frequency) -> str:
    if seen.times is None:
        return ""
    times = f"{seen.times:,.0f}" if seen.times >= 10 else f"{seen.times:.2g}"
    return f": {'at least ' if seen.is_least else ''}{times} times as often fraud"


@cache
def _bands(quantiles: tuple[float, ...], unit: str) -> tuple[str, ...]:
    """What is said of a number in each band between quantiles, from the lowest up."""
    numbers = [_number(quantile, unit) for quantile in quantiles]
    below = [
        f"{_percent(1 - level)} of {_LEGITIMATE} have at least {number}"
        for level, number in zip(LEVELS[:_HALF], numbers[:_HALF], strict=True)
    ]
    above = [
        f"{_percent(level)} of {_LEGITIMATE} have at most {number}"
        for level, number in zip(LEVELS[_HALF:], numbers[_HALF:], strict=True)
    ]
    usual = (
        f"not unusual by itself, as {_percent(LEVELS[_HALF] - LEVELS[_HALF - 1])} of "
        f"{_LEGITIMATE} have {_number(quantiles[_HALF - 1], '')} to {numbers[_HALF]}"
    )
    return (*below, usual, *above)


def _second_of_day(value: Seen, unit: str) -> int:
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC)
        return value.hour * _HOUR_S + value.minute * 60 + value.second
    return int(to_seconds(float(value), seconds_of(unit) or 1.0) % _DAY_S)


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:z.4g}"
    return f"{text} {unit}".strip()


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
