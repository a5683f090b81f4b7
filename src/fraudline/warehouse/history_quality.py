"""The quality of the history: what each column holds, and what the whole may be suspected of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from fraudline.contract import Column, Contract
from fraudline.contract.columns import NUMERIC_TYPES
from fraudline.contract.derived_sql import with_derived_sql
from fraudline.contract.number_words import number_words
from fraudline.errors import InputError
from fraudline.home import make_private
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.history_entities import find_participants
from fraudline.warehouse.history_findings import (
    Finding,
    count_distinct,
    find_amounts,
    find_ids,
    find_times,
    is_fraud_sql,
)
from fraudline.warehouse.history_leaks import find_leaks, find_null_leaks
from fraudline.warehouse.history_source import find_history
from fraudline.warehouse.query import query, sql_literal
from fraudline.warehouse.refused_findings import find_refused
from fraudline.warehouse.table_fit import told


@dataclass(frozen=True)
class ColumnQuality:
    """What a column of the history holds.

    Attributes:
        name: Of the column.
        type: The type that the contract gives it, or `derived`.
        nulls: Rows without a value.
        null_frauds: How many of them are labelled fraud.
        out_of_range: Rows outside the contract's limits.
        spread: Least, mean and greatest value of a number; otherwise three times None.
    """

    name: str
    type: str
    nulls: int
    null_frauds: int
    out_of_range: int
    spread: tuple[float | None, float | None, float | None]


@dataclass(frozen=True)
class QualityReport:
    """The whole report on the history.

    Attributes:
        table: Full name of the table.
        rows: How many it holds.
        frauds: How many of them are labelled as fraud.
        duplicates: Rows that repeat another row in every column.
        columns: One entry for each.
        findings: The conclusions, in sentences.
    """

    table: str
    rows: int
    frauds: int
    duplicates: int
    columns: list[ColumnQuality]
    findings: list[Finding]

    def save(self, directory: Path) -> Path:
        """Write it as `check.json` and, for people, as `check.md`; returns the latter's path."""
        make_private(directory)
        encoded = msgspec.json.format(msgspec.json.encode(asdict(self)))
        (directory / "check.json").write_bytes(encoded + b"\n")
        lines = [f"# Quality of {self.table}", ""]
        lines += [
            f"- {'ok' if finding.is_ok else '**look**'}: {finding.text}"
            for finding in self.findings
        ]
        lines += [
            "",
            "| column | type | nulls | out of range | min | mean | max |",
            "|---|---|---:|---:|---:|---:|---:|",
        ]
        for column in self.columns:
            spread = " | ".join(
                "" if value is None else number_words(value) for value in column.spread
            )
            lines.append(
                f"| {column.name} | {column.type} | {column.nulls} | {column.out_of_range} "
                f"| {spread} |"
            )
        path = directory / "check.md"
        path.write_text("\n".join(lines) + "\n")
        return path


def measure_history_quality(
    warehouse: Warehouse, contract: Contract, load_record: Path
) -> QualityReport:
    """Measure the history table with SQL.

    Args:
        warehouse: Its history table is measured.
        contract: What the table should hold.
        load_record: Where `fraudline load` wrote about the rows it refused, if it did.

    Raises:
        InputError: the table is empty.
        WarehouseError: the table does not exist, or was made for another contract.
    """
    source = find_history(warehouse, contract)
    name, differences = source.table, source.differences
    rows_sql = with_derived_sql(source.sql, contract.derivations)
    derived = [each.column for each in contract.derivations]
    looked_at = (*contract.columns, *derived)
    totals = query(warehouse, _totals_sql(rows_sql, contract, looked_at)).to_pylist()[0]
    if totals["row_count"] == 0:
        way = "" if source.taken else " Load labelled history with `fraudline load`."
        raise InputError(f"table {name} is empty.{way}")
    columns = [
        _column_quality(column, index, totals, is_derived=column in derived)
        for index, column in enumerate(looked_at)
    ]
    rows, frauds = totals["row_count"], totals["frauds"]
    distinct = count_distinct(warehouse, source.sql, contract)
    findings = [
        *([Finding(True, source.taken)] if source.taken else []),
        Finding(not differences, "column names, types and modes are the contract's"
                if not differences else f"columns differ from the contract: {told(differences)}"),
        *_find_values(looked_at, columns, rows),
        Finding(
            0 < frauds < rows,
            f"{rows:,} rows, {frauds:,} frauds: one in {rows / frauds:,.0f} "
            f"({100 * frauds / rows:.3f} %)" if frauds else f"{rows:,} rows, no fraud among them",
        ),
        *find_ids(contract, rows, distinct),
        *find_participants(warehouse, source.sql, contract, rows),
        *find_times(contract, totals["first_event"], totals["last_event"], rows),
        *find_amounts(contract, totals["negative"]),
        find_leaks(warehouse, rows_sql, contract, rows, frauds),
        *find_null_leaks(contract, columns, rows, frauds),
        *([] if source.taken else [find_refused(load_record, name, rows)]),
    ]  # fmt: skip
    return QualityReport(name, rows, frauds, rows - distinct.rows, columns, findings)


