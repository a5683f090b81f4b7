"""Newline-delimited JSON files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from bqlite.cells import to_array
from bqlite.errors import InvalidError
from bqlite.json_cells import CellError, record
from bqlite.loads.load import Batches, Load, detected
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

    def batches() -> Batches:
        held: list[dict[str, Any]] = []
        first = 1
        for line, row in _json_lines(load.path):
            held.append(row)
            if len(held) == JSON_LINES_PER_BATCH:
                yield _json_batch(held, fields, first, load), first
                held, first = [], line + 1
        if held:
            yield _json_batch(held, fields, first, load), first

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
    rows: list[dict[str, Any]], fields: tuple[Field, ...], first: int, load: Load
) -> pa.RecordBatch:
    cells = []
    for line, row in enumerate(rows, first):
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
        raise InvalidError(f"line {first + number}: {message}")
    return pa.RecordBatch.from_arrays(arrays, names=[one.name for one in fields])
