"""Runs a plan: a query's rows go to a result table, DML and DDL change the store."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import re
from typing import Any

import duckdb

from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.engine import Transaction, first
from bqlite.database.query_columns import describe, field_from_duckdb
from bqlite.errors import (
    InvalidQueryError,
    UnsupportedError,
)
from bqlite.relations import Table, new_name, temporary
from bqlite.sql.statement import Plan
from bqlite.types import ACCEPTED, Field, quote
from bqlite.work.definitions import define
from bqlite.work.destination import Destination, prepare_target
from bqlite.work.outcome import Outcome, Store


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
                outcome = define(catalog, transaction, plan, plan.definition)
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


def _change(catalog: Catalog, transaction: Transaction, plan: Plan) -> Outcome:
    assert plan.target is not None
    table = catalog.table(plan.target)
    sql = plan.sql
    if plan.insert_sql:
        sql = _insert(transaction.connection, plan, table)
    if plan.twice_sql and transaction.connection.execute(plan.twice_sql).fetchall():
        raise InvalidQueryError(
            "UPDATE/MERGE must match at most one source row for each target row"
        )
    count = int(first(transaction.connection, sql)[0])
    catalog.touch(transaction, table)
    keys = {"INSERT": "insertedRowCount", "UPDATE": "updatedRowCount", "DELETE": "deletedRowCount"}
    statistics: dict[str, Any] = {}
    if plan.statement_type in keys:
        statistics["dmlStats"] = {keys[plan.statement_type]: str(count)}
    return Outcome(affected=count, statistics=statistics)


def _insert(connection: duckdb.DuckDBPyConnection, plan: Plan, table: Table) -> str:
    """An INSERT's SQL; refuses what BigQuery does not coerce, where DuckDB would round or print."""
    relation = connection.sql(plan.insert_sql)
    assert relation is not None
    if len(relation.types) != len(plan.insert_columns):
        raise InvalidQueryError(
            f"Inserted row has wrong column count; Has {len(relation.types)}, expected "
            f"{len(plan.insert_columns)}"
        )
    by_name = {one.name.lower(): one for one in table.fields}
    values: list[str] = []
    for name, kind in zip(plan.insert_columns, relation.types, strict=True):
        one = by_name.get(name.lower())
        if one is None:
            raise InvalidQueryError(f"Column {name} is not present in table {table.name}")
        values.append(one.stored(f"c{len(values)}"))
        _check_members(one, kind)
        if one.mode == "REPEATED" or one.type not in ACCEPTED:
            continue
        if not re.fullmatch(rf'{ACCEPTED[one.type]}|"?NULL"?', str(kind)):
            found = field_from_duckdb(name, kind).sql
            raise InvalidQueryError(
                f"Query column has type {found} which cannot be inserted into column {name}, "
                f"which has type {one.sql}"
            )
    names = ", ".join(f"c{i}" for i in range(len(values)))
    columns = ", ".join(quote(name) for name in plan.insert_columns)
    return (
        f"INSERT INTO {table.relation} ({columns}) SELECT {', '.join(values)} "
        f"FROM ({plan.insert_sql}) AS q({names})"
    )


def _check_members(one: Field, kind: Any) -> None:
    """DuckDB would match the fields of a STRUCT by name, where BigQuery counts them."""
    if kind.id == "list":
        ((_, kind),) = kind.children
    if one.type != "RECORD" or kind.id != "struct":
        return  # a row has no names, so it goes by position; DuckDB refuses everything else
    members = list(kind.children)
    if [name.lower() for name, _ in members] != [m.name.lower() for m in one.fields]:
        raise UnsupportedError(
            f"a STRUCT without the names of {one.name}'s fields, in their order, is not supported "
            "by bqlite"
        )
    for mine, (_, theirs) in zip(one.fields, members, strict=True):
        _check_members(mine, theirs)
