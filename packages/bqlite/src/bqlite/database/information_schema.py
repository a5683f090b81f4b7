"""`INFORMATION_SCHEMA` views, written as queries of constants from what the catalog holds."""

# ruff: noqa: S608  # names are quoted, values written by `literal`

import json
from collections.abc import Iterator, Sequence

from bqlite.errors import UnsupportedSqlError
from bqlite.relations import Table, TableName
from bqlite.types import Field, literal


def view_sql(tables: Sequence[Table], view: str) -> str:
    """BigQuery's SQL for a data set's `TABLES`, `COLUMNS`, `COLUMN_FIELD_PATHS` and the like.

    Args:
        tables: The data set's tables.
        view: The view's name.

    Raises:
        UnsupportedSqlError: bqlite has no such view.
    """
    if view == "PARTITIONS":
        stored = [_partitions(one) for one in tables if not one.view_sql]
        return " UNION ALL ".join(stored) or _NO_PARTITIONS
    rows: Sequence[dict[str, str]]
    nothing = Table(TableName("", "", ""), (), {})
    if view == "MATERIALIZED_VIEWS":
        rows, empty = [], _names_of(nothing)
    elif view == "TABLE_OPTIONS":
        rows = [_option_row(table) for table in tables if table.body.get("description")]
        empty = _option_row(nothing)
    elif view == "COLUMN_FIELD_PATHS":
        rows = [row for t in tables for one in t.fields for row in _path_rows(t, one.name, one)]
        empty = _path_row(nothing, "", "", Field("", "STRING"))
    elif view == "TABLES":
        rows = [_tables_row(table) for table in tables]
        empty = _tables_row(nothing)
    elif view == "COLUMNS":
        rows = [_columns_row(t, i, f) for t in tables for i, f in enumerate(t.fields, 1)]
        empty = _columns_row(nothing, 0, Field("", "STRING"))
    else:
        raise UnsupportedSqlError(f"INFORMATION_SCHEMA.{view} is not supported by bqlite")
    return _constants(rows, empty)


def tables_meta_sql(tables: Sequence[tuple[Table, int, int]]) -> str:
    """BigQuery's SQL for a data set's `__TABLES__`.

    Args:
        tables: The data set's tables, each with its rows and its bytes.
    """
    rows = [_meta_row(*one) for one in tables]
    return _constants(rows, _meta_row(Table(TableName("", "", ""), (), {}), 0, 0))


def _constants(rows: Sequence[dict[str, str]], empty: dict[str, str]) -> str:
    """The rows as a query; `empty` gives the columns where there are none."""
    selects = [
        f"SELECT {', '.join(f'{value} AS {key}' for key, value in row.items())}"
        for row in rows or [empty]
    ]
    return " UNION ALL ".join(selects) + ("" if rows else " LIMIT 0")


def _written(text: str) -> str:
    """Any text as a literal of BigQuery's, which reads JSON's escapes."""
    return json.dumps(text, ensure_ascii=False)


def _names_of(table: Table) -> dict[str, str]:
    return {
        "table_catalog": literal(table.name.project),
        "table_schema": literal(table.name.dataset),
        "table_name": literal(table.name.table),
    }


def _meta_row(table: Table, rows: int, size: int) -> dict[str, str]:
    return {
        "project_id": literal(table.name.project),
        "dataset_id": literal(table.name.dataset),
        "table_id": literal(table.name.table),
        "creation_time": str(int(table.body.get("creationTime", 0))),
        "last_modified_time": str(int(table.body.get("lastModifiedTime", 0))),
        "row_count": str(rows),
        "size_bytes": str(size),
        "type": "2" if table.view_sql else "1",
    }


def _option_row(table: Table) -> dict[str, str]:
    """A table's description; the other options are not told."""
    text = str(table.body.get("description", ""))
    return {
        **_names_of(table),
        "option_name": literal("description"),
        "option_type": literal("STRING"),
        "option_value": _written(_written(text)),
    }


def _path_rows(table: Table, path: str, one: Field) -> Iterator[dict[str, str]]:
    yield _path_row(table, path.split(".", 1)[0], path, one)
    for member in one.fields:
        yield from _path_rows(table, f"{path}.{member.name}", member)


def _path_row(table: Table, column: str, path: str, one: Field) -> dict[str, str]:
    text = _written(one.description) if one.description else "CAST(NULL AS STRING)"
    return {
        **_names_of(table),
        "column_name": literal(column),
        "field_path": literal(path),
        "data_type": literal(one.sql),
        "description": text,
    }


def _tables_row(table: Table) -> dict[str, str]:
    kind = "VIEW" if table.view_sql else "BASE TABLE"
    return {
        **_names_of(table),
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
        **_names_of(table),
        "column_name": literal(one.name),
        "ordinal_position": str(position),
        "is_nullable": literal("NO" if one.mode == "REQUIRED" else "YES"),
        "data_type": literal(one.sql),
        "is_partitioning_column": literal("YES" if is_partition else "NO"),
        "clustering_ordinal_position": cluster,
    }


_NO_PARTITIONS = (
    "SELECT '' AS table_catalog, '' AS table_schema, '' AS table_name, '' AS partition_id, "
    "0 AS total_rows LIMIT 0"
)
_PARTITION_IDS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}


def _partitions(table: Table) -> str:
    """The rows of each partition, counted when the query runs."""
    name, partition = table.name, _partition_id(table)
    return (
        f"SELECT {literal(name.project)} AS table_catalog, {literal(name.dataset)} AS "
        f"table_schema, {literal(name.table)} AS table_name, {partition} AS partition_id, "
        f"COUNT(*) AS total_rows FROM `{name}` GROUP BY partition_id"
    )


def _partition_id(table: Table) -> str:
    time, range_ = table.body.get("timePartitioning"), table.body.get("rangePartitioning")
    if time:
        column, pattern = f"`{time['field']}`", _PARTITION_IDS[str(time.get("type") or "DAY")]
        return f"IFNULL(FORMAT_TIMESTAMP('{pattern}', TIMESTAMP({column})), '__NULL__')"
    if range_:
        column = f"`{range_['field']}`"
        start, end, step = (int(range_["range"][key]) for key in ("start", "end", "interval"))
        first = f"{start} + DIV({column} - {start}, {step}) * {step}"
        return (
            f"CASE WHEN {column} IS NULL THEN '__NULL__' WHEN {column} >= {start} AND {column} < "
            f"{end} THEN CAST({first} AS STRING) ELSE '__UNPARTITIONED__' END"
        )
    return "CAST(NULL AS STRING)"
