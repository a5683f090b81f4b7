"""`tabledata.insertAll`: rows as JSON, checked one by one, with Google's de-duplication."""

from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa

from bqlite.cells import to_array
from bqlite.database.duckdb_errors import sql_errors
from bqlite.errors import InvalidError, RequestTooLargeError, UnsupportedError
from bqlite.json_cells import CellError, record
from bqlite.relations import Table
from bqlite.rest.call import Call

# https://cloud.google.com/bigquery/quotas#streaming_inserts
MAX_REQUEST_BYTES = 10 << 20
MAX_ROWS = 50_000
MAX_INSERT_ID = 128


class _Row(msgspec.Struct):
    json: dict[str, Any]
    insertId: str | None = None  # noqa: N815  # Google's name


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[_Row] = []
    skipInvalidRows: bool = False  # noqa: N815  # Google's name
    ignoreUnknownValues: bool = False  # noqa: N815  # Google's name
    templateSuffix: str = ""  # noqa: N815  # Google's name
    kind: str = ""
    traceId: str = ""  # noqa: N815  # Google's name


_decode = msgspec.json.Decoder(_Request, float_hook=Decimal).decode


def insert_all(call: Call) -> dict[str, Any]:
    """Stores the rows; those that are wrong are named, and none or only the good ones stored."""
    call.allow()
    request = _request(call.body)
    catalog = call.services.catalog
    table = catalog.writable(call.table_name)
    columns, errors = _columns(request, table)
    with sql_errors(), catalog.engine.write() as transaction:
        current = catalog.writable(call.table_name)
        if current.fields != table.fields:  # changed while the rows were being read
            columns, errors = _columns(request, current)
        if errors and not request.skipInvalidRows:
            return _answer(errors, len(request.rows))
        good = [row for number, row in enumerate(request.rows) if number not in errors]
        ids = [row.insertId for row in good]
        new = call.services.insert_ids.new(current, ids)
        if new:
            catalog.insert(transaction, current, columns.take(new))
        transaction.after_commit(lambda: call.services.insert_ids.remember(current, ids))
    return _answer(errors, 0)


def _request(body: bytes) -> _Request:
    if len(body) > MAX_REQUEST_BYTES:
        raise RequestTooLargeError(
            f"the request has {len(body)} bytes, more than {MAX_REQUEST_BYTES}"
        )
    try:
        request = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"insertAll: {error}") from error
    if request.templateSuffix:
        raise UnsupportedError("bqlite does not support insertAll's templateSuffix")
    if not request.rows:
        raise InvalidError("No rows present in the request.")
    if len(request.rows) > MAX_ROWS:
        raise InvalidError(
            f"too many rows present in the request, limit: {MAX_ROWS} row count: "
            f"{len(request.rows)}."
        )
    if any(len(row.insertId or "") > MAX_INSERT_ID for row in request.rows):
        raise InvalidError(f"an insertId is longer than {MAX_INSERT_ID} characters")
    return request


def _columns(request: _Request, table: Table) -> tuple[pa.Table, dict[int, dict[str, str]]]:
    """The good rows as the table's columns, and what is wrong with each bad one."""
    cells, errors = [], {}
    for number, row in enumerate(request.rows):
        try:
            cells.append(
                record(table.fields, row.json, "", ignores_unknown=request.ignoreUnknownValues)
            )
        except CellError as error:
            errors[number] = _error("invalid", error.location, error.message)
    unfit: list[tuple[int, str]] = []
    arrays = [to_array([row[one.name] for row in cells], one, unfit) for one in table.fields]
    assert not unfit, unfit  # `record` has checked each value
    return pa.Table.from_arrays(arrays, names=[one.name for one in table.fields]), errors


def _answer(errors: dict[int, dict[str, str]], stopped: int) -> dict[str, Any]:
    """What is wrong with which row; the first `stopped` rows that are right were not stored."""
    told = {**{number: _error("stopped", "", "") for number in range(stopped)}, **errors}
    answer: dict[str, Any] = {"kind": "bigquery#tableDataInsertAllResponse"}
    if told:
        answer["insertErrors"] = [{"index": n, "errors": [one]} for n, one in sorted(told.items())]
    return answer


def _error(reason: str, location: str, message: str) -> dict[str, str]:
    return {"reason": reason, "location": location, "debugInfo": "", "message": message}
