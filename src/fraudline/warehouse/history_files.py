"""Which files the history is made of: a table beside it, so that none of them is added twice.

The history itself has the contract's columns and no other. Each time it is loaded as a whole it
gets a mark, a label of the table; the files that were recorded under another mark are gone.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from google.cloud import bigquery

from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.load_job import run_load_job
from fraudline.warehouse.query import query
from fraudline.warehouse.tables import create_table

CONTENT_LABEL = "fraudline_content"
"""Label of the history table: which files it was loaded with as a whole, once that has ended."""
LOAD_LABEL = "fraudline_load"
"""Label of the history table: which load as a whole that was; none before there were appends."""
_LABEL_LENGTH = 63  # BigQuery's limit for the value of a label
_SCHEMA = pa.schema(
    [
        pa.field("load", pa.string(), nullable=False),
        pa.field("content", pa.string(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("row_count", pa.int64(), nullable=False),
        pa.field("loaded_at", pa.timestamp("us", "UTC"), nullable=False),
    ]
)


@dataclass(frozen=True)
class HistoryFile:
    """A file whose rows the history holds.

    Attributes:
        content: Hexadecimal digest of what it holds and of the contract that it was read by.
        file: Its name, for people.
        rows: How many of its rows the history holds.
    """

    content: str
    file: str
    rows: int


def content_label(content: str) -> str:
    """A digest as it stands in a label and in the table of files."""
    return content[:_LABEL_LENGTH]


def load_mark(table: bigquery.Table) -> str:
    """What names the load as a whole that the rows of a history table go back to."""
    labels = table.labels or {}
    return hashlib.sha256(
        f"{labels.get(LOAD_LABEL)} {labels.get(CONTENT_LABEL)}".encode()
    ).hexdigest()


def files_table(warehouse: Warehouse) -> str:
    """Name of the table of files in its data set."""
    return f"{warehouse.settings.table_history}_files"


def record_files(warehouse: Warehouse, table: bigquery.Table, files: Sequence[HistoryFile]) -> None:
    """Record files as part of the history; what is recorded twice is there once.

    Args:
        warehouse: The data set.
        table: The history, with the labels under which they are.
        files: At least one.

    Raises:
        WarehouseError: the table of files exists with other columns, or cannot be written.
    """
    create_files_table(warehouse)
    now = dt.datetime.now(dt.UTC)
    mark = load_mark(table)
    rows = pa.Table.from_pylist(
        [
            {
                "load": mark,
                "content": content_label(each.content),
                "file": each.file,
                "row_count": each.rows,
                "loaded_at": now,
            }
            for each in files
        ],
        schema=_SCHEMA,
    )
    run_load_job(warehouse, files_table(warehouse), rows, bigquery.WriteDisposition.WRITE_APPEND)


def recorded_files(warehouse: Warehouse, table: bigquery.Table) -> dict[str, HistoryFile]:
    """The files that the history is made of, as far as it is known, by `content_label`.

    Args:
        warehouse: The data set; the table of files is created if missing.
        table: The history.

    Raises:
        WarehouseError: the table of files cannot be read.
    """
    create_files_table(warehouse)
    rows = query(
        warehouse,
        f"SELECT content, file, row_count FROM `{warehouse.table(files_table(warehouse))}` "  # noqa: S608 - names come from settings
        "WHERE load = @load ORDER BY loaded_at, file",
        [("load", "STRING", load_mark(table))],
    ).to_pylist()
    return {
        row["content"]: HistoryFile(row["content"], row["file"], row["row_count"]) for row in rows
    }


def create_files_table(warehouse: Warehouse) -> None:
    """Create the table of files if it does not exist."""
    create_table(
        warehouse,
        files_table(warehouse),
        _SCHEMA,
        description="Files whose rows the history holds, by the load as a whole they belong to.",
        partition_by=None,
        cluster_by=(),
    )
