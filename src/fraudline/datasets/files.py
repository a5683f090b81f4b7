"""A CSV or Parquet file of transactions, made to fit the contract."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from fraudline.contract import Contract, Refusal, RejectReason, conform
from fraudline.errors import ContractError, InputError


@dataclass(frozen=True)
class TransactionFile:
    """What a file holds.

    Attributes:
        path: Where it is.
        sha256: Digest of its bytes.
        rows: The rows that fit the contract, in the order of the file.
        refusals: One for each row that does not.
        is_labelled: Whether `rows` has the label.
    """

    path: Path
    sha256: str
    rows: pa.Table
    refusals: list[Refusal]
    is_labelled: bool


def read_transactions(path: Path, contract: Contract) -> TransactionFile:
    """Read a file of transactions, with or without labels.

    The first line of a CSV file names its columns. Columns may come in any order, and must
    be exactly the contract's, with or without the label.

    Raises:
        InputError: there is no such file, it is neither CSV nor Parquet, or cannot be read.
        ContractError: its columns are not the contract's.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}.")
    ragged: list[Refusal] = []
    try:
        if path.suffix == ".parquet":
            table = pa.parquet.ParquetFile(path).read()
        elif path.suffix == ".csv":
            table = _read_csv(path, ragged)
        else:
            raise InputError(
                f"{path}: expected a name that ends in .csv or .parquet, found '{path.suffix}'."
            )
        is_labelled = contract.label in table.column_names
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    columns = contract.columns if is_labelled else contract.transaction_columns
    try:
        rows, refusals = conform(table, columns)
    except ContractError as error:
        raise ContractError(f"{path}, contract '{contract.name}': {error}") from None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return TransactionFile(path, digest, rows, _merged(refusals, ragged), is_labelled)


def _read_csv(path: Path, ragged: list[Refusal]) -> pa.Table:
    """Read all columns as bytes, so that a malformed value is the fault of its row only."""

    def refuse(row: pa.csv.InvalidRow) -> str:
        ragged.append(
            Refusal(
                row.number - 1,  # the header is its row 1
                RejectReason.MISSING_COLUMN
                if row.actual_columns < row.expected_columns
                else RejectReason.UNKNOWN_COLUMN,
                f"expected {row.expected_columns} values, found {row.actual_columns}",
            )
        )
        return "skip"

    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        names = next((row for row in csv.reader(file) if row), [])
    return pa.csv.read_csv(
        path,
        read_options=pa.csv.ReadOptions(use_threads=False),  # row numbers need one thread
        parse_options=pa.csv.ParseOptions(invalid_row_handler=refuse, newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
        ),
    )


def _merged(refusals: list[Refusal], ragged: list[Refusal]) -> list[Refusal]:
    """Number the refusals of whole rows as the file does: rows that were skipped count too."""
    merged = []
    skipped = 0
    for refusal in refusals:
        while skipped < len(ragged) and ragged[skipped].row <= refusal.row + skipped:
            skipped += 1
        merged.append(Refusal(refusal.row + skipped, refusal.reason, refusal.message))
    return sorted([*merged, *ragged], key=lambda refusal: refusal.row)
