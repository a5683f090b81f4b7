"""Running SQL, with the result as an Arrow table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
from google.cloud import bigquery

from fraudline.warehouse.client import RETRY, Warehouse, translated


def query(
    warehouse: Warehouse, sql: str, parameters: Sequence[tuple[str, str, Any]] = ()
) -> pa.Table:
    """Run SQL and read its whole result through the Storage Read API.

    Args:
        warehouse: Its data set is the default one of the query.
        sql: GoogleSQL; `@name` refers to a parameter.
        parameters: Name, BigQuery type and value of each parameter.

    Raises:
        WarehouseError: BigQuery refuses the query; the message quotes why.
    """
    with translated("query"):
        result = _run(warehouse, sql, parameters).result(retry=RETRY, job_retry=None)
        return result.to_arrow(bqstorage_client=warehouse.read_client)


def query_pieces(
    warehouse: Warehouse, sql: str, parameters: Sequence[tuple[str, str, Any]] = ()
) -> Callable[[], Iterator[pa.RecordBatch]]:
    """Run SQL, and read its result piece by piece, as often as one likes; it is billed once.

    Args:
        warehouse: As for `query`, like the others.
        sql: Likewise. Without an ORDER BY the pieces come in any order.
        parameters: Likewise.

    Returns:
        What reads all rows, each time it is called, and holds a few pieces of them at a time.

    Raises:
        WarehouseError: BigQuery refuses the query; reading may raise it, too.
    """
    with translated("query"):
        job = _run(warehouse, sql, parameters)
        job.result(retry=RETRY, job_retry=None)

    def pieces() -> Iterator[pa.RecordBatch]:
        with translated("reading the result of a query"):
            result = job.result(retry=RETRY, job_retry=None)
            yield from result.to_arrow_iterable(
                bqstorage_client=warehouse.read_client, max_stream_count=1
            )

    return pieces


def change(warehouse: Warehouse, sql: str, parameters: Sequence[tuple[str, str, Any]] = ()) -> int:
    """Run SQL that changes rows of a table, all in one step; gives how many it changed.

    Raises:
        WarehouseError: BigQuery refuses it; the message quotes why.
    """
    with translated("changing a table"):
        job = _run(warehouse, sql, parameters)
        job.result(retry=RETRY, job_retry=None)
        return int(job.num_dml_affected_rows or 0)


def _run(
    warehouse: Warehouse, sql: str, parameters: Sequence[tuple[str, str, Any]]
) -> bigquery.QueryJob:
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter(*parameter) for parameter in parameters]
    )
    return warehouse.client.query(sql, job_config=config, retry=RETRY, job_retry=None)


def sql_literal(value: float | dt.date) -> str:
    """A number, a time or a date as it stands in GoogleSQL.

    Raises:
        TypeError: it is none of these, so that Python's way to print it would be no SQL.
    """
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"there is no literal here for a {type(value).__name__}, {value!r}")
