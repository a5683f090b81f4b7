"""Rows as REST writes them: every value a string, every row `{"f": [{"v": ...}]}`.

A page has up to a million values, so they become JSON by whole columns.
"""

import base64
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from bqlite.errors import InvalidError
from bqlite.types import Field

_CONTROLS = r"[\x00-\x1f]"  # what JSON does not hold, and no backslash before it mends
_EXPONENT_FROM = 1e10  # where Arrow begins to write one
_NULL = '{"v":null}'
_TEXT = pa.string()  # a batch of these is far from its 2 GB
# What makes the text of each cell, joined: columns, and texts that are the same in each row.
_Parts = Sequence[pa.Array | str]


def rows_json(batch: pa.RecordBatch, fields: Sequence[Field], *, int64_timestamps: bool) -> bytes:
    """The rows of a batch, which has some, as REST's JSON, with a comma between them.

    Args:
        batch: Rows in BigQuery's Arrow types.
        fields: Their columns.
        int64_timestamps: Microseconds since 1970 for a TIMESTAMP, else seconds as a float.
    """
    cells = [
        _cells(column, one, int64_timestamps)
        for column, one in zip(batch.columns, fields, strict=True)
    ]
    (whole,) = _listed(_rows(cells), [0, batch.num_rows])
    return bytes(whole.as_buffer())


def _rows(cells: Sequence[_Parts]) -> pa.Array:
    """A JSON text for each row, of one for each of its cells."""
    parts: list[pa.Array | str] = ['{"f":[']
    for cell in cells:
        parts += [*cell, ","]
    return _join(*(parts[:-1] if cells else parts), "]}")


def _join(*parts: pa.Array | str) -> pa.Array:
    """The texts that the parts make together; NULL where one of them is."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    merged: list[pa.Array | str] = []
    for part in parts:
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    pieces = [pa.scalar(one, _TEXT) if isinstance(one, str) else one for one in (*merged, "")]
    return pc.binary_join_element_wise(*pieces)


def _listed(texts: pa.Array, offsets: Any) -> pa.Array:
    """The texts from each offset to the next, with a comma between them."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), texts), ",")


def _cells(column: pa.Array, one: Field, int64_timestamps: bool) -> _Parts:  # noqa: FBT001  # private
    """What makes a JSON text for each cell of a column."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    mark = ""
    if one.mode == "REPEATED":
        parts = ["[", _lists(column, one, int64_timestamps), "]"]
    elif one.type == "RECORD":
        members = [
            _cells(column.field(i), member, int64_timestamps) for i, member in enumerate(one.fields)
        ]
        parts = [pc.if_else(column.is_valid(), _rows(members), pa.scalar(None, _TEXT))]
    else:
        parts, mark = [_texts(column, one, int64_timestamps)], '"'
    parts = [f'{{"v":{mark}', *parts, f"{mark}}}"]
    if column.null_count:
        return [pc.coalesce(_join(*parts), pa.scalar(_NULL, _TEXT))]
    return parts


def _lists(column: pa.Array, one: Field, int64_timestamps: bool) -> pa.Array:  # noqa: FBT001  # private
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    flat = column.flatten()
    if flat.null_count:
        raise InvalidError(f"Array cannot have a null element; error in writing field {one.name}")
    element = Field(one.name, one.type, fields=one.fields)
    lengths = pc.fill_null(column.value_lengths(), 0)
    offsets = pa.concat_arrays(
        [pa.array([0], pa.int64()), pc.cumulative_sum(lengths.cast("int64"))]
    )
    return _listed(_join(*_cells(flat, element, int64_timestamps)), offsets.cast(pa.int32()))


def _texts(column: pa.Array, one: Field, int64_timestamps: bool) -> pa.Array:  # noqa: FBT001  # private
    """A text for each value, escaped as JSON's."""
    if one.type in {"STRING", "JSON"}:
        return _escaped(column.cast(_TEXT))
    if one.type in {"INTEGER", "BOOLEAN", "DATE"}:
        return column.cast(_TEXT)
    if one.type == "FLOAT":
        return _floats(column)
    if one.type in {"TIMESTAMP", "DATETIME", "TIME"}:
        micros = column.view(pa.int64())
        if one.type == "TIMESTAMP" and int64_timestamps:
            return micros.cast(_TEXT)
        moment = {"DATETIME": _datetime, "TIME": _clock}.get(one.type, _seconds)
        return pa.array([v if v is None else moment(v) for v in micros.to_pylist()], _TEXT)
    render = _RENDER[one.type]
    return pa.array([v if v is None else render(v) for v in column.to_pylist()], _TEXT)


def _escaped(column: pa.Array) -> pa.Array:
    """Strings as JSON has them between its marks."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    if pc.any(pc.match_substring_regex(column, _CONTROLS)).as_py():
        encode = msgspec.json.Encoder().encode
        return pa.array(
            [None if v is None else encode(v)[1:-1].decode() for v in column.to_pylist()], _TEXT
        )
    for mark in ("\\", '"'):
        column = pc.replace_substring(column, mark, "\\" + mark)
    return column


def _floats(column: pa.Array) -> pa.Array:
    """The shortest texts that mean these numbers to the bit, each with a point or an exponent."""
    import pyarrow.compute as pc  # noqa: PLC0415  # a start need not load it

    texts = column.cast(_TEXT)
    plain = pc.and_(pc.equal(pc.trunc(column), column), pc.less(pc.abs(column), _EXPONENT_FROM))
    if pc.any(plain).as_py():
        texts = pc.if_else(plain, _join(texts, ".0"), texts)
    for found, wanted in (("nan", "NaN"), ("inf", "Infinity"), ("-inf", "-Infinity")):
        is_found = pc.equal(texts, found)
        if pc.any(is_found).as_py():
            texts = pc.if_else(is_found, pa.scalar(wanted, _TEXT), texts)
    return texts


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


_RENDER: dict[str, Callable[[Any], str]] = {
    "NUMERIC": _numeric,
    "BYTES": lambda value: base64.b64encode(value).decode(),
}
