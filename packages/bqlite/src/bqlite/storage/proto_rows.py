"""Rows appended as protobuf, as an Arrow table with exactly the column types of their table."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

import ptars
import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import DecodeError

from bqlite.cells import (
    WIDE,
    check_day,
    check_micros,
    clock_micros,
    date_of,
    datetime_micros,
    datetime_of,
    numeric_of,
    rounded_numeric,
    time_of,
    timestamp_of,
    to_array,
)
from bqlite.storage.request_size import check_cells
from bqlite.storage.row_errors import bad_rows, extra_field
from bqlite.storage.status import AppendError
from bqlite.types import Field

_Errors = list[tuple[int, str]]
# ptars goes a step deeper for each unknown group, and one takes a byte: a longer row could nest so
# many that the stack ends, and with it the process. Google's parser gives up at a hundred.
MAX_PLAIN_BYTES = 4096


@dataclass(frozen=True)
class _Member:
    """One protobuf field and the column it fills.

    Attributes:
        name: The field's name.
        column: The column.
        cell: The column without regard to REPEATED.
        is_plain: Whether ptars reads it as Google's parser does, however often a row holds it.
        convert: What makes a cell of one value; None if Arrow's own cast does.
        members: The fields of a message.
    """

    name: str
    column: Field
    cell: Field
    is_plain: bool
    convert: Callable[[Any], Any] | None = None
    members: tuple["_Member", ...] = ()


class ProtoDecoder:
    """Reads a connection's protobuf rows.

    Args:
        descriptor: The `DescriptorProto` of the first request; it may use Google's wrapper types.
    """

    def __init__(self, descriptor: descriptor_pb2.DescriptorProto) -> None:
        file = descriptor_pb2.FileDescriptorProto(
            name="rows.proto", package="bqlite_rows", syntax="proto2"
        )
        file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
        file.message_type.add().CopyFrom(descriptor)
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
        try:
            pool.Add(file)
            self._descriptor = pool.FindMessageTypeByName(f"bqlite_rows.{descriptor.name}")
        except (TypeError, KeyError, ValueError) as error:
            raise AppendError(
                f"proto_rows.writer_schema is not self-contained and valid: {error}"
            ) from error
        with _panic_refused():
            handlers = ptars.HandlerPool([self._descriptor.file])
            self._handler = handlers.get_for_message(self._descriptor)

    def decode(self, request: Any, fields: Sequence[Field], table: str) -> pa.Table:
        """The request's rows with the table's names and types."""
        members = _members(self._descriptor, fields, table)
        if not members:
            raise AppendError("proto_rows.writer_schema has no fields")
        is_plain = all(member.is_plain for member in members)
        check_cells(len(request.proto_rows.rows.serialized_rows), fields)
        rows = self._rows(request.proto_rows.rows.serialized_rows, is_plain=is_plain)
        errors: _Errors = []
        try:
            with _panic_refused():
                batch = self._handler.list_to_record_batch(rows)
        except ValueError as error:
            errors += self._not_decoded(rows) or [(0, str(error))]
            raise bad_rows(errors, len(errors)) from error
        arrays = [_column(batch.column(member.name), member, errors) for member in members]
        if errors:
            raise bad_rows(sorted(errors), len({row for row, _ in errors}))
        return pa.table(arrays, names=[member.column.name for member in members])

    def _rows(self, rows: Sequence[bytes], *, is_plain: bool) -> list[bytes]:
        """The rows; where ptars would read them otherwise, as Google's own parser writes them."""
        if is_plain and max(map(len, rows), default=0) <= MAX_PLAIN_BYTES:
            return list(rows)
        google = message_factory.GetMessageClass(self._descriptor)
        read, errors = [], []
        for number, row in enumerate(rows):
            try:
                message = google.FromString(row)
            except DecodeError as error:
                errors.append((number, f"the row is not a {self._descriptor.name}: {error}"))
                continue
            message.DiscardUnknownFields()
            read.append(message.SerializePartialToString())
        if errors:
            raise bad_rows(errors, len(errors))
        return read

    def _not_decoded(self, rows: list[bytes]) -> _Errors:
        errors = []
        for number, row in enumerate(rows):
            try:
                self._handler.list_to_record_batch([row])
            except ValueError as error:
                errors.append((number, f"the row is not a {self._descriptor.name}: {error}"))
        return errors


