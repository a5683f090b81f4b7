"""Where the labelled history is read: our table, or a table or view of somebody else's.

Theirs is only ever read. Its columns are named and converted in SQL, so that whatever asks for the
history meets the contract's columns; what a conversion would alter is refused before.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.api_core import exceptions as google_errors
from google.cloud import bigquery

from fraudline.contract import Column, Contract
from fraudline.errors import WarehouseError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.query import query
from fraudline.warehouse.schema import standard_type, table_schema
from fraudline.warehouse.table_fit import ColumnDifference, require_fitting_history

_WHOLE = 2**53  # beyond it, a float64 has not every whole number
_MOST_LISTED = 60
_NO_NUMBER = "IS_NAN({x}) OR IS_INF({x})"
# By type there and type wanted: how a value is converted, and which ones that would alter.
_CONVERSIONS: dict[tuple[str, str], tuple[str, str]] = {
    ("INT64", "FLOAT64"): ("CAST({x} AS FLOAT64)", f"{{x}} NOT BETWEEN -{_WHOLE} AND {_WHOLE}"),
    ("NUMERIC", "FLOAT64"): (
        "CAST({x} AS FLOAT64)",
        f"{{x}} = TRUNC({{x}}) AND {{x}} NOT BETWEEN -{_WHOLE} AND {_WHOLE}",
    ),
    ("BOOL", "FLOAT64"): ("CAST(CAST({x} AS INT64) AS FLOAT64)", ""),
    ("FLOAT64", "INT64"): (
        "CAST({x} AS INT64)",
        f"{_NO_NUMBER} OR {{x}} != TRUNC({{x}}) OR {{x}} NOT BETWEEN -{_WHOLE} AND {_WHOLE}",
    ),
    ("NUMERIC", "INT64"): (
        "CAST({x} AS INT64)",
        f"{{x}} != TRUNC({{x}}) OR {{x}} NOT BETWEEN -{2**63 - 1} AND {2**63 - 1}",
    ),
    ("BOOL", "INT64"): ("CAST({x} AS INT64)", ""),
    ("INT64", "BOOL"): ("{x} = 1", "{x} NOT IN (0, 1)"),
    ("FLOAT64", "BOOL"): ("{x} = 1", f"{_NO_NUMBER} OR {{x}} NOT IN (0, 1)"),
    ("NUMERIC", "BOOL"): ("{x} = 1", "{x} NOT IN (0, 1)"),
    ("INT64", "STRING"): ("CAST({x} AS STRING)", ""),
}
_CONVERSIONS |= {
    ("BIGNUMERIC", wanted): how
    for (found, wanted), how in list(_CONVERSIONS.items())
    if found == "NUMERIC"
}
WAYS_ON = {
    "DATETIME": "it has no time zone; make a view with TIMESTAMP(column, 'zone')",
    "DATE": 'a date is no time; take it as type = "date", or make a view with '
    "TIMESTAMP(column, 'zone')",
    "STRING": "a text is not parsed here; make a view that casts it",
}


@dataclass(frozen=True)
class HistorySource:
    """A history that fits its contract.

    Attributes:
        table: Full name of the table or view.
        sql: What stands behind FROM to have the contract's columns.
        differences: Columns of our own table that differ in what changes nothing about its rows.
        taken: How somebody else's is read, in words; empty of our own table.
    """

    table: str
    sql: str
    differences: list[ColumnDifference]
    taken: str = ""


@dataclass(frozen=True)
class _Taken:
    """A column of the contract, and the one that it is read from."""

    column: Column
    wanted: str
    field: bigquery.SchemaField

    @property
    def kind(self) -> str:
        """The type that it has there."""
        return "REPEATED" if self.field.mode == "REPEATED" else standard_type(self.field)

    @property
    def conversion(self) -> tuple[str, str] | None:
        """The value in SQL, and a condition of those that are altered; None if there is no way."""
        quoted = f"`{self.field.name}`"
        if self.kind == self.wanted:
            return quoted, ""
        found = _CONVERSIONS.get((self.kind, self.wanted))
        return None if found is None else (found[0].format(x=quoted), found[1].format(x=quoted))


def find_history(warehouse: Warehouse, contract: Contract) -> HistorySource:
    """The history of the settings, looked at.

    Raises:
        WarehouseError: there is no such table, or it does not fit the contract: every column at
            fault is told, and of somebody else's table every value that a conversion would alter.
    """
    settings = warehouse.settings
    if not settings.history:
        name = warehouse.table(settings.table_history)
        return HistorySource(name, f"`{name}`", require_fitting_history(warehouse, contract))
    name = foreign_history(warehouse)
    with translated(f"reading {name}, the history of the settings"):
        try:
            found = warehouse.client.get_table(name, retry=RETRY)
        except google_errors.NotFound:
            raise WarehouseError(
                f"there is no table or view {name}, which the settings name as history "
                "(bigquery.history)."
            ) from None
    columns = _columns(warehouse, contract, name, found.schema)
    _require_unaltered(warehouse, contract, name, columns)
    read = [f"{(each.conversion or ('', ''))[0]} AS `{each.column.name}`" for each in columns]
    kind = "view" if found.table_type == "VIEW" else "table"
    return HistorySource(
        name,
        f"(SELECT {', '.join(read)} FROM `{name}`)",  # noqa: S608 - names come from settings, and from BigQuery
        [],
        f"history is {kind} {name}, which is only read{_in_words(columns)}",
    )


def foreign_history(warehouse: Warehouse) -> str:
    """Full name of somebody else's table or view that is the history."""
    name = warehouse.settings.history
    return name if name.count(".") > 1 else f"{warehouse.settings.project}.{name}"


