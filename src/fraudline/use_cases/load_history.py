"""Labelled history: files of it into BigQuery."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from fraudline.contract import Contract, Refusal, RefusalReason
from fraudline.contract.ids import find_id_faults
from fraudline.datasets.file_names import find_files
from fraudline.datasets.files import (
    MAX_REFUSED,
    RowFile,
    names_of,
    read_transactions,
    require_few_refused,
)
from fraudline.errors import InputError, RefusedRowsError
from fraudline.use_cases.load_account import write_account
from fraudline.use_cases.project import Project
from fraudline.warehouse.history_append import append_history
from fraudline.warehouse.history_files import HistoryFile
from fraudline.warehouse.history_source import foreign_history
from fraudline.warehouse.history_table import load_history as fill_table

_KINDS = ("csv", "parquet")


@dataclass(frozen=True)
class Loaded:
    """What became of the rows of some files.

    Attributes:
        table: Full name of the history table.
        rows: How many rows it holds now.
        is_new: Whether any of them came now; they were all there before otherwise.
        refusals: Rows of the files that do not fit the contract, and why, file by file.
        account: File in which all of that is kept.
        warning: What is wrong with the rows that were loaded, if anything is.
        files: The files, in the order in which they were read.
        added: How many rows came now.
        known: Files of those whose rows had been there before.
    """

    table: str
    rows: int
    is_new: bool
    refusals: list[Refusal]
    account: Path
    warning: str | None = None
    files: list[Path] = field(default_factory=list)
    added: int = 0
    known: list[Path] = field(default_factory=list)


def load_history(
    project: Project,
    files: Path | Sequence[Path],
    *,
    append: bool = False,
    max_refused: float = MAX_REFUSED,
    quoted_newlines: bool = False,
    on_read: Callable[[RowFile], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Make the history table hold exactly the rows of files that fit the contract, or add them.

    Args:
        project: Whose history and contract.
        files: CSV or Parquet, also as gzip; a folder means those in it, and a pattern such as
            `2026-*.csv` those that are called so.
        append: Whether the rows that the table holds stay; a file that is among them adds nothing.
        max_refused: Share of all rows, 0 to 1, that may be refused; above it nothing is loaded.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.
        on_read: Called with what each file holds before anything else can fail.
        on_note: Told in a sentence without a full stop which of the files were left out.

    Raises:
        InputError: a file is not there, cannot be read or is not labelled, or no row fits.
        RefusedRowsError: more rows were refused than `max_refused`.
        WarehouseError: BigQuery did not take the rows; the table stays as it was, and of several
            files that were to be added, those before the one that it did not take are there.
    """
    if project.warehouse.settings.history:
        raise InputError(
            f"history is {foreign_history(project.warehouse)} (bigquery.history), which fraudline "
            "only reads: nothing was loaded. To load files into a table of fraudline's own, take "
            "that setting out."
        )
    contract = project.contract
    given = [files] if isinstance(files, Path) else files
    found = find_files(given, _KINDS, on_note)
    read = []
    for path in found:
        read.append(read_transactions(path, contract, quoted_newlines=quoted_newlines))
        on_read(read[-1])
    read = _once_each(read, on_note)
    _require_labels(read, contract)
    table = project.warehouse.table(project.warehouse.settings.table_history)
    try:
        require_few_refused(
            read,
            max_refused,
            f"The history stays as it was. Each row is listed in {project.refused_account}.",
        )
    except RefusedRowsError:
        write_account(project.refused_account, table, [(each, "", 0) for each in read])
        raise
    rows = pa.concat_tables([each.rows for each in read])
    if not rows.num_rows:
        _refuse_nothing(read, contract)
    faults = find_id_faults(rows, contract).text
    warnings = [f"ids that identify nothing: {faults}"] if faults else []
    if append:
        return _append(project, read, warnings)
    contents = [_content(each, contract) for each in read]
    together = contents[0]
    if len(contents) > 1:  # in whatever order they are given
        together = hashlib.sha256(" ".join(sorted(contents)).encode()).hexdigest()
    records = [_record(each, contract) for each in read]
    filled = fill_table(project.warehouse, contract, rows, together, records)
    write_account(
        project.load_account,
        filled.table,
        [(each, content, each.rows.num_rows) for each, content in zip(read, contents, strict=True)],
    )
    return Loaded(
        filled.table,
        filled.rows,
        filled.is_new,
        [refusal for each in read for refusal in each.refusals],
        project.load_account,
        "; ".join(warnings) or None,
        [each.path for each in read],
        added=filled.rows if filled.is_new else 0,
        known=[] if filled.is_new else [each.path for each in read],
    )


def _append(project: Project, read: list[RowFile], warnings: list[str]) -> Loaded:
    contract = project.contract
    given = [(_record(each, contract), each.rows) for each in read]
    done = append_history(project.warehouse, contract, given)
    if done.known_ids:
        warnings.append(
            f"{done.known_ids:,} of the ids that were added are in the history from before, "
            f"{done.example!r} for example; `fraudline check` tells whether these rows repeat"
        )
    write_account(
        project.load_account,
        done.table,
        [
            (each, record.content, each.rows.num_rows)
            for each, (record, _) in zip(read, given, strict=True)
        ],
        done.files,
    )
    new = [
        each for each, (record, _) in zip(read, given, strict=True) if record.content in done.added
    ]
    return Loaded(
        done.table,
        done.rows,
        bool(new),
        [refusal for each in read for refusal in each.refusals],
        project.load_account,
        "; ".join(warnings) or None,
        [each.path for each in read],
        added=sum(each.rows.num_rows for each in new),
        known=[each.path for each in read if each not in new],
    )


def _once_each(read: list[RowFile], on_note: Callable[[str], None]) -> list[RowFile]:
    """The files without those that hold, byte by byte, what another one holds."""
    by_content: dict[str, RowFile] = {}
    for each in read:
        first = by_content.setdefault(each.sha256, each)
        if first is not each:
            on_note(f"{each.path} holds the same bytes as {first.path}, and is taken once")
    return list(by_content.values())


def _require_labels(read: list[RowFile], contract: Contract) -> None:
    bare = [str(each.path) for each in read if not each.is_labelled]
    if bare:
        raise InputError(
            f"{', '.join(bare)} {'has' if len(bare) == 1 else 'have'} no column "
            f"'{contract.label}', so {'it is' if len(bare) == 1 else 'they are'} not labelled "
            "history. Nothing was loaded. `fraudline predict` scores unlabelled files."
        )


def _refuse_nothing(read: list[RowFile], contract: Contract) -> None:
    first = [refusal for each in read for refusal in each.refusals][:1]
    example = "".join(f"Row {each.row}: {each.message}. " for each in first)
    raise InputError(
        f"none of the {sum(each.row_count for each in read):,} rows of {names_of(read)} fits "
        f"contract '{contract.name}', so the history stays as it was. {example}Mend the file, or "
        "the contract."
    )


def _record(read: RowFile, contract: Contract) -> HistoryFile:
    return HistoryFile(_content(read, contract), read.path.name, read.rows.num_rows)


def _content(read: RowFile, contract: Contract) -> str:
    """What names the rows of a file.

    The same file under another contract is other rows; so is one whose empty ids an earlier
    release loaded.
    """
    without_ids = sum(
        each.column in contract.id_columns and each.reason is RefusalReason.OUT_OF_RANGE
        for each in read.refusals
    )
    which = f"{read.sha256} {contract.fingerprint}" + (f" {without_ids}" if without_ids else "")
    return hashlib.sha256(which.encode()).hexdigest()
