"""Dates and times: how each of BigQuery's functions is written for DuckDB."""

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from bqlite.sql.nodes import call, cast, literal, refuse

_MICROSECONDS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
}
_DATE_UNITS = ("day", "week", "isoweek", "month", "quarter", "year")
_WEEKDAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_STRFTIME_DIRECTIVES = frozenset("YmdHMSjaAbBpIyf%")
_TIME_UNITS = tuple(_MICROSECONDS)
_ALL_UNITS = (*_TIME_UNITS, "week", "month", "quarter", "year")


def _unit(node: exp.Expr | None) -> tuple[str, int]:
    """A date part's name, and for weeks by how many days to shift so that Monday is first."""
    if isinstance(node, exp.WeekStart):
        day = node.name.upper()
        return "week", (7 - _WEEKDAYS.index(day)) % 7
    name = (node.name if node is not None else "day").lower()
    return ("week", 0) if name == "isoweek" else ("week", 1) if name == "week" else (name, 0)


def _shift(value: exp.Expr, days: int) -> exp.Expr:
    return exp.Add(this=value, expression=call("to_days", days)) if days else value


def _truncated(kind: str, units: tuple[str, ...], guard: str = "") -> Callable[[Any], exp.Cast]:
    def rule(node: Any) -> exp.Cast:
        unit, days = _unit(node.args.get("unit"))
        value = call(guard, node.this) if guard else node.this
        if unit not in units:
            raise refuse(f"{type(node).__name__} to {unit.upper()}")
        zone = node.args.get("zone")
        if zone is not None:
            value = call("timezone", zone, value)
        cut: exp.Expr = call("date_trunc", unit, _shift(value, days))
        if days:
            cut = exp.Sub(this=cut, expression=call("to_days", days))
        if (
            zone is not None and unit in _MICROSECONDS and unit != "day"
        ):  # the clock may be put back
            since = exp.Paren(this=exp.Sub(this=value.copy(), expression=cut))
            return cast(exp.Sub(this=node.this.copy(), expression=since), kind)
        return cast(cut if zone is None else call("timezone", zone.copy(), cut), kind)

    return rule


def _interval(number: exp.Expr, unit_node: exp.Expr | None) -> exp.Anonymous:
    unit = (unit_node.name if unit_node is not None else "").lower()
    if unit not in _ALL_UNITS:
        raise refuse(f"an INTERVAL in {unit.upper() or 'parts'}")
    if isinstance(number, exp.Literal) and number.is_string:
        if not re.fullmatch(r"-?\d+", number.this):
            raise refuse(f"the INTERVAL '{number.this}'", "write a whole number and one unit")
        number = exp.Literal.number(number.this)
    return call(f"to_{unit}s", number)


def _shifted(kind: str, sign: int, units: tuple[str, ...], guard: str = "") -> Callable[[Any], Any]:
    def rule(node: Any) -> exp.Cast:
        if (node.args["unit"].name or "").lower() not in units:
            raise refuse(f"{type(node).__name__} by {node.args['unit'].name}")
        value = call(guard, node.this) if guard else node.this
        step = _interval(node.expression, node.args["unit"])
        moved = (exp.Add if sign > 0 else exp.Sub)(this=value, expression=step)
        return cast(moved, kind)

    return rule


def _timestamp_diff(node: exp.TimestampDiff) -> exp.Expr:
    unit, _ = _unit(node.args.get("unit"))
    if unit not in _MICROSECONDS:
        raise refuse(f"TIMESTAMP_DIFF in {unit.upper()}", "use DATE_DIFF of the two dates")
    return call("bq_timestamp_diff", node.this, node.expression, _MICROSECONDS[unit])


def _boundaries(node: Any) -> exp.Expr:
    unit, days = _unit(node.args.get("unit"))
    if unit not in {*_MICROSECONDS, *_DATE_UNITS}:
        raise refuse(f"a difference in {unit.upper()}")
    start, end = _shift(node.expression, days), _shift(node.this, days)
    if unit != "week":
        return call("date_diff", unit, start, end)
    mondays = [call("date_trunc", "week", value) for value in (start, end)]
    return exp.Paren(
        this=exp.IntDiv(this=call("date_diff", "day", *mondays), expression=exp.Literal.number(7))
    )