@contextmanager
def _panic_refused() -> Iterator[None]:
    """Lets a panic in Rust, which `except Exception` does not catch, be told to the client."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        raise AppendError(f"proto_rows.writer_schema is not valid: {error}") from error


def _members(descriptor: Any, fields: Sequence[Field], table: str) -> tuple[_Member, ...]:
    by_name = {one.name.lower(): one for one in fields}
    members = []
    for proto in descriptor.fields:
        one = by_name.pop(proto.name.lower(), None)
        if one is None:
            raise extra_field(proto.name, table)
        if bool(proto.is_repeated) != (one.mode == "REPEATED"):
            raise AppendError(f"column '{one.name}': expected {one.mode}, found another mode")
        members.append(_member(proto, one, table))
    return tuple(members)


def _member(proto: Any, one: Field, table: str) -> _Member:
    message, cell, oneof = proto.message_type, replace(one, mode="NULLABLE"), proto.containing_oneof
    is_wrapper = message is not None and _is_wrapper(message)
    if one.type == "RECORD":
        if proto.type != _P.TYPE_MESSAGE or is_wrapper or message.GetOptions().map_entry:
            raise _wrong_type(proto, one)
        members = _members(message, one.fields, table)
        is_plain = oneof is None and all(member.is_plain for member in members)
        return _Member(proto.name, one, cell, is_plain, members=members)
    # ptars keeps each field of a oneof, only the last of a wrapper's copies, and what no enum has.
    is_plain = not is_wrapper and proto.enum_type is None and (not oneof or len(oneof.fields) == 1)
    value = message.fields_by_name["value"] if is_wrapper else proto
    return _Member(proto.name, one, cell, is_plain, _converter(value, one))


def _is_wrapper(message: Any) -> bool:
    return bool(message.file.name == wrappers_pb2.DESCRIPTOR.name)


def _converter(proto: Any, one: Field) -> Callable[[Any], Any] | None:
    kind, accepted = _KINDS.get(proto.type, ""), _CONVERTERS[one.type]
    if kind not in accepted:
        raise _wrong_type(proto, one)
    if kind == "an enum" and one.type == "STRING":
        return {number: name.name for number, name in proto.enum_type.values_by_number.items()}.get
    return accepted[kind]


def _wrong_type(proto: Any, one: Field) -> AppendError:
    is_map = proto.type == _P.TYPE_MESSAGE and proto.message_type.GetOptions().map_entry
    found = "a map" if is_map else _KINDS.get(proto.type, "a message")
    return AppendError(
        f"column '{one.name}': {one.sql} cannot be written from a protobuf field of type {found}"
    )


def _column(array: pa.Array, member: _Member, errors: _Errors) -> pa.Array:
    """The column of a field's values; what does not fit is noted with its row's number."""
    if member.column.mode != "REPEATED":
        return _cells(array, member, errors)
    unfit: _Errors = []
    cells = _cells(array.flatten(), member, unfit)
    if unfit:
        rows = array.value_parent_indices()
        errors += [(rows[index].as_py(), message) for index, message in unfit]
    return pa.ListArray.from_arrays(array.offsets, cells, type=member.column.arrow.type)


def _cells(array: pa.Array, member: _Member, errors: _Errors) -> pa.Array:
    wanted = member.cell.arrow.type
    if member.members:
        found = {
            one.column.name: _column(array.field(one.name), one, errors) for one in member.members
        }
        children = [
            found.get(one.name, pa.nulls(len(array), one.arrow.type)) for one in member.cell.fields
        ]
        return pa.StructArray.from_arrays(children, fields=list(wanted), mask=array.is_null())
    if member.convert is None:
        try:
            return array.cast(wanted)
        except pa.ArrowInvalid:  # some values do not fit: `to_array` notes which
            return to_array(array.to_pylist(), member.cell, errors)
    values = []
    for number, value in enumerate(array.to_pylist()):
        try:
            values.append(None if value is None else member.convert(value))
        except (ValueError, TypeError, OverflowError, InvalidOperation) as error:
            errors.append((number, f"Field {member.column.name}: {error}"))
            values.append(None)
    return to_array(values, member.cell, errors)


def _packed_time(value: int) -> int:
    """A TIME as BigQuery packs it: 5 bits hour, 6 minute, 6 second, 20 microsecond."""
    micro, second = value & 0xFFFFF, value >> 20 & 0x3F
    return clock_micros(dt.time(value >> 32, value >> 26 & 0x3F, second, micro))


def _packed_datetime(value: int) -> int:
    """A DATETIME as BigQuery packs it: 14 bits year, 4 month, 5 day, then a TIME."""
    day = dt.date(value >> 46, value >> 42 & 0xF, value >> 37 & 0x1F)
    return datetime_micros(dt.datetime.combine(day, dt.time.min)) + _packed_time(
        value & 0x1FFFFFFFFF
    )


def _numeric_bytes(data: bytes) -> Decimal:
    return Decimal(int.from_bytes(data, "little", signed=True)).scaleb(-9, WIDE)


_P = descriptor_pb2.FieldDescriptorProto
_KINDS: dict[int, str] = {
    **dict.fromkeys(
        (_P.TYPE_INT32, _P.TYPE_INT64, _P.TYPE_UINT32, _P.TYPE_SINT32, _P.TYPE_SINT64,
         _P.TYPE_FIXED32, _P.TYPE_SFIXED32, _P.TYPE_SFIXED64, _P.TYPE_UINT64, _P.TYPE_FIXED64),
        "an integer",
    ),
    _P.TYPE_DOUBLE: "a double",
    _P.TYPE_FLOAT: "a float",
    _P.TYPE_BOOL: "a bool",
    _P.TYPE_STRING: "a string",
    _P.TYPE_BYTES: "bytes",
    _P.TYPE_ENUM: "an enum",
}  # fmt: skip

# https://cloud.google.com/bigquery/docs/supported-data-types: what each column may be written from.
_CONVERTERS: dict[str, dict[str, Callable[[Any], Any] | None]] = {
    "STRING": {"a string": None, "an enum": None},
    "BYTES": {"bytes": None, "a string": None},
    "INTEGER": {"an integer": None, "a bool": int, "an enum": None},
    "FLOAT": {"a double": None, "a float": None},
    "BOOLEAN": {"a bool": None, "an integer": bool},
    "NUMERIC": {
        "a string": numeric_of, "bytes": _numeric_bytes, "an integer": None,
        "a double": rounded_numeric, "a float": rounded_numeric,
    },
    "TIMESTAMP": {"an integer": check_micros, "a string": timestamp_of},
    "DATE": {"an integer": check_day, "a string": date_of},
    "TIME": {"an integer": _packed_time, "a string": time_of},
    "DATETIME": {"an integer": _packed_datetime, "a string": datetime_of},
    "JSON": {"a string": None},
}  # fmt: skip
