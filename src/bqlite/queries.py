"""Runs a plan: a query's rows go to a result table, DML and DDL change the store."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from bqlite.catalog import Catalog
from bqlite.engine import Transaction, first
from bqlite.errors import (
    DuplicateError,
    InvalidError,
    InvalidQueryError,
    NotFoundError,
    ResourceError,
    StoppedError,
    UnsupportedError,
)
from bqlite.relations import Dataset, Table, TableName, create_relation, new_name, now_ms
from bqlite.sql.statement import Definition, Plan
from bqlite.types import ACCEPTED, Field, field_from_duckdb, quote

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


@dataclass(frozen=True)
class Destination:
    """Where the user wants a query's rows."""

    name: TableName
    create: str = "CREATE_IF_NEEDED"
    write: str = "WRITE_EMPTY"
    adds_columns: bool = False


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
    casts = ", ".join(f"CAST(c{i} AS {f.duckdb}) AS {quote(f.name)}" for i, f in enumerate(fields))
    return fields, f"SELECT {casts} FROM ({sql}) AS q({names})"


Store = Callable[[Transaction, Outcome], None]


def run(catalog: Catalog, plan: Plan, project: str, destination: Destination | None,
        connection: duckdb.DuckDBPyConnection, store: Store) -> Outcome:  # fmt: skip
    """Runs one planned statement.

    Args:
        catalog: What is known.
        plan: What to run.
        project: Whose result it is.
        destination: Where a query's rows go; None for a result table of their own.
        connection: The connection to work with; a cancel interrupts it.
        store: Writes the job down in the transaction of what it wrote.

    Raises:
        BqliteError: The statement failed; nothing changed.
    """
    with sql_errors():
        if plan.is_query and destination is None:
            return _to_result(catalog, plan, project, connection)
        with catalog.engine.write(connection) as transaction:
            if plan.is_query and destination is not None:
                outcome = _to_table(catalog, transaction, plan, destination)
            elif plan.definition is not None:
                outcome = _define(catalog, transaction, plan, plan.definition)
            else:
                outcome = _change(catalog, transaction, plan)
            store(transaction, outcome)
            return outcome


def _to_result(
    catalog: Catalog, plan: Plan, project: str, connection: duckdb.DuckDBPyConnection
) -> Outcome:
    fields, sql = describe(connection, plan.sql)
    table = temporary(project, fields)
    (rows,) = first(connection, f"CREATE TABLE {table.relation} AS {sql}")
    catalog.add_temporary(table)
    return Outcome(table, int(rows))


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


def adds_columns(options: Mapping[str, Any]) -> bool:
    """Whether a job's `schemaUpdateOptions` let it add columns to its destination."""
    wanted = set(options.get("schemaUpdateOptions") or ())
    if wanted - {"ALLOW_FIELD_ADDITION"}:
        raise UnsupportedError(
            f"bqlite does not support schemaUpdateOptions {min(wanted)}; it has "
            "ALLOW_FIELD_ADDITION"
        )
    return bool(wanted)


def _to_table(
    catalog: Catalog, transaction: Transaction, plan: Plan, destination: Destination
) -> Outcome:
    fields, sql = describe(transaction.connection, plan.sql)
    staged = ""
    if destination.name in plan.read and destination.write == "WRITE_TRUNCATE":
        staged = f"temp.{new_name('replacement')}"
        transaction.connection.execute(f"CREATE TEMP TABLE {staged} AS {sql}")
        sql = f"FROM {staged}"
    table = prepare_target(catalog, transaction, destination, fields)
    columns = ", ".join(quote(one.name) for one in fields)
    (rows,) = first(transaction.connection, f"INSERT INTO {table.relation} ({columns}) {sql}")
    if staged:
        transaction.connection.execute(f"DROP TABLE {staged}")
    catalog.touch(transaction, table)
    return Outcome(table, int(rows))


