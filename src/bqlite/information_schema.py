"""`INFORMATION_SCHEMA` views, written as queries of constants from what the catalog holds."""

from collections.abc import Sequence

from bqlite.errors import UnsupportedSqlError
from bqlite.relations import Table, TableName
from bqlite.types import Field, literal


def view_sql(tables: Sequence[Table], view: str) -> str:
    """BigQuery's SQL for `TABLES` or `COLUMNS` of a data set.

    Args:
        tables: The data set's tables.
        view: The view's name.

    Raises:
        UnsupportedSqlError: bqlite has no such view.
    """
    nothing = Table(TableName("", "", ""), (), {})
    if view == "TABLES":
        rows = [_tables_row(table) for table in tables]
        empty = _tables_row(nothing)
    elif view == "COLUMNS":
        rows = [_columns_row(t, i, f) for t in tables for i, f in enumerate(t.fields, 1)]
        empty = _columns_row(nothing, 0, Field("", "STRING"))
    else:
        raise UnsupportedSqlError(f"INFORMATION_SCHEMA.{view} is not supported by bqlite")
    selects = [
        f"SELECT {', '.join(f'{value} AS {key}' for key, value in row.items())}"
        for row in rows or [empty]
    ]
    return " UNION ALL ".join(selects) + ("" if rows else " LIMIT 0")


def _tables_row(table: Table) -> dict[str, str]:
    kind = "VIEW" if table.view_sql else "BASE TABLE"
    return {
        "table_catalog": literal(table.name.project),
        "table_schema": literal(table.name.dataset),
        "table_name": literal(table.name.table),
        "table_type": literal(kind),
        "is_insertable_into": literal("NO" if table.view_sql else "YES"),
        "creation_time": f"TIMESTAMP_MILLIS({int(table.body.get('creationTime', 0))})",
    }


def _columns_row(table: Table, position: int, one: Field) -> dict[str, str]:
    partition = table.body.get("timePartitioning") or table.body.get("rangePartitioning") or {}
    clustering = [c.lower() for c in (table.body.get("clustering") or {}).get("fields", ())]
    name = one.name.lower()
    cluster = str(clustering.index(name) + 1) if name in clustering else "CAST(NULL AS INT64)"
    is_partition = str(partition.get("field", "")).lower() == name and bool(name)
    return {
        "table_catalog": literal(table.name.project),
        "table_schema": literal(table.name.dataset),
        "table_name": literal(table.name.table),
        "column_name": literal(one.name),
        "ordinal_position": str(position),
        "is_nullable": literal("NO" if one.mode == "REQUIRED" else "YES"),
        "data_type": literal(one.sql),
        "is_partitioning_column": literal("YES" if is_partition else "NO"),
        "clustering_ordinal_position": cluster,
    }
