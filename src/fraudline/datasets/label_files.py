"""A file of labels: CSV, Parquet or a JSON object a line, made to fit what a label is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from fraudline import flows
from fraudline.contract import (
    LABEL_COLUMNS,
    Column,
    Contract,
    Refusal,
    RefusalReason,
    arrow_schema,
    conform,
)
from fraudline.contract.id_texts import id_column, id_parts
from fraudline.datasets.cache import sha256_of
from fraudline.datasets.csv_rows import merged
from fraudline.datasets.file_content import kind_of, read_lines
from fraudline.datasets.files import RowFile, read_table
from fraudline.errors import ContractError

_POSITION = re.compile(r".+:\d+:\d+", re.DOTALL)
_WHOLE = re.compile(r"0|-?[1-9][0-9]*")
_ID, _AT = "transaction_id", "transaction_received_at"


def read_labels(path: Path, contract: Contract, *, quoted_newlines: bool = False) -> RowFile:
    """Read a file of labels for transactions of a contract.

    The columns are those of a label, in any order; `contract` and those that may be null may be
    left out. In the place of `transaction_id` a table may have the columns of the contract's id. A
    row is refused, too, if it can name no transaction of the contract.

    Args:
        path: CSV, Parquet or .jsonl, also as gzip.
        contract: Of the transactions.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.

    Raises:
        InputError: there is no such file, it is none of these, or cannot be read.
        ContractError: its columns are not those of a label.
    """
    notes: list[str] = []
    skipped: list[Refusal] = []
    if kind_of(path, ("csv", "parquet", "jsonl")) == "jsonl":
        rows, refusals = _from_lines(path, contract)
    else:
        named_by = _naming_columns(contract)
        columns = (*LABEL_COLUMNS, *named_by)
        table, skipped = read_table(path, columns, quoted_newlines=quoted_newlines)
        try:
            given = set(table.column_names)
            if _ID not in given and any(column.name in given for column in named_by):
                rows, refusals = _by_columns(table, named_by, contract, notes)
            else:
                rows, refusals = conform(_completed(table, contract), LABEL_COLUMNS, notes.append)
        except ContractError as error:
            raise ContractError(f"{path}, labels of '{contract.name}': {error}") from None
    rows, nameless = _named(rows, refusals, contract)
    refusals = sorted([*refusals, *nameless], key=lambda refusal: refusal.row)
    return RowFile(path, sha256_of(path), rows, merged(refusals, skipped), False, notes)


def _completed(table: pa.Table, contract: Contract) -> pa.Table:
    """The table with the columns that a file may leave out."""
    for column in LABEL_COLUMNS:
        if column.name in table.column_names:
            continue
        if column.is_nullable:
            empty = pa.nulls(table.num_rows, column.arrow_type)
            table = table.append_column(column.name, empty)
        elif column.name == "contract":
            name = pa.repeat(pa.scalar(contract.name), table.num_rows)
            table = table.append_column(column.name, name)
    return table


def _naming_columns(contract: Contract) -> tuple[Column, ...]:
    """The columns of the id that a file may have in the place of `transaction_id`."""
    named = {column.name for column in LABEL_COLUMNS}
    if not named.isdisjoint(contract.id_columns):
        return ()
    return tuple(map(contract.column, contract.id_columns))


def _by_columns(
    table: pa.Table, named_by: tuple[Column, ...], contract: Contract, notes: list[str]
) -> tuple[pa.Table, list[Refusal]]:
    """Labels that name their transaction by the columns of its id."""
    others = tuple(column for column in LABEL_COLUMNS if column.name != _ID)
    rows, refusals = conform(
        _completed(table, contract),
        (*named_by, *others),
        notes.append,
        id_columns=contract.id_columns,
    )
    ids = id_column(rows, contract.id_columns).cast(pa.string())
    rows = rows.append_column(pa.field(_ID, pa.string(), nullable=False), ids)
    return rows.select([column.name for column in LABEL_COLUMNS]).cast(
        arrow_schema(LABEL_COLUMNS)
    ), refusals


def _from_lines(path: Path, contract: Contract) -> tuple[pa.Table, list[Refusal]]:
    lines = read_lines(path)
    rows, _, rejects = flows.LABELS.decoder(contract).decode(lines)
    refusals = [Refusal(reject.index + 1, reject.reason, reject.message) for reject in rejects]
    return pa.Table.from_batches([rows]).cast(arrow_schema(LABEL_COLUMNS)), refusals


def _named(
    rows: pa.Table, refusals: list[Refusal], contract: Contract
) -> tuple[pa.Table, list[Refusal]]:
    """The rows that can name a transaction, and a refusal for each of the others."""
    refused = {refusal.row for refusal in refusals}
    numbers = (
        number for number in range(1, rows.num_rows + len(refused) + 1) if number not in refused
    )
    keep = np.ones(rows.num_rows, dtype=bool)
    nameless = []
    named = rows.select(["contract", _ID, _AT]).to_pylist()
    for place, (number, row) in enumerate(zip(numbers, named, strict=True)):
        for fault in _naming_faults(row, contract):
            keep[place] = False
            nameless.append(replace(fault, row=number))
            break
    return (rows.filter(pa.array(keep)) if nameless else rows), nameless


def _naming_faults(row: dict[str, object], contract: Contract) -> Iterator[Refusal]:
    """What keeps a label from naming a transaction of the contract; rows are numbered later."""

    def fault(reason: RefusalReason, column: str, expected: str, found: object) -> Refusal:
        shown = "nothing" if found is None else repr(found)[:100]
        words = f"column '{column}': expected {expected}, found {shown}"
        return Refusal(0, reason, words, column)

    identity = str(row[_ID])
    if row["contract"] != contract.name:
        expected = f"{contract.name!r}, the contract of the settings"
        yield fault(RefusalReason.OUT_OF_RANGE, "contract", expected, row["contract"])
    if contract.id is not None:
        if not identity:
            yield fault(RefusalReason.NULL_VALUE, _ID, "an id", identity)
        elif not _is_id(identity, contract):
            shape = "|".join(
                "a whole number" if contract.column(name).type == "int64" else name
                for name in contract.id_columns
            )
            expected = f"an id as its decision has it, {shape}"
            yield fault(RefusalReason.OUT_OF_RANGE, _ID, expected, identity)
        return
    if not _POSITION.fullmatch(identity):
        expected = f"topic:partition:offset, since contract '{contract.name}' has no id"
        yield fault(RefusalReason.OUT_OF_RANGE, _ID, expected, identity)
    if row[_AT] is None:
        expected = (
            "the decision's received_at, without which a position is of any topic of that name"
        )
        yield fault(RefusalReason.NULL_VALUE, _AT, expected, None)


def _is_id(text: str, contract: Contract) -> bool:
    """Whether a decision could name its transaction like that."""
    parts = id_parts(text, len(contract.id_columns))
    if parts is None:
        return False
    kinds = (contract.column(name).type for name in contract.id_columns)
    return all(
        _WHOLE.fullmatch(part) if kind == "int64" else part.strip()
        for part, kind in zip(parts, kinds, strict=True)
    )