def prepare_target(
    catalog: Catalog, transaction: Transaction, destination: Destination, fields: tuple[Field, ...]
) -> Table:
    """Creates, empties or checks the table rows are about to be written to."""
    name = destination.name
    if not catalog.has_table(name):
        if destination.create == "CREATE_NEVER":
            raise NotFoundError(f"Not found: Table {name.project}:{name.dataset}.{name.table}")
        now = str(now_ms())
        body = {"creationTime": now, "lastModifiedTime": now}
        nullable = tuple(
            replace(one, mode="NULLABLE") if one.mode == "REQUIRED" else one for one in fields
        )
        return catalog.create_table(transaction, Table(name, nullable, body))
    table = catalog.table(name)
    if table.view_sql:
        raise InvalidError(f"'{name}' is a view, and rows cannot be written to a view")
    if destination.write == "WRITE_EMPTY" and catalog.rows(table):
        raise DuplicateError(f"Already Exists: Table {name.project}:{name.dataset}.{name.table}")
    if destination.write == "WRITE_TRUNCATE":
        transaction.connection.execute(f"DROP TABLE {table.relation}")
        table = replace(table, fields=fields)
        create_relation(transaction.connection, table)
        catalog.put_table(transaction, table)
        return table
    if destination.adds_columns:
        have = {one.name.lower() for one in table.fields}
        table = catalog.add_columns(
            transaction, table, [one for one in fields if one.name.lower() not in have]
        )
        catalog.put_table(transaction, table)
    check_same(table, fields)
    return table


def check_same(table: Table, fields: tuple[Field, ...]) -> None:
    """Raises `InvalidError` if rows of `fields` do not belong into `table`."""
    have = {one.name.lower(): one for one in table.fields}
    for one in fields:
        target = have.pop(one.name.lower(), None)
        if target is None:
            raise InvalidError(
                f"Provided Schema does not match Table {table.name}. Cannot add fields (field: "
                f"{one.name})"
            )
        if one.duckdb != target.duckdb:
            raise InvalidError(
                f"Provided Schema does not match Table {table.name}. Field {one.name} has changed "
                f"type from {target.sql} to {one.sql}"
            )
    for missing in have.values():
        if missing.mode == "REQUIRED":
            raise InvalidError(
                f"Provided Schema does not match Table {table.name}. Field {missing.name} is "
                "missing in new schema"
            )


def _change(catalog: Catalog, transaction: Transaction, plan: Plan) -> Outcome:
    assert plan.target is not None
    table = catalog.table(plan.target)
    if plan.insert_sql:
        _check_insert(transaction.connection, plan, table)
    if plan.twice_sql and transaction.connection.execute(plan.twice_sql).fetchall():
        raise InvalidQueryError(
            "UPDATE/MERGE must match at most one source row for each target row"
        )
    count = int(first(transaction.connection, plan.sql)[0])
    catalog.touch(transaction, table)
    keys = {"INSERT": "insertedRowCount", "UPDATE": "updatedRowCount", "DELETE": "deletedRowCount"}
    statistics: dict[str, Any] = {}
    if plan.statement_type in keys:
        statistics["dmlStats"] = {keys[plan.statement_type]: str(count)}
    return Outcome(affected=count, statistics=statistics)


def _check_insert(connection: duckdb.DuckDBPyConnection, plan: Plan, table: Table) -> None:
    """Refuses what BigQuery does not coerce, where DuckDB would round or print."""
    relation = connection.sql(plan.insert_sql)
    assert relation is not None
    if len(relation.types) != len(plan.insert_columns):
        raise InvalidQueryError(
            f"Inserted row has wrong column count; Has {len(relation.types)}, expected "
            f"{len(plan.insert_columns)}"
        )
    by_name = {one.name.lower(): one for one in table.fields}
    for name, kind in zip(plan.insert_columns, relation.types, strict=True):
        one = by_name.get(name.lower())
        if one is None:
            raise InvalidQueryError(f"Column {name} is not present in table {table.name}")
        if one.mode == "REPEATED" or one.type not in ACCEPTED:
            continue
        if not re.fullmatch(rf'{ACCEPTED[one.type]}|"?NULL"?', str(kind)):
            found = field_from_duckdb(name, kind).sql
            raise InvalidQueryError(
                f"Query column has type {found} which cannot be inserted into column {name}, "
                f"which has type {one.sql}"
            )


def _define(
    catalog: Catalog, transaction: Transaction, plan: Plan, definition: Definition
) -> Outcome:
    kind, target = definition.statement_type, definition.target
    if kind.endswith("_SCHEMA"):
        return _define_dataset(catalog, transaction, definition)
    exists = catalog.has_table(target)
    if exists == kind.startswith("CREATE_") and definition.exists_ok and kind != "ALTER_TABLE":
        return _defined("SKIP", target)
    if kind.startswith("CREATE_"):
        replaced = None
        if exists and definition.replace:
            replaced = catalog.table(target)
            _check_kind(replaced, kind)
        _create(catalog, transaction, plan, definition, replaced)
        return _defined("CREATE" if replaced is None else "REPLACE", target)
    change = {"TRUNCATE_TABLE": _truncate, "ALTER_TABLE": _alter}.get(kind, _drop)
    return change(catalog, transaction, catalog.table(target), definition)


