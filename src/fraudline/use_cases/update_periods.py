"""Learning what became known, at the end of each period, in a process of its own."""

from __future__ import annotations

import datetime as dt
import logging
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from fraudline import flows, local
from fraudline.contract import Period
from fraudline.errors import FraudlineError
from fraudline.stream.progress import Progress
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.project import Project
from fraudline.use_cases.remove_versions import remove_unneeded
from fraudline.use_cases.update_process import AWAY, LIMIT_S, THREADS
from fraudline.use_cases.update_version import too_few
from fraudline.warehouse.known_rows import LEAST_FRAUDS, count_mature_frauds
from fraudline.warehouse.learning_tables import read_rows, write_rows

_LOG = logging.getLogger(__name__)
_ALIVE_S = 1.0
_MOST_TOLD = 4096


class _Answer(msgspec.Struct, frozen=True):
    processor_s: float | None = None
    version: str | None = None
    parent: str | None = None
    rows: int = 0
    frauds: int = 0
    told: str = ""
    fault: str = ""
    away: Literal["warehouse", "registry"] | None = None


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
        self._project, self._progress = project, progress
        self._length_s = project.settings.learning.period_s
        self._removed_on: dt.date | None = None

    def due(self, now: dt.datetime) -> list[Due]:
        """The last period that is over, if nothing was written of it, and there is a champion."""
        project = self._project
        if project.settings.learning.update == "off" or not project.registry.has_champion():
            return []
        last = Period.holding(now - dt.timedelta(seconds=self._length_s), self._length_s)
        return [] if self._is_done(last) else [Due(last, last.end)]

    def do(self, due: Due) -> str:
        """Learn in another process, and write down what came of it."""
        project = self._project
        frauds = count_mature_frauds(project.warehouse, project.contract, due.at)
        # Most streams that begin have too few for months: that is no reason to load TensorFlow.
        answer = self._answer(due.at) if frauds >= LEAST_FRAUDS else _Answer(told=too_few(frauds))
        if answer.away is not None:
            raise AWAY[answer.away](answer.fault)
        told = answer.told
        if answer.fault:
            told = f"LOOK: nothing was learned: {answer.fault}"
            _LOG.warning("learn: update of %s: %s", due.period, answer.fault)
        name, period = self._project.contract.name, due.period
        length_s = period.length.total_seconds()
        row = {
            "row_key": f"{name}|{period.start.isoformat()}|{length_s:g} s",
            "contract": name,
            "period_start": period.start,
            "period_end": period.end,
            "road": self._project.settings.learning.update,
            "version": answer.version,
            "parent": answer.parent,
            "rows": answer.rows,
            "frauds": answer.frauds,
            "processor_s": answer.processor_s,
            "told": told[:_MOST_TOLD],
        }
        write_rows(self._project.warehouse, flows.UPDATES, [row])
        return "; ".join(filter(None, [told.removesuffix("."), self._remove_old(due.at)]))

    def _remove_old(self, at: dt.datetime) -> str:
        """Once a day, remove the versions that nobody can need; gives that in words, if it was."""
        if self._removed_on == at.date():
            return ""
        self._removed_on = at.date()
        try:
            return remove_unneeded(self._project, at)
        except (FraudlineError, OSError) as error:
            _LOG.warning("learn: no version was removed: %s", error)
            return f"LOOK: no version was removed: {error}".removesuffix(".")

    def _is_done(self, period: Period) -> bool:
        rows = read_rows(
            self._project.warehouse,
            flows.UPDATES,
            self._project.contract,
            since=period.start,
            until=period.end,
        )
        return any(row["period_end"] == period.end for row in rows)

    def _answer(self, at: dt.datetime) -> _Answer:
        call = [sys.executable, "-m", "fraudline.use_cases.update_process", at.isoformat()]
        environment = local.environment(self._project.settings) | THREADS
        process = subprocess.Popen(  # noqa: S603 - our own module
            call, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        ends_at = time.monotonic() + LIMIT_S
        try:
            while True:
                try:
                    out, _ = process.communicate(timeout=_ALIVE_S)
                    break
                except subprocess.TimeoutExpired:
                    if time.monotonic() > ends_at:
                        return _Answer(fault=f"it took longer than {LIMIT_S:g} s and was ended.")
                    if self._progress is not None:
                        self._progress.begin_step(self.name)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        try:
            return msgspec.json.decode(out, type=_Answer)
        except msgspec.DecodeError:
            return _Answer(
                fault=f"its process ended with exit code {process.returncode} and no answer; "
                "its log is above. It is tried again after the next period."
            )


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
    done = [row for row in rows if row["period_end"] <= until]
    if not done:
        return None
    row = done[-1]
    return LastUpdate(Period(row["period_start"], row["period_end"]), row["told"], row["version"])
