"""The table that rows are about to be written to: made, emptied, widened or checked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bqlite.database.catalog import Catalog
from bqlite.database.engine import Transaction
from bqlite.errors import DuplicateError, InvalidError, NotFoundError, UnsupportedError
from bqlite.relations import Table, TableName, create_relation, now_ms
from bqlite.types import Field


@dataclass(frozen=True)
class Destination:
    """Where the user wants a query's rows."""

    name: TableName
    create: str = "CREATE_IF_NEEDED"
    write: str = "WRITE_EMPTY"
    adds_columns: bool = False


def adds_columns(options: Mapping[str, Any]) -> bool:
    """Whether a job's `schemaUpdateOptions` let it add columns to its destination."""
    wanted = set(options.get("schemaUpdateOptions") or ())
    if wanted - {"ALLOW_FIELD_ADDITION"}:
        raise UnsupportedError(
            f"bqlite does not support schemaUpdateOptions {min(wanted)}, only ALLOW_FIELD_ADDITION"
        )
    return bool(wanted)


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
    if destination.write == "WRITE_EMPTY" and catalog.sizes.rows(table):
        raise DuplicateError(f"Already Exists: Table {name.project}:{name.dataset}.{name.table}")
    if destination.write == "WRITE_TRUNCATE":
        transaction.connection.execute(f"DROP TABLE {table.relation}")
        for stream in catalog.streams.of(name):
            if stream.is_waiting and fields != table.fields:  # its rows have the old columns
                catalog.streams.forget(transaction, stream)
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
