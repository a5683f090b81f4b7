"""Training anew as a step: on schedule, or some time after an alarm, when labels tell of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fraudline import flows
from fraudline.bundle.manifest import RETRAINING
from fraudline.stream.progress import Progress
from fraudline.use_cases.learning_steps import Due, alive, last_over
from fraudline.use_cases.look_at_alarms import look_at_alarms
from fraudline.use_cases.make_beside import make_beside
from fraudline.use_cases.own_process import Answer
from fraudline.use_cases.project import Project
from fraudline.use_cases.promote_winner import LEARN
from fraudline.use_cases.update_periods import write_update
from fraudline.use_cases.update_process import RETRAIN, RETRAIN_LIMIT_S
from fraudline.warehouse.learning_tables import read_rows

MATURE_PERIODS = 7
"""So many periods since an alarm began are mature before a network is trained for what it told."""
_AGAIN = "It is tried again when it is due again; `fraudline learning retrain` does it now."


@dataclass(frozen=True)
class _Wanted:
    due: Due
    reason: str


class RetrainPeriods:
    """The step that trains the champion's recipe anew, and makes the result a challenger.

    At the end of the last period that is over, if it is time. It waits for the training, which has
    a process of its own; who is killed meanwhile has done nothing, and does it again.

    Args:
        project: Whose champion, decisions, labels, history, settings and tables.
        progress: Told that it lives while the process runs that trains.
    """

    name = "retrain"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._is_alive = project, alive(progress, self.name)
        self._length_s = project.settings.learning.period_s

    def due(self, now: dt.datetime) -> list[Due]:
        """The last period that is over, if a new network is wanted at its end."""
        wanted = self._wanted(now)
        return [] if wanted is None else [wanted.due]

    def do(self, due: Due) -> str:
        """Train in another process, and write down what came of it."""
        project = self._project
        wanted = self._wanted(due.at)
        if wanted is None:  # another process has done it since
            return "nothing was trained: it is done already"
        return train_anew(project, due, wanted.reason, LEARN, self._is_alive)[1]

    def _wanted(self, now: dt.datetime) -> _Wanted | None:
        """What is to be done at the end of the last period, and why; None where nothing is."""
        project, learning = self._project, self._project.settings.learning
        if not (learning.retrain_every_days or learning.retrain_on_alarm):
            return None
        if not project.registry.has_champion():
            return None
        due, rows = last_over(now, self._length_s), retrained_rows(project)
        done = max((row["period_end"] for row in rows), default=None)
        if done is not None and done >= due.at:
            return None
        if learning.retrain_every_days:
            every = dt.timedelta(days=learning.retrain_every_days)
            if due.at >= (done or project.registry.networks.since()) + every:
                return _Wanted(due, f"every {learning.retrain_every_days:g} days")
        return self._on_alarm(due, done) if learning.retrain_on_alarm else None

    def _on_alarm(self, due: Due, done: dt.datetime | None) -> _Wanted | None:
        """Because of the alarm that stands longest and for which nothing was trained yet."""
        project = self._project
        wait = dt.timedelta(
            days=project.contract.maturity_days, seconds=MATURE_PERIODS * self._length_s
        )
        ripe = [
            alarm
            for alarm in look_at_alarms(project, 1).standing
            if alarm.since + wait <= due.at and (done is None or done < alarm.since + wait)
        ]
        if not ripe:
            return None
        alarm = min(ripe, key=lambda each: each.since)
        what = f"{alarm.detector} of '{alarm.column}'" if alarm.column else alarm.detector
        return _Wanted(due, f"an alarm ({what}) stands since {alarm.since:%Y-%m-%d %H:%M} UTC")


def retrain_now(
    project: Project, reason: str, on_alive: Callable[[], None] = lambda: None
) -> tuple[Answer, str]:
    """Train anew on what is known now, because a person wants it; as the step would.

    Args:
        project: As for `RetrainPeriods`.
        reason: Why, for the list of changes.
        on_alive: Called every second while it trains.

    Returns:
        What was made, and that in words.

    Raises:
        BundleError: there is no champion.
        WarehouseError: the tables cannot be queried.
        RegistryError: the registry's object store cannot be reached.
    """
    project.registry.champion()  # told at once
    now, length_s = dt.datetime.now(dt.UTC), project.settings.learning.period_s
    due = Due(last_over(now, length_s).period, now)
    return train_anew(project, due, reason, None, on_alive)


def train_anew(
    project: Project, due: Due, reason: str, by: str | None, on_alive: Callable[[], None]
) -> tuple[Answer, str]:
    """Train in another process, and write down what came of it; it is a row of `updates`.

    Args:
        project: Whose champion, decisions, labels, history, settings and table.
        due: As of when; the period is the last one that was over then.
        reason: Why.
        by: Who wants it; the account that runs this, without one.
        on_alive: Called every second while it trains.

    Returns:
        What was made, and that in words.
    """
    answer = make_beside(
        project,
        RETRAIN,
        due.at,
        [reason, *([by] if by else [])],
        on_alive,
        nothing="nothing was trained",
        limit_s=RETRAIN_LIMIT_S,
        again=_AGAIN,
    )
    why = reason
    if due.at != due.period.end:  # by hand
        why += f", as of {due.at:%Y-%m-%d %H:%M} UTC"
    told = f"{why}: {answer.told}"
    which = f"{RETRAINING} as of {due.at.isoformat()}"
    write_update(project, due.period, RETRAINING, answer, told, which)
    return answer, told.removesuffix(".")


def retrained_rows(project: Project, until: dt.datetime | None = None) -> list[dict[str, Any]]:
    """What was written of trainings, oldest first.

    Args:
        project: Whose table.
        until: Only of periods that were over by then.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    rows = read_rows(project.warehouse, flows.UPDATES, project.contract, until=until)
    return [
        row
        for row in rows
        if row["road"] == RETRAINING and (until is None or row["period_end"] <= until)
    ]
