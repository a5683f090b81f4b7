"""What sets a table apart from its contract, told as the columns that differ.

One dialect: a column has a type of the contract (`float64`), with BigQuery's own words for it
beside (`FLOAT64, REQUIRED`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from google.cloud import bigquery

from fraudline.contract import Contract
from fraudline.errors import WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.schema import contract_type, standard_type, table_schema

_MOST_TOLD = 12


@dataclass(frozen=True)
class ColumnDifference:
    """A column in which a table and what is expected of it differ.

    Attributes:
        name: Of the column.
        kind: `missing` from the table, `extra` in it, of another `type`, or of another `mode`:
            NULL is allowed in the one and not in the other.
        text: The difference in words, without a full stop.
        prevents_reading: Whether rows that are read would lack something, be converted, or come
            from a table that was made for something else.
        prevents_writing: Whether the table cannot take the expected rows.
    """

    name: str
    kind: Literal["missing", "extra", "type", "mode"]
    text: str
    prevents_reading: bool = True
    prevents_writing: bool = True


def column_differences(
    found: Sequence[bigquery.SchemaField], expected: pa.Schema
) -> list[ColumnDifference]:
    """Each column in which a table differs, the expected ones first; empty where none does.

    The order of columns is no difference: everything asks for them by name.

    Args:
        found: Columns of the table.
        expected: What the contract's rows are, such as `Contract.history_schema`.
    """
    by_name = {field.name: field for field in found}
    wanted = table_schema(expected)
    differences = []
    for field in wanted:
        there = by_name.get(field.name)
        if there is None:
            text = f"'{field.name}' is missing, expected {_words(field)}"
            differences.append(ColumnDifference(field.name, "missing", text))
        elif standard_type(there) != standard_type(field) or there.mode == "REPEATED":
            text = f"'{field.name}' is {_words(there)}, expected {_words(field)}"
            differences.append(ColumnDifference(field.name, "type", text))
        elif there.mode != field.mode:
            text = f"'{field.name}' is {_words(there)}, expected {_words(field)}"
            differences.append(
                ColumnDifference(
                    field.name,
                    "mode",
                    text,
                    prevents_reading=False,  # whether there are nulls is another question
                    prevents_writing=True,
                )
            )
    names = {field.name for field in wanted}
    for field in found:
        if field.name not in names:
            is_required = field.mode == "REQUIRED"
            text = f"'{field.name}' is not expected, found {_words(field)}"
            differences.append(
                ColumnDifference(field.name, "extra", text, is_required, is_required)
            )
    return differences


def told(differences: Sequence[ColumnDifference]) -> str:
    """The differences as a part of a sentence."""
    texts = [difference.text for difference in differences[:_MOST_TOLD]]
    if len(differences) > _MOST_TOLD:
        texts.append(f"and {len(differences) - _MOST_TOLD} columns more")
    return "; ".join(texts)


def require_fitting_history(warehouse: Warehouse, contract: Contract) -> list[ColumnDifference]:
    """Refuse a history table that was made for something else than its contract.

    Returns:
        The differences that change nothing about its rows: modes, and surplus columns that may
        be null.

    Raises:
        WarehouseError: there is no such table, or it lacks a column, has one of another type, or
            one that must be set and that the contract does not know.
    """
    table = warehouse.table(warehouse.settings.table_history)
    with translated(f"reading table {table}"):
        found = warehouse.client.get_table(table, retry=RETRY).schema
    differences = column_differences(found, contract.history_schema)
    faults = [each for each in differences if each.prevents_reading]
    if faults:
        raise WarehouseError(
            f"table {table} does not fit contract '{contract.name}': {told(faults)}. Give the "
            "contract that the table was made for (setting `contract`), or load history of this "
            "one with `fraudline load` into a data set of its own (`bigquery.dataset`)."
        )
    return differences


def _words(field: bigquery.SchemaField) -> str:
    return f"{contract_type(field)} ({standard_type(field)}, {field.mode})"
