"""In which periods something was decided, and which of them were judged."""

from __future__ import annotations

import datetime as dt

from fraudline import flows
from fraudline.contract import Contract, Period
from fraudline.contract.columns import LATEST
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query


def decided_periods(
    warehouse: Warehouse, length_s: float, *, since: dt.datetime, until: dt.datetime
) -> list[Period]:
    """The periods that hold a first decision on a transaction, in order.

    Args:
        warehouse: Its table of decisions is read: one column, of that time alone.
        length_s: How long a period is, seconds.
        since: Decisions that were made before are left alone.
        until: Likewise those made at this time or later.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    table = warehouse.table(warehouse.settings.table(flows.DECISIONS))
    found = query(
        warehouse,
        f"SELECT MIN(decided_at) AS first_at FROM `{table}` "  # noqa: S608 - the name comes from settings
        "WHERE decided_at >= @since AND decided_at < @until AND repeat_of IS NULL "
        "GROUP BY DIV(UNIX_MICROS(decided_at), @length_us) ORDER BY first_at",
        [
            ("since", "TIMESTAMP", since),
            ("until", "TIMESTAMP", until),
            ("length_us", "INT64", round(length_s * 1e6)),
        ],
    )
    return [Period.holding(at, length_s) for at in found.column("first_at").to_pylist()]


def judged_periods(
    warehouse: Warehouse,
    contract: Contract,
    length_s: float,
    *,
    since: dt.datetime,
    until: dt.datetime = LATEST,
    most: int | None = None,
) -> dict[Period, dt.datetime]:
    """The periods of a length that were judged, the newest first, each with the last as-of moment.

    Args:
        warehouse: Its table of measures is read.
        contract: Of the transactions.
        length_s: How long a period is, seconds.
        since: Periods that begin before are left out.
        until: Looks as of a later moment are left out.
        most: How many at most.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    found = query(
        warehouse,
        "SELECT period_start, MAX(as_of) AS as_of "  # noqa: S608 - the name comes from settings
        f"FROM `{warehouse.table(warehouse.settings.table(flows.MEASURES))}` "
        "WHERE contract = @contract AND period_start >= @since AND as_of <= @until "
        "AND TIMESTAMP_DIFF(period_end, period_start, MICROSECOND) = @length_us "
        "GROUP BY period_start ORDER BY period_start DESC"
        + ("" if most is None else f" LIMIT {most}"),
        [
            ("contract", "STRING", contract.name),
            ("since", "TIMESTAMP", since),
            ("until", "TIMESTAMP", until),
            ("length_us", "INT64", round(length_s * 1e6)),
        ],
    )
    return {
        Period.holding(row["period_start"], length_s): row["as_of"] for row in found.to_pylist()
    }


def versions_that_decided(
    warehouse: Warehouse, contract: Contract, *, since: dt.datetime
) -> set[str]:
    """The versions that decided in periods that were judged.

    Args:
        warehouse: Its table of measures is read, which is small.
        contract: Of the transactions.
        since: Periods that end before are left out.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    found = query(
        warehouse,
        "SELECT DISTINCT model_versions "  # noqa: S608 - the name comes from settings
        f"FROM `{warehouse.table(warehouse.settings.table(flows.MEASURES))}` "
        "WHERE contract = @contract AND period_end >= @since",
        [("contract", "STRING", contract.name), ("since", "TIMESTAMP", since)],
    )
    texts = filter(None, found.column("model_versions").to_pylist())
    return {version for text in texts for version in text.split(", ")}
