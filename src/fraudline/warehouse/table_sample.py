"""A sample of a table or view that nobody has described yet, read and never written to."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from google.api_core import exceptions as google_errors
from google.cloud import bigquery

from fraudline.errors import InputError, WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.history_sample import is_drawn_sql
from fraudline.warehouse.history_source import WAYS_ON
from fraudline.warehouse.query import query
from fraudline.warehouse.schema import standard_type

_TAKEN = {"FLOAT64", "INT64", "NUMERIC", "BIGNUMERIC", "BOOL", "STRING", "TIMESTAMP"}


@dataclass(frozen=True)
class TableSample:
    """Rows of a table, drawn by what is in them: the same table gives the same sample.

    Attributes:
        name: Its full name.
        rows: The sample, with the columns that a history may be read from.
        row_count: How many rows there are.
        nulls: By column, in how many of them it is null.
        left_out: By column that no history can be read from, why, a part of a sentence.
    """

    name: str
    rows: pa.Table
    row_count: int
    nulls: dict[str, int]
    left_out: dict[str, str]


def sample_table(warehouse: Warehouse, name: str, most_rows: int) -> TableSample:
    """Read about so many rows of a table or view, or all if there are no more.

    Args:
        warehouse: Where it is, unless its name has a project of its own.
        name: `project.data_set.name` or `data_set.name`.
        most_rows: How many rows are enough.

    Raises:
        InputError: it has no column that a history may be read from.
        WarehouseError: there is no such table, or it cannot be read.
    """
    full = name if name.count(".") > 1 else f"{warehouse.settings.project}.{name}"
    with translated(f"reading {full}"):
        try:
            schema = warehouse.client.get_table(full, retry=RETRY).schema
        except google_errors.NotFound:
            raise WarehouseError(f"there is no table or view {full}.") from None
    kinds = {field.name: _kind(field) for field in schema}
    taken = [each for each, kind in kinds.items() if kind in _TAKEN]
    left_out = {
        each: f"it is {kind}: {WAYS_ON.get(kind, 'make a view that has another')}"
        for each, kind in kinds.items()
        if kind not in _TAKEN
    }
    if not taken:
        raise InputError(f"{full} has no column that a history may be read from: {left_out}.")
    nulls = (f"COUNTIF(`{each}` IS NULL) AS n_{at}" for at, each in enumerate(taken))
    sql = f"SELECT COUNT(*) AS n, {', '.join(nulls)} FROM `{full}`"  # noqa: S608 - names come from the table
    counts = query(warehouse, sql).to_pylist()[0]
    columns = ", ".join(f"`{each}`" for each in taken)
    share = min(1.0, most_rows / max(counts["n"], 1))
    sql = f"SELECT {columns} FROM `{full}`"  # noqa: S608 - as above
    if share < 1:  # a draw by content, so that it is the same one again
        texts = (f"IFNULL(CAST(`{each}` AS STRING), '')" for each in taken)
        sql += f" WHERE {is_drawn_sql('sample', ', '.join(texts), share)}"
    rows = query(warehouse, sql)
    return TableSample(
        name=full,
        rows=rows,
        row_count=counts["n"],
        nulls={each: counts[f"n_{at}"] for at, each in enumerate(taken)},
        left_out=left_out,
    )


def _kind(field: bigquery.SchemaField) -> str:
    return "REPEATED" if field.mode == "REPEATED" else standard_type(field)
