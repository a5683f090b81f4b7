"""Labelled history: loaded whole, read back in one fixed order."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from fraudline.contract import Contract, arrow_schema
from fraudline.errors import InputError, WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.query import query
from fraudline.warehouse.schema import table_schema
from fraudline.warehouse.tables import create_dataset, create_table

_LOADED_LABEL = "fraudline_content"
_LABEL_LENGTH = 63  # BigQuery's limit for the value of a label


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    Attributes:
        table: Full name of the table.
        rows: Rows it holds now.
        is_new: False if the table held exactly this content already.
    """

    table: str
    rows: int
    is_new: bool


def load_history(
    warehouse: Warehouse, contract: Contract, history: pa.Table, content: str
) -> Loaded:
    """Make the history table hold exactly these rows.

    The same content again changes nothing: its digest is kept as a label of the table. The
    label is taken away before the rows change, so a load that is cut short is not taken for
    a finished one.

    Args:
        warehouse: The data set, created if missing.
        contract: What the rows are.
        history: The rows, with `contract.history_schema`.
        content: Hexadecimal digest of the rows' origin.
    """
    create_dataset(warehouse)
    name = warehouse.settings.table_history
    create_table(
        warehouse,
        name,
        contract.history_schema,
        description=f"Labelled history ({contract.name}). {contract.description}"[:1024],
        partition_by=_partition_column(contract),
        cluster_by=_cluster_columns(contract),
    )
    what = f"loading table {warehouse.table(name)}"
    with translated(what):
        table = warehouse.client.get_table(warehouse.table(name), retry=RETRY)
        digest = content[:_LABEL_LENGTH]
        if (table.labels or {}).get(_LOADED_LABEL) == digest and table.num_rows == history.num_rows:
            return Loaded(warehouse.table(name), table.num_rows, is_new=False)
        table.labels = {**(table.labels or {}), _LOADED_LABEL: None}
        warehouse.client.update_table(table, ["labels"], retry=RETRY)
        _run_load_job(warehouse, contract, history, warehouse.table(name))
        table = warehouse.client.get_table(warehouse.table(name), retry=RETRY)
        if table.num_rows != history.num_rows:
            raise WarehouseError(
                f"{what}: {history.num_rows} rows were sent, the table holds {table.num_rows}. "
                "Somebody else writes to it; load again when they are done."
            )
        table.labels = {**(table.labels or {}), _LOADED_LABEL: digest}
        warehouse.client.update_table(table, ["labels"], retry=RETRY)
    return Loaded(warehouse.table(name), history.num_rows, is_new=True)


def _run_load_job(warehouse: Warehouse, contract: Contract, history: pa.Table, table: str) -> None:
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        schema=table_schema(contract.history_schema),
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
    )
    partition_column = _partition_column(contract)
    if partition_column is not None:
        config.time_partitioning = bigquery.TimePartitioning(field=partition_column)
    config.clustering_fields = _cluster_columns(contract) or None
    with tempfile.TemporaryFile() as file:
        pq.write_table(history, file)
        file.seek(0)
        job = warehouse.client.load_table_from_file(file, table, job_config=config)
        job.result(retry=RETRY)


def _partition_column(contract: Contract) -> str | None:
    is_timestamp = contract.column(contract.event_time).type == "timestamp"
    return contract.event_time if is_timestamp else None


def _cluster_columns(contract: Contract) -> list[str]:
    return [contract.label] if contract.column(contract.label).type == "int64" else []


def read_history(warehouse: Warehouse, contract: Contract) -> pa.Table:
    """Read the whole history, oldest first.

    Rows of the same event time are ordered by all other columns, so the same table always
    gives the same order and a training run can be repeated.

    Raises:
        InputError: the table is empty.
        WarehouseError: the table does not exist or has other columns.
    """
    name = warehouse.table(warehouse.settings.table_history)
    columns = [column.name for column in contract.columns]
    order = [contract.event_time, *(name for name in columns if name != contract.event_time)]
    history = query(
        warehouse,
        f"SELECT {_quoted(columns)} FROM `{name}` ORDER BY {_quoted(order)}",  # noqa: S608 - names come from settings and a checked contract
    ).cast(arrow_schema(contract.columns))
    if history.num_rows == 0:
        raise InputError(f"table {name} is empty. Load labelled history with `fraudline load`.")
    return history


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
