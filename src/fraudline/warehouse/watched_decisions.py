"""What was decided in a period, counted in BigQuery, and a draw of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pyarrow as pa

from fraudline import flows
from fraudline.contract import APPROVE, REPLAYED, Contract, Period
from fraudline.contract.derived_sql import with_derived_sql
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

# Part of what is hashed for a draw, so that it is the same whenever a period is looked at.
_SEED = "fraudline 1"
# First decisions of a period; one by a version where it says so.
_DECIDED = "decided_at >= @start AND decided_at < @end AND repeat_of IS NULL"
_BY_VERSION = f"{_DECIDED} AND model_version = @version"


@dataclass(frozen=True)
class PeriodCounts:
    """What a version decided in a period, counted.

    Attributes:
        decided: Transactions.
        stopped: How many of them were not approved.
        high: How many scores reached the one that was asked for.
        high_amounts: How many amounts reached the one that was asked for; 0 where none was.
        expected_frauds: Sum of the scores.
        expected_caught: Sum of the scores of what was not approved.
        event_s: How much event time they cover, seconds.
        nulls: By column that may be null, in how many it is.
    """

    decided: int
    stopped: int
    high: int
    high_amounts: int
    expected_frauds: float
    expected_caught: float
    event_s: float
    nulls: dict[str, int]


def watchable_periods(
    warehouse: Warehouse, length_s: float, *, since: dt.datetime, until: dt.datetime
) -> list[Period]:
    """The periods in which something was decided or rejected, in order.

    Args:
        warehouse: Of its tables of decisions and rejects one column is read, of that time alone.
        length_s: How long a period is, seconds.
        since: What came before is left alone.
        until: Likewise what came at this time or later.

    Raises:
        WarehouseError: a table cannot be queried.
    """
    rejects = warehouse.table(warehouse.settings.table(flows.REJECTS))
    found = query(
        warehouse,
        "SELECT MIN(at) AS at FROM ("  # noqa: S608 - names come from settings
        f"SELECT decided_at AS at FROM `{_decisions(warehouse)}` WHERE repeat_of IS NULL "
        "AND decided_at >= @start AND decided_at < @end "
        f"UNION ALL SELECT rejected_at FROM `{rejects}` WHERE reason != @replayed "
        "AND rejected_at >= @start AND rejected_at < @end"
        ") GROUP BY DIV(UNIX_MICROS(at), @length_us) ORDER BY at",
        [
            *_of(Period(since, until)),
            ("replayed", "STRING", REPLAYED),
            ("length_us", "INT64", round(length_s * 1e6)),
        ],
    )
    return [Period.holding(at, length_s) for at in found.column("at").to_pylist()]


def count_by_version(warehouse: Warehouse, period: Period) -> dict[str, int]:
    """How many transactions each version decided in a period, the most first.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    found = query(
        warehouse,
        f"SELECT model_version, COUNT(*) AS decided FROM `{_decisions(warehouse)}` "  # noqa: S608 - the name comes from settings
        f"WHERE {_DECIDED} GROUP BY model_version ORDER BY decided DESC, model_version",
        _of(period),
    )
    return {row["model_version"]: row["decided"] for row in found.to_pylist()}


