"""A statement as it came, and as bqlite will run it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from bqlite.relations import Source, TableName
from bqlite.types import Field

if TYPE_CHECKING:
    from sqlglot import exp


class Names(Protocol):
    """The part of the catalog that SQL needs."""

    def source(self, name: TableName) -> Source:
        """What `name` stands for; raises `NotFoundError`."""

    def information_schema(self, project: str, dataset: str, view: str) -> str:
        """One `INFORMATION_SCHEMA` view as a query; raises `UnsupportedSqlError`."""


@dataclass(frozen=True)
class Request:
    """A statement as a front received it.

    Attributes:
        sql: BigQuery's SQL.
        project: The project the job runs in.
        dataset: The default data set as (project, data set), or None.
        parameters: REST `QueryParameter` resources.
        parameter_mode: `NAMED` or `POSITIONAL`.
    """

    sql: str
    project: str
    dataset: tuple[str, str] | None = None
    parameters: Sequence[Mapping[str, Any]] = ()
    parameter_mode: str = "NAMED"


@dataclass(frozen=True)
class Definition:
    """What a DDL statement asks for.

    Attributes:
        statement_type: BigQuery's word.
        target: The table, view, or data set (with an empty table).
        query: The query of CREATE TABLE AS or CREATE VIEW.
        view_sql: A view's query as BigQuery wrote it.
        fields: The columns, where the statement gives any.
        resource: Partitioning, clustering, description, labels and expiration.
        exists_ok: IF NOT EXISTS, or IF EXISTS for DROP.
        replace: OR REPLACE.
    """

    statement_type: str
    target: TableName
    query: "exp.Query | None" = None
    view_sql: str = ""
    fields: tuple[Field, ...] = ()
    resource: dict[str, Any] = field(default_factory=dict)
    exists_ok: bool = False
    replace: bool = False


@dataclass(frozen=True)
class Scan:
    """One place of a statement that reads a table.

    Attributes:
        table: Which table.
        columns: The names that it mentions in lower case, or None if it reads all columns.
        probe_sql: DuckDB's SQL that counts the rows it cannot leave out; empty if it reads all.
    """

    table: TableName
    columns: frozenset[str] | None
    probe_sql: str = ""


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        statement_type: BigQuery's word, such as `SELECT` or `CREATE_TABLE_AS_SELECT`.
        sql: DuckDB's SQL of the query or DML statement; empty for plain DDL.
        read: The tables it reads, each with its columns.
        scans: Each place that reads one of them.
        target: The table that DML or DDL changes.
        definition: What DDL defines.
        insert_sql: The rows of an INSERT, as a query of their own.
        insert_columns: The columns an INSERT fills, in the order of its rows.
        twice_sql: A query that yields a row if an UPDATE or MERGE would change a row twice.
    """

    statement_type: str
    sql: str = ""
    read: Mapping[TableName, tuple[Field, ...]] = field(default_factory=dict)
    scans: tuple[Scan, ...] = ()
    target: TableName | None = None
    definition: Definition | None = None
    insert_sql: str = ""
    insert_columns: tuple[str, ...] = ()
    twice_sql: str = ""

    @property
    def is_query(self) -> bool:
        """Whether the plan yields rows."""
        return self.statement_type == "SELECT"
