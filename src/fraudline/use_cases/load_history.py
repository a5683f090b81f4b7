"""Labelled history: a file of it into BigQuery."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fraudline.contract import Refusal, RefusalReason
from fraudline.contract.ids import find_id_faults
from fraudline.datasets.files import MAX_REFUSED, RowFile, read_transactions
from fraudline.errors import InputError, RefusedRowsError
from fraudline.home import make_private
from fraudline.use_cases.project import Project
from fraudline.warehouse.history_table import load_history as fill_table


@dataclass(frozen=True)
class Loaded:
    """What became of a file's rows.

    Attributes:
        table: Full name of the history table.
        rows: How many of the file's rows it holds now, and nothing else.
        is_new: Whether they came now; they were there before otherwise.
        refusals: Rows of the file that do not fit the contract, and why.
        account: File in which all of that is kept.
        warning: What is wrong with the rows that were loaded, if anything is.
    """

    table: str
    rows: int
    is_new: bool
    refusals: list[Refusal]
    account: Path
    warning: str | None = None


def load_history(
    project: Project,
    file: Path,
    *,
    max_refused: float = MAX_REFUSED,
    quoted_newlines: bool = False,
    on_read: Callable[[RowFile], None] = lambda _: None,
) -> Loaded:
    """Make the history table hold exactly the rows of a file that fit the contract.

    Args:
        project: Whose history and contract.
        file: CSV or Parquet, also as gzip.
        max_refused: Share of its rows, 0 to 1, that may be refused; above it nothing is loaded.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.
        on_read: Called with what the file holds before anything else can fail.

    Raises:
        InputError: the file cannot be read, is not labelled, or no row of it fits.
        RefusedRowsError: more rows were refused than `max_refused`.
        WarehouseError: BigQuery did not take the rows; the table stays as it was.
    """
    contract = project.contract
    read = read_transactions(file, contract, quoted_newlines=quoted_newlines)
    on_read(read)
    if not read.is_labelled:
        raise InputError(
            f"{file} has no column '{contract.label}', so it is not labelled history. "
            "`fraudline predict` scores unlabelled files."
        )
    table = project.warehouse.table(project.warehouse.settings.table_history)
    try:
        read.require_few_refused(
            max_refused,
            f"The history stays as it was. Each row is listed in {project.refused_account}.",
        )
    except RefusedRowsError:
        _write_account(project.refused_account, read, table, 0)
        raise
    if not read.rows.num_rows:
        example = [f"Row {each.row}: {each.message}. " for each in read.refusals[:1]]
        raise InputError(
            f"none of the {read.row_count:,} rows of {file} fits contract "
            f"'{contract.name}', so the history stays as it was. "
            f"{''.join(example)}Mend the file, or the contract."
        )
    faults = find_id_faults(read.rows, contract).text
    # The same file under another contract is other rows; so is one whose empty ids an earlier
    # release loaded.
    without_ids = sum(
        each.column == contract.id and each.reason is RefusalReason.OUT_OF_RANGE
        for each in read.refusals
    )
    which = f"{read.sha256} {contract.fingerprint}" + (f" {without_ids}" if without_ids else "")
    content = hashlib.sha256(which.encode()).hexdigest()
    loaded = fill_table(project.warehouse, contract, read.rows, content)
    account = project.load_account
    _write_account(account, read, loaded.table, loaded.rows)
    warning = f"ids that identify nothing: {faults}" if faults else None
    return Loaded(loaded.table, loaded.rows, loaded.is_new, read.refusals, account, warning)


def _write_account(account: Path, read: RowFile, table: str, loaded: int) -> None:
    make_private(account.parent)
    account.write_bytes(
        msgspec.json.format(
            msgspec.json.encode(
                {
                    "file": str(read.path),
                    "sha256": read.sha256,
                    "table": table,
                    "rows_loaded": loaded,
                    "rows_refused": len(read.refusals),
                    "frauds_refused": sum(each.is_fraud is True for each in read.refusals),
                    "notes": read.notes,
                    "refusals": read.refusals,
                }
            )
        )
    )
