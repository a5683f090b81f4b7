"""What is wrong with appended rows, in the words Google's clients are told."""

from collections.abc import Sequence

import pyarrow as pa

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


def check_required(table: pa.Table, fields: Sequence[Field]) -> None:
    """Raises `AppendError` naming each row that leaves a REQUIRED column NULL."""
    have = set(table.schema.names)
    errors: list[tuple[int, str]] = []
    for one in fields:
        if one.mode != "REQUIRED":
            continue
        if one.name not in have:
            message = f"Field {one.name} is REQUIRED and missing from the rows"
            errors += [(row, message) for row in range(table.num_rows)]
        elif table[one.name].null_count:
            nulls = table[one.name].is_null().to_pylist()
            message = f"Field {one.name} is REQUIRED and NULL"
            errors += [(row, message) for row, is_null in enumerate(nulls) if is_null]
    if errors:
        raise bad_rows(sorted(errors), len({row for row, _ in errors}))
