"""Rows as REST writes them: every value a string, every row `{"f": [{"v": ...}]}`."""

import base64
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from bqlite.errors import InvalidError
from bqlite.types import Field


def rows_json(
    batch: pa.RecordBatch, fields: Sequence[Field], *, int64_timestamps: bool
) -> list[dict[str, Any]]:
    """The rows of a batch as REST's JSON.

    Args:
        batch: Rows in BigQuery's Arrow types.
        fields: Their columns.
        int64_timestamps: Microseconds since 1970 for a TIMESTAMP, else seconds as a float.
    """
    columns = [
        _column(column, one, int64_timestamps)
        for column, one in zip(batch.columns, fields, strict=True)
    ]
    return [{"f": [{"v": value} for value in row]} for row in zip(*columns, strict=True)]


def _column(column: pa.Array, one: Field, int64_timestamps: bool) -> list[Any]:  # noqa: FBT001  # private
    if one.mode == "REPEATED":
        element = Field(one.name, one.type, fields=one.fields)
        flat = _column(column.flatten(), element, int64_timestamps)
        if any(value is None for value in flat):
            raise InvalidError(
                f"Array cannot have a null element; error in writing field {one.name}"
            )
        values, start = [], 0
        for length in column.value_lengths().to_pylist():
            end = start + (length or 0)
            values.append([{"v": value} for value in flat[start:end]])
            start = end
        return values
    if one.type == "RECORD":
        members = [
            _column(column.field(i), member, int64_timestamps)
            for i, member in enumerate(one.fields)
        ]
        whole = [{"f": [{"v": value} for value in row]} for row in zip(*members, strict=True)]
        valid = column.is_valid().to_pylist()
        return [row if ok else None for row, ok in zip(whole, valid, strict=True)]
    if one.type in {"TIMESTAMP", "DATETIME"}:
        micros = column.view(pa.int64()).to_pylist()
        moment: Callable[[int], str] = str if int64_timestamps else _seconds
        moment = _datetime if one.type == "DATETIME" else moment
        return [None if value is None else moment(value) for value in micros]
    if one.type == "TIME":
        return [
            None if value is None else _clock(value)
            for value in column.view(pa.int64()).to_pylist()
        ]
    render = _RENDER[one.type]
    return [None if value is None else render(value) for value in column.to_pylist()]


def _seconds(micros: int) -> str:
    return repr(micros / 1e6)


def _clock(micros: int) -> str:
    seconds, fraction = divmod(micros, 1_000_000)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}" if fraction else text


def _datetime(micros: int) -> str:
    day, clock = divmod(micros, 86_400_000_000)
    return f"{_day(day)}T{_clock(clock)}"


def _day(days: int) -> str:

    return (date(1970, 1, 1) + timedelta(days=days)).isoformat().rjust(10, "0")


def _numeric(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _float(value: float) -> str:
    if value != value:  # noqa: PLR0124  # the definition of NaN
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


_RENDER: dict[str, Callable[[Any], str]] = {
    "STRING": str,
    "JSON": str,
    "INTEGER": str,
    "FLOAT": _float,
    "BOOLEAN": lambda value: "true" if value else "false",
    "NUMERIC": _numeric,
    "BYTES": lambda value: base64.b64encode(value).decode(),
    "DATE": lambda value: value.isoformat(),
}
