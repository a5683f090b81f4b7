"""Newline-delimited JSON files."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from bqlite.errors import InvalidError
from bqlite.loads.load import READ_AS_TEXT, Batches, Load, detected
from bqlite.types import Field

JSON_LINES_PER_BATCH = 10_000


def read_ndjson(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    """The columns of a file of JSON objects, given or detected, and its rows in batches."""
    if not fields:
        rows = [row for _, row in _json_lines(load.path)]
        try:
            inferred = pa.Table.from_pylist(rows).schema if rows else pa.schema([])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidError(f"load: the schema cannot be detected: {error}") from error
        fields = tuple(detected(one.name, one.type) for one in inferred)
    known = {one.name.lower(): one.name for one in fields}

    def batches() -> Batches:
        held: list[dict[str, Any]] = []
        first = 1
        for line, row in _json_lines(load.path):
            renamed = {}
            for key, value in row.items():
                if key.lower() not in known:
                    raise InvalidError(f"line {line}: no such field: {key}", location=key)
                renamed[known[key.lower()]] = value
            held.append(renamed)
            if len(held) == JSON_LINES_PER_BATCH:
                yield _json_batch(held, fields, first), first
                held, first = [], line + 1
        if held:
            yield _json_batch(held, fields, first), first

    return fields, batches()


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidError(f"line {number}: not a JSON object: {error}") from error
            if not isinstance(row, dict):
                raise InvalidError(f"line {number}: expected a JSON object, found {line[:40]!r}")
            yield number, row


def _json_batch(
    rows: list[dict[str, Any]], fields: tuple[Field, ...], first: int
) -> pa.RecordBatch:
    arrays, schema = [], []
    for one in fields:
        values = []
        for i, row in enumerate(rows):
            try:
                values.append(_json_value(one, row.get(one.name)))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise InvalidError(
                    f"line {first + i}, column '{one.name}': expected {one.sql}, found "
                    f"{row.get(one.name)!r}",
                    location=one.name,
                ) from error
        as_text = one.type in READ_AS_TEXT - {"BYTES"} and one.mode != "REPEATED"
        kind = pa.string() if as_text else one.arrow.type
        arrays.append(pa.array(values, kind))
        schema.append(pa.field(one.name, kind))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(schema))


def _json_value(one: Field, value: Any) -> Any:
    if value is None:
        return [] if one.mode == "REPEATED" else None
    if one.mode == "REPEATED":
        if not isinstance(value, list):
            raise TypeError("not a list")
        element = replace(one, mode="NULLABLE")
        return [_json_value(element, item) for item in value]
    if one.type == "RECORD":
        unknown = value.keys() - {member.name for member in one.fields}
        if unknown:
            raise ValueError(f"no such member: {min(unknown)}")
        return {m.name: _json_value(m, value.get(m.name)) for m in one.fields}
    convert: Callable[[Any], Any] = _SCALARS.get(one.type, _text)
    return convert(value)


def _integer(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("not whole")
    return int(value)


def _text(value: Any) -> str:
    if isinstance(value, (dict, list)):
        raise TypeError("not a scalar")
    return str(value)


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "INTEGER": _integer,
    "FLOAT": float,
    "BOOLEAN": lambda value: {"true": True, "false": False}[str(value).lower()],
    "BYTES": lambda value: base64.b64decode(value, validate=True),
    "JSON": lambda value: value if isinstance(value, str) else json.dumps(value),
}
