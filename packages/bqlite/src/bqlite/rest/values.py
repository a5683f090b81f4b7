"""Rows as REST writes them: every value a string, every row `{"f": [{"v": ...}]}`.

A page has a million values, so that they become JSON by whole columns.
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from bqlite.errors import InvalidError
from bqlite.types import Field

_ESCAPED = r'["\\\x00-\x1f]'  # what JSON does not hold as it is
_NULL = '{"v":null}'
_TEXT = pa.large_string()


def rows_json(
    batches: Iterable[pa.RecordBatch], fields: Sequence[Field], *, int64_timestamps: bool
) -> tuple[msgspec.Raw, int]:
    """The rows of some batches as REST's JSON, a list, and how many they are.

    Args:
        batches: Rows in BigQuery's Arrow types.
        fields: Their columns.
        int64_timestamps: Microseconds since 1970 for a TIMESTAMP, else seconds as a float.
    """
    rows: list[str] = []
    for batch in batches:
        columns = [
            _cells(column, one, int64_timestamps)
            for column, one in zip(batch.columns, fields, strict=True)
        ]
        rows += _rows(columns)
    return msgspec.Raw(("[" + ",".join(rows) + "]").encode()), len(rows)


def _rows(columns: Sequence[Any]) -> list[str]:
    """A JSON text for each row, of one for each of its cells."""
    rows: list[str] = _join('{"f":[', _join(*columns, by=","), "]}").to_pylist()
    return rows


def _join(*parts: Any, by: str = "") -> pa.Array:
    """Texts that columns, or the same text in each row, make together; NULL if one of them is."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    scalars = [pa.scalar(one, _TEXT) if isinstance(one, str) else one for one in (*parts, by)]
    return pc.binary_join_element_wise(*scalars)


def _cells(column: pa.Array, one: Field, int64_timestamps: bool) -> pa.Array:  # noqa: FBT001  # private
    """A JSON text for each cell of a column."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    if one.mode == "REPEATED":
        texts, mark = _lists(column, one, int64_timestamps), ""
    elif one.type == "RECORD":
        members = [
            _cells(column.field(i), member, int64_timestamps) for i, member in enumerate(one.fields)
        ]
        whole = pa.array(_rows(members), _TEXT)
        texts, mark = pc.if_else(column.is_valid(), whole, pa.scalar(None, _TEXT)), ""
    elif one.type in {"STRING", "JSON"}:
        texts, mark = _quoted(column), ""
    elif one.type in {"INTEGER", "BOOLEAN"}:
        texts, mark = column.cast(_TEXT), '"'
    else:
        texts, mark = pa.array(_texts(column, one, int64_timestamps), _TEXT), '"'
    return pc.coalesce(_join(f'{{"v":{mark}', texts, f"{mark}}}"), pa.scalar(_NULL, _TEXT))


def _quoted(column: pa.Array) -> pa.Array:
    """Strings as JSON's; those with nothing to escape without a look at each."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    if pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py():
        encode = msgspec.json.Encoder().encode
        texts = [None if one is None else encode(one).decode() for one in column.to_pylist()]
        return pa.array(texts, _TEXT)
    return _join('"', column.cast(_TEXT), '"')


def _lists(column: pa.Array, one: Field, int64_timestamps: bool) -> pa.Array:  # noqa: FBT001  # private
    flat = column.flatten()
    if flat.null_count:
        raise InvalidError(f"Array cannot have a null element; error in writing field {one.name}")
    element = Field(one.name, one.type, fields=one.fields)
    cells = _cells(flat, element, int64_timestamps).to_pylist()
    texts, start = [], 0
    for length in column.value_lengths().to_pylist():
        end = start + (length or 0)
        texts.append("[" + ",".join(cells[start:end]) + "]")
        start = end
    return pa.array(texts, _TEXT)


def _texts(column: pa.Array, one: Field, int64_timestamps: bool) -> list[str | None]:  # noqa: FBT001  # private
    """A text for each value, with nothing in it to escape."""
    if one.type in {"TIMESTAMP", "DATETIME", "TIME"}:
        moment: Callable[[int], str] = str if int64_timestamps else _seconds
        moment = {"DATETIME": _datetime, "TIME": _clock}.get(one.type, moment)
        micros = column.view(pa.int64()).to_pylist()
        return [None if value is None else moment(value) for value in micros]
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
    "FLOAT": _float,
    "NUMERIC": _numeric,
    "BYTES": lambda value: base64.b64encode(value).decode(),
    "DATE": lambda value: value.isoformat(),
}
