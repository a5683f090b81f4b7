"""What was judged so far, as of when, and what over the last periods together."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any

from fraudline import flows
from fraudline.contract import Period
from fraudline.contract.columns import EARLIEST
from fraudline.measures.prequential import PARTS, PeriodMeasures, put_together
from fraudline.use_cases.judge_periods import first_to_judge
from fraudline.use_cases.project import Project
from fraudline.warehouse.decided_periods import decided_periods, judged_periods
from fraudline.warehouse.learning_tables import read_rows

_FIGURES = tuple(field.name for field in fields(PeriodMeasures))


@dataclass(frozen=True)
class JudgedPeriod:
    """What is known of a period's decisions.

    Attributes:
        period: Which one.
        as_of: By the labels that had arrived at this moment.
        first_as_of: When it was judged for the first time.
        model_versions: The versions that decided, with `, ` between them.
        maturity_days: After which unlabelled payments counted as legitimate; None where that was
            not kept.
        parts: The figures, by the parts of `measures.prequential.PARTS`.
        first: Those of the first time.
    """

    period: Period
    as_of: dt.datetime
    first_as_of: dt.datetime
    model_versions: str
    maturity_days: float | None
    parts: dict[str, PeriodMeasures]
    first: dict[str, PeriodMeasures]


@dataclass(frozen=True)
class LearningStatus:
    """What `fraudline learn` has judged.

    Attributes:
        at: When this was asked.
        length_s: How long a period is, seconds.
        periods: The last ones that were judged, the newest first.
        rolling: They put together, by part; empty if there are none. Of each the newest figures.
        unjudged: Periods after them whose time has come, and which were not judged: the process
            does not run, or is behind.
        next_at: When the period in which we are is judged first.
    """

    at: dt.datetime
    length_s: float
    periods: list[JudgedPeriod]
    rolling: dict[str, PeriodMeasures]
    unjudged: list[Period]
    next_at: dt.datetime


def learning_status(
    project: Project, *, most: int = 7, as_of: dt.datetime | None = None
) -> LearningStatus:
    """What was judged of the last periods.

    Args:
        project: Whose table.
        most: How many periods.
        as_of: Only what had been judged by this moment; everything without one.

    Raises:
        WarehouseError: the table cannot be queried: it is made by `fraudline setup`.
    """
    length_s = project.settings.learning.period_s
    at = as_of or dt.datetime.now(dt.UTC)
    last = judged_periods(
        project.warehouse, project.contract, length_s, since=EARLIEST, until=at, most=most
    )
    periods = _judged(project, list(last), at) if last else []
    length = dt.timedelta(seconds=length_s)
    over = Period.holding(at - length, length_s).start
    since = periods[0].period.end if periods else first_to_judge(project, at)
    return LearningStatus(
        at,
        length_s,
        periods,
        {
            part: put_together([each.parts[part] for each in reversed(periods)])
            for part in (PARTS if periods else ())
        },
        decided_periods(project.warehouse, length_s, since=since, until=over),
        Period.holding(at, length_s).end + length,
    )


def _measures_of(row: dict[str, Any]) -> PeriodMeasures:
    """The figures of a row; one of before says nothing of payments that are left out."""
    named = {name: row[name] for name in _FIGURES}
    return PeriodMeasures(**named | {"left_out": named["left_out"] or 0})


def _judged(project: Project, wanted: list[Period], at: dt.datetime) -> list[JudgedPeriod]:
    rows = read_rows(
        project.warehouse, flows.MEASURES, project.contract, since=min(wanted).start, until=at
    )
    looks: dict[Period, dict[dt.datetime, list[dict[str, Any]]]] = {}
    for row in rows:
        if row["as_of"] <= at:
            period = Period(row["period_start"], row["period_end"])
            looks.setdefault(period, {}).setdefault(row["as_of"], []).append(row)
    found = []
    for period in wanted:
        taken = looks[period]
        first, last = (
            {row["part"]: _measures_of(row) for row in taken[moment]}
            for moment in (min(taken), max(taken))
        )
        of_all = taken[max(taken)][0]
        found.append(
            JudgedPeriod(
                period,
                max(taken),
                min(taken),
                of_all["model_versions"],
                of_all["maturity_days"],
                last,
                first,
            )
        )
    return found
