"""The table of labelled history: loaded as a whole, read back in one fixed order.

What is added to it later is `history_append`'s.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from google.cloud import bigquery

from fraudline.contract import Contract, conform
from fraudline.errors import InputError, WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.history_files import (
    CONTENT_LABEL,
    LOAD_LABEL,
    HistoryFile,
    content_label,
    record_files,
)
from fraudline.warehouse.history_sample import (
    HistorySample,
    choose_sample,
    drawn_condition,
    drawn_order,
)
from fraudline.warehouse.history_source import HistorySource, find_history
from fraudline.warehouse.load_job import run_load_job
from fraudline.warehouse.query import query, sql_literal
from fraudline.warehouse.tables import create_dataset, create_table


@dataclass(frozen=True)
class LoadResult:
    """What a load did.

    Attributes:
        table: Full name of the table.
        rows: Rows it holds now.
        is_new: False if the table held exactly this content already.
    """

    table: str
    rows: int
    is_new: bool


@dataclass(frozen=True)
class HistorySnapshot:
    """Which rows were read.

    Attributes:
        table: Full name of the table.
        query: The whole query, as it can be run again.
        read_at: When it was run.
        rows: How many rows it gave.
        sha256: Of their values in their order: the same digest is the same rows.
        sample: Which draw of a history that has too many rows; None if it was all of the period.
    """

    table: str
    query: str
    read_at: dt.datetime
    rows: int
    sha256: str
    sample: HistorySample | None = None


@dataclass(frozen=True)
class History:
    """Labelled transactions, oldest first, and a record of which rows they are.

    Attributes:
        rows: They.
        snapshot: Which they are.
        taken: How a table or view of somebody else's was read, in words; empty of our own.
    """

    rows: pa.Table
    snapshot: HistorySnapshot
    taken: str = ""


def load_history(
    warehouse: Warehouse,
    contract: Contract,
    history: pa.Table,
    content: str,
    files: Sequence[HistoryFile] = (),
) -> LoadResult:
    """Make the history table hold exactly these rows.

    Loading the same content again changes nothing: its digest is kept as a label of the table.
    The label is removed before the rows change, so an interrupted load is not mistaken for a
    finished one.

    Args:
        warehouse: The data set, which is created if missing.
        contract: What the rows are.
        history: The rows, with `contract.history_schema`.
        content: Hexadecimal digest of the rows' origin.
        files: Which files that is; one without a name if none is given.
    """
    create_dataset(warehouse)
    create_history_table(warehouse, contract)
    name = warehouse.table(warehouse.settings.table_history)
    what = f"loading table {name}"
    with translated(what):
        table = warehouse.client.get_table(name, retry=RETRY)
        label = content_label(content)
        if (table.labels or {}).get(CONTENT_LABEL) == label and table.num_rows == history.num_rows:
            return LoadResult(name, table.num_rows, is_new=False)
        table.labels = {
            **(table.labels or {}),
            CONTENT_LABEL: None,
            LOAD_LABEL: uuid.uuid4().hex,  # what was added before counts no more
        }
        table = warehouse.client.update_table(table, ["labels"], retry=RETRY)
    load_rows(warehouse, contract, history, bigquery.WriteDisposition.WRITE_TRUNCATE)
    with translated(what):
        table = warehouse.client.get_table(name, retry=RETRY)
        if table.num_rows != history.num_rows:
            raise WarehouseError(
                f"{what}: {history.num_rows} rows were sent, the table holds {table.num_rows}. "
                "Somebody else is writing to it; load again when they are done."
            )
        table.labels = {**(table.labels or {}), CONTENT_LABEL: label}
    record_files(warehouse, table, files or [HistoryFile(content, "", history.num_rows)])
    with translated(what):
        warehouse.client.update_table(table, ["labels"], retry=RETRY)
    return LoadResult(name, history.num_rows, is_new=True)


def create_history_table(warehouse: Warehouse, contract: Contract) -> None:
    """Create the history table, or check that the one that exists can hold the contract's rows.

    Raises:
        WarehouseError: the table exists with other columns.
    """
    create_table(
        warehouse,
        warehouse.settings.table_history,
        contract.history_schema,
        description=f"Labelled history ({contract.name}). {contract.description}"[:1024],
        partition_by=_partition_column(contract),
        cluster_by=_cluster_columns(contract),
    )


def load_rows(
    warehouse: Warehouse, contract: Contract, rows: pa.Table, write: str, job_id: str | None = None
) -> None:
    """Load rows into the history table, all or none, laid out as it is.

    Args:
        warehouse: The data set.
        contract: What the rows are.
        rows: With `contract.history_schema`.
        write: BigQuery's word for what is done with the rows that are there.
        job_id: Of the job; see `run_load_job`.
    """
    run_load_job(
        warehouse,
        warehouse.settings.table_history,
        rows,
        write,
        job_id=job_id,
        partition_by=_partition_column(contract),
        cluster_by=_cluster_columns(contract),
    )


def _partition_column(contract: Contract) -> str | None:
    return contract.event_time if contract.has_timestamps else None


def _cluster_columns(contract: Contract) -> list[str]:
    return [contract.label] if contract.column(contract.label).type == "int64" else []


def read_history(
    warehouse: Warehouse,
    contract: Contract,
    first: str | None = None,
    end: str | None = None,
    *,
    most_rows: int | None = None,
) -> History:
    """Read the history of a period, oldest first.

    Rows with the same event time are ordered by all other columns, so the same table always
    gives the same order and a training run can be repeated. Where there is no event time the
    order is drawn, by a hash of what a network sees.

    Args:
        warehouse: Where the history table is.
        contract: What its rows are.
        first: Event time of the earliest rows wanted, a number or an ISO 8601 time as the
            contract's event time is; a time without a zone is UTC. None: from the first row.
        end: Event time of the earliest rows no longer wanted. None: to the last row.
        most_rows: Of more than so many a draw is read; see `history_sample`. None reads all.

    Raises:
        InputError: the table has no row in the period, a row does not fit the contract, the
            period is invalid, or too many rows of it are frauds.
        WarehouseError: the table does not exist, does not fit the contract, or changed meanwhile.
    """
    limits = _limits(contract, first, end)
    source = find_history(warehouse, contract)
    table, conditions = source.table, _conditions(contract, *limits)
    before = _state(warehouse, table)
    sample = most_rows and choose_sample(
        warehouse, contract, source.sql, _where(conditions), most_rows
    )
    if sample:
        conditions.append(drawn_condition(contract, sample))
    sql = _select(source, contract, conditions)
    read_at = dt.datetime.now(dt.UTC)
    rows = query(warehouse, sql)
    after = _state(warehouse, table)
    if before != after:
        raise WarehouseError(
            f"table {table} changed while it was read: {before} before, {after} after, so it is "
            "not certain which rows these are. Nothing was trained; try again when whoever "
            "writes to it is done."
        )
    if rows.num_rows == 0:
        raise InputError(_nothing(warehouse, source, contract, first, end))
    rows, refusals = conform(rows, contract.columns)
    if refusals:
        order = f"order of '{contract.event_time}'" if contract.event_time else "the drawn order"
        raise InputError(
            f"{len(refusals):,} rows of table {table} do not fit contract '{contract.name}'. "
            f"The first: row {refusals[0].row} in {order}, {refusals[0].message}. "
            "`fraudline check` shows each column; fix the table, or choose another period."
        )
    digest = digest_of(rows)
    snapshot = HistorySnapshot(table, sql, read_at, rows.num_rows, digest, sample or None)
    return History(rows, snapshot, source.taken)


def _limits(contract: Contract, first: str | None, end: str | None) -> tuple[str, str]:
    """The two ends of a period as SQL literals; empty where there is none."""
    if contract.event_time is None and (first, end) != (None, None):
        raise InputError(
            f"contract '{contract.name}' has no event time, so its history has no periods: leave "
            "--from and --to out."
        )
    limits = [None if text is None else _parse_time(contract, text) for text in (first, end)]
    if limits[0] is not None and limits[1] is not None and limits[0] >= limits[1]:
        raise InputError(
            f"the period from {first} to {end} is empty: it has to end after it begins."
        )
    low, high = ("" if limit is None else sql_literal(limit) for limit in limits)
    return low, high


def _parse_time(contract: Contract, text: str) -> Any:
    column = contract.column(contract.event_time or "")
    try:
        return _moment(text) if column.type == "timestamp" else _finite(text)
    except ValueError:
        expected = (
            "a time such as 2026-01-31 or 2026-01-31T12:00:00Z"
            if column.type == "timestamp"
            else f"a number{f' of {column.unit}' if column.unit else ''}"
        )
        raise InputError(
            f"a period is given in terms of '{column.name}' of contract '{contract.name}': "
            f"expected {expected}, found {text[:100]!r}."
        ) from None


def _moment(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=dt.UTC)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _conditions(contract: Contract, low: str, high: str) -> list[str]:
    """The conditions of a period in SQL."""
    conditions = [f"`{contract.event_time}` >= {low}"] if low else []
    return conditions + ([f"`{contract.event_time}` < {high}"] if high else [])


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _select(source: HistorySource, contract: Contract, conditions: Sequence[str]) -> str:
    """The query for the rows of some conditions; its text alone says which rows were read."""
    columns = [column.name for column in contract.columns]
    first = contract.event_time
    order = ", ".join(
        [
            drawn_order(contract) if first is None else f"`{first}`",
            *(f"`{name}`" for name in columns if name != first),
        ]
    )
    where = _where(conditions)
    return f"SELECT {_quoted(columns)} FROM {source.sql}{where} ORDER BY {order}"  # noqa: S608 - names come from settings and a checked contract, limits were parsed


def _state(warehouse: Warehouse, table: str) -> str:
    """What stays the same as long as nobody writes to a table."""
    with translated(f"reading table {table}"):
        found = warehouse.client.get_table(table, retry=RETRY)
    if found.num_rows is None:  # of a view nothing tells that its rows change
        return f"defined {found.modified.isoformat()}"
    return f"{found.num_rows} rows, last modified {found.modified.isoformat()}"


def _nothing(
    warehouse: Warehouse,
    source: HistorySource,
    contract: Contract,
    first: str | None,
    end: str | None,
) -> str:
    time = contract.event_time
    if time is None:
        way = "" if source.taken else " Load labelled history with `fraudline load`."
        return f"table {source.table} is empty.{way}"
    sql = f"SELECT MIN(`{time}`) AS low, MAX(`{time}`) AS high FROM {source.sql}"  # noqa: S608 - as in _select
    found = query(warehouse, sql).to_pylist()[0]
    if found["low"] is None:
        way = "" if source.taken else " Load labelled history with `fraudline load`."
        return f"table {source.table} is empty.{way}"
    return (
        f"table {source.table} has no row with '{time}' from {first or 'its first'} to before "
        f"{end or 'its end'}; its rows range from {found['low']} to {found['high']}. "
        "Choose a period with `--from` and `--to`."
    )


def digest_of(rows: pa.Table) -> str:
    """SHA-256 of the values in their order, however they are split into batches."""
    digest = hashlib.sha256()
    bare = rows.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(_Hashed(digest), bare.schema) as stream:
        stream.write_table(bare)
    return digest.hexdigest()


class _Hashed(io.RawIOBase):
    """A file that only hashes what is written to it."""

    def __init__(self, digest: Any) -> None:
        self._digest = digest

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._digest.update(content)
        return len(content)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