def _find_values(
    looked_at: Sequence[Column], columns: list[ColumnQuality], rows: int
) -> list[Finding]:
    """Nulls and values that the contract forbids, and nulls that it permits."""
    permitted = {column.name for column in looked_at if column.is_nullable}
    faulty = [
        each.name
        for each in columns
        if each.out_of_range or (each.nulls and each.name not in permitted)
    ]
    found = [
        Finding(
            not faulty,
            f"nulls or values out of range in: {', '.join(faulty)}"
            if faulty
            else "no nulls where the contract forbids them, no values out of range",
        )
    ]
    empty = [
        f"{each.name} {100 * each.nulls / rows:.3g} %"
        for each in columns
        if each.nulls and each.name in permitted
    ]
    if empty:
        found.append(Finding(True, f"nulls that the contract permits: {', '.join(empty)}"))
    return found


def _totals_sql(source: str, contract: Contract, columns: Sequence[Column]) -> str:
    is_fraud = is_fraud_sql(contract)
    parts = ["COUNT(*) AS row_count", f"COUNTIF({is_fraud}) AS frauds"]
    time = "NULL" if contract.event_time is None else f"`{contract.event_time}`"
    parts += [f"MIN({time}) AS first_event", f"MAX({time}) AS last_event"]
    is_negative = "FALSE" if contract.amount is None else f"`{contract.amount}` < 0"
    parts.append(f"COUNTIF({is_negative}) AS negative")
    for index, column in enumerate(columns):
        quoted = f"`{column.name}`"
        parts.append(f"COUNTIF({quoted} IS NULL) AS nulls_{index}")
        parts.append(f"COUNTIF({quoted} IS NULL AND {is_fraud}) AS null_frauds_{index}")
        parts.append(f"COUNTIF({out_of_range_sql(column)}) AS out_of_range_{index}")
        if column.type in NUMERIC_TYPES and column.category is None:
            parts += [
                f"{function}({quoted}) AS {function.lower()}_{index}"
                for function in ("MIN", "AVG", "MAX")
            ]
    return f"SELECT {', '.join(parts)} FROM {source}"  # noqa: S608 - names come from settings and a checked contract


def out_of_range_sql(column: Column) -> str:
    """A condition that is true of the values outside a column's limits, and of no NULL."""
    quoted, limits = f"`{column.name}`", column.limits
    faults = [
        f"{quoted} {sign} {sql_literal(limit)}"
        for sign, limit in (("<", limits.least), (">", limits.most))
        if limit is not None
    ]
    if limits.is_finite:
        faults += [f"IS_NAN({quoted})", f"IS_INF({quoted})"]
    if limits.most_characters is not None:
        faults.append(f"CHAR_LENGTH({quoted}) > {limits.most_characters}")
    if limits.words:
        faults.append(f"{quoted} NOT IN ({', '.join(map(repr, limits.words))})")
    return " OR ".join(faults) or "FALSE"


def _column_quality(
    column: Column, index: int, totals: dict[str, Any], *, is_derived: bool
) -> ColumnQuality:
    return ColumnQuality(
        column.name,
        "derived" if is_derived else column.type,
        totals[f"nulls_{index}"],
        totals[f"null_frauds_{index}"],
        totals[f"out_of_range_{index}"],
        (totals.get(f"min_{index}"), totals.get(f"avg_{index}"), totals.get(f"max_{index}")),
    )
