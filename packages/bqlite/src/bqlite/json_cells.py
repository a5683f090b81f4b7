"""Values of JSON rows, in files and in `tabledata.insertAll`, on their way into a column."""

import base64
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from bqlite.cells import (
    check_json,
    check_micros,
    date_of,
    datetime_of,
    numeric_of,
    time_of,
    timestamp_of,
)
from bqlite.types import Field

NO_VALUE = object()
# A number with a point or an exponent is a Decimal: a double would change it on its way to NUMERIC.
decode_rows = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_MAX_SECONDS = 10**12  # of a TIMESTAMP, and more


class CellError(Exception):
    """A value a column does not take.

    Attributes:
        location: The column, with the members that lead to the value.
        message: BigQuery's words.
    """

    def __init__(self, location: str, message: str) -> None:
        super().__init__(message)
        self.location = location
        self.message = message


def cell(one: Field, value: Any, path: str, *, ignores_unknown: bool = False) -> Any:
    """The value as a column stores it.

    Args:
        one: The column or member.
        value: What the row holds; `NO_VALUE` if it has no such member.
        path: The column's name, with the members that lead here.
        ignores_unknown: Whether members the column lacks are left out.

    Raises:
        CellError: The column does not take it.
    """
    if one.mode == "REPEATED":
        if value is NO_VALUE or value is None:
            return []
        if not isinstance(value, list):
            raise CellError(
                path, f"Expected an array, as the field is REPEATED; found {value!r:.100}"
            )
        element = Field(one.name, one.type, "REQUIRED", one.fields)
        return [cell(element, item, path, ignores_unknown=ignores_unknown) for item in value]
    if value is None or value is NO_VALUE:
        if one.mode == "REQUIRED":
            raise CellError(path, f"Missing required field: {path}.")
        return None
    if one.type == "RECORD":
        if not isinstance(value, dict):
            raise CellError(path, f"This field: {path} is not a record.")
        return record(one.fields, value, f"{path}.", ignores_unknown=ignores_unknown)
    try:
        return _SCALARS[one.type](value)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
        raise CellError(
            path, f"Cannot convert value to {one.sql} (bad value): {value!r:.100}"
        ) from error


def record(
    fields: tuple[Field, ...], row: Mapping[str, Any], prefix: str, *, ignores_unknown: bool = False
) -> dict[str, Any]:
    """The members of a row or RECORD by the columns' names; raises `CellError`."""
    given = {name.lower(): value for name, value in row.items()}
    if not ignores_unknown:
        known = {one.name.lower() for one in fields}
        for name in row:
            if name.lower() not in known:
                raise CellError(f"{prefix}{name}", f"no such field: {prefix}{name}.")
    return {
        one.name: cell(
            one,
            given.get(one.name.lower(), NO_VALUE),
            f"{prefix}{one.name}",
            ignores_unknown=ignores_unknown,
        )
        for one in fields
    }


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, Decimal) and (value.copy_abs() > 2**63 or value % 1):
        raise ValueError  # before 1E999999999 is written out
    number = int(_plain(value))
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _plain(value: Any) -> Any:
    """A number or its text, without what only Python reads as a number."""
    if isinstance(value, str) and ("_" in value or value != value.strip()):
        raise ValueError
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    number = float(_plain(value))
    if math.isinf(number) and not (isinstance(value, str) and "inf" in value.lower()):
        raise OverflowError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}[_text(value).lower()]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeError


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        value = _shortest(value)
    return str(value) if isinstance(value, (int, float, Decimal)) else _text(value)


def _numeric(value: Any) -> Decimal:
    if isinstance(value, bool):
        raise TypeError
    return numeric_of(str(_plain(value)))


def _timestamp(value: Any) -> int:
    """Text, or seconds since 1970; what is less than a microsecond is cut off."""
    if isinstance(value, str):
        return timestamp_of(value)
    seconds = value if isinstance(value, Decimal) else Decimal(_integer(value))
    if seconds.copy_abs() > _MAX_SECONDS:
        raise OverflowError
    return check_micros(int(seconds * 1_000_000))


def _json(value: Any) -> str:
    """JSON as text, or any other value as itself."""
    if isinstance(value, str):
        return check_json(value)
    return _JSON.encode(_shortened(value)).decode()


def _shortened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shortened(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_shortened(one) for one in value]
    return _shortest(value) if isinstance(value, Decimal) else value


def _shortest(value: Decimal) -> float | Decimal:
    """The number as a double, if that is the same number: 1.5 for 1.50."""
    double = float(value)
    is_same = math.isfinite(double) and Decimal(repr(double)) == value
    return double if is_same else value


_JSON = msgspec.json.Encoder(decimal_format="number")
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "STRING": _string,
    "BYTES": lambda value: base64.b64decode(_text(value), validate=True),
    "INTEGER": _integer,
    "FLOAT": _float,
    "NUMERIC": _numeric,
    "BOOLEAN": _boolean,
    "TIMESTAMP": _timestamp,
    "DATE": lambda value: date_of(_text(value)),
    "TIME": lambda value: time_of(_text(value)),
    "DATETIME": lambda value: datetime_of(_text(value)),
    "JSON": _json,
}
