"""A CSV or Parquet file of transactions, or of labels, made to fit its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from fraudline.contract import Column, Contract, Refusal, RefusalGroup, conform, group_refusals
from fraudline.datasets.as_columns import as_columns
from fraudline.datasets.cache import sha256_of
from fraudline.datasets.csv_rows import merged, read_csv
from fraudline.datasets.file_content import kind_of, read_content, read_text
from fraudline.errors import ContractError, InputError, RefusedRowsError

MAX_REFUSED = 0.01
"""Share of the rows of a file that may be refused, unless a person says otherwise."""


@dataclass(frozen=True)
class RowFile:
    """What a file holds.

    Attributes:
        path: Where it is.
        sha256: Digest of its bytes.
        rows: The rows that fit, in the order of the file.
        refusals: One for each row that does not.
        is_labelled: Whether `rows` are transactions with their label.
        notes: What was assumed or rounded, in sentences without a full stop.
    """

    path: Path
    sha256: str
    rows: pa.Table
    refusals: list[Refusal]
    is_labelled: bool
    notes: list[str] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        """How many rows the file has, those that were refused among them."""
        return int(self.rows.num_rows) + len(self.refusals)

    @property
    def refused_share(self) -> float:
        """Share of the rows that were refused."""
        return len(self.refusals) / max(self.row_count, 1)

    @property
    def groups(self) -> list[RefusalGroup]:
        """The refusals by reason and column."""
        return group_refusals(self.refusals)

    def require_few_refused(self, max_refused: float, consequence: str) -> None:
        """Refuse the file as a whole if too many of its rows were refused.

        Args:
            max_refused: The greatest share of the rows that may be, 0 to 1.
            consequence: What did therefore not happen, a sentence.

        Raises:
            RefusedRowsError: more were; the message tells how many of them are frauds.
        """
        require_few_refused([self], max_refused, consequence)


def require_few_refused(files: Sequence[RowFile], max_refused: float, consequence: str) -> None:
    """Refuse files as a whole if too many of all their rows were refused.

    Args:
        files: At least one.
        max_refused: The greatest share of the rows that may be, 0 to 1.
        consequence: What did therefore not happen, a sentence.

    Raises:
        RefusedRowsError: more were; the message tells how many of them are frauds.
    """
    refused, rows = (
        sum(counts)
        for counts in zip(*((len(each.refusals), each.row_count) for each in files), strict=True)
    )
    if refused / max(rows, 1) <= max_refused:
        return
    frauds = sum(refusal.is_fraud is True for each in files for refusal in each.refusals)
    share = f"{100 * refused / rows:.3g} %"
    raise RefusedRowsError(
        f"{refused:,} of {rows:,} rows of {names_of(files)} ({share}) were refused"
        + (f", {frauds:,} of them labelled fraud" if frauds else "")
        + f"; at most {100 * max_refused:.3g} % may be. {consequence} Mend the file or the "
        "contract, or allow more with --max-refused."
    )


def names_of(files: Sequence[RowFile]) -> str:
    """One file by its path, several by their number, as a part of a sentence."""
    return str(files[0].path) if len(files) == 1 else f"{len(files):,} files"


def read_transactions(path: Path, contract: Contract, *, quoted_newlines: bool = False) -> RowFile:
    """Read a file of transactions, with or without labels.

    The first line of a CSV file names its columns. Columns may come in any order, and must
    be exactly the contract's, with or without the label.

    Args:
        path: CSV or Parquet, also as gzip.
        contract: What its rows should be.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.

    Raises:
        InputError: there is no such file, it is neither CSV nor Parquet, or cannot be read.
        ContractError: its columns are not the contract's.
    """
    notes: list[str] = []
    table, skipped = read_table(path, contract.columns, quoted_newlines=quoted_newlines)
    try:
        table = as_columns(table, contract, notes)
        is_labelled = contract.label in table.column_names
        columns = contract.columns if is_labelled else contract.transaction_columns
        table = _with_null_levels(table, columns, notes)
        rows, refusals = conform(table, columns, notes.append, id_columns=contract.id_columns)
    except ContractError as error:
        raise ContractError(
            f"{path}, contract '{contract.name}': {error}{_pandas_index(table.column_names)}"
        ) from None
    if is_labelled:
        refusals = _with_labels(refusals, table, contract)
    refused = merged(refusals, skipped)
    return RowFile(path, sha256_of(path), rows, refused, is_labelled, notes)


def _with_null_levels(table: pa.Table, columns: Sequence[Column], notes: list[str]) -> pa.Table:
    """The table with null where a CSV file leaves a category empty that may be null; told.

    A CSV file has no other way to say so, and a message that says null must meet what was learned.
    """
    for column in columns:
        at = table.schema.get_field_index(column.name)
        if at < 0 or column.category is None or column.type != "string" or not column.is_nullable:
            continue
        values = table.column(at)
        if not pa.types.is_binary(values.type):  # texts of Parquet, which has nulls
            continue
        is_empty = pc.equal(values, b"")
        count = pc.sum(is_empty).as_py() or 0
        if count:
            table = table.set_column(at, column.name, pc.if_else(is_empty, None, values))
            notes.append(
                f"column '{column.name}' is empty in {count:,} rows; these are taken as null"
            )
    return table


def read_table(
    path: Path, columns: Sequence[Column], *, quoted_newlines: bool
) -> tuple[pa.Table, list[Refusal]]:
    """Read a file as it is, with the values of a CSV file as bytes.

    Args:
        path: CSV or Parquet, also as gzip.
        columns: What is expected in it.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.

    Returns:
        The rows that are whole, and a refusal for each other one.

    Raises:
        InputError: there is no such file, it is neither CSV nor Parquet, or cannot be read.
    """
    try:
        if kind_of(path, ("csv", "parquet")) == "parquet":
            content = pa.BufferReader(pa.py_buffer(read_content(path)))
            return pa.parquet.ParquetFile(content).read(), []
        names = [column.place for column in columns]
        texts = {one.place: one.max_length for one in columns if one.type == "string"}
        return read_csv(path, read_text(path), names, texts if quoted_newlines else None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None


def _pandas_index(names: Sequence[str]) -> str:
    if {"", "__index_level_0__"} & set(names):
        return " (One is the index that pandas writes unless it is told index=False.)"
    return ""


def _with_labels(refusals: list[Refusal], table: pa.Table, contract: Contract) -> list[Refusal]:
    """Refusals with the label of each row that has a readable one."""
    indices = pa.array([refusal.row - 1 for refusal in refusals], pa.int64())
    labels = table.select([contract.label]).take(indices)
    readable, faults = conform(labels, [contract.column(contract.label)])
    is_fraud = iter(contract.labels(readable) == 1)
    faulty = {fault.row for fault in faults}
    return [
        refusal if place in faulty else replace(refusal, is_fraud=bool(next(is_fraud)))
        for place, refusal in enumerate(refusals, start=1)
    ]
