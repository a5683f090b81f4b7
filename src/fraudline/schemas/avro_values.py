"""The types of Avro: what reads a value of each, at a place in a message."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from fraudline.schemas.plain_values import (
    MOST_SCHEMA_CHARACTERS,
    MalformedError,
    UnusableSchemaError,
    as_bytes,
    as_number,
    as_time,
)

Read = Callable[[bytes, int], tuple[Any, int]]
"""The value that begins at a place, and the place behind it."""

MOST_VALUES = 5_000
_MOST_DIGITS = 400  # more than a float64 can tell
_DAYS_BEFORE_1970 = dt.date(1970, 1, 1).toordinal()
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}


def read_null(data: bytes, at: int) -> tuple[None, int]:  # noqa: ARG001 - as every reader
    """A null, of a union: no byte."""
    return None, at


def _boolean(data: bytes, at: int) -> tuple[bool, int]:
    byte = data[at]
    if byte > 1:
        raise MalformedError(f"a boolean is byte {byte}, expected 0 or 1")
    return byte == 1, at + 1


def _long(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    value, shift = byte & 0x7F, 0
    while byte > 0x7F:
        byte = data[at]
        at += 1
        shift += 7
        value |= (byte & 0x7F) << shift
        if shift > 63 or value > 0xFFFF_FFFF_FFFF_FFFF:
            raise MalformedError("a number has more than 64 bits")
    return (value >> 1) ^ -(value & 1), at


def _int(data: bytes, at: int) -> tuple[int, int]:
    value, at = _long(data, at)
    if not -0x8000_0000 <= value <= 0x7FFF_FFFF:
        raise MalformedError(f"an int is {value}, which has more than 32 bits")
    return value, at


def _double(data: bytes, at: int) -> tuple[Any, int]:
    return as_number(struct.unpack_from("<d", data, at)[0]), at + 8


def _float(data: bytes, at: int) -> tuple[Any, int]:
    return as_number(struct.unpack_from("<f", data, at)[0]), at + 4


def _taken(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(data, at)
    end = at + size
    if size < 0 or end > len(data):
        raise MalformedError(f"a text or bytes of length {size} end behind the message")
    return data[at:end], end


def _string(data: bytes, at: int) -> tuple[str, int]:
    taken, at = _taken(data, at)
    try:
        return taken.decode(), at
    except UnicodeDecodeError as invalid:
        raise MalformedError(f"a text is not valid UTF-8: {invalid.reason}") from None


def _bytes(data: bytes, at: int) -> tuple[Any, int]:
    taken, at = _taken(data, at)
    return as_bytes(taken), at


# Null is none of them: outside of a union it takes no byte, so a list of them has no end.
PRIMITIVES: dict[str, Read] = {
    "boolean": _boolean,
    "int": _int,
    "long": _long,
    "float": _float,
    "double": _double,
    "string": _string,
    "bytes": _bytes,
}
FLOAT_CODES: dict[Read, str] = {_double: "d", _float: "f"}


def union_of(branches: list[Read]) -> Read:
    """One of several types."""
    count = len(branches)

    def read(data: bytes, at: int) -> tuple[Any, int]:
        branch, at = _long(data, at)
        if not 0 <= branch < count:
            raise MalformedError(f"a union's branch is {branch}, expected 0 to {count - 1}")
        return branches[branch](data, at)

    return read


def enum_of(symbols: list[str]) -> Read:
    """A word out of a list."""

    def read(data: bytes, at: int) -> tuple[str, int]:
        number, at = _long(data, at)
        if not 0 <= number < len(symbols):
            raise MalformedError(f"an enum is number {number}, expected 0 to {len(symbols) - 1}")
        return symbols[number], at

    return read


def _block(data: bytes, at: int, width: int, left: list[int]) -> tuple[int, int]:
    """How many items of some values a block has, and where they begin."""
    count, at = _long(data, at)
    if count < 0:
        _, at = _long(data, at)  # its size in bytes, for those who skip it
        count = -count
    left[0] -= count * width
    if left[0] < 0:
        raise MalformedError(f"its lists and maps have more than {MOST_VALUES:,} values")
    return count, at


def array_of(read_item: Read, width: int, left: list[int]) -> Read:
    """A list, as long as there is something left of what a message may hold."""

    def read(data: bytes, at: int) -> tuple[list[Any], int]:
        items = []
        count, at = _block(data, at, width, left)
        while count:
            for _ in range(count):
                item, at = read_item(data, at)
                items.append(item)
            count, at = _block(data, at, width, left)
        return items, at

    return read


def map_of(read_value: Read, width: int, left: list[int]) -> Read:
    """Names with values, likewise."""

    def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        count, at = _block(data, at, width, left)
        while count:
            for _ in range(count):
                key, at = _string(data, at)
                values[key], at = read_value(data, at)
            count, at = _block(data, at, width, left)
        return values, at

    return read


def fixed_of(schema: dict[str, Any]) -> Read:
    """Bytes of one length, or a UUID."""
    size, is_uuid = _size(schema), schema.get("logicalType") == "uuid" and schema["size"] == 16

    def read(data: bytes, at: int) -> tuple[Any, int]:
        taken, at = _fixed_taken(data, at, size)
        return str(UUID(bytes=taken)) if is_uuid else as_bytes(taken), at

    return read


def _size(schema: dict[str, Any]) -> int:
    size: int = schema["size"]
    if not 0 < size <= MOST_SCHEMA_CHARACTERS:
        raise UnusableSchemaError(f"fixed '{schema['name']}' has {size} bytes")
    return size


def _fixed_taken(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    taken = data[at : at + size]
    if len(taken) < size:
        raise MalformedError("it ends before its last field")
    return taken, at + size


def decimal_of(schema: dict[str, Any]) -> Read:
    """A number of all its digits."""
    precision, scale = schema["precision"], schema.get("scale", 0)
    if not 0 < precision <= _MOST_DIGITS or not 0 <= scale <= precision:
        raise UnusableSchemaError(
            f"a decimal has precision {precision} and scale {scale}, expected a precision of at "
            f"most {_MOST_DIGITS} and no larger scale"
        )
    size = _size(schema) if schema["type"] == "fixed" else None
    beyond = 10**precision

    def read(data: bytes, at: int) -> tuple[Decimal, int]:
        taken, at = _taken(data, at) if size is None else _fixed_taken(data, at, size)
        unscaled = int.from_bytes(taken, signed=True)
        if not -beyond < unscaled < beyond:
            raise MalformedError(f"a decimal has more than {precision} digits")
        return Decimal(f"{unscaled}E-{scale}"), at

    return read


def converted(read_number: Read, as_value: Callable[[int], Any]) -> Read:
    """A whole number that stands for something else."""

    def read(data: bytes, at: int) -> tuple[Any, int]:
        number, at = read_number(data, at)
        return as_value(number), at

    return read


def _as_date(days: int) -> dt.date | str:
    ordinal = days + _DAYS_BEFORE_1970
    is_possible = 1 <= ordinal <= dt.date.max.toordinal()
    return dt.date.fromordinal(ordinal) if is_possible else f"{days} days after 1970"


def _as_time_of_day(per_second: int) -> Callable[[int], Any]:
    def as_value(count: int) -> dt.time | str:
        is_possible = 0 <= count < 86_400 * per_second
        moment = as_time(count, per_second) if is_possible else f"{count} / {per_second} s"
        return moment.time() if isinstance(moment, dt.datetime) else moment

    return as_value


def _as_moment(per_second: int, *, is_local: bool) -> Callable[[int], Any]:
    def as_value(count: int) -> dt.datetime | str:
        moment = as_time(count, per_second)
        if isinstance(moment, str):
            return moment
        return moment.replace(tzinfo=None) if is_local else moment

    return as_value


LOGICAL_TYPES: dict[str, Callable[[int], Any]] = {
    "date": _as_date,
    "time-millis": _as_time_of_day(1_000),
    "time-micros": _as_time_of_day(1_000_000),
    **{
        f"{kind}timestamp-{unit}": _as_moment(per_second, is_local=bool(kind))
        for unit, per_second in _PER_SECOND.items()
        for kind in ("", "local-")
    },
}
