"""Derived columns as GoogleSQL, value by value those of `derived`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fraudline.contract.columns import FLOAT32_MAX
from fraudline.contract.derived import EARTH_DIAMETER_KM, RADIANS, UNITS_US, Derived


def with_derived_sql(source: str, derived: Iterable[Derived]) -> str:
    """What stands behind FROM, with derived columns beside its own.

    Args:
        source: A table in backticks, or a query in parentheses.
        derived: In an order in which each follows from columns and those before it.
    """
    beside: dict[str, str] = {}
    for each in derived:
        if beside.keys() & {*each.of}:  # it follows from one that has to be there first
            source, beside = _selected(source, beside), {}
        beside[each.name] = derived_sql(each)
    return _selected(source, beside) if beside else source


def _selected(source: str, beside: dict[str, str]) -> str:
    columns = "".join(f",\n  {sql} AS `{name}`" for name, sql in beside.items())
    return f"(SELECT *{columns}\nFROM {source})"


def derived_sql(each: Derived) -> str:
    """The expression of a derived column, FLOAT64, or BOOL of an equality."""
    return _WRITTEN[each.kind](each, [f"`{name}`" for name in each.of])


def _difference(each: Derived, of: list[str]) -> str:
    if each.of_types[0] == "timestamp":
        microseconds = f"UNIX_MICROS({of[0]}) - UNIX_MICROS({of[1]})"
        return f"CAST({microseconds} AS FLOAT64) / {UNITS_US[each.unit]!r}"
    if each.of_types[0] == "date":
        return f"CAST(DATE_DIFF({of[0]}, {of[1]}, DAY) AS FLOAT64)"
    return _in_float32(f"{_number(of[0])} - {_number(of[1])}")


def _ratio(_each: Derived, of: list[str]) -> str:
    return _in_float32(f"SAFE_DIVIDE({_number(of[0])}, {_number(of[1])})")


def _absolute(_each: Derived, of: list[str]) -> str:
    return f"ABS({_number(of[0])})"


def _log(_each: Derived, of: list[str]) -> str:
    return f"IF({of[0]} > 0, LN({_number(of[0])}), NULL)"


def _distance(_each: Derived, of: list[str]) -> str:
    lat, lon, other_lat, other_lon = map(_number, of)
    north = f"SIN(({other_lat} - {lat}) * {RADIANS!r} / 2)"
    east = f"SIN(({other_lon} - {lon}) * {RADIANS!r} / 2)"
    wide = f"COS({lat} * {RADIANS!r}) * COS({other_lat} * {RADIANS!r})"
    chord = f"LEAST({north} * {north} + {wide} * ({east} * {east}), 1.0)"
    return f"ASIN(SQRT({chord})) * {EARTH_DIAMETER_KM!r}"


def _equal(_each: Derived, of: list[str]) -> str:
    return f"{of[0]} = {of[1]}"


def _age(each: Derived, of: list[str]) -> str:
    born, at = of[0], f"DATE({of[1]}, '{each.timezone}')"
    if each.unit == "day":
        return f"CAST(DATE_DIFF({at}, {born}, DAY) AS FLOAT64)"
    return f"CAST(DIV({_digits(at)} - ({_digits(born)}), 10000) AS FLOAT64)"


def _hour(each: Derived, of: list[str]) -> str:
    shown = f"DATETIME({of[0]}, '{each.timezone}')"
    since = f"DATETIME_DIFF({shown}, DATETIME_TRUNC({shown}, DAY), MICROSECOND)"
    return f"CAST({since} AS FLOAT64) / 1000000.0"


def _weekday(each: Derived, of: list[str]) -> str:
    day = f"EXTRACT(DAYOFWEEK FROM {of[0]} AT TIME ZONE '{each.timezone}')"
    return f"CAST(MOD({day} + 5, 7) AS FLOAT64)"


_WRITTEN: dict[str, Callable[[Derived, list[str]], str]] = {
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


def _number(source: str) -> str:
    return f"CAST({source} AS FLOAT64)"


def _in_float32(number: str) -> str:
    return f"IF(ABS({number}) <= {FLOAT32_MAX!r}, {number}, NULL)"


def _digits(date: str) -> str:
    parts = (f"EXTRACT({part} FROM {date})" for part in ("YEAR", "MONTH", "DAY"))
    return "{} * 10000 + {} * 100 + {}".format(*parts)
