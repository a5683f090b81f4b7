"""Avro records to plain values, by a schema that was compiled once; strict, and bounded by bytes.

Written here and not taken from a library, since those that are fast let pass what Avro forbids: a
union's or an enum's number below zero, a varint without end, a decimal with more digits than its
schema allows, bytes behind the last field. And a schema may ask for more than a message has bytes:
a list of a billion nulls takes six.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fraudline.schemas.avro_values import (
    FLOAT_CODES,
    LOGICAL_TYPES,
    MOST_VALUES,
    PRIMITIVES,
    Read,
    array_of,
    converted,
    decimal_of,
    enum_of,
    fixed_of,
    map_of,
    read_null,
    union_of,
)
from fraudline.schemas.plain_values import (
    MOST_SCHEMA_CHARACTERS,
    MalformedError,
    UnusableSchemaError,
    as_number,
)

_Step = Callable[[bytes, int, dict[str, Any]], int]
"""Reads one or more fields into a record, and gives the place behind them."""

_MOST_DEPTH = 24
_MOST_NAME = 256


def avro_reader(schema: str, references: Sequence[str] = ()) -> Callable[[bytes, int], Any]:
    """What reads records of a schema, each from a place in its message to the message's end.

    Args:
        schema: The schema as JSON: of a record.
        references: Schemas of types that it names, each behind those that it names itself.

    Raises:
        UnusableSchemaError: it is none, or has what is not read; the message says what.
    """
    from fastavro.schema import SchemaParseException, parse_schema  # noqa: PLC0415 - of an extra

    named: dict[str, Any] = {}
    try:
        for text in (*references, schema):
            if len(text) > MOST_SCHEMA_CHARACTERS:
                raise UnusableSchemaError(
                    f"it has {len(text):,} characters, at most {MOST_SCHEMA_CHARACTERS:,} are read"
                )
            parsed = parse_schema(json.loads(text), named_schemas=named)
        compiler = _Compiler(named)
        read = compiler.reader(parsed)
    except (SchemaParseException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnusableSchemaError(f"it is no Avro schema: {str(error)[:200]}") from None
    except RecursionError:
        raise UnusableSchemaError("it is nested too deeply") from None
    if not isinstance(parsed, dict) or parsed["type"] not in ("record", "error"):
        raise UnusableSchemaError("it is of no record; a transaction is one, with named fields")

    if compiler.width(read) > MOST_VALUES:
        raise UnusableSchemaError(f"a message has more than {MOST_VALUES:,} values")

    def read_message(message: bytes, start: int) -> Any:
        compiler.left[0] = MOST_VALUES
        try:
            record, end = read(message, start)
        except (IndexError, struct.error):
            raise MalformedError("it ends before its last field") from None
        if end != len(message):
            raise MalformedError(f"{len(message) - end:,} bytes are left behind its last field")
        return record

    return read_message


class _Compiler:
    """Makes what reads a type; a named type is compiled once.

    What a message costs follows from its bytes and its schema: a value takes a byte at least, and
    there are at most so many of them.
    """

    def __init__(self, named: Mapping[str, Any]) -> None:
        self.left = [0]  # how many values of lists and maps a message may still have
        self._widths: dict[Read, int] = {}
        self._named = named
        self._done: dict[str, Read] = {}
        self._open: list[str] = []

    def width(self, read: Read) -> int:
        """How many values a type has, without those of lists and maps in it."""
        return self._widths.get(read, 1)

    def reader(self, schema: Any) -> Read:
        """What reads a type, as the library has parsed it.

        Raises:
            UnusableSchemaError: no message of it can be read.
        """
        if isinstance(schema, list):
            branches = [self._branch(branch) for branch in schema]
            read = union_of(branches)
            self._widths[read] = max(map(self.width, branches))
            return read
        if isinstance(schema, str):
            if schema in PRIMITIVES:
                return PRIMITIVES[schema]
            if schema == "null":
                raise UnusableSchemaError("it has a null outside of a union, which takes no byte")
            if schema in self._open:
                raise UnusableSchemaError(f"type '{schema}' holds itself; no column is like that")
            if schema not in self._done:
                self._done[schema] = self.reader(self._named[schema])
            return self._done[schema]
        return self._of_table(schema)

    def _of_table(self, schema: dict[str, Any]) -> Read:
        kind, logical = schema["type"], schema.get("logicalType")
        if kind in ("record", "error"):
            return self._done.setdefault(schema["name"], self._record(schema))
        if kind in ("array", "map"):
            item = self._inner(schema["items" if kind == "array" else "values"])
            listed = array_of if kind == "array" else map_of
            return listed(item, self.width(item), self.left)
        if kind == "enum":
            return enum_of(schema["symbols"])
        if kind in ("bytes", "fixed") and logical == "decimal":
            return decimal_of(schema)
        if kind == "fixed":
            return fixed_of(schema)
        read, as_value = self.reader(kind), LOGICAL_TYPES.get(str(logical))
        return converted(read, as_value) if as_value and kind in ("int", "long") else read

    def _inner(self, schema: Any) -> Read:
        self._deepen("")  # a level without a name
        read = self.reader(schema)
        self._open.pop()
        return read

    def _deepen(self, name: str) -> None:
        self._open.append(name)
        if len(self._open) > _MOST_DEPTH:
            raise UnusableSchemaError(f"it is nested more than {_MOST_DEPTH} levels deep")

    def _branch(self, schema: Any) -> Read:
        return read_null if schema in ("null", {"type": "null"}) else self._inner(schema)

    def _record(self, schema: dict[str, Any]) -> Read:
        if schema["name"] in self._open:
            raise UnusableSchemaError(
                f"type '{schema['name']}' holds itself; no column is like that"
            )
        self._deepen(schema["name"])
        names = [field["name"] for field in schema["fields"]]
        if len(set(names)) < len(names):
            raise UnusableSchemaError(f"a field of '{schema['name']}' is there more than once")
        if not names or max(map(len, names)) > _MOST_NAME:
            raise UnusableSchemaError(
                f"record '{schema['name']}' has no field, or one whose name has more than "
                f"{_MOST_NAME} characters"
            )
        readers = [self.reader(field["type"]) for field in schema["fields"]]
        steps = _steps(schema["fields"], readers)
        self._open.pop()

        def read(data: bytes, at: int) -> tuple[dict[str, Any], int]:
            record: dict[str, Any] = {}
            for step in steps:
                at = step(data, at, record)
            return record, at

        self._widths[read] = sum(map(self.width, readers))
        return read


def _steps(fields: list[dict[str, Any]], readers: list[Read]) -> list[_Step]:
    """A step a field, and one for each run of floats, which are unpacked at once."""
    steps: list[_Step] = []
    run: list[tuple[str, str]] = []
    for field, read in zip(fields, readers, strict=True):
        code = FLOAT_CODES.get(read)
        if code is not None:
            run.append((field["name"], code))
            continue
        if run:
            steps.append(_run(run))
            run = []
        steps.append(_one(field["name"], read))
    return [*steps, _run(run)] if run else steps


def _run(fields: list[tuple[str, str]]) -> _Step:
    names = [name for name, _ in fields]
    packed = struct.Struct("<" + "".join(code for _, code in fields))
    unpack, size, is_finite = packed.unpack_from, packed.size, math.isfinite

    def step(data: bytes, at: int, record: dict[str, Any]) -> int:
        values = unpack(data, at)
        if not is_finite(sum(values)):  # one of them is not, or they are large
            values = tuple(map(as_number, values))
        record.update(zip(names, values, strict=True))
        return at + size

    return step


def _one(name: str, read: Read) -> _Step:
    def step(data: bytes, at: int, record: dict[str, Any]) -> int:
        record[name], at = read(data, at)
        return at

    return step
