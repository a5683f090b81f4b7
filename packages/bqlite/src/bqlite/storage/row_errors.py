"""What is wrong with appended rows, in the words Google's clients are told."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from bqlite.cells import check_json
from bqlite.storage.protos import StorageErrorCode
from bqlite.storage.status import AppendError
from bqlite.types import Field

MAX_ROW_ERRORS = 100


def extra_field(name: str, table: str) -> AppendError:
    """The writer's schema has a column the table lacks."""
    return AppendError(
        f"Input schema has more fields than BigQuery schema, extra fields: '{name}'",
        storage_code=StorageErrorCode.SCHEMA_MISMATCH_EXTRA_FIELDS,
        entity=table,
    )


def bad_rows(errors: list[tuple[int, str]], count: int) -> AppendError:
    """Rows that cannot be stored; none of the request's rows is."""
    return AppendError(
        f"Errors found while processing rows. Please refer to the row_errors field for details. "
        f"{count} row(s) at fault; no row of the request was appended.",
        row_errors=errors[:MAX_ROW_ERRORS],
    )


def check_rows(table: pa.Table, fields: Sequence[Field]) -> None:
    """Checks what Arrow's types do not: that REQUIRED columns are filled and JSON is JSON.

    Raises:
        AppendError: Some rows are not so; each is named.
    """
    errors = [*_missing(table, fields), *_not_json(table, fields)]
    if errors:
        raise bad_rows(sorted(errors), len({row for row, _ in errors}))


def _missing(table: pa.Table, fields: Sequence[Field]) -> Iterator[tuple[int, str]]:
    have = set(table.schema.names)
    for one in fields:
        if one.mode != "REQUIRED":
            continue
        if one.name not in have:
            message = f"Field {one.name} is REQUIRED and missing from the rows"
            yield from ((row, message) for row in range(table.num_rows))
        elif table[one.name].null_count:
            nulls = table[one.name].is_null().to_pylist()
            message = f"Field {one.name} is REQUIRED and NULL"
            yield from ((row, message) for row, is_null in enumerate(nulls) if is_null)


def _not_json(table: pa.Table, fields: Sequence[Field]) -> Iterator[tuple[int, str]]:
    have = set(table.schema.names)
    for one in fields:
        if one.name in have and _holds_json(one):
            for row, value in enumerate(table[one.name].to_pylist()):
                try:
                    _check_json(value, one)
                except ValueError as error:
                    yield row, f"Field {one.name}: {error}"


def _holds_json(one: Field) -> bool:
    return one.type == "JSON" or any(map(_holds_json, one.fields))


def _check_json(value: Any, one: Field) -> None:
    if value is None:
        return
    if one.mode == "REPEATED":
        for item in value:
            _check_json(item, replace(one, mode="NULLABLE"))
    elif one.type == "RECORD":
        for member in filter(_holds_json, one.fields):
            _check_json(value.get(member.name), member)
    else:
        check_json(value)
