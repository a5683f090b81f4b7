"""Columns that follow from others of the same transaction: computed here, for files and messages.

Whatever needs another transaction, such as a count of the last hour, is none of them. Numbers are
taken as float64, and each step rounds as IEEE 754 says, so the same values come out of the SQL in
`derived_sql`, bit for bit; of a logarithm and a distance up to what another library of mathematics
rounds otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.array_types import Flags, Floats, Integers
from fraudline.contract.columns import FLOAT32_MAX, Column
from fraudline.contract.local_times import LocalTimes
from fraudline.contract.time_formats import DAY_US

Kind = Literal[
    "difference", "ratio", "absolute", "log", "distance", "equal", "age", "hour", "weekday"
]
EARTH_DIAMETER_KM = 12742.0176  # twice the mean radius of the IUGG
RADIANS = 0.017453292519943295
WEEK_DAYS = 7.0
DAY_S = 86400.0
_WORDS: dict[str, str] = {
    "difference": "{0} - {1}",
    "ratio": "{0} / {1}",
    "absolute": "{0} without its sign",
    "log": "the natural logarithm of {0}",
    "distance": "from {0}, {1} to {2}, {3}",
    "equal": "{0} = {1}",
    "hour": "of {0}, on clocks in {zone}",
    "weekday": "of {0}, on clocks in {zone}",
}


@dataclass(frozen=True)
class Derived:
    """A column that no message and no table has.

    Attributes:
        name: Its own.
        kind: How it follows.
        of: The columns it follows from, or derived ones that stand before it.
        unit: Of the result; of a difference of times, and of an age, what is counted.
        description: For people.
        is_nullable: Whether it may be null: where one of the others is, where the divisor of a
            ratio is 0, where there is no logarithm, and where a result is beyond float32.
        is_feature: Whether a network sees it.
        timezone: Of a part of a time, and of an age, whose clocks tell the day.
        of_types: The types of the columns it follows from.
    """

    name: str
    kind: Kind
    of: tuple[str, ...]
    unit: str = ""
    description: str = ""
    is_nullable: bool = False
    is_feature: bool = True
    timezone: str = ""
    of_types: tuple[str, ...] = ()

    @cached_property
    def column(self) -> Column:
        """It as a column, for who looks at features."""
        return Column(
            self.name,
            "bool" if self.kind == "equal" else "float64",
            self.description or self.words,
            self.unit,
            is_nullable=self.is_nullable,
            is_feature=self.is_feature,
        )

    @cached_property
    def words(self) -> str:
        """What it follows from, for people."""
        if self.kind == "age":
            whole = "whole years" if self.unit == "year" else "days"
            return f"{whole} from {self.of[0]} to {self.of[1]}"
        return _WORDS[self.kind].format(*self.of, zone=self.timezone)

    @property
    def turn(self) -> float | None:
        """After how much it begins anew, as the hand of a clock does; None: it does not."""
        return {"hour": DAY_S, "weekday": WEEK_DAYS}.get(self.kind)


def parts_of(column: Column) -> list[Derived]:
    """The parts of a timestamp that a network sees, each a column of its own.

    `hour` is the second of the day that clocks show, `weekday` the day of the week; Monday is 0.
    """
    kinds: dict[str, Kind] = {"hour": "hour", "weekday": "weekday"}
    return [
        Derived(
            f"{column.name}_{part}",
            kinds[part],
            (column.name,),
            "s" if part == "hour" else "",
            is_nullable=column.is_nullable,
            timezone=column.timezone or "UTC",
            of_types=(column.type,),
        )
        for part in column.parts
    ]


def derive(derived: Iterable[Derived], columns: Mapping[str, pa.Array]) -> dict[str, Floats]:
    """The values of derived columns, float64, NaN for null, each of shape (rows,).

    Args:
        derived: In an order in which each follows from columns and those before it.
        columns: What they follow from, by name.

    Returns:
        By name; a yes or no is 1 or 0.
    """
    found: dict[str, Floats] = {}
    with np.errstate(all="ignore"):
        for each in derived:
            sources = [found.get(name, columns.get(name)) for name in each.of]
            found[each.name] = _COMPUTED[each.kind](each, sources)
    return found


_Source = Any  # an array of Arrow, or of numbers that were derived


def _difference(each: Derived, sources: list[_Source]) -> Floats:
    if each.of_types[0] == "timestamp":
        one, other = map(_whole, sources)
        return _null_beside((one - other).astype(np.float64) / UNITS_US[each.unit], *sources)
    if each.of_types[0] == "date":
        one, other = map(_whole, sources)
        return _null_beside((one - other).astype(np.float64), *sources)
    return _in_float32(_number(sources[0]) - _number(sources[1]))


def _ratio(_each: Derived, sources: list[_Source]) -> Floats:
    return _in_float32(_number(sources[0]) / _number(sources[1]))


def _absolute(_each: Derived, sources: list[_Source]) -> Floats:
    found: Floats = np.abs(_number(sources[0]))
    return found


def _log(_each: Derived, sources: list[_Source]) -> Floats:
    x = _number(sources[0])
    return _where(x > 0, math.log, x)


def _distance(_each: Derived, sources: list[_Source]) -> Floats:
    lat, lon, other_lat, other_lon = map(_number, sources)
    there = np.isfinite(lat + lon + other_lat + other_lon)
    north = _where(there, math.sin, (other_lat - lat) * RADIANS / 2)
    east = _where(there, math.sin, (other_lon - lon) * RADIANS / 2)
    wide = _where(there, math.cos, lat * RADIANS) * _where(there, math.cos, other_lat * RADIANS)
    chord = np.minimum(north * north + wide * (east * east), 1.0)
    return _where(there, math.asin, np.sqrt(chord)) * EARTH_DIAMETER_KM


def _equal(each: Derived, sources: list[_Source]) -> Floats:
    del each
    same = pc.equal(*sources).cast(pa.float64())
    return _number(same)


def _age(each: Derived, sources: list[_Source]) -> Floats:
    born, at = map(_whole, sources)
    day = np.floor_divide(LocalTimes(each.timezone).shown(at), DAY_US)
    if each.unit == "day":
        return _null_beside((day - born).astype(np.float64), *sources)
    digits = _digits(day) - _digits(born)
    years = np.sign(digits) * (np.abs(digits) // 10_000)
    return _null_beside(years.astype(np.float64), *sources)


def _hour(each: Derived, sources: list[_Source]) -> Floats:
    shown = LocalTimes(each.timezone).shown(_whole(sources[0]))
    return _null_beside(np.mod(shown, DAY_US).astype(np.float64) / 1e6, *sources)


def _weekday(each: Derived, sources: list[_Source]) -> Floats:
    shown = LocalTimes(each.timezone).shown(_whole(sources[0]))
    days = np.floor_divide(shown, DAY_US)  # 1970 began with a Thursday
    return _null_beside(np.mod(days + 3, 7).astype(np.float64), *sources)


_COMPUTED: dict[str, Callable[[Derived, list[_Source]], Floats]] = {
    "difference": _difference,
    "ratio": _ratio,
    "absolute": _absolute,
    "log": _log,
    "distance": _distance,
    "equal": _equal,
    "age": _age,
    "hour": _hour,
    "weekday": _weekday,
}
# What a difference of two times may count, and how many microseconds one is.
UNITS_US = {"s": 1e6, "min": 6e7, "h": 3.6e9, "day": 8.64e10}


def _number(source: _Source) -> Floats:
    """Numbers as float64, NaN for null."""
    if isinstance(source, np.ndarray):
        return source
    floats = source.cast(pa.float64(), safe=False)
    return np.asarray(floats.to_numpy(zero_copy_only=False), dtype=np.float64)


def _whole(source: _Source) -> Integers:
    """Times as microseconds since 1970 in UTC, dates as days since, 0 for null."""
    if pa.types.is_timestamp(source.type):
        source = source.cast(pa.timestamp("us", source.type.tz)).cast(pa.int64())
    elif pa.types.is_date(source.type):
        source = source.cast(pa.int32()).cast(pa.int64())
    return np.asarray(source.fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _null_beside(numbers: Floats, *sources: _Source) -> Floats:
    for source in sources:
        if source.null_count:
            numbers = np.where(source.is_null().to_numpy(zero_copy_only=False), np.nan, numbers)
    return numbers


def _in_float32(numbers: Floats) -> Floats:
    return np.where(np.abs(numbers) <= FLOAT32_MAX, numbers, np.nan)


def _where(is_there: Flags, function: Callable[[float], float], x: Floats) -> Floats:
    """A function of the C library, where there is a number for it; NaN elsewhere.

    numpy's own differ from it, and from one processor to the next, in their last bit.
    """
    found = np.full(len(x), np.nan)
    numbers = x[is_there].tolist()
    found[is_there] = np.fromiter(map(function, numbers), np.float64, len(numbers))
    return found


def _digits(days: Integers) -> Integers:
    """Days since 1970 as the number that year, month and day are, one behind the other."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    of_month = (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
    count = months.astype(np.int64)
    found: Integers = (
        (np.floor_divide(count, 12) + 1970) * 10_000 + (np.mod(count, 12) + 1) * 100 + of_month
    )
    return found
