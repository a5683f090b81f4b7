"""Tables and views over REST."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa

from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.query_columns import describe
from bqlite.errors import InvalidError, UnsupportedError
from bqlite.relations import LOCATION, Table, TableName, now_ms
from bqlite.rest.call import Call, page
from bqlite.rest.datasets import merge
from bqlite.rest.values import rows_json
from bqlite.sql.plan import plan
from bqlite.sql.statement import Request
from bqlite.types import Field, conform, fields_from_schema, quote, schema_resource

_KEPT = {
    "description", "friendlyName", "labels", "expirationTime", "timePartitioning",
    "rangePartitioning", "clustering", "requirePartitionFilter",
}  # fmt: skip
_DERIVED = {
    "tableReference", "kind", "id", "etag", "selfLink", "creationTime", "lastModifiedTime", "type",
    "schema", "view", "numRows", "numBytes", "location", "numLongTermBytes", "streamingBuffer",
}  # fmt: skip
MAX_PAGE_BYTES = 20 << 20  # of rows as JSON, as in BigQuery; a page has one row in any case
_TURNS = threading.BoundedSemaphore(8)  # pages that are made at a time
_FIRST_CELLS, _MOST_CELLS = 20_000, 1_000_000  # rows x columns read before a row's size is known
# In Arrow's form: what becomes JSON at a time, and what is read at a time.
_PIECE_BYTES, _NEXT_BYTES = 1 << 20, 8 << 20


def insert(call: Call) -> dict[str, Any]:
    """Creates a table or view."""
    call.allow()
    body = call.json
    reference = body.get("tableReference") or {}
    name = TableName(
        str(reference.get("projectId") or call.project),
        str(reference.get("datasetId") or call.path["dataset"]),
        str(reference.get("tableId", "")),
    )
    now = str(now_ms())
    kept = {**_kept(body), "creationTime": now, "lastModifiedTime": now}
    view_sql = _view_sql(body)
    fields = _view_fields(call, view_sql) if view_sql else fields_from_schema(body.get("schema"))
    catalog = call.services.catalog
    with catalog.engine.write() as transaction:
        table = catalog.create_table(transaction, Table(name, fields, kept, view_sql))
    return resource(table, call)


def get(call: Call) -> dict[str, Any]:
    """One table."""
    call.allow("selectedFields")
    return resource(call.services.catalog.table(call.table_name), call)


def patch(call: Call) -> dict[str, Any]:
    """Changes what is said of a table; may add or relax columns, never removes or retypes one."""
    call.allow("autodetect_schema")
    body = call.json
    changes, catalog = _kept(body), call.services.catalog
    with catalog.engine.write() as transaction:
        table = catalog.table(call.table_name)
        call.check_etag(table.etag)
        if table.is_temporary:
            raise InvalidError(f"'{table.name}' is a query's result and cannot be changed")
        if body.get("schema") is not None and not table.view_sql:
            given = fields_from_schema(body["schema"])
            table = _with_schema(call, transaction, table, given)
        if body.get("view") is not None:
            sql = _view_sql(body)
            table = replace(table, view_sql=sql, fields=_view_fields(call, sql))
        kept = merge(table.body, changes)
        kept["lastModifiedTime"] = str(now_ms())
        table = replace(table, body=kept)
        catalog.put_table(transaction, table)
    return resource(table, call)


def delete(call: Call) -> None:
    """Removes a table or view."""
    call.allow()
    catalog = call.services.catalog
    table = catalog.table(call.table_name)
    if table.is_temporary:
        catalog.drop_temporary(table)
        return
    with catalog.engine.write() as transaction:
        catalog.delete_table(transaction, catalog.table(call.table_name))


def list_(call: Call) -> dict[str, Any]:
    """The data set's tables and views."""
    call.allow("maxResults", "pageToken")
    tables = call.services.catalog.tables(call.project, call.path["dataset"])
    items, token = page(tables, call)
    keys = (
        "kind", "id", "tableReference", "type", "labels", "timePartitioning", "friendlyName",
        "clustering", "rangePartitioning", "creationTime", "expirationTime", "view",
    )  # fmt: skip
    listed = []
    for table in items:
        whole = _described(table)
        listed.append({key: whole[key] for key in keys if key in whole})
    answer: dict[str, Any] = {
        "kind": "bigquery#tableList",
        "tables": listed,
        "totalItems": len(tables),
    }
    if token is not None:
        answer["nextPageToken"] = token
    return answer


def list_rows(call: Call) -> dict[str, Any]:
    """A page of a table's rows (`tabledata.list`)."""
    call.allow("maxResults", "pageToken", "startIndex", "selectedFields")
    catalog = call.services.catalog
    table = catalog.table(call.table_name)
    if table.view_sql:
        raise InvalidError(f"Cannot list a table of type VIEW: '{table.name}'")
    selected = call.query.get("selectedFields", "")
    fields = table.select(selected.split(",") if selected else ())
    total = catalog.sizes.rows(table)
    start = call.number("pageToken", call.number("startIndex", 0))
    rows, token = read_page(call, table, fields, start, total)
    answer: dict[str, Any] = {
        "kind": "bigquery#tableDataList",
        "totalRows": str(total),
        "rows": rows,
    }
    if token is not None:
        answer["pageToken"] = token
    return answer


