"""Carries out DDL: CREATE, DROP, ALTER and TRUNCATE change the catalog and the store together."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

from dataclasses import replace

from bqlite.database.catalog import Catalog
from bqlite.database.engine import Transaction, first
from bqlite.database.query_columns import describe
from bqlite.errors import InvalidQueryError, NotFoundError
from bqlite.relations import Dataset, Table, TableName, new_name, now_ms
from bqlite.sql.statement import Definition, Plan
from bqlite.work.outcome import Outcome


def define(
    catalog: Catalog, transaction: Transaction, plan: Plan, definition: Definition
) -> Outcome:
    """Carries out one definition; raises `BqliteError` if it cannot, and then nothing changed."""
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
    body = {**table.body, **definition.resource, "lastModifiedTime": str(now_ms())}
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
