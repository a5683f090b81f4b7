"""Newline-delimited JSON files."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from bqlite.cells import to_array
from bqlite.errors import InvalidError
from bqlite.json_cells import CellError, decode_rows, record
from bqlite.loads.load import Batches, Load, detected
from bqlite.types import Field

JSON_LINES_PER_BATCH = 10_000
JSON_BATCH_BYTES = 16 << 20  # of lines; as objects of Python they are several times as large
MAX_LINE_BYTES = 100 << 20  # of one row, as in BigQuery
_Line = tuple[int, dict[str, Any]]


def read_ndjson(load: Load, fields: tuple[Field, ...]) -> tuple[tuple[Field, ...], Batches]:
    """The columns of a file of JSON objects, given or detected, and its rows in batches."""
    if not fields:
        fields = _detect(load)

    def batches() -> Batches:
        for lines in _in_batches(load):
            yield _json_batch(lines, fields, load), lines[0][0]

    return fields, batches()


def _in_batches(load: Load) -> Iterator[list[_Line]]:
    batch: list[_Line] = []
    size = 0
    for line, length in _json_lines(load):
        batch.append(line)
        size += length
        if len(batch) == JSON_LINES_PER_BATCH or size > JSON_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _json_lines(load: Load) -> Iterator[tuple[_Line, int]]:
    """Each line's number and object, and how many bytes it has."""
    with load.open() as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise InvalidError(f"line {number}: longer than {MAX_LINE_BYTES} bytes")
            if not line.strip():
                continue
            try:
                yield (number, decode_rows(line)), len(line)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise InvalidError(
                    f"line {number}: expected a JSON object, found {line[:40]!r}: {error}"
                ) from error


def _detect(load: Load) -> tuple[Field, ...]:
    """A column for each member that any row has, in the order in which they come."""
    schema = pa.schema([])
    for lines in _in_batches(load):
        first = lines[0][0]
        try:
            found = pa.array([_detectable(row, f"line {line}") for line, row in lines]).type
            schema = pa.unify_schemas([schema, pa.schema(found)], promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InvalidError(
                f"load: the schema cannot be detected from line {first} on, give one: {error}"
            ) from error
    return tuple(detected(one.name, one.type) for one in schema)


def _detectable(value: Any, where: str) -> Any:
    """The value as Arrow tells its type: a number with a point is a FLOAT."""
    if isinstance(value, dict):
        return {name: _detectable(one, f"{where}, '{name}'") for name, one in value.items()}
    if isinstance(value, list):
        return [_detectable(one, where) for one in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidError(
            f"{where}: {value} does not fit INT64, so the schema cannot be detected; give one, "
            "with NUMERIC or FLOAT64"
        )
    return value


def _json_batch(lines: list[_Line], fields: tuple[Field, ...], load: Load) -> pa.RecordBatch:
    cells = []
    for line, row in lines:
        try:
            cells.append(record(fields, row, "", ignores_unknown=load.ignores_unknown))
        except CellError as error:
            raise InvalidError(
                f"line {line}, column '{error.location}': {error.message}", location=error.location
            ) from error
    errors: list[tuple[int, str]] = []
    arrays = [to_array([row[one.name] for row in cells], one, errors) for one in fields]
    if errors:
        number, message = min(errors)
        raise InvalidError(f"line {lines[number][0]}: {message}")
    return pa.RecordBatch.from_arrays(arrays, names=[one.name for one in fields])