def _extract(node: exp.Extract) -> exp.Expr:
    value = node.expression
    if isinstance(node.this, exp.WeekStart) and node.this.name.upper() == "MONDAY":
        return cast(call("strftime", value, "%W"), "BIGINT")
    if isinstance(node.this, exp.WeekStart) and node.this.name.upper() != "SUNDAY":
        raise refuse(f"EXTRACT(WEEK({node.this.name}))")
    unit = node.this.name.upper()
    if unit in {"WEEK", "SUNDAY"}:
        return cast(call("strftime", value, "%U"), "BIGINT")
    if unit in {"DATE", "TIME"}:
        return cast(value, unit)
    if unit == "DAYOFWEEK":
        return exp.Paren(
            this=exp.Add(this=call("dayofweek", value), expression=exp.Literal.number(1))
        )
    if unit in {"MILLISECOND", "MICROSECOND"}:
        size = 1_000 if unit == "MILLISECOND" else 1_000_000
        part = call("bq_part", unit.lower(), value)
        return exp.Paren(this=exp.Mod(this=part, expression=exp.Literal.number(size)))
    if unit == "ISOWEEK":
        unit = "WEEK"
    elif unit not in [
        "YEAR",
        "ISOYEAR",
        "QUARTER",
        "MONTH",
        "DAY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "DAYOFYEAR",
    ]:
        raise refuse(f"EXTRACT({unit})")
    return call("bq_part", unit.lower(), value)


def _format(node: Any) -> str:
    pattern = node.args.get("format")
    if not isinstance(pattern, exp.Literal) or not pattern.is_string:
        raise refuse("a date format that is not a literal")
    for directive in re.findall(r"%(.?)", pattern.this):
        if directive not in _STRFTIME_DIRECTIVES:
            raise refuse(f"the date format %{directive}")
    if re.search(r"(?<!%S\.)%f", pattern.this):  # which is how %E6S reads here
        raise refuse("the date format %f", "use %E6S")
    return str(pattern.this)


def _format_time(node: exp.TimeToStr) -> exp.Expr:
    zone = node.args.get("zone")
    value = call("timezone", zone, node.this) if zone is not None else node.this
    return call("strftime", value, _format(node))