def count_rejects(warehouse: Warehouse, period: Period) -> int:
    """How many messages were rejected in a period; what was sent again since counts, too.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    table = warehouse.table(warehouse.settings.table(flows.REJECTS))
    found = query(
        warehouse,
        f"SELECT COUNT(*) AS rejected FROM `{table}` WHERE rejected_at >= @start "  # noqa: S608 - likewise
        "AND rejected_at < @end AND reason != @replayed",
        [*_of(period), ("replayed", "STRING", REPLAYED)],
    )
    return int(found.column("rejected")[0].as_py())


def count_decided(
    warehouse: Warehouse,
    contract: Contract,
    period: Period,
    version: str,
    high_score: float,
    high_amount: float | None,
) -> PeriodCounts:
    """Count what a version decided in a period; one row comes back.

    Args:
        warehouse: Its table of decisions is read.
        contract: What a transaction looks like.
        period: Which one.
        version: Which one; it has decided something in it.
        high_score: The score that is watched.
        high_amount: The amount that is, if one is.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    nullable = contract.nullable
    nulls = "".join(
        f", COUNTIF(`{name}` IS NULL) AS nulls_{at}" for at, name in enumerate(nullable)
    )
    is_high = "FALSE" if high_amount is None else f"`{contract.amount}` >= @high_amount"
    time = _event_time(contract)
    table = f"`{_decisions(warehouse)}`"
    row = query(
        warehouse,
        "SELECT COUNT(*) AS decided, COUNTIF(decision != @approve) AS stopped, "  # noqa: S608 - names come from settings and a checked contract
        "COUNTIF(score >= @high) AS high, SUM(score) AS expected_frauds, "
        f"COUNTIF({is_high}) AS high_amounts, "
        "SUM(IF(decision != @approve, score, 0)) AS expected_caught, "
        f"MIN({time}) AS first_event, MAX({time}) AS last_event{nulls} "
        f"FROM {with_derived_sql(table, contract.derivations)} WHERE {_BY_VERSION}",
        [
            *_of(period),
            ("version", "STRING", version),
            ("high", "FLOAT64", high_score),
            ("high_amount", "FLOAT64", high_amount),
            ("approve", "STRING", APPROVE),
        ],
    )
    counts = row.to_pylist()[0]
    ends = counts["first_event"], counts["last_event"]
    if contract.event_time is None:
        event_s = (ends[1] - ends[0]).total_seconds()
    else:
        first, last = contract.event_seconds(pa.table({contract.event_time: ends}))
        event_s = float(last - first)
    return PeriodCounts(
        decided=counts["decided"],
        stopped=counts["stopped"],
        high=counts["high"],
        high_amounts=counts["high_amounts"],
        expected_frauds=counts["expected_frauds"] or 0.0,
        expected_caught=counts["expected_caught"] or 0.0,
        event_s=event_s,
        nulls={name: counts[f"nulls_{at}"] for at, name in enumerate(nullable)},
    )


def draw_decided(
    warehouse: Warehouse, contract: Contract, period: Period, version: str, most_rows: int
) -> pa.Table:
    """A draw of the transactions that a version decided in a period: the same one each time.

    Args:
        warehouse: Its table of decisions is read: what a network sees or what that is derived
            from, and the event time.
        contract: What a transaction looks like.
        period: Which one.
        version: Which one.
        most_rows: How many at most; all where there are no more.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    names = ", ".join(
        f"`{name}`"
        for name in dict.fromkeys(filter(None, (*contract.seen_columns, contract.event_time)))
    )
    return query(
        warehouse,
        f"SELECT {names} FROM `{_decisions(warehouse)}` WHERE {_BY_VERSION} "  # noqa: S608 - likewise
        "ORDER BY MD5(CONCAT(@seed, source_topic, ':', CAST(source_partition AS STRING), ':', "
        f"CAST(source_offset AS STRING))), decided_at LIMIT {most_rows:d}",
        [
            *_of(period),
            ("version", "STRING", version),
            ("seed", "STRING", _SEED),
        ],
    )


def _event_time(contract: Contract) -> str:
    """When a payment was made: what the contract says, or when its message says it was sent."""
    if contract.event_time is not None:
        return f"`{contract.event_time}`"
    return "IFNULL(received_at, decided_at)"


def _decisions(warehouse: Warehouse) -> str:
    return warehouse.table(warehouse.settings.table(flows.DECISIONS))


def _of(period: Period) -> list[tuple[str, str, object]]:
    return [("start", "TIMESTAMP", period.start), ("end", "TIMESTAMP", period.end)]
