"""What a statement yields: an outcome, the columns of a result, an error in BigQuery's words."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import duckdb

from bqlite.errors import InvalidQueryError, ResourceError, StoppedError
from bqlite.relations import Table, TableName, new_name, now_ms
from bqlite.types import Field, field_from_duckdb, quote

RESULT_DATASET = "_bqlite_results"
RESULT_LIFE_MS = 24 * 3600 * 1000  # a query result lives a day, as in BigQuery


@dataclass
class Outcome:
    """What a statement did.

    Attributes:
        table: Where a query's rows are.
        rows: How many rows it yields.
        affected: How many rows DML changed, or None.
        statistics: What else BigQuery reports of such a statement.
    """

    table: Table | None = None
    rows: int = 0
    affected: int | None = None
    statistics: dict[str, Any] = field(default_factory=dict)


@contextmanager
def sql_errors() -> Iterator[None]:
    """Turns DuckDB's errors into BigQuery's."""
    try:
        yield
    except duckdb.InterruptException as error:
        raise StoppedError("Job execution was cancelled: User requested cancellation") from error
    except duckdb.OutOfMemoryException as error:
        raise ResourceError(
            f"Resources exceeded during query execution: {_message(error)}"
        ) from error
    except duckdb.ConstraintException as error:
        raise InvalidQueryError(_message(error)) from error
    except (duckdb.IOException, duckdb.TransactionException) as error:
        raise ResourceError(f"the disk refused a read or write: {_message(error)}") from error
    except (duckdb.InternalException, duckdb.FatalException):
        raise
    except duckdb.Error as error:
        raise InvalidQueryError(_message(error)) from error


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


def temporary(project: str, fields: tuple[Field, ...]) -> Table:
    """A table in memory with a name nobody else has."""
    now = now_ms()
    return Table(
        TableName(project, RESULT_DATASET, new_name("anon")),
        fields,
        {"creationTime": str(now), "expirationTime": str(now + RESULT_LIFE_MS)},
        catalog="memory",
        schema="main",
    )


def _message(error: Exception) -> str:
    text = str(error)
    unknown = re.search(r'Referenced (?:column|table) "([^"]*)" not found', text)
    if unknown:
        return f"Unrecognized name: {unknown[1]}"
    for kind in ("Binder Error: ", "Invalid Input Error: ", "Catalog Error: ", "Parser Error: "):
        text = text.removeprefix(kind)
    return text.split("\n", 1)[0].strip()
