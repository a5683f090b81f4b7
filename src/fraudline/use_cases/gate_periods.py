"""The gate as a step: the champion's line and its challengers, judged as periods mature.

A version that learned today is another one than yesterday's, and none of them alone would ever be
judged by enough frauds. So what is judged is the line: each period by the version that was its
newest when the period began, all of them by one bet. What is promoted is the newest one.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from fraudline import flows
from fraudline.contract import Period
from fraudline.errors import BundleError, UsageError
from fraudline.registry.promotions import PROMOTED
from fraudline.stream.progress import Progress
from fraudline.use_cases.challenge_conditions import brief_conditions, told_conditions
from fraudline.use_cases.champion import challenge, roll_back
from fraudline.use_cases.judge_line import LineVerdict, judge_line
from fraudline.use_cases.learning_steps import WON_BEFORE, Due, alive
from fraudline.use_cases.line_rows import first_after, last_end, rows_of_line
from fraudline.use_cases.project import Project
from fraudline.use_cases.promote_winner import (
    LEARN,
    promote_winner,
    standing_rollout,
    told_beside,
)
from fraudline.warehouse.decided_periods import decided_periods
from fraudline.warehouse.learning_tables import read_rows, write_rows

_LOG = logging.getLogger(__name__)
_MOST_TOLD = 4096


class GatePeriods:
    """The step that judges what challenges the champion, and promotes what is found better.

    Args:
        project: Whose registry, decisions, labels, settings and table.
        progress: Told that it lives while payments are judged.
    """

    name = "gate"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._is_alive = project, alive(progress, self.name)
        self._last: Period | None = None  # that is due; challengers are judged once, then
        self._no_guard = ""
        self._failed: Period | None = None  # the periods after it wait, for they stand on it
        self._length_s = project.settings.learning.period_s
        self._maturity = dt.timedelta(days=project.contract.maturity_days)

    def due(self, now: dt.datetime) -> list[Due]:
        """The mature periods since the champion is that, of which nothing was written."""
        registry = self._project.registry
        if not registry.has_champion():
            return []
        self._keep_guard()
        since = Period.holding(registry.networks.since(), self._length_s).end
        until = now - self._maturity
        if until <= since:
            return []
        if rows := rows_of_line(self._project):
            since = first_after(last_end(rows), self._length_s)
        periods = decided_periods(
            self._project.warehouse, self._length_s, since=since, until=max(until, since)
        )
        mature = [each for each in periods if each.end <= until]
        self._last, self._failed = max(mature, default=None), None
        return [Due(each, each.end + self._maturity) for each in mature]

    def do(self, due: Due) -> str:
        """Judge, promote or go back where all conditions are met, and write down what was found."""
        if self._failed is not None:
            return f"waits for the period of {self._failed}, which could not be judged"
        try:
            return self._judge(due)
        except (BundleError, UsageError, OSError) as error:
            self._failed = due.period
            _LOG.warning("learn: gate of %s: %s", due.period, error)
            return f"LOOK: nothing was judged: {error}".removesuffix(".")

    def _judge(self, due: Due) -> str:
        registry = self._project.registry
        champion, since = registry.champion(), registry.networks.since()
        if due.period.start < since:
            return f"{champion} is the champion since then, so nothing was judged"
        # Another one that runs may have written this period, too.
        rows = [
            each for each in rows_of_line(self._project) if each["period_start"] < due.period.start
        ]
        last = rows[-1] if rows else None
        found = judge_line(self._project, due, champion, since, last, self._is_alive)
        # Before anything follows from it: whoever is killed then has judged this period.
        self._write(due, champion, found)
        said = found.said
        if found.is_won:
            is_last = due.period == self._last  # younger periods and versions are looked at first
            acted = self._promote(found.newest, champion, found.told) if is_last else WON_BEFORE
            said += acted
        if due.period == self._last:
            said = "; ".join([said, *self._challengers(due.at)])
        return said

    def _promote(self, version: str, champion: str, reason: str) -> str:
        """Make it the champion, if that is wanted; gives what followed, in words."""
        so = f", and {champion} challenges it"
        told = promote_winner(self._project, version, champion, reason, so)
        self._keep_guard()
        return told

    def _keep_guard(self) -> None:
        """Let a champion that was promoted by itself be challenged by the one before it.

        Asked at every look, so that a promotion that was killed before it gets its guard, too.
        """
        try:
            self._challenge_by_former()
        except (BundleError, UsageError, OSError) as error:
            if str(error) != self._no_guard:
                _LOG.warning("learn: nothing guards what was promoted by itself: %s", error)
            self._no_guard = str(error)

    def _challenge_by_former(self) -> None:
        registry = self._project.registry
        changes = [each for each in registry.changes() if each.is_done]
        swaps = [
            place for place, each in enumerate(changes) if each.makes_network_after(each.before)
        ]
        if not swaps:
            return
        last = changes[swaps[-1]]
        is_ours = last.signature is not None and last.signature.by == LEARN
        if last.change != PROMOTED or not is_ours or last.before is None:
            return
        if any(each.version == last.before for each in changes[swaps[-1] + 1 :]):
            return
        reason = f"guards {last.version}, which was promoted by itself"
        challenge(self._project, last.before, by=LEARN, reason=reason)

    def _challengers(self, at: dt.datetime) -> list[str]:
        """Judge those that were made challengers; the first that wins is promoted."""
        from fraudline.use_cases.judge_challenger import (  # brings ONNX Runtime
            judge_challengers,
            standing_challengers,
        )

        said, verdicts = [], []
        try:
            standing = standing_challengers(self._project)
        except (BundleError, UsageError, OSError) as error:
            _LOG.warning("learn: challengers were not judged: %s", error)
            return [f"LOOK: challengers were not judged: {error}".removesuffix(".")]
        for version in standing:
            try:  # one that is broken keeps no other from being judged
                verdicts += judge_challengers(
                    self._project, version, at=at, on_judged=self._is_alive
                )
            except (BundleError, UsageError, OSError) as error:
                _LOG.warning("learn: challenger %s was not judged: %s", version, error)
                said.append(f"LOOK: {version} was not judged: {error}".removesuffix("."))
        for verdict in verdicts:
            named = f"{verdict.challenger}: {brief_conditions(verdict.found, verdict.conditions)}"
            if verdict.is_won and verdict.champion == self._project.registry.champion():
                told = f"{verdict.challenger}: {told_conditions(verdict.conditions)}"
                named += self._follow(verdict.challenger, verdict.champion, told)
            said.append(named)
        return said

    def _follow(self, version: str, champion: str, reason: str) -> str:
        """Promote a challenger that won, or go back to it where it was the champion before."""
        registry = self._project.registry
        if not self._was_ours() or registry.networks.earlier_champion() != version:
            return self._promote(version, champion, reason)
        if not self._project.settings.learning.promotes:
            return "; learning.promotes is false: `fraudline models rollback` does it"
        if standing := standing_rollout(self._project):
            return standing
        told = ""
        try:
            while (now := registry.champion()) != version:  # through calibrations of one network
                done = roll_back(self._project, by=LEARN, reason=reason, over=champion)
                champion, told = done.version, told + told_beside(done)
        except (UsageError, OSError) as error:
            _LOG.warning("learn: did not go back to %s from %s: %s", version, now, error)
            return f"; LOOK: did not go back: {error}"
        return f"; went back to {version}{told}"

    def _was_ours(self) -> bool:
        """Whether the champion's network became that because it was promoted by itself.

        An earlier time counts for nothing: a person may have put it back.
        """
        registry = self._project.registry
        first = registry.networks.stint()[0]
        began = first.at, PROMOTED, first.version
        return any(
            each.signature is not None and each.signature.by == LEARN
            for each in registry.changes()
            if each.is_done and (each.at, each.change, each.version) == began
        )

    def _write(self, due: Due, champion: str, found: LineVerdict) -> None:
        name, period = self._project.contract.name, due.period
        since = self._project.registry.champion_since()
        of = f"{name}|{period.start.isoformat()}|{self._length_s:g} s"
        row = {
            "row_key": f"{of}|{champion} since {since.isoformat()}",
            "contract": name,
            "period_start": period.start,
            "period_end": period.end,
            "champion": champion,
            "champion_since": since,
            "version": found.judged,
            "newest": found.newest,
            "wealth": found.found.bet.wealth,
            "frauds": found.found.bet.frauds,
            "is_won": found.is_won,
            "told": found.told[:_MOST_TOLD],
            "state": found.state,
        }
        write_rows(self._project.warehouse, flows.GATES, [row])


def last_gate(project: Project, until: dt.datetime) -> dict[str, Any] | None:
    """The row that was written last of the gate before a moment; None before the first.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    since = until - dt.timedelta(days=60 + project.contract.maturity_days)
    rows = read_rows(project.warehouse, flows.GATES, project.contract, since=since, until=until)
    return rows[-1] if rows else None
