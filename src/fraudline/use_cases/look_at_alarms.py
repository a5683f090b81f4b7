"""What the watch over the stream found: the alarms that stand, those that are over, an estimate."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fraudline import flows
from fraudline.contract import Period
from fraudline.contract.alarms import SCORES
from fraudline.measures.estimated_performance import Estimate
from fraudline.use_cases.project import Project
from fraudline.warehouse.learning_tables import read_rows

_decode_figures = msgspec.json.Decoder(dict[str, float]).decode


@dataclass(frozen=True)
class Alarm:
    """One detector's alarm of one column, over one period or several that follow each other.

    Attributes:
        detector: What was looked at.
        column: Of which column, where it is of one.
        unit: The unit of that column.
        is_category: Whether it is a category: the figures are of levels.
        version: Which version decided, None where that does not matter.
        since: Since when.
        period: The last period in which it alarmed.
        stands: Whether that is the last one that was watched.
        statistic: How far it was then; None where nothing could be measured.
        threshold: From where on it alarms.
        told: A sentence.
        usual: What is usual, by what it is a figure of.
        found: What was found then, likewise.
    """

    detector: str
    column: str | None
    unit: str
    is_category: bool
    version: str | None
    since: dt.datetime
    period: Period
    stands: bool
    statistic: float | None
    threshold: float | None
    told: str
    usual: dict[str, float]
    found: dict[str, float]


@dataclass(frozen=True)
class Alarms:
    """What was found in the last periods.

    Attributes:
        periods: How many of them were watched.
        last: The last one; None without any.
        alarms: Those that stand first, and of them the latest first.
        untold: What could not be looked at in the last one, and why: sentences.
        estimate: What the scores of the last one promise, by the version with most decisions;
            it holds while no alarm stands. None where there is none.
    """

    periods: int
    last: Period | None
    alarms: list[Alarm]
    untold: list[str]
    estimate: Estimate | None

    @property
    def standing(self) -> list[Alarm]:
        """Those that were there in the last period."""
        return [alarm for alarm in self.alarms if alarm.stands]


def look_at_alarms(project: Project, most: int, as_of: dt.datetime | None = None) -> Alarms:
    """The alarms of the last periods.

    Args:
        project: Whose table of alarms.
        most: How many periods that were watched are looked at.
        as_of: Only what had been written by this moment; everything without one.

    Raises:
        WarehouseError: the table cannot be read, or does not exist yet.
    """
    length = dt.timedelta(seconds=project.settings.learning.period_s)
    rows = read_rows(project.warehouse, flows.ALARMS, project.contract)
    rows = [
        row
        for row in rows
        if row["period_end"] - row["period_start"] == length
        and (as_of is None or row["written_at"] <= as_of)
    ]
    starts = sorted({row["period_start"] for row in rows})[-most:]
    if not starts:
        return Alarms(0, None, [], [], None)
    last = starts[-1]
    latest: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in rows:  # by period, so a later one takes the place of an earlier one
        if row["is_alarm"] and row["period_start"] >= starts[0]:
            latest[
                row["model_version"], row["detector"], row["column_name"], row["alarm_since"]
            ] = row
    alarms = [_alarm(project, row, last) for row in latest.values()]
    alarms.sort(key=lambda alarm: (alarm.stands, alarm.period.start), reverse=True)
    of_last = [row for row in rows if row["period_start"] == last]
    return Alarms(
        periods=len(starts),
        last=Period(last, of_last[0]["period_end"]),
        alarms=alarms,
        untold=list(dict.fromkeys(row["told"] for row in of_last if _is_untold(row))),
        estimate=_estimate(of_last),
    )


def _alarm(project: Project, row: Mapping[str, Any], last: dt.datetime) -> Alarm:
    column = row["column_name"]
    return Alarm(
        detector=row["detector"],
        column=column,
        unit=project.contract.column(column).unit if column else "",
        is_category=column in project.contract.categories,
        version=row["model_version"],
        since=row["alarm_since"],
        period=Period(row["period_start"], row["period_end"]),
        stands=row["period_start"] == last,
        statistic=row["statistic"],
        threshold=row["threshold"],
        told=row["told"],
        usual=_figures(row["usual"]),
        found=_figures(row["found"]),
    )


def _is_untold(row: Mapping[str, Any]) -> bool:
    return row["statistic"] is None and not row["is_alarm"]


def _figures(text: str | None) -> dict[str, float]:
    return _decode_figures(text) if text else {}


def _estimate(rows: Sequence[Mapping[str, Any]]) -> Estimate | None:
    scored = [row for row in rows if row["detector"] == SCORES and row["found"]]
    if not scored:
        return None
    row = max(scored, key=lambda each: each["transactions"])
    found = _figures(row["found"])
    return Estimate(
        rows=row["transactions"],
        stopped=int(found["stopped"]),
        expected_frauds=found["expected_frauds"],
        expected_caught=found["expected_caught"],
    )