def read_page(
    call: Call, table: Table, fields: tuple[Field, ...], start: int, total: int
) -> tuple[list[Any] | msgspec.Raw, str | None]:
    """The rows from `start` that fit one page, and the token of the next."""
    wanted = call.number("maxResults", total)
    if wanted == 0 or start >= total:
        return [], str(start) if start < total else None
    is_integer = call.query.get("formatOptions.useInt64Timestamp", "false").lower() == "true"
    last, end, pieces = min(total, start + wanted), start, list[bytes]()
    left = MAX_PAGE_BYTES
    with _TURNS:
        for batch in _batches(call, table, fields, start, last):
            pieces.append(rows_json(conform(batch, fields), fields, int64_timestamps=is_integer))
            end += batch.num_rows
            left -= len(pieces[-1])
            if left <= 0:
                break
    whole = b"".join((b"[", b",".join(pieces), b"]"))
    return msgspec.Raw(whole), str(end) if start < end < total else None


def _batches(
    call: Call, table: Table, fields: tuple[Field, ...], start: int, end: int
) -> Iterator[pa.RecordBatch]:
    """A table's rows in batches of about `_PIECE_BYTES`, read only as far as they are taken."""
    columns, width = ", ".join(quote(one.name) for one in fields), max(1, len(fields))
    size, most = max(1, _FIRST_CELLS // width), max(1, _MOST_CELLS // width)
    with call.services.catalog.engine.cursor() as cursor, sql_errors():
        while start < end:
            size = min(size, most, end - start)
            found = cursor.sql(
                f"SELECT {columns} FROM {table.relation} LIMIT {size} OFFSET {start}"
            ).to_arrow_table()
            if not found.num_rows:
                return  # they were deleted meanwhile
            piece = max(1, found.num_rows * _PIECE_BYTES // max(1, found.nbytes))
            yield from found.to_batches(max_chunksize=piece)
            start += found.num_rows
            size = max(1, found.num_rows * _NEXT_BYTES // max(1, found.nbytes))


def reference(name: TableName) -> dict[str, str]:
    """A `TableReference`."""
    return {"projectId": name.project, "datasetId": name.dataset, "tableId": name.table}


def resource(table: Table, call: Call) -> dict[str, Any]:
    """A table as REST writes it, with its size."""
    catalog = call.services.catalog
    path = f"projects/{table.name.project}/datasets/{table.name.dataset}/tables/{table.name.table}"
    whole = _described(table)
    whole["selfLink"] = f"{call.services.address}/bigquery/v2/{path}"
    if not table.view_sql:
        whole["numRows"] = str(catalog.sizes.rows(table))
        whole["numBytes"] = str(sum(catalog.sizes.columns(table).values()))
    return whole


def _described(table: Table) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "kind": "bigquery#table",
        "id": f"{table.name.project}:{table.name.dataset}.{table.name.table}",
        "etag": table.etag,
        "tableReference": reference(table.name),
        "type": "VIEW" if table.view_sql else "TABLE",
        "location": LOCATION,
        "schema": schema_resource(table.fields),
        **table.body,
    }
    if table.view_sql:
        whole["view"] = {"query": table.view_sql, "useLegacySql": False}
    return whole


def _view_sql(body: dict[str, Any]) -> str:
    view = body.get("view")
    if not view:
        return ""
    if view.get("useLegacySql", False):
        raise UnsupportedError("bqlite does not support legacy SQL", location="view.useLegacySql")
    return str(view.get("query", ""))


def _view_fields(call: Call, view_sql: str) -> tuple[Field, ...]:
    catalog = call.services.catalog
    planned = plan(Request(view_sql, call.project), catalog)
    if not planned.is_query:
        raise InvalidError("a view's query must be a SELECT")
    with catalog.engine.cursor() as cursor, sql_errors():
        return describe(cursor, planned.sql)[0]


def _with_schema(call: Call, transaction: Any, table: Table, given: tuple[Field, ...]) -> Table:
    """The table with what `given` adds or relaxes; refuses any other change."""
    by_name = {one.name.lower(): one for one in given}
    kept = []
    for one in table.fields:
        new = by_name.pop(one.name.lower(), None)
        if new is None:
            raise InvalidError(
                f"Provided Schema does not match Table {table.name}. Field {one.name} is missing "
                "in new schema"
            )
        if new == replace(one, name=new.name, mode="NULLABLE") and one.mode == "REQUIRED":
            call.services.catalog.relax(transaction, table, one)
        elif new != replace(one, name=new.name):
            raise InvalidError(
                f"Provided Schema does not match Table {table.name}. Field {one.name} has changed "
                f"from {one.mode} {one.sql} to {new.mode} {new.sql}"
            )
        kept.append(replace(one, mode=new.mode, description=new.description))
    table = replace(table, fields=tuple(kept))
    added = [one for one in given if one.name.lower() in by_name]
    return call.services.catalog.add_columns(transaction, table, added)


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    for key in sorted(body.keys() - _KEPT - _DERIVED):
        if body[key] not in (None, False, [], {}):
            raise UnsupportedError(f"bqlite does not support a table's '{key}'", location=key)
    return {key: body[key] for key in _KEPT if key in body}
