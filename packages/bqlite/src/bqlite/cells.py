"""Single values on their way into a column: as text or numbers in, as Arrow stores them out."""

import datetime as dt
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from bqlite.types import MAX_DAY, MAX_US, MIN_DAY, MIN_US, TEXT_FORMS, Field

_PARTS = re.compile(
    r"\s*(?:(\d+)-(\d+)-(\d+))?[ T]?(?:(\d+):(\d+)(?::(\d+)(?:\.(\d*))?)?)?\s*(\S*)\s*", re.ASCII
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_DAYS = dt.date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000
MAX_NUMERIC, NANO = Decimal(10) ** 29, Decimal("1e-9")
WIDE = Context(prec=38, rounding=ROUND_HALF_UP)  # holds any NUMERIC; half goes away from zero


def to_array(values: list[Any], one: Field, errors: list[tuple[int, str]]) -> pa.Array:
    """The column of these values; one that does not fit is NULL and noted with its row's number."""
    wanted = one.arrow.type
    try:
        if one.mode != "REPEATED" and one.type in {"TIMESTAMP", "DATETIME", "TIME"}:
            return pa.array(values, pa.int64()).cast(wanted)
        if one.mode != "REPEATED" and one.type == "DATE":
            return pa.array(values, pa.int32()).cast(wanted)
        return pa.array(values, wanted)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError) as error:
        for number, value in enumerate(values):
            try:
                pa.array([value], wanted)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeError):
                errors.append((number, f"Field {one.name}: {value!r} is not a {one.sql}"))
        if not errors:
            errors.append((0, f"Field {one.name}: {error}"))
        return pa.nulls(len(values), wanted)


def check_micros(value: int) -> int:
    """Microseconds since 1970, within BigQuery's years."""
    if not MIN_US <= value <= MAX_US:
        raise ValueError(f"{value} microseconds is outside the years 1 to 9999")
    return value


def check_day(value: int) -> int:
    """Days since 1970, within BigQuery's years."""
    if not MIN_DAY <= value <= MAX_DAY:
        raise ValueError(f"day {value} is outside the years 1 to 9999")
    return value


def timestamp_of(text: str) -> int:
    """A TIMESTAMP's text as microseconds since 1970; UTC if it names no zone."""
    day, clock, zone = _parts("TIMESTAMP", text)
    value = dt.datetime.combine(day, clock, _zone(zone))
    return check_micros((value - _EPOCH) // dt.timedelta(microseconds=1))


def datetime_of(text: str) -> int:
    """A DATETIME's text as microseconds."""
    day, clock, _ = _parts("DATETIME", text)
    return datetime_micros(dt.datetime.combine(day, clock))


def date_of(text: str) -> int:
    """A DATE's text as days since 1970; a time of day in it is left out."""
    day, _, _ = _parts("DATE", text)
    return day.toordinal() - _EPOCH_DAYS


def time_of(text: str) -> int:
    """A TIME's text as microseconds."""
    _, clock, _ = _parts("TIME", text)
    return clock_micros(clock)


def check_json(text: str) -> str:
    """Text that is JSON; raises `ValueError` for any other, also where DuckDB would take it."""
    try:
        msgspec.json.decode(text)  # the standard library's and DuckDB's would take NaN
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError("the text is not JSON, or nests too deeply") from error
    return text


def numeric_of(text: str) -> Decimal:
    """A NUMERIC's text; raises `ValueError` if it has more than 29 digits before or 9 after."""
    value = Decimal(_formed("NUMERIC", text))
    if value.is_finite() and value.copy_abs() < MAX_NUMERIC:
        stored = value.quantize(NANO, context=WIDE)
        if stored == value:
            return stored
    raise ValueError(f"{text} has more than 29 digits before the point or 9 after it")


def rounded_numeric(number: float) -> Decimal:
    """A double as NUMERIC, rounded at the 9th digit after the point; raises `ValueError`."""
    if not abs(number) < MAX_NUMERIC:
        raise ValueError(f"{number} has more than 29 digits before the point")
    return Decimal(number).quantize(NANO, context=WIDE)


def datetime_micros(value: dt.datetime) -> int:
    """A moment without zone as microseconds since 1970."""
    days = value.date().toordinal() - _EPOCH_DAYS
    return days * _DAY_US + clock_micros(value.time())


def clock_micros(value: dt.time) -> int:
    """A time of day as microseconds."""
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * 1_000_000 + value.microsecond


def _formed(kind: str, text: str) -> str:
    """The text, if BigQuery would read it; Python reads more."""
    if re.fullmatch(TEXT_FORMS[kind], text, re.ASCII) is None:
        raise ValueError(f"'{text}' is not a {kind}")
    return text


def _parts(kind: str, text: str) -> tuple[dt.date, dt.time, str]:
    """Day, time of day and zone of a text; what it leaves out is the first there is."""
    found = _PARTS.fullmatch(_formed(kind, text))
    assert found is not None, text  # the form has just been checked
    year, month, day, hour, minute, second, fraction, zone = found.groups("")
    micros = int(fraction.ljust(6, "0"))
    return (
        dt.date(int(year or 1), int(month or 1), int(day or 1)),
        dt.time(int(hour or 0), int(minute or 0), int(second or 0), micros),
        zone,
    )


def _zone(name: str) -> dt.tzinfo:
    if name.upper() in {"", "Z", "UTC"}:
        return dt.UTC
    if name[0] in "+-":
        hours, minutes = name[1:3].rstrip(":"), name[3:].lstrip(":") if len(name) > 3 else ""
        offset = dt.timedelta(hours=int(hours), minutes=int(minutes or 0))
        return dt.timezone(-offset if name[0] == "-" else offset)
    return ZoneInfo(name)
