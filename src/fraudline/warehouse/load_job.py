"""Rows into a table by a load job: all of them or none, and once, however often it is asked for."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core import exceptions as google_errors
from google.cloud import bigquery

from fraudline.errors import WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.schema import table_schema


def run_load_job(
    warehouse: Warehouse,
    name: str,
    rows: pa.Table,
    write: str,
    *,
    job_id: str | None = None,
    partition_by: str | None = None,
    cluster_by: Sequence[str] = (),
) -> None:
    """Load rows into a table.

    Args:
        warehouse: The data set.
        name: Name of the table in it.
        rows: With the table's columns.
        write: BigQuery's word for what is done with the rows that are there.
        job_id: What names the rows. BigQuery runs a job of one name once: where one has run well,
            whoever sent it, nothing is sent again; one that failed is tried under the next number.
        partition_by: As the table is laid out.
        cluster_by: Likewise.

    Raises:
        WarehouseError: BigQuery did not take the rows; none of them is there.
    """
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        schema=table_schema(rows.schema),
        write_disposition=write,
    )
    if partition_by is not None:
        config.time_partitioning = bigquery.TimePartitioning(field=partition_by)
    config.clustering_fields = list(cluster_by) or None
    what = f"loading table {warehouse.table(name)}"
    for attempt in itertools.count():
        numbered = job_id and f"{job_id}_{attempt}"
        with translated(what):
            job: Any = None if numbered is None else _find_job(warehouse, numbered)
            is_ours = job is None
            if job is None:
                try:
                    job = _send(warehouse, name, rows, config, numbered)
                except google_errors.Conflict:  # somebody sent the same a moment ago
                    assert numbered is not None
                    job, is_ours = warehouse.client.get_job(numbered, **_place(warehouse)), False
            try:
                job.result(retry=RETRY)
            except google_errors.GoogleAPICallError:
                if is_ours or job.error_result is None:
                    raise
                continue
        if job.output_rows != rows.num_rows:
            raise WarehouseError(
                f"{what}: {rows.num_rows:,} rows were sent, job {job.job_id} wrote "
                f"{job.output_rows}. Look at the job, and load the whole history anew."
            )
        return


def has_run(warehouse: Warehouse, job_id: str) -> bool:
    """Whether a job of `run_load_job` of this name runs, or has run well.

    Raises:
        WarehouseError: BigQuery cannot be asked.
    """
    for attempt in itertools.count():
        with translated("looking for a load job"):
            job = _find_job(warehouse, f"{job_id}_{attempt}")
        if job is None or job.error_result is None:
            return job is not None
    raise AssertionError


def _send(
    warehouse: Warehouse,
    name: str,
    rows: pa.Table,
    config: bigquery.LoadJobConfig,
    job_id: str | None,
) -> bigquery.LoadJob:
    with tempfile.TemporaryFile() as file:
        pq.write_table(rows, file)
        file.seek(0)
        return warehouse.client.load_table_from_file(
            file, warehouse.table(name), job_id=job_id, job_config=config
        )


def _find_job(warehouse: Warehouse, job_id: str) -> Any | None:
    try:
        return warehouse.client.get_job(job_id, **_place(warehouse))
    except google_errors.NotFound:
        return None


def _place(warehouse: Warehouse) -> dict[str, Any]:
    settings = warehouse.settings
    return {"project": settings.project, "location": settings.location, "retry": RETRY}
