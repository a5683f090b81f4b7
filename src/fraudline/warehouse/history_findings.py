"""What a history may be suspected of: sentences about ids, labels, times and refused rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fraudline.contract import Contract
from fraudline.contract.number_words import number_words
from fraudline.contract.role_words import together
from fraudline.contract.time_units import to_seconds
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.id_sql import id_sql, is_blank_sql
from fraudline.warehouse.query import query

_SHORTEST_S = 3600.0
# Numbers that tell times of 2001 to 2096 since 1970, and in which unit.
_SINCE_1970 = {"s": (1e9, 4e9), "ms": (1e12, 4e12), "us": (1e15, 4e15), "ns": (1e18, 4e18)}
_PLAUSIBLE_YEARS = range(1990, 2100)


@dataclass(frozen=True)
class Finding:
    """A sentence of the report, and whether all is well with what it says."""

    is_ok: bool
    text: str


@dataclass(frozen=True)
class DistinctRows:
    """How many rows differ.

    Attributes:
        rows: How many differ from all others in some column.
        with_id: How many of those have an id that is not empty.
        ids: How many different ones.
    """

    rows: int
    with_id: int
    ids: int


def count_distinct(warehouse: Warehouse, source: str, contract: Contract) -> DistinctRows:
    """Count the different rows of a history, and their ids.

    Args:
        warehouse: Where it is.
        source: What stands behind FROM.
        contract: What its rows are.
    """
    names = ", ".join(f"`{column.name}`" for column in contract.columns)
    given, its = "NULL", contract.id_columns
    if its:
        given = f"IF({is_blank_sql(its)}, NULL, {id_sql(its)})"
    sql = (
        f"SELECT COUNT(*) AS n, COUNT({given}) AS with_id, COUNT(DISTINCT {given}) AS ids "  # noqa: S608 - names come from settings and a checked contract
        f"FROM (SELECT DISTINCT {names} FROM {source})"
    )
    return DistinctRows(*query(warehouse, sql).to_pylist()[0].values())


def find_ids(contract: Contract, rows: int, distinct: DistinctRows) -> list[Finding]:
    """Rows that repeat, and ids that are empty or belong to rows with other values."""
    duplicates = rows - distinct.rows
    findings = [
        Finding(
            duplicates == 0,
            f"{duplicates:,} {'row repeats' if duplicates == 1 else 'rows repeat'} another one in "
            "every column"
            + ("; in a random split, twins fall on both sides" if duplicates else ""),
        )
    ]
    if contract.id is not None:
        empty, reused = distinct.rows - distinct.with_id, distinct.with_id - distinct.ids
        findings.append(
            Finding(
                empty == reused == 0,
                "each id belongs to one transaction"
                if empty == reused == 0
                else f"{together(contract.id_columns)}: {empty:,} different rows without an id, "
                f"{reused:,} whose id belongs to a row with other values; in flight such a payment "
                "is rejected",
            )
        )
    return findings


def is_fraud_sql(contract: Contract) -> str:
    """A condition that is true of the rows that are labelled fraud."""
    label = contract.column(contract.label)
    return f"`{label.name}`" if label.type == "bool" else f"`{label.name}` = 1"


def find_times(contract: Contract, first: Any, last: Any, rows: int) -> list[Finding]:
    """Whether event times can be what the contract says: long enough, and in its unit.

    Args:
        contract: Names the event time and its unit.
        first: The earliest one; None where no row has one.
        last: The latest one.
        rows: How many rows there are.
    """
    if contract.event_time is None:
        a_day = contract.payments_a_day or 1.0
        return [
            Finding(
                True,
                f"the contract has no event time: {rows:,} rows count as {rows / a_day:,.3g} days "
                f"(payments_a_day = {a_day:.15g}), and no part of them is later than another",
            )
        ]
    column = contract.column(contract.event_time)
    name, unit = column.name, column.unit or "s"
    if first is None:
        return [Finding(False, f"no row has an event time '{name}'")]
    if isinstance(first, dt.datetime):
        span_s = (last - first).total_seconds()
        odd = [each for each in (first, last) if each.year not in _PLAUSIBLE_YEARS]
        told = f"lies in {odd[0].year}; was a number of another unit made a time?" if odd else ""
    else:
        span_s = float(to_seconds(float(last) - float(first), contract.event_unit_s))
        told = _other_unit(float(last), unit, contract.event_unit_s)
    findings = [Finding(False, f"event time '{name}' {told}")] if told else []
    contract_unit = "timestamp" if isinstance(first, dt.datetime) else unit
    findings.append(
        Finding(
            span_s >= _SHORTEST_S,
            f"the history spans {_span(span_s)}{_period(contract, first, last)}"
            + (
                ""
                if span_s >= _SHORTEST_S
                else f": rates a day, alerts and the cap of reviews cannot be told from less than "
                f"an hour. Is '{name}' in another unit than the contract's, {contract_unit}?"
            ),
        )
    )
    error_s = 0.0
    if not isinstance(first, dt.datetime):
        error_s = contract.event_time_error_s(max(abs(float(first)), abs(float(last))))
    if error_s >= 1:
        findings.append(
            Finding(
                False,
                f"'{name}' is a feature, and a network sees it as float32, up to {error_s:g} s "
                "away; set feature = false, give a timestamp, or count from the first event",
            )
        )
    return findings


def _other_unit(last: float, unit: str, unit_s: float) -> str:
    for other, (least, most) in _SINCE_1970.items():
        in_seconds = to_seconds(last, unit_s)
        if least <= last < most and not _SINCE_1970["s"][0] <= in_seconds < _SINCE_1970["s"][1]:
            return (
                f"reaches {number_words(last)}, which looks like {other} since 1970; the contract "
                f'says {unit}. Set unit = "{other}" if it is'
            )
    return ""


def _period(contract: Contract, first: Any, last: Any) -> str:
    """From when to when, if the event times are known to count from 1970; else nothing."""
    if not isinstance(first, dt.datetime):
        least, most = _SINCE_1970["s"]
        seconds = [float(to_seconds(float(each), contract.event_unit_s)) for each in (first, last)]
        if not all(least <= each < most for each in seconds):
            return ""
        first, last = (dt.datetime.fromtimestamp(each, dt.UTC) for each in seconds)
    ends = [f"{each.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" for each in (first, last)]
    return f", from {ends[0]} to {ends[1]}"


def _span(seconds: float) -> str:
    for least, word, size in ((2 * 86400, "days", 86400), (2 * 3600, "hours", 3600)):
        if seconds >= least:
            return f"{seconds / size:,.1f} {word}"
    return f"{seconds:,.4g} s"


def find_amounts(contract: Contract, negative: int) -> list[Finding]:
    """Whether there are amounts, and are negative where the contract permits them."""
    if contract.amount is None:
        return [
            Finding(
                True,
                "the contract has no amount: a fraud costs the same (policy.fraud_cost), whichever "
                "payment it is",
            )
        ]
    if not negative:
        return []
    return [
        Finding(
            False,
            f"{negative:,} {'row has' if negative == 1 else 'rows have'} a negative "
            f"'{contract.amount}': nothing is lost by that, so it is approved at any score. If "
            "these are refunds, they are no payments; refuse them with min = 0",
        )
    ]
