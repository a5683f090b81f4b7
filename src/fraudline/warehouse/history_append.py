"""Rows added to the history, file by file: each once, however often it is asked for.

A file's load job is named by the load as a whole that it adds to and by the file's content, and
BigQuery runs a job of one name once. So an append that was killed is done again from its begin:
what had been added is found by its record or its job, and the rest is added.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from google.api_core import exceptions as google_errors
from google.cloud import bigquery

from fraudline.contract import Contract
from fraudline.contract.id_texts import id_column
from fraudline.errors import WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.history_files import (
    CONTENT_LABEL,
    LOAD_LABEL,
    HistoryFile,
    content_label,
    load_mark,
    record_files,
    recorded_files,
)
from fraudline.warehouse.history_table import create_history_table, load_rows
from fraudline.warehouse.id_sql import id_sql
from fraudline.warehouse.load_job import has_run
from fraudline.warehouse.query import query_pieces
from fraudline.warehouse.tables import create_dataset

_IDS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class AppendResult:
    """What an append did.

    Attributes:
        table: Full name of the table.
        rows: Rows it holds now.
        added: Digests of the files whose rows came now, in the order given.
        files: Every file that it is known to be made of, oldest first.
        known_ids: How many of the ids that came now were there already.
        example: One of them; empty if there is none.
    """

    table: str
    rows: int
    added: list[str]
    files: list[HistoryFile]
    known_ids: int
    example: str


def append_history(
    warehouse: Warehouse,
    contract: Contract,
    files: Sequence[tuple[HistoryFile, pa.Table]],
    on_known: Callable[[HistoryFile], None] = lambda _: None,
) -> AppendResult:
    """Add the rows of files to the history; of a file that it holds already, none.

    Args:
        warehouse: The data set; it and the table are created if missing.
        contract: What the rows are.
        files: Each with its rows, of `contract.history_schema`; no content twice.
        on_known: Called with each file that is there already.

    Raises:
        WarehouseError: the table does not fit the contract, the last load of the whole history did
            not end, or BigQuery does not take the rows. Files before the one at fault are added.
    """
    create_dataset(warehouse)
    create_history_table(warehouse, contract)
    table = _adopted(warehouse)
    known = recorded_files(warehouse, table)
    new = []
    for file, rows in files:
        if content_label(file.content) in known:
            on_known(file)
        else:
            new.append((file, rows))
    # What an append that was killed has sent would be told as there already.
    unsent = [rows for file, rows in new if not has_run(warehouse, _job(table, file))]
    known_ids, example = _count_known_ids(warehouse, contract, unsent)
    for file, rows in new:
        load_rows(
            warehouse,
            contract,
            rows,
            bigquery.WriteDisposition.WRITE_APPEND,
            _job(table, file),
        )
        record_files(warehouse, table, [file])
    now = _history(warehouse)
    if load_mark(now) != load_mark(table):
        raise WarehouseError(
            f"table {now.reference} was loaded anew while rows were added to it, so it is not "
            "certain which it holds. Load the whole history again when nobody else does."
        )
    known |= {content_label(file.content): file for file, _ in new}
    added = [file.content for file, _ in new]
    return AppendResult(
        str(now.reference), now.num_rows, added, list(known.values()), known_ids, example
    )


def _history(warehouse: Warehouse) -> bigquery.Table:
    name = warehouse.table(warehouse.settings.table_history)
    with translated(f"reading table {name}"):
        return warehouse.client.get_table(name, retry=RETRY)


def _adopted(warehouse: Warehouse) -> bigquery.Table:
    """The history with the labels under which its files are recorded.

    A table of before there were appends, and one that somebody else filled, is given them; of the
    first it is known which file it holds.
    """
    while True:
        table = _history(warehouse)
        labels = table.labels or {}
        if LOAD_LABEL in labels and CONTENT_LABEL in labels:
            return table
        if LOAD_LABEL in labels:
            raise WarehouseError(
                f"the last load of table {table.reference} as a whole did not end, so it may hold "
                "rows of before. Run that `fraudline load` again, without --append, and add to it "
                "then."
            )
        content = labels.get(CONTENT_LABEL)
        table.labels = {
            **labels,
            LOAD_LABEL: uuid.uuid4().hex,
            CONTENT_LABEL: content or "unknown",
        }
        if content is not None:  # before the labels: without them it is adopted anew
            record_files(warehouse, table, [HistoryFile(content, "", table.num_rows)])
        with translated(f"labelling table {table.reference}"):
            try:
                return warehouse.client.update_table(table, ["labels"], retry=RETRY)
            except google_errors.PreconditionFailed:
                continue  # another process has adopted it in the meantime


def _job(table: bigquery.Table, file: HistoryFile) -> str:
    named = f"{table.reference} {load_mark(table)} {content_label(file.content)}"
    return f"fraudline_append_{hashlib.sha256(named.encode()).hexdigest()[:40]}"


def _count_known_ids(
    warehouse: Warehouse, contract: Contract, tables: Sequence[pa.Table]
) -> tuple[int, str]:
    """How many different ids of some rows the history holds already, and one of them."""
    if contract.id is None or not tables:
        return 0, ""
    names = contract.id_columns
    ids = id_column(pa.concat_tables(tables), names).unique()
    name = warehouse.table(warehouse.settings.table_history)
    expression = f"`{names[0]}`" if len(names) == 1 else id_sql(names)
    sql = f"SELECT DISTINCT {expression} AS id FROM `{name}`"  # noqa: S608 - names come from settings and a checked contract
    count, example = 0, ""
    for piece in _larger(query_pieces(warehouse, sql)()):
        there = piece.filter(pc.is_in(piece, value_set=ids))
        count += len(there)
        example = example or (str(there[0].as_py()) if len(there) else "")
    return count, example


def _larger(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.ChunkedArray]:
    """The first column, in fewer and larger pieces: each costs a look at all that is looked for."""
    kept: list[pa.Array] = []
    for batch in batches:
        kept.append(batch.column(0))
        if sum(map(len, kept)) >= _IDS_AT_ONCE:
            yield pa.chunked_array(kept)
            kept = []
    if kept:
        yield pa.chunked_array(kept)
