"""The tables that `fraudline learn` writes itself: made, grown, written and read in one way.

A row has a key, and there is one row of each key: what is written again is left as it is. So
whoever was killed in the middle does its last period again, and whoever runs twice does no harm.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from google.api_core import exceptions as google_errors

from fraudline import flows
from fraudline.contract import WRITTEN_COLUMN, Contract, arrow_schema
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.query import change, query
from fraudline.warehouse.schema import table_schema
from fraudline.warehouse.tables import create_table, grow_table, require_writable


def create_learning_tables(
    warehouse: Warehouse, on_created: Callable[[str], None] = lambda _: None
) -> None:
    """Create the tables that are missing; give the others the nullable columns that they lack.

    Where all are there and lack nothing, no right is needed but to look at them.

    Args:
        warehouse: The data set, which exists.
        on_created: Called with the name of each table that did not exist.

    Raises:
        WarehouseError: BigQuery cannot be reached, or a table exists with other columns.
    """
    for table in flows.LEARNING_TABLES:
        name, schema = warehouse.settings.table(table), arrow_schema(table.row_columns)
        if is_there(warehouse, name):
            require_writable(grow_table(warehouse, name, schema), schema)
            continue
        create_table(
            warehouse,
            name,
            schema,
            description=table.description,
            partition_by="period_start",
            cluster_by=("contract",),
            on_created=partial(on_created, name),
        )


def is_there(warehouse: Warehouse, name: str) -> bool:
    """Whether the data set has a table of this name."""
    with translated(f"looking for table {warehouse.table(name)}"):
        try:
            warehouse.client.get_table(warehouse.table(name), retry=RETRY)
        except google_errors.NotFound:
            return False
    return True


def write_rows(
    warehouse: Warehouse, table: flows.LearningTable, rows: Sequence[Mapping[str, Any]]
) -> int:
    """Write rows, all of them in one step; those whose key is there are left as they are.

    Args:
        warehouse: Where the table is.
        table: Which one.
        rows: By column, each with its `row_key`; a column that is not named is null, and
            `written_at` is BigQuery's own time.

    Returns:
        How many were written.

    Raises:
        WarehouseError: BigQuery refuses them, or cannot be reached; then none was written.
    """
    if not rows:
        return 0
    columns = [column for column in table.row_columns if column != WRITTEN_COLUMN]
    types = [field.field_type for field in table_schema(arrow_schema(columns))]
    parameters: list[tuple[str, str, Any]] = []
    selects = []
    for number, row in enumerate(rows):
        values = []
        for place, (column, kind) in enumerate(zip(columns, types, strict=True)):
            name = f"r{number}_{place}"
            parameters.append((name, kind, row.get(column.name)))
            values.append(f"@{name} AS `{column.name}`")
        selects.append(f"SELECT {', '.join(values)}")
    starts = [row["period_start"] for row in rows]
    parameters += [("first", "TIMESTAMP", min(starts)), ("last", "TIMESTAMP", max(starts))]
    names = ", ".join(f"`{column.name}`" for column in columns)
    given = ", ".join(f"given.`{column.name}`" for column in columns)
    return change(
        warehouse,
        f"MERGE `{warehouse.table(warehouse.settings.table(table))}` AS kept\n"
        f"USING ({' UNION ALL '.join(selects)}) AS given\n"
        "ON kept.row_key = given.row_key AND kept.period_start BETWEEN @first AND @last\n"
        f"WHEN NOT MATCHED THEN INSERT ({names}, `{WRITTEN_COLUMN.name}`)\n"
        f"VALUES ({given}, CURRENT_TIMESTAMP())",
        parameters,
    )


def read_rows(
    warehouse: Warehouse,
    table: flows.LearningTable,
    contract: Contract,
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> list[dict[str, Any]]:
    """The rows of a contract, by period and then by key.

    Args:
        warehouse: Where the table is.
        table: Which one.
        contract: Of the transactions.
        since: Only rows of periods that begin at this time or later.
        until: Only rows of periods that begin before this time.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    names = ", ".join(f"`{column.name}`" for column in table.row_columns)
    rows: list[dict[str, Any]] = query(
        warehouse,
        f"SELECT {names} FROM `{warehouse.table(warehouse.settings.table(table))}` "  # noqa: S608 - names come from settings and our own columns
        "WHERE contract = @contract AND period_start >= @since AND period_start < @until "
        "ORDER BY period_start, row_key",
        [
            ("contract", "STRING", contract.name),
            ("since", "TIMESTAMP", since or EARLIEST),
            ("until", "TIMESTAMP", until or LATEST),
        ],
    ).to_pylist()
    return rows
