"""The columns of a file brought under the names of a contract, as it says of messages."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Column, Contract
from fraudline.contract.found_words import is_bytes, is_text
from fraudline.errors import ContractError

_MOST_NAMED = 12


def as_columns(table: pa.Table, contract: Contract, notes: list[str]) -> pa.Table:
    """A file's table with the contract's names, without what is to be ignored, with its nulls.

    What a message would be taken for, a row of a file is, too: else a model would learn other
    values than it meets.

    Args:
        table: As the file is; values of a CSV file as bytes.
        contract: Says where a column stands, what is ignored, and which texts are null.
        notes: Takes what was ignored or taken for null, sentences without a full stop.

    Raises:
        ContractError: a column is there under both of its names.
    """
    if any("." in column.source for column in contract.columns):
        while any(pa.types.is_struct(field.type) for field in table.schema):
            table = table.flatten()
    table = _renamed(table, contract.columns)
    if contract.messages.ignores_unknown:
        known = {column.name for column in contract.columns}
        left_out = [name for name in table.column_names if name not in known]
        if left_out:
            table = table.select([name for name in table.column_names if name in known])
            named = ", ".join(map(repr, left_out[:_MOST_NAMED]))
            more = len(left_out) - _MOST_NAMED
            notes.append(
                f"columns that the contract ignores were left out: {named}"
                + (f" and {more:,} more" if more > 0 else "")
            )
    return _with_nulls(table, contract, notes)


def _renamed(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    names = list(table.column_names)
    moved = (column for column in columns if column.source and column.source in names)
    by_source = {column.source: column.name for column in moved}
    if both := [source for source, name in by_source.items() if name in names and name != source]:
        raise ContractError(
            f"column '{by_source[both[0]]}' is there under its own name, and as '{both[0]}', from "
            "which the contract reads it. Leave one of the two out."
        )
    return table.rename_columns([by_source.get(name, name) for name in names])


def _with_nulls(table: pa.Table, contract: Contract, notes: list[str]) -> pa.Table:
    words = contract.messages.null_as
    for column in contract.columns if words else ():
        at = table.schema.get_field_index(column.name)
        if at < 0 or not column.is_nullable:
            continue
        values = table.column(at)
        if is_bytes(values.type):
            wanted = pa.array([word.encode() for word in words], values.type)
        elif is_text(values.type):
            wanted = pa.array(words, values.type)
        else:
            continue
        is_null = pc.is_in(values, wanted)
        if count := pc.sum(is_null).as_py() or 0:
            empty = pa.scalar(None, values.type)
            table = table.set_column(at, column.name, pc.if_else(is_null, empty, values))
            notes.append(
                f"column '{column.name}' says null by one of {', '.join(map(repr, words))} in "
                f"{count:,} rows"
            )
    return table