def _drop(
    catalog: Catalog, transaction: Transaction, table: Table, definition: Definition
) -> Outcome:
    _check_kind(table, definition.statement_type)
    catalog.delete_table(transaction, table)
    return _defined("DROP", table.name)


def _truncate(catalog: Catalog, transaction: Transaction, table: Table, _: Definition) -> Outcome:
    (rows,) = first(transaction.connection, f"DELETE FROM {table.relation}")
    catalog.touch(transaction, table)
    return Outcome(affected=int(rows))


def _alter(
    catalog: Catalog, transaction: Transaction, table: Table, definition: Definition
) -> Outcome:
    have = {one.name.lower() for one in table.fields}
    added = [one for one in definition.fields if one.name.lower() not in have]
    if len(added) < len(definition.fields) and not definition.exists_ok:
        raise InvalidQueryError(f"a column of that name exists in '{table.name}'")
    table = catalog.add_columns(transaction, table, added)
    body = {**table.body, "lastModifiedTime": str(now_ms())}
    catalog.put_table(transaction, replace(table, body=body))
    return _defined("ALTER", table.name)


def _create(
    catalog: Catalog,
    transaction: Transaction,
    plan: Plan,
    definition: Definition,
    replaced: Table | None,
) -> None:
    now = str(now_ms())
    body = {**definition.resource, "creationTime": now, "lastModifiedTime": now}
    fields, sql = definition.fields, ""
    if plan.sql:
        fields, sql = describe(transaction.connection, plan.sql)
    table = Table(definition.target, fields, body, definition.view_sql)
    is_view, staged = bool(definition.view_sql), ""
    if replaced is not None:
        if sql and not is_view:  # the query may read the table it replaces
            staged = f"temp.{new_name('replacement')}"
            transaction.connection.execute(f"CREATE TEMP TABLE {staged} AS {sql}")
            sql = f"FROM {staged}"
        catalog.delete_table(transaction, replaced)
    catalog.create_table(transaction, table, "" if is_view else sql, replaces=replaced is not None)
    if staged:
        transaction.connection.execute(f"DROP TABLE {staged}")


def _define_dataset(catalog: Catalog, transaction: Transaction, definition: Definition) -> Outcome:
    target = definition.target
    try:
        existing: Dataset | None = catalog.dataset(target.project, target.dataset)
    except NotFoundError:
        existing = None
    if definition.statement_type == "CREATE_SCHEMA":
        if existing is not None and definition.exists_ok:
            return Outcome(statistics={"ddlOperationPerformed": "SKIP"})
        now = str(now_ms())
        body = {"location": "US", **definition.resource, "creationTime": now}
        body["lastModifiedTime"] = now
        catalog.create_dataset(transaction, Dataset(target.project, target.dataset, body))
        return Outcome(statistics={"ddlOperationPerformed": "CREATE"})
    if existing is None:
        if definition.exists_ok:
            return Outcome(statistics={"ddlOperationPerformed": "SKIP"})
        raise NotFoundError(f"Not found: Dataset {target.project}:{target.dataset}")
    cascade = bool(definition.resource.get("cascade"))
    catalog.delete_dataset(transaction, existing, contents=cascade)
    return Outcome(statistics={"ddlOperationPerformed": "DROP"})


def _check_kind(table: Table, kind: str) -> None:
    is_view = bool(table.view_sql)
    if is_view != kind.endswith("_VIEW"):
        found = "view" if is_view else "table"
        raise InvalidQueryError(f"{kind.replace('_', ' ')}: '{table.name}' is a {found}")


def _defined(operation: str, target: TableName) -> Outcome:
    reference = {
        "projectId": target.project,
        "datasetId": target.dataset,
        "tableId": target.table,
    }
    return Outcome(statistics={"ddlOperationPerformed": operation, "ddlTargetTable": reference})


def _message(error: Exception) -> str:
    text = str(error)
    unknown = re.search(r'Referenced (?:column|table) "([^"]*)" not found', text)
    if unknown:
        return f"Unrecognized name: {unknown[1]}"
    for kind in ("Binder Error: ", "Invalid Input Error: ", "Catalog Error: ", "Parser Error: "):
        text = text.removeprefix(kind)
    return text.split("\n", 1)[0].strip()
