"""What the gate has written of the present champion's line."""

from __future__ import annotations

from typing import Any

from fraudline import flows
from fraudline.use_cases.project import Project
from fraudline.warehouse.learning_tables import read_rows


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
