"""Rows appended as protobuf, as an Arrow table with exactly the column types of their table."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from bqlite.cells import (
    check_day,
    check_micros,
    clock_micros,
    date_of,
    datetime_micros,
    datetime_of,
    numeric_of,
    time_of,
    timestamp_of,
    to_array,
)
from bqlite.storage.row_errors import bad_rows, extra_field
from bqlite.storage.status import AppendError
from bqlite.types import Field


@dataclass(frozen=True)
class _Member:
    """One protobuf field and the column it fills."""

    name: str
    column: Field
    has_presence: bool
    convert: Callable[[Any], Any] | None


class ProtoDecoder:
    """Reads a connection's protobuf rows.

    Args:
        descriptor: The `DescriptorProto` of the first request.
    """

    def __init__(self, descriptor: descriptor_pb2.DescriptorProto) -> None:
        file = descriptor_pb2.FileDescriptorProto(
            name="rows.proto", package="bqlite_rows", syntax="proto2"
        )
        file.message_type.add().CopyFrom(descriptor)
        pool = descriptor_pool.DescriptorPool()
        try:
            pool.Add(file)
            self._message = message_factory.GetMessageClass(
                pool.FindMessageTypeByName(f"bqlite_rows.{descriptor.name}")
            )
        except (TypeError, KeyError, ValueError) as error:
            raise AppendError(
                f"proto_rows.writer_schema is not self-contained and valid: {error}"
            ) from error

    def decode(self, request: Any, fields: Sequence[Field], table: str) -> pa.Table:
        """The request's rows with the table's names and types."""
        members = _members(self._message.DESCRIPTOR, fields, table)
        rows: list[Message] = []
        errors: list[tuple[int, str]] = []
        for number, data in enumerate(request.proto_rows.rows.serialized_rows):
            try:
                rows.append(self._message.FromString(data))
            except DecodeError as error:
                errors.append(
                    (number, f"the row is not a {self._message.DESCRIPTOR.name}: {error}")
                )
        if errors:
            raise bad_rows(errors, len(errors))
        arrays = []
        for member in members:
            values = _column(rows, member, errors)
            arrays.append(to_array(values, member.column, errors))
        if errors:
            raise bad_rows(sorted(errors), len({row for row, _ in errors}))
        return pa.Table.from_arrays(arrays, names=[member.column.name for member in members])


def _members(descriptor: Any, fields: Sequence[Field], table: str) -> list[_Member]:
    by_name = {one.name.lower(): one for one in fields}
    members = []
    for proto in descriptor.fields:
        one = by_name.pop(proto.name.lower(), None)
        if one is None:
            raise extra_field(proto.name, table)
        repeated = bool(proto.is_repeated)
        if repeated != (one.mode == "REPEATED"):
            raise AppendError(f"column '{one.name}': expected {one.mode}, found another mode")
        members.append(
            _Member(proto.name, one, bool(proto.has_presence), _converter(proto, one, table))
        )
    return members


def _converter(proto: Any, one: Field, table: str) -> Callable[[Any], Any] | None:
    if proto.message_type is not None and proto.message_type.full_name.startswith(
        "google.protobuf."
    ):
        inner = proto.message_type.fields_by_name.get("value")
        if inner is None:
            raise _wrong_type(proto, one)
        convert = _converter(inner, one, table)
        return lambda value: convert(value.value) if convert else value.value
    if one.type == "RECORD":
        if proto.message_type is None:
            raise _wrong_type(proto, one)
        members = _members(proto.message_type, one.fields, table)
        return lambda value: {m.column.name: _value(value, m) for m in members}
    kind = _KINDS.get(proto.type, "")
    accepted = _CONVERTERS[one.type]
    if kind not in accepted:
        raise _wrong_type(proto, one)
    return accepted[kind]


def _wrong_type(proto: Any, one: Field) -> AppendError:
    found = _KINDS.get(proto.type, "a message")
    return AppendError(
        f"column '{one.name}': {one.sql} cannot be written from a protobuf field of type {found}"
    )


def _column(rows: list[Message], member: _Member, errors: list[tuple[int, str]]) -> list[Any]:
    name, convert = member.name, member.convert
    if convert is None and member.has_presence:
        return [getattr(row, name) if row.HasField(name) else None for row in rows]
    values = []
    for number, row in enumerate(rows):
        try:
            values.append(_value(row, member))
        except (ValueError, TypeError, OverflowError, InvalidOperation) as error:
            errors.append((number, f"Field {member.column.name}: {error}"))
            values.append(None)
    return values


def _value(row: Any, member: _Member) -> Any:
    convert = member.convert
    if member.column.mode == "REPEATED":
        items = getattr(row, member.name)
        return [convert(item) for item in items] if convert else list(items)
    if member.has_presence and not row.HasField(member.name):
        return None
    value = getattr(row, member.name)
    return convert(value) if convert else value


def _packed_time(value: int) -> int:
    """A TIME as BigQuery packs it: 5 bits hour, 6 minute, 6 second, 20 microsecond."""
    micro, second = value & 0xFFFFF, value >> 20 & 0x3F
    return clock_micros(dt.time(value >> 32 & 0x1F, value >> 26 & 0x3F, second, micro))


def _packed_datetime(value: int) -> int:
    """A DATETIME as BigQuery packs it: 14 bits year, 4 month, 5 day, then a TIME."""
    day = dt.date(value >> 46 & 0x3FFF, value >> 42 & 0xF, value >> 37 & 0x1F)
    return datetime_micros(dt.datetime.combine(day, dt.time.min)) + _packed_time(
        value & 0x1FFFFFFFFF
    )


def _numeric_bytes(data: bytes) -> Decimal:
    return Decimal(int.from_bytes(data, "little", signed=True)).scaleb(-9)


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
    "STRING": {"a string": None},
    "BYTES": {"bytes": None},
    "INTEGER": {"an integer": None, "a bool": int, "an enum": None},
    "FLOAT": {"a double": None, "a float": None},
    "BOOLEAN": {"a bool": None, "an integer": bool},
    "NUMERIC": {"a string": numeric_of, "bytes": _numeric_bytes},
    "TIMESTAMP": {"an integer": check_micros, "a string": timestamp_of},
    "DATE": {"an integer": check_day, "a string": date_of},
    "TIME": {"an integer": _packed_time, "a string": time_of},
    "DATETIME": {"an integer": _packed_datetime, "a string": datetime_of},
    "JSON": {"a string": None},
}
