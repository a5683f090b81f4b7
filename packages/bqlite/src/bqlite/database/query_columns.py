"""The columns a DuckDB query yields, as BigQuery's."""

# ruff: noqa: S608  # names are quoted by `quote`, the query is written by sqlglot

from collections.abc import Mapping
from typing import Any

import duckdb

from bqlite.errors import InvalidError, InvalidQueryError, UnsupportedError
from bqlite.types import Field, quote

_FROM_DUCKDB: Mapping[str, str] = {
    **dict.fromkeys(
        ("tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint"), "INTEGER"
    ),
    **dict.fromkeys(("uinteger", "ubigint", "uhugeint", "sqlnull", "null"), "INTEGER"),
    "float": "FLOAT",
    "double": "FLOAT",
    "decimal": "NUMERIC",
    "boolean": "BOOLEAN",
    "varchar": "STRING",
    "blob": "BYTES",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "DATETIME",
    "timestamp with time zone": "TIMESTAMP",
}


def describe(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[tuple[Field, ...], str]:
    """The columns of a DuckDB query, and the query that yields exactly those types."""
    relation = connection.sql(sql)
    if relation is None:
        raise InvalidQueryError("the statement yields no rows")
    fields = tuple(
        field_from_duckdb(name, kind)
        for name, kind in zip(relation.columns, relation.types, strict=True)
    )
    seen: set[str] = set()
    for one in fields:
        if one.name.lower() in seen:
            raise InvalidQueryError(
                f"Duplicate column names in the result are not supported. Found duplicate(s): "
                f"{one.name}"
            )
        seen.add(one.name.lower())
    names = ", ".join(f"c{i}" for i in range(len(fields)))
    casts = ", ".join(
        f"{f.stored(f'CAST(c{i} AS {f.duckdb})')} AS {quote(f.name)}" for i, f in enumerate(fields)
    )
    return fields, f"SELECT {casts} FROM ({sql}) AS q({names})"


def field_from_duckdb(name: str, kind: Any) -> Field:
    """The field that holds a DuckDB result column of type `kind` (a `DuckDBPyType`)."""
    if str(kind).upper() == "JSON":
        return Field(name, "JSON")
    if kind.id in {"list", "array"}:
        element = field_from_duckdb(name, dict(kind.children)["child"])
        if element.mode == "REPEATED":
            raise InvalidError(
                f"column '{name}' is an array of arrays, which BigQuery does not have"
            )
        return Field(name, element.type, "REPEATED", element.fields)
    if kind.id == "struct":
        return Field(
            name, "RECORD", fields=tuple(field_from_duckdb(n, t) for n, t in kind.children)
        )
    if kind.id not in _FROM_DUCKDB:
        raise UnsupportedError(f"column '{name}' has the type {kind}, which bqlite cannot return")
    return Field(name, _FROM_DUCKDB[kind.id])