def _parse_time(kind: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        pattern = _format(node)
        if "%Y" not in pattern and "%y" not in pattern:
            raise refuse("parsing a date without its year")
        parsed = call("strptime", node.this, pattern)
        if kind == "TIMESTAMPTZ":
            return call("timezone", node.args.get("zone") or "UTC", parsed)
        return cast(parsed, kind)

    return rule


def _in_zone(kind: str) -> Callable[[Any], exp.Expr]:
    """DATE(x [, zone]), DATETIME(x [, zone]): a moment as seen in a time zone."""

    def rule(node: Any) -> exp.Expr:
        zone = node.args.get("zone") or node.args.get("expression")
        if node.this is None:
            raise refuse(f"{kind} without an argument")
        return cast(call("timezone", zone, node.this) if zone is not None else node.this, kind)

    return rule


def _timestamp(node: exp.Timestamp) -> exp.Expr:
    zone = node.args.get("zone")
    if zone is None:
        return cast(node.this, "TIMESTAMPTZ")
    return call("timezone", zone, cast(node.this, "TIMESTAMP"))


def _now(kind: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        return cast(call("timezone", node.this or "UTC", call("now")), kind)

    return rule


def _parts(name: str) -> Callable[[Any], exp.Expr]:
    def rule(node: Any) -> exp.Expr:
        return call(name, *[value for value in node.args.values() if value is not None])

    return rule


def _date_array(node: exp.GenerateDateArray) -> exp.Expr:
    start, end = (cast(node.args[key], "TIMESTAMP") for key in ("start", "end"))
    step = node.args["step"]
    by_months = step.name in {"to_months", "to_quarters", "to_years"}
    first = call("bq_month_start", start) if by_months else start
    return cast(call("bq_moments", first, end, step), "DATE[]")


def _last_day(node: exp.LastDay) -> exp.Expr:
    unit, _ = _unit(node.args.get("unit"))
    if node.args.get("unit") is not None and unit != "month":
        raise refuse(f"LAST_DAY of a {unit.upper()}")
    return call("last_day", node.this)


def _unix_to_time(node: exp.UnixToTime) -> exp.Expr:
    scale = int(node.args["scale"].name) if node.args.get("scale") is not None else 0
    micros = exp.Mul(
        this=exp.Paren(this=cast(node.this, "BIGINT")),
        expression=exp.Literal.number(10 ** (6 - scale)),
    )
    return call("make_timestamptz", micros)


TIME_RULES: dict[type[exp.Expr], Callable[[Any], exp.Expr]] = {
    exp.GenerateDateArray: _date_array,
    exp.GenerateTimestampArray: lambda n: call(
        "bq_moments",
        *[cast(n.args[key], "TIMESTAMPTZ") for key in ("start", "end")],
        n.args["step"],
    ),
    exp.CurrentTimestamp: lambda _: call("now"),
    exp.CurrentDate: _now("DATE"),
    exp.CurrentDatetime: _now("TIMESTAMP"),
    exp.CurrentTime: _now("TIME"),
    exp.TimestampTrunc: _truncated("TIMESTAMPTZ", _ALL_UNITS),
    exp.DatetimeTrunc: _truncated("TIMESTAMP", _ALL_UNITS),
    exp.DateTrunc: _truncated("DATE", _DATE_UNITS, "bq_date"),
    exp.TimestampAdd: _shifted("TIMESTAMPTZ", 1, _TIME_UNITS),
    exp.TimestampSub: _shifted("TIMESTAMPTZ", -1, _TIME_UNITS),
    exp.DatetimeAdd: _shifted("TIMESTAMP", 1, _ALL_UNITS),
    exp.DatetimeSub: _shifted("TIMESTAMP", -1, _ALL_UNITS),
    exp.DateAdd: _shifted("DATE", 1, _DATE_UNITS, "bq_date"),
    exp.DateSub: _shifted("DATE", -1, _DATE_UNITS, "bq_date"),
    exp.TimestampDiff: _timestamp_diff,
    exp.DatetimeDiff: _boundaries,
    exp.DateDiff: _boundaries,
    exp.LastDay: _last_day,
    exp.Interval: lambda n: _interval(n.this, n.args.get("unit")),
    exp.Datetime: _in_zone("TIMESTAMP"),
    exp.Extract: _extract,
    exp.AtTimeZone: lambda n: call("timezone", n.args["zone"], n.this),
    exp.TimeToStr: _format_time,
    exp.StrToTime: _parse_time("TIMESTAMPTZ"),
    exp.StrToDate: _parse_time("DATE"),
    exp.TsOrDsToTimestamp: lambda n: cast(n.this, "TIMESTAMPTZ"),
    exp.TsOrDsToDate: lambda n: cast(n.this, "DATE"),
    exp.TsOrDsToDatetime: _in_zone("TIMESTAMP"),
    exp.Timestamp: _timestamp,
    exp.Date: _in_zone("DATE"),
    exp.DateFromParts: _parts("make_date"),
    exp.TimestampFromParts: _parts("make_timestamp"),
    exp.TimeFromParts: _parts("make_time"),
    exp.UnixToTime: _unix_to_time,
    exp.UnixSeconds: lambda n: call("bq_unix", n.this, 1_000_000),
    exp.UnixMillis: lambda n: call("bq_unix", n.this, 1_000),
    exp.UnixMicros: lambda n: call("bq_unix", n.this, 1),
    exp.DateFromUnixDate: lambda n: cast(
        exp.Add(this=cast(literal("1970-01-01"), "DATE"), expression=cast(n.this, "INTEGER")),
        "DATE",
    ),
    exp.UnixDate: lambda n: call("date_diff", "day", cast(literal("1970-01-01"), "DATE"), n.this),
}
