"""Whether a column of a history tells of the label what nobody knows when a payment is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fraudline.contract import Column, Contract
from fraudline.contract.leak_words import LEAK_AUC, LEAST_FRAUDS, null_leak_words
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.history_findings import Finding, is_fraud_sql
from fraudline.warehouse.history_sample import telling_columns
from fraudline.warehouse.query import query, sql_literal

if TYPE_CHECKING:
    from fraudline.warehouse.history_quality import ColumnQuality

# A suspect is sorted by its values, which BigQuery does in one place.
_MOST_ROWS = 20_000_000


def find_leaks(
    warehouse: Warehouse, source: str, contract: Contract, rows: int, frauds: int
) -> Finding:
    """Whether a single feature tells fraud from legitimate payments, which none should.

    For each feature, the area under the ROC curve of its values, exact. Nulls are looked at by
    `find_null_leaks`.
    """
    if rows > _MOST_ROWS:
        return Finding(
            False,
            f"no column was looked at as a possible leak of the label: of more than "
            f"{_MOST_ROWS:,} rows it takes too long; check a part of the table",
        )
    if min(frauds, rows - frauds) < LEAST_FRAUDS:
        return Finding(
            False,
            f"too few frauds, or too few others, to tell whether a column leaks the label: "
            f"{frauds:,} and {rows - frauds:,}, expected at least {LEAST_FRAUDS} of each",
        )
    found: dict[str, float] = {}
    told = []
    for column in (
        *_suspects(warehouse, source, contract),
        *(contract.column(name) for name in contract.categories),
    ):
        area, least = query(warehouse, _auc_sql(source, contract, column)).to_pylist()[0].values()
        if column.category is not None and (least or 0) < LEAST_FRAUDS:
            continue  # too few rows have a level that comes again
        if area is not None and max(area, 1 - area) > LEAK_AUC:
            found[column.name] = max(area, 1 - area)
    if found:
        listed = ", ".join(f"'{name}' (AUC {area:.4f})" for name, area in found.items())
        told.append(
            f"{listed} alone {'tells' if len(found) == 1 else 'tell'} fraud from the rest, which "
            "looks like a leak of the label: is it known when a payment is decided? If not, set "
            "feature = false or leave it out"
        )
    if told:
        return Finding(False, "; ".join(told))
    return Finding(True, f"no feature alone tells fraud from the rest (AUC over {LEAK_AUC})")


def find_null_leaks(
    contract: Contract, columns: Sequence[ColumnQuality], rows: int, frauds: int
) -> list[Finding]:
    """Features whose nulls tell fraud from legitimate payments: missing in one class alone.

    Args:
        contract: Which columns are features.
        columns: What each column holds.
        rows: How many rows there are.
        frauds: How many of them are labelled fraud.
    """
    others = rows - frauds
    if min(frauds, others) < LEAST_FRAUDS:
        return []  # `find_leaks` says so
    told = [
        f"'{each.name}' {words}"
        for each in columns
        if each.name in contract.features
        and (words := null_leak_words(each.nulls, each.null_frauds, frauds, others))
    ]
    if not told:
        return []
    return [
        Finding(
            False,
            f"{'; '.join(told)}: that looks like a leak of the label. Is it known when a payment "
            "is decided, and by whom is it filled in? If not before, set feature = false or leave "
            "it out",
        )
    ]


def _suspects(warehouse: Warehouse, source: str, contract: Contract) -> list[Column]:
    """Features that may be leaks, without sorting any.

    A fifth of the frauds lies at or below the first of two values, another at or above the second.
    An area over .99 leaves at most one in twenty of the others beyond one of them; one in ten is
    let through, since quantiles are approximate.
    """
    columns = [
        contract.column(name) for name in contract.features if name not in contract.categories
    ]
    if not columns:
        return []
    quantiles = [
        f"APPROX_QUANTILES(IF({is_fraud_sql(contract)}, {_seen_sql(each)}, NULL), 5) AS q_{at}"
        for at, each in enumerate(columns)
    ]
    quantiles += [
        f"COUNTIF(NOT ({is_fraud_sql(contract)}) AND `{each.name}` IS NOT NULL) AS others_{at}"
        for at, each in enumerate(columns)
    ]
    edges = query(warehouse, f"SELECT {', '.join(quantiles)} FROM {source}").to_pylist()[0]  # noqa: S608 - names come from settings and a checked contract
    counts, looked_at = [], {}
    for at, column in enumerate(columns):
        if not edges[f"q_{at}"] or not edges[f"others_{at}"]:  # null in one class
            continue
        looked_at[at] = column
        low, high = edges[f"q_{at}"][1], edges[f"q_{at}"][4]
        value, is_other = _seen_sql(column), f"NOT ({is_fraud_sql(contract)})"
        counts += [
            f"COUNTIF({is_other} AND {value} <= {sql_literal(low)}) AS below_{at}",
            f"COUNTIF({is_other} AND {value} >= {sql_literal(high)}) AS above_{at}",
        ]
    if not counts:
        return []
    beyond = query(warehouse, f"SELECT {', '.join(counts)} FROM {source}").to_pylist()[0]  # noqa: S608 - as above
    return [
        column
        for at, column in looked_at.items()
        if max(beyond[f"below_{at}"], beyond[f"above_{at}"]) >= 0.9 * edges[f"others_{at}"]
    ]


def _seen_sql(column: Column) -> str:
    """What a network sees of a feature, as a number."""
    if column.type == "bool":
        return f"CAST(`{column.name}` AS INT64)"
    if column.type == "timestamp":
        return f"MOD(UNIX_MICROS(`{column.name}`), 86400000000)"
    return f"`{column.name}`"


def _values_sql(source: str, contract: Contract, column: Column) -> str:
    """A query of the values of a feature, and how many frauds and others have each of them.

    Of a category the value is the share of frauds among the rows of the level in one half of the
    history, and what is counted is the other half: no level tells of its own rows.
    """
    is_fraud = is_fraud_sql(contract)
    counted = (
        f"CAST(COUNTIF({is_fraud}) AS FLOAT64) AS frauds, "
        f"CAST(COUNTIF(NOT ({is_fraud})) AS FLOAT64) AS others"
    )
    there = f"FROM {source} WHERE `{column.name}` IS NOT NULL"
    if column.category is None:
        return f"SELECT {_seen_sql(column)} AS value, {counted} {there} GROUP BY value"
    telling = list(filter(None, (contract.event_time, contract.amount)))
    if len(telling) < 2:
        telling = telling_columns(contract)
    texts = ", ':', ".join(f"IFNULL(CAST(`{name}` AS STRING), '')" for name in telling)
    half = f"SUBSTR(TO_HEX(MD5(CONCAT({texts}))), 1, 1) < '8'"
    by_half = f"SELECT `{column.name}` AS level, {half} AS half, {counted} {there} GROUP BY 1, 2"
    return (
        f"WITH halves AS ({by_half}) SELECT one.frauds / (one.frauds + one.others) AS value, "  # noqa: S608 - names come from settings and a checked contract
        "SUM(two.frauds) AS frauds, SUM(two.others) AS others FROM halves AS two "
        "JOIN halves AS one ON one.level = two.level AND one.half != two.half GROUP BY value"
    )


def _auc_sql(source: str, contract: Contract, column: Column) -> str:
    # A legitimate payment with a smaller value counts 1 for each fraud, one with the same a half.
    return (
        "SELECT SUM(frauds * (below + others / 2)) / NULLIF(SUM(frauds) * SUM(others), 0) AS area, "  # noqa: S608 - names come from settings and a checked contract
        "LEAST(SUM(frauds), SUM(others)) AS least FROM ("
        "SELECT frauds, others, SUM(others) OVER (ORDER BY value) - others AS below FROM ("
        f"{_values_sql(source, contract, column)}))"
    )
