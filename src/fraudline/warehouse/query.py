"""Running SQL, with the result as an Arrow table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
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
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter(*parameter) for parameter in parameters]
    )
    with translated("query"):
        job = warehouse.client.query(sql, job_config=config, retry=RETRY, job_retry=None)
        result = job.result(retry=RETRY, job_retry=None)
        return result.to_arrow(bqstorage_client=warehouse.read_client)


def sql_literal(value: float | dt.datetime) -> str:
    """A number or a time as it stands in GoogleSQL.

    Raises:
        TypeError: it is neither, so that Python's way to print it would be no SQL.
    """
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"there is no literal here for a {type(value).__name__}, {value!r}")
