"""Labelled history: a file of it into BigQuery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from fraudline.contract import Refusal
from fraudline.datasets.files import read_transactions
from fraudline.errors import InputError
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
    """

    table: str
    rows: int
    is_new: bool
    refusals: list[Refusal]
    account: Path


def load_history(project: Project, file: Path) -> Loaded:
    """Make the history table hold exactly the rows of a file that fit the contract.

    Raises:
        InputError: the file cannot be read, is not labelled, or no row of it fits.
        WarehouseError: BigQuery did not take the rows; the table stays as it was.
    """
    read = read_transactions(file, project.contract)
    if not read.is_labelled:
        raise InputError(
            f"{file} has no column '{project.contract.label}', so it is not labelled history. "
            "`fraudline predict` scores unlabelled files."
        )
    if not read.rows.num_rows:
        example = [f"Row {each.row}: {each.message}. " for each in read.refusals[:1]]
        raise InputError(
            f"none of the {len(read.refusals):,} rows of {file} fits contract "
            f"'{project.contract.name}', so the history stays as it was. "
            f"{''.join(example)}Mend the file, or the contract."
        )
    loaded = fill_table(project.warehouse, project.contract, read.rows, read.sha256)
    account = project.load_account
    make_private(account.parent)
    account.write_bytes(
        msgspec.json.format(
            msgspec.json.encode(
                {
                    "file": str(file),
                    "sha256": read.sha256,
                    "table": loaded.table,
                    "rows_loaded": loaded.rows,
                    "rows_refused": len(read.refusals),
                    "refusals": read.refusals,
                }
            )
        )
    )
    return Loaded(loaded.table, loaded.rows, loaded.is_new, read.refusals, account)
