"""Rows appended as Arrow, with exactly the column types of their table."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from bqlite.storage.request_size import check_batch
from bqlite.storage.row_errors import bad_rows, extra_field
from bqlite.storage.status import AppendError
from bqlite.types import YEARS, Field


class ArrowDecoder:
    """Reads a connection's Arrow batches.

    Args:
        serialized_schema: The IPC schema message of the first request.
    """

    def __init__(self, serialized_schema: bytes) -> None:
        try:
            self._schema = pa.ipc.read_schema(pa.py_buffer(serialized_schema))
        except (pa.ArrowException, OSError, EOFError) as error:
            raise AppendError(
                f"arrow_rows.writer_schema is not an Arrow schema: {error}"
            ) from error
        if not self._schema.names:
            raise AppendError("arrow_rows.writer_schema has no fields")

    def decode(self, request: Any, fields: Sequence[Field], table: str) -> pa.Table:
        """The request's rows with the table's names and types."""
        columns = self._columns(fields, table)
        data = request.arrow_rows.rows.serialized_record_batch
        try:
            message = pa.ipc.read_message(pa.py_buffer(data))
            check_batch(message, fields)
            batch = pa.ipc.read_record_batch(message, self._schema)
            batch.validate(full=True)  # foreign bytes: offsets and UTF-8 must be true before use
        except (pa.ArrowException, OSError, EOFError) as error:
            raise AppendError(f"arrow_rows does not hold a valid record batch: {error}") from error
        arrays = [_cast_arrow(batch.column(i), one) for i, one in enumerate(columns)]
        errors = list(chain.from_iterable(map(_faults, arrays, columns)))
        if errors:
            raise bad_rows(sorted(errors), len({row for row, _ in errors}))
        return pa.Table.from_arrays(arrays, names=[one.name for one in columns])

    def _columns(self, fields: Sequence[Field], table: str) -> list[Field]:
        by_name = {one.name.lower(): one for one in fields}
        columns = []
        for arrow in self._schema:
            one = by_name.pop(arrow.name.lower(), None)
            if one is None:
                raise extra_field(arrow.name, table)
            if not _fits(arrow.type, one.arrow.type):
                raise AppendError(
                    f"column '{one.name}': expected {one.sql} (Arrow {one.arrow.type}), found "
                    f"Arrow {arrow.type}",
                    entity=table,
                )
            columns.append(one)
        return columns


def _fits(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether every value of `found` that fits keeps its meaning as `wanted`."""
    t = pa.types
    if found.equals(wanted) or t.is_null(found):
        return True
    if t.is_dictionary(found):
        return _fits(found.value_type, wanted)
    if t.is_list(wanted):
        is_list = t.is_list(found) or t.is_large_list(found)
        return is_list and _fits(found.value_type, wanted.value_type)
    if t.is_struct(wanted):
        return t.is_struct(found) and _members_fit(found, wanted)
    if t.is_timestamp(wanted):
        return t.is_timestamp(found) and (found.tz is None) == (wanted.tz is None)
    return any(is_wanted(wanted) and any(one(found) for one in ok) for is_wanted, ok in _WIDER)


def _members_fit(found: pa.DataType, wanted: pa.DataType) -> bool:
    by_name = {wanted.field(i).name: wanted.field(i).type for i in range(wanted.num_fields)}
    members = [found.field(i) for i in range(found.num_fields)]
    return all(one.name in by_name and _fits(one.type, by_name[one.name]) for one in members)


_T = pa.types
# For each wanted kind the kinds it is taken from; a value that does not fit is then a row error.
_WIDER: tuple[tuple[Callable[..., bool], tuple[Callable[..., bool], ...]], ...] = (
    (_T.is_integer, (_T.is_integer,)),
    (_T.is_floating, (_T.is_floating,)),
    (_T.is_string, (_T.is_string, _T.is_large_string, _T.is_string_view)),
    (_T.is_binary, (_T.is_binary, _T.is_large_binary, _T.is_fixed_size_binary)),
    (_T.is_decimal, (_T.is_decimal,)),
    (_T.is_date, (_T.is_date,)),
    (_T.is_time, (_T.is_time,)),
)


def _cast_arrow(column: pa.Array, one: Field) -> pa.Array:
    wanted = one.arrow.type
    if column.type.equals(wanted):
        return column
    try:
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return column.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        errors = []
        for row in range(len(column)):
            try:
                column.slice(row, 1).cast(wanted)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                found = column[row].as_py()
                errors.append((row, f"Field {one.name}: {found!r} is not a {one.sql}"))
        raise bad_rows(errors or [(0, str(error))], len(errors)) from error


def _faults(array: pa.Array, one: Field) -> list[tuple[int, str]]:
    """The rows with what Arrow's types allow and BigQuery's do not: a NULL in an ARRAY, a year."""
    if one.mode == "REPEATED":
        items, rows = array.flatten(), array.value_parent_indices()
        errors = _where(items.is_null(), f"Field {one.name}: an ARRAY cannot hold NULL")
        errors += _faults(items, replace(one, mode="NULLABLE"))
        return [(rows[item].as_py(), message) for item, message in errors]
    if one.type == "RECORD":
        return list(chain.from_iterable(map(_faults, array.flatten(), one.fields)))
    if one.type not in YEARS:
        return []
    kind, least, most = YEARS[one.type]
    values = array.view(kind)
    is_outside = pc.or_(pc.less(values, least), pc.greater(values, most))
    return _where(is_outside, f"Field {one.name}: a {one.sql} lies outside the years 1 to 9999")


def _where(mask: pa.BooleanArray, message: str) -> list[tuple[int, str]]:
    return [(row, message) for row in pc.indices_nonzero(mask).to_pylist()]
