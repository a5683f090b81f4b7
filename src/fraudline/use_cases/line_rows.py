"""What was written of periods before, and where judging goes on after them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from fraudline import flows
from fraudline.contract import Period
from fraudline.use_cases.project import Project
from fraudline.warehouse.learning_tables import read_rows

_MOMENT = dt.timedelta(microseconds=1)


def rows_of_line(project: Project) -> list[dict[str, Any]]:
    """The rows of its periods, oldest first.

    Of all champions with the network that scores now: a calibration anew ends no line.

    Args:
        project: Whose registry, settings and table; it has a champion.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    stint = project.registry.networks.stint()
    since, champions = stint[0].at, {each.version for each in stint}
    rows = read_rows(project.warehouse, flows.GATES, project.contract, since=since)
    return [row for row in rows if row["champion"] in champions and row["champion_since"] >= since]


def first_after(last: dt.datetime, length_s: float) -> dt.datetime:
    """When the first period begins that has no payment of one that was judged.

    Whatever that one's length was: a payment counts in one bet.

    Args:
        last: The end of the last period that was judged; they are judged in their order.
        length_s: How long a period is from now on, seconds.
    """
    return Period.holding(last - _MOMENT, length_s).end


def last_end(rows: Sequence[dict[str, Any]]) -> dt.datetime:
    """The end of the last period of which there is a row; there is at least one."""
    end: dt.datetime = max(row["period_end"] for row in rows)
    return end
