"""The units in which a number may tell a time: the one place that knows them."""

from __future__ import annotations

from typing import TypeVar

from fraudline.contract.array_types import Floats

_Number = TypeVar("_Number", float, Floats)

_WORDS_BY_SECONDS: dict[float, tuple[str, ...]] = {
    1e-9: ("ns", "nanosecond", "nanoseconds"),
    1e-6: ("us", "µs", "μs", "microsecond", "microseconds"),
    1e-3: ("ms", "millisecond", "milliseconds"),
    1.0: ("s", "sec", "second", "seconds"),
    60.0: ("min", "minute", "minutes"),
    3600.0: ("h", "hour", "hours"),
    86400.0: ("d", "day", "days"),
}
_SECONDS = {word: seconds for seconds, words in _WORDS_BY_SECONDS.items() for word in words}

TIME_UNITS = ("s", "ms", "us", "ns", "min", "h", "day")
"""What a contract is told to write; the words behind them are known, too."""


def seconds_of(unit: str) -> float | None:
    """How many seconds one of a unit is; a number without a unit counts seconds.

    Returns:
        None where it is no unit of time.
    """
    return _SECONDS.get(unit.strip().lower()) if unit.strip() else 1.0


# From which number on one is a time since 1970, by its unit; the years 1990 to 2100.
_EPOCHS = {
    unit: (6.3e8 * scale, 4.1e9 * scale)
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6), ("ns", 1e9))
}


def unit_since_1970(low: float, high: float) -> str | None:
    """The unit in which numbers from one to another look like times since 1970; None: they do not.

    Args:
        low: The smallest.
        high: The largest.
    """
    return next((unit for unit, (a, b) in _EPOCHS.items() if a <= low <= high <= b), None)


def to_seconds(numbers: _Number, unit_s: float) -> _Number:
    """Times in seconds.

    Args:
        numbers: Times in a unit.
        unit_s: How many seconds one of that unit is.
    """
    # Divided where the divisor is exact: 1e-3 is no float64, and 1000 is one.
    return numbers / round(1 / unit_s) if unit_s < 1 else numbers * unit_s