def _columns(
    warehouse: Warehouse, contract: Contract, name: str, fields: list[bigquery.SchemaField]
) -> list[_Taken]:
    mapped = warehouse.settings.history_columns
    by_name = {field.name.lower(): field for field in fields}  # as BigQuery tells them apart
    wanted = {each.name: each.field_type for each in table_schema(contract.history_schema)}
    faults = [
        f"bigquery.history_columns names '{each}', which is no column of the contract"
        for each in mapped
        if each not in wanted
    ]
    taken = []
    for column in contract.columns:
        theirs = mapped.get(column.name, column.name)
        if column.name not in mapped and column.source.lower() in by_name:
            theirs = column.source
        field = by_name.get(theirs.lower())
        if field is None:
            faults.append(f"'{column.name}' is read from '{theirs}', which is not there")
            continue
        taken.append(_Taken(column, wanted[column.name], field))
        if taken[-1].conversion is None:
            way = WAYS_ON.get(taken[-1].kind, "make a view that has another")
            faults.append(
                f"'{column.name}' is read from '{field.name}', of type {taken[-1].kind}, which is "
                f"not taken as {column.type}: {way}"
            )
    label = next((each.field.name for each in taken if each.column.name == contract.label), None)
    faults += [
        f"'{each.column.name}' is read from '{label}', which is the label"
        for each in taken
        if each.field.name == label and each.column.name != contract.label
    ]
    if faults:
        raise WarehouseError(
            f"{name}, the history of the settings, does not fit contract '{contract.name}': "
            f"{'; '.join(faults)}. It has {_listed(fields)}. Name columns in "
            "bigquery.history_columns, or give a view that fits."
        )
    return taken


def _require_unaltered(
    warehouse: Warehouse, contract: Contract, name: str, columns: list[_Taken]
) -> None:
    """Refuse values that would not be the same in the contract's type."""
    checks = [
        (each, each.conversion[1]) for each in columns if each.conversion and each.conversion[1]
    ]
    if not checks:
        return
    counts = [
        f"COUNTIF({altered}) AS n_{at}, "
        f"MIN(IF({altered}, CAST(`{each.field.name}` AS STRING), NULL)) AS example_{at}"
        for at, (each, altered) in enumerate(checks)
    ]
    found = query(warehouse, f"SELECT {', '.join(counts)} FROM `{name}`").to_pylist()[0]  # noqa: S608 - as above
    faults = [
        f"{found[f'n_{at}']:,} values of '{each.field.name}' ({each.kind}) are no "
        f"{each.column.type}, {found[f'example_{at}']} for example"
        for at, (each, _) in enumerate(checks)
        if found[f"n_{at}"]
    ]
    if faults:
        raise WarehouseError(
            f"{name}, the history of the settings, cannot be read by contract '{contract.name}' "
            f"without altering it: {'; '.join(faults)}. Give a view that rounds them as you want, "
            "or another type in the contract."
        )


def _listed(fields: list[bigquery.SchemaField]) -> str:
    names = [field.name for field in fields[:_MOST_LISTED]]
    more = len(fields) - len(names)
    return ", ".join(names) + (f" and {more:,} columns more" if more else "")


def _in_words(columns: list[_Taken]) -> str:
    """Columns that are called or typed in another way than in the contract."""
    differing = [
        f"'{each.column.name}' from '{each.field.name}'"
        + ("" if each.kind == each.wanted else f" ({each.kind} as {each.column.type})")
        for each in columns
        if (each.field.name, each.kind) != (each.column.name, each.wanted)
    ]
    return f": {', '.join(differing)}" if differing else ""
