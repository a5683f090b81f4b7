"""Learning what became known, at the end of each period, in a process of its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fraudline import flows
from fraudline.bundle.manifest import RETRAINING
from fraudline.contract import Period
from fraudline.stream.progress import Progress
from fraudline.use_cases.learning_steps import Due, alive, last_over
from fraudline.use_cases.make_beside import make_beside
from fraudline.use_cases.own_process import Answer
from fraudline.use_cases.project import Project
from fraudline.use_cases.update_process import UPDATE
from fraudline.warehouse.learning_tables import read_rows, write_rows

_MOST_TOLD = 4096


class UpdatePeriods:
    """The step that makes the next version of the champion's line.

    It learns as of the end of the last period that is over. Periods that passed while nothing ran
    are not made up for: the later version knows all of it.

    Args:
        project: Whose champion, decisions, labels, history, settings and table.
        progress: Told that it lives while the process runs that learns.
    """

    name = "update"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._is_alive = project, alive(progress, self.name)
        self._length_s = project.settings.learning.period_s

    def due(self, now: dt.datetime) -> list[Due]:
        """The last period that is over, if nothing was written of it, and there is a champion."""
        project = self._project
        if project.settings.learning.update == "off" or not project.registry.has_champion():
            return []
        due = last_over(now, self._length_s)
        return [] if self._is_done(due.period) else [due]

    def do(self, due: Due) -> str:
        """Learn in another process, and write down what came of it."""
        project, road = self._project, self._project.settings.learning.update
        answer = make_beside(
            project, UPDATE, due.at, [], self._is_alive, nothing="nothing was learned"
        )
        write_update(project, due.period, road, answer, answer.told)
        return answer.told.removesuffix(".")

    def _is_done(self, period: Period) -> bool:
        rows = read_rows(
            self._project.warehouse,
            flows.UPDATES,
            self._project.contract,
            since=period.start,
            until=period.end,
        )
        return any(row["period_end"] == period.end and row["road"] != RETRAINING for row in rows)


def write_update(
    project: Project, period: Period, road: str, answer: Answer, told: str, which: str = ""
) -> None:
    """Write a row of table `updates`; the same row again is one row.

    Args:
        project: Whose table.
        period: At the end of which period.
        road: What was done; as `Learned.road`.
        answer: What the process said that did it.
        told: That in words.
        which: What tells the row from others of this period, if there may be others.

    Raises:
        WarehouseError: the table does not take it.
    """
    name = project.contract.name
    of = f"{name}|{period.start.isoformat()}|{period.length.total_seconds():g} s"
    row = {
        "row_key": f"{of}|{which}" if which else of,
        "contract": name,
        "period_start": period.start,
        "period_end": period.end,
        "road": road,
        "version": answer.version,
        "parent": answer.parent,
        "rows": answer.rows,
        "frauds": answer.frauds,
        "processor_s": answer.processor_s,
        "told": told[:_MOST_TOLD],
    }
    write_rows(project.warehouse, flows.UPDATES, [row])


@dataclass(frozen=True)
class LastUpdate:
    """What was learned last.

    Attributes:
        period: At the end of which period.
        told: What was made, or why nothing was.
        version: The version, if one was made.
    """

    period: Period
    told: str
    version: str | None


def last_update(project: Project, until: dt.datetime) -> LastUpdate | None:
    """What was written of the last update before a moment; None before the first.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    rows: list[dict[str, Any]] = read_rows(
        project.warehouse,
        flows.UPDATES,
        project.contract,
        since=until - dt.timedelta(days=60),
        until=until,
    )
    done = [row for row in rows if row["period_end"] <= until and row["road"] != RETRAINING]
    if not done:
        return None
    row = done[-1]
    return LastUpdate(Period(row["period_start"], row["period_end"]), row["told"], row["version"])
