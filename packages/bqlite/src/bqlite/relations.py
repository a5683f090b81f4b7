"""Names, data sets, tables and write streams: what is known of each."""

import hashlib
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from bqlite.errors import InvalidError
from bqlite.types import Field, quote, schema_resource

LOCATION = "US"
RESULT_DATASET = "_bqlite_results"
RESULT_LIFE_MS = 24 * 3600 * 1000  # a query's result lives a day, as in BigQuery


@dataclass(frozen=True)
class TableName:
    """A table's full name."""

    project: str
    dataset: str
    table: str

    def __str__(self) -> str:
        return f"{self.project}.{self.dataset}.{self.table}"


@dataclass(frozen=True)
class Source:
    """What a name stands for: a stored relation, or a view's query.

    Attributes:
        fields: Its columns.
        schema: The DuckDB schema that holds the rows.
        catalog: The DuckDB database that holds them.
        view_sql: A view's query, or an empty string.
        partitioned_by: The column by whose time it is partitioned, in lower case, if any.
        partition_unit: `HOUR`, `DAY`, `MONTH` or `YEAR`.
        clustered_by: Its clustering columns, in lower case.
        filtered_by: The column that each query must filter by, in lower case, if any.
    """

    fields: tuple[Field, ...] = ()
    schema: str = ""
    catalog: str = "store"
    view_sql: str = ""
    partitioned_by: str = ""
    partition_unit: str = "DAY"
    clustered_by: tuple[str, ...] = ()
    filtered_by: str = ""


@dataclass(frozen=True)
class Dataset:
    """A data set: its name and REST resource."""

    project: str
    dataset: str
    body: dict[str, Any]

    @property
    def schema(self) -> str:
        """The DuckDB schema that holds its tables."""
        return f"{self.project}.{self.dataset}"


@dataclass(frozen=True)
class Table:
    """A table, view or query result.

    Attributes:
        name: Its full name.
        fields: Its columns.
        body: What else the user said of it, as a REST resource, with its times.
        view_sql: A view's query, or an empty string.
        catalog: The DuckDB database that holds the rows.
        schema: The DuckDB schema that holds the rows.
        version: Grows with every change of its rows.
    """

    name: TableName
    fields: tuple[Field, ...]
    body: dict[str, Any]
    view_sql: str = ""
    catalog: str = "store"
    schema: str = ""
    version: int = 0

    @property
    def relation(self) -> str:
        """The table's name in DuckDB's SQL."""
        return f"{self.catalog}.{quote(self.schema)}.{quote(self.name.table)}"

    @property
    def column_list(self) -> str:
        """Its columns in DuckDB's SQL."""
        return ", ".join(quote(one.name) for one in self.fields)

    def select(self, names: Iterable[str]) -> tuple[Field, ...]:
        """The columns of these names, in the table's order; all if there are none.

        Raises:
            InvalidError: The table has no column of one of these names.
        """
        wanted = {name.lower(): name for name in names}
        lacking = wanted.keys() - {one.name.lower() for one in self.fields}
        if lacking:
            name = wanted[min(lacking)]
            raise InvalidError(f"table '{self.name}' has no column '{name}'", location=name)
        return tuple(one for one in self.fields if not wanted or one.name.lower() in wanted)

    @property
    def is_temporary(self) -> bool:
        """Whether it is a query's result."""
        return self.catalog == "memory"

    @property
    def etag(self) -> str:
        """Changes with everything said of the table; its rows may change under it."""
        text = json.dumps([self.body, schema_resource(self.fields), self.view_sql])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Stream:
    """A write stream.

    Attributes:
        name: Its full name, below its table's.
        rows: How many rows it holds.
        created_ms: When it was made.
        is_finalized: Whether it takes no more rows.
        kind: `COMMITTED`, or `PENDING` if its rows wait for a commit.
        committed_ms: When a PENDING stream was committed, 0 before.
    """

    name: str
    rows: int
    created_ms: int
    is_finalized: bool
    kind: str = "COMMITTED"
    committed_ms: int = 0

    @property
    def is_waiting(self) -> bool:
        """Whether its rows are not yet in the table."""
        return self.kind == "PENDING" and not self.committed_ms


_BY_MODE = {"REQUIRED": " NOT NULL", "REPEATED": " DEFAULT []"}  # an ARRAY is never NULL


def column_sql(one: Field) -> str:
    """A column as CREATE TABLE and ADD COLUMN define it in DuckDB."""
    return f"{quote(one.name)} {one.duckdb}{_BY_MODE.get(one.mode, '')}"


def create_relation(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Creates the DuckDB table."""
    columns = ", ".join(map(column_sql, table.fields))
    if not columns:
        raise InvalidError(f"table '{table.name}' has no columns; give it a schema")
    connection.execute(f"CREATE TABLE {table.relation} ({columns})")


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


def stream_prefix(name: TableName) -> str:
    """What the names of a table's write streams begin with."""
    return f"projects/{name.project}/datasets/{name.dataset}/tables/{name.table}/streams/"


def new_name(prefix: str) -> str:
    """A name nobody else has."""
    return f"{prefix}{uuid.uuid4().hex}"


def now_ms() -> int:
    """The time as BigQuery's resources write it."""
    return time.time_ns() // 1_000_000
