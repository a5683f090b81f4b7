"""The gate as a step: the champion's line and its challengers, judged as periods mature.

A version that learned today is another one than yesterday's, and none of them alone would ever be
judged by enough frauds. So what is judged is the line: each period by the version that was its
newest when the period began, all of them by one bet. What is promoted is the newest one.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from fraudline import flows
from fraudline.bundle.manifest import Manifest
from fraudline.contract import Period
from fraudline.errors import BundleError, UsageError
from fraudline.measures.challenge import Challenge
from fraudline.registry.promotions import PROMOTED, ROLLED_BACK
from fraudline.stream.progress import Progress
from fraudline.use_cases.challenge_conditions import Condition, wealth_words
from fraudline.use_cases.champion import Promoted, challenge, promote, roll_back
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.project import Project
from fraudline.use_cases.update_version import newest_of_line
from fraudline.warehouse.decided_periods import decided_periods
from fraudline.warehouse.learning_tables import read_rows, write_rows

_LOG = logging.getLogger(__name__)
LEARN = "learn"
"""Who promotes and goes back by itself."""
_MOMENT = dt.timedelta(microseconds=1)
_NEWEST_JUDGED_ON = 5  # periods on which the newest version must not rank below the champion
_MOST_TOLD = 4096
NOT_MET = "not met: "
"""With these words what is written of a period names the conditions that were missing."""


class GatePeriods:
    """The step that judges what challenges the champion, and promotes what is found better.

    Args:
        project: Whose registry, decisions, labels, settings and table.
        progress: Told that it lives while payments are judged.
    """

    name = "gate"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._progress = project, progress
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
        since = Period.holding(registry.champion_since(), self._length_s).end
        until = now - self._maturity
        if until <= since:
            return []
        done = {row["period_start"] for row in self._rows()}
        if done:  # they are judged in their order, so none before the last is left
            since = max(done) + dt.timedelta(seconds=self._length_s)
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
        champion, since = registry.champion(), registry.champion_since()
        if due.period.start < since:
            return f"{champion} is the champion since then, so nothing was judged"
        manifests, removed = registry.versions(), registry.removals.all(self._project.contract.name)
        # A version as of the very moment at which a period begins knows nothing of it.
        line, newest = (
            newest_of_line(manifests, champion, since=since, before=at + _MOMENT, removed=removed)
            for at in (due.period.start, due.at)
        )
        rows = self._rows()
        state = rows[-1]["state"] if rows else "{}"
        found = msgspec.json.decode(state, type=Challenge)
        said = told = f"{champion} has no line yet that is older than this period"
        if any(since <= each.as_of <= due.period.start for each in removed):
            said = told = "the versions of that time were removed, so nothing was judged"
        is_won = False
        if line.version != champion:
            found, conditions = self._judged(due, champion, line, newest, found)
            is_won = all(each.is_met for each in conditions)
            said, told = _brief(found, conditions), _words(conditions)
        # Before anything follows from it: whoever is killed then has judged this period.
        self._write(due, champion, since, line, newest, found, told, is_won=is_won)
        if is_won:
            said += self._promote(newest.version, champion, told)
        if due.period == self._last:
            said = "; ".join([said, *self._challengers(due.at)])
        return said

    def _judged(
        self, due: Due, champion: str, line: Manifest, newest: Manifest, found: Challenge
    ) -> tuple[Challenge, list[Condition]]:
        """What is found of the line after this period, and all conditions."""
        from fraudline.use_cases.compare_versions import VersionPair

        assert line.learned
        pair = VersionPair(self._project, champion, line.version, line.learned.as_of)
        found = pair.after(found, due.period)
        conditions = pair.conditions(found)
        if found.bet.is_proved and newest.version != line.version:
            conditions.append(self._newest_does(due, champion, newest))
        return found, conditions

    def _newest_does(self, due: Due, champion: str, newest: Manifest) -> Condition:
        """That the version that would be promoted does not rank below the champion lately.

        It has learned some of these labels, so this tells a broken one, and proves nothing.
        """
        from fraudline.use_cases.compare_versions import VersionPair

        length = dt.timedelta(seconds=self._length_s)
        begin = due.period.end - _NEWEST_JUDGED_ON * length
        pair = VersionPair(self._project, champion, newest.version, begin - self._maturity)
        found = Challenge()
        for period in decided_periods(
            self._project.warehouse, self._length_s, since=begin, until=due.period.end
        ):
            found = pair.after(found, period)
        gain = found.bet.mean_gain
        told = f"{newest.version} ranks {gain:+.4f} on the last {_NEWEST_JUDGED_ON} periods"
        return Condition("newest", found.bet.frauds > 0 and gain >= 0, told)

    def _promote(self, version: str, champion: str, reason: str) -> str:
        """Make it the champion, if that is wanted; gives what followed, in words."""
        if not self._project.settings.learning.promotes:
            return f"; learning.promotes is false: `fraudline models promote {version}` does it"
        if standing := self._rollout():
            return standing
        try:
            done = promote(self._project, version, by=LEARN, reason=reason, over=champion)
        except (UsageError, OSError) as error:
            _LOG.warning("learn: %s is better, and was not promoted: %s", version, error)
            return f"; LOOK: not promoted: {error}"
        self._keep_guard()
        return f"; promoted {version}, and {champion} challenges it{_beside(done)}"

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
            place
            for place, each in enumerate(changes)
            if each.change in {PROMOTED, ROLLED_BACK} and each.before != each.version
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
        from fraudline.use_cases.judge_challenger import judge_challengers  # brings ONNX Runtime

        said = []
        try:
            verdicts = judge_challengers(self._project, at=at, on_judged=self._is_alive)
        except (BundleError, UsageError, OSError) as error:
            _LOG.warning("learn: challengers were not judged: %s", error)
            return [f"LOOK: challengers were not judged: {error}"]
        for verdict in verdicts:
            named = f"{verdict.challenger}: {_brief(verdict.found, verdict.conditions)}"
            if verdict.is_won and verdict.champion == self._project.registry.champion():
                told = f"{verdict.challenger}: {_words(verdict.conditions)}"
                named += self._follow(verdict.challenger, verdict.champion, told)
            said.append(named)
        return said

    def _is_alive(self, judged: int) -> None:
        if self._progress is not None and judged:
            self._progress.begin_step(self.name)

    def _follow(self, version: str, champion: str, reason: str) -> str:
        """Promote a challenger that won, or go back to it where it was the champion before."""
        registry, ours = self._project.registry, self._was_ours(champion)
        if not ours or registry.earlier_champion() != version:
            return self._promote(version, champion, reason)
        if not self._project.settings.learning.promotes:
            return "; learning.promotes is false: `fraudline models rollback` does it"
        if standing := self._rollout():
            return standing
        try:
            done = roll_back(self._project, by=LEARN, reason=reason)
        except (UsageError, OSError) as error:
            _LOG.warning("learn: did not go back to %s: %s", version, error)
            return f"; LOOK: did not go back: {error}"
        return f"; went back to {version}{_beside(done)}"

    def _rollout(self) -> str:
        """Why nothing is done while a version decides a share that a person gave it; or nothing."""
        found = self._project.registry.rollout()
        return "" if found is None else f"; nothing was done, as {found.version} decides a share"

    def _was_ours(self, champion: str) -> bool:
        """Whether the champion was promoted by itself."""
        for each in reversed(self._project.registry.changes()):
            if each.is_done and each.change == PROMOTED and each.version == champion:
                return each.signature is not None and each.signature.by == LEARN
        return False

    def _rows(self) -> list[dict[str, Any]]:
        """What was written of the present champion's line, oldest first."""
        registry = self._project.registry
        champion, since = registry.champion(), registry.champion_since()
        rows = read_rows(self._project.warehouse, flows.GATES, self._project.contract, since=since)
        length = dt.timedelta(seconds=self._length_s)
        return [
            row
            for row in rows
            if (row["champion"], row["champion_since"]) == (champion, since)
            and row["period_end"] - row["period_start"] == length
        ]

    def _write(
        self,
        due: Due,
        champion: str,
        since: dt.datetime,
        line: Manifest,
        newest: Manifest,
        found: Challenge,
        told: str,
        *,
        is_won: bool,
    ) -> None:
        name, period = self._project.contract.name, due.period
        of = f"{name}|{period.start.isoformat()}|{self._length_s:g} s"
        row = {
            "row_key": f"{of}|{champion} since {since.isoformat()}",
            "contract": name,
            "period_start": period.start,
            "period_end": period.end,
            "champion": champion,
            "champion_since": since,
            "version": line.version,
            "newest": newest.version,
            "wealth": found.bet.wealth,
            "frauds": found.bet.frauds,
            "is_won": is_won,
            "told": told[:_MOST_TOLD],
            "state": msgspec.json.encode(found).decode(),
        }
        write_rows(self._project.warehouse, flows.GATES, [row])


def _beside(done: Promoted) -> str:
    """What could not be done beside a change of the champion, or should be known of it."""
    return "".join(f"; LOOK: {told}" for told in (done.warning, done.look) if told)


def _brief(found: Challenge, conditions: Sequence[Condition]) -> str:
    """What a line of the log has room for; the whole is written in the table."""
    missing = ", ".join(each.name for each in conditions if not each.is_met)
    wealth = wealth_words(found.bet.wealth, found.bet.frauds)
    return f"{wealth}; {f'{NOT_MET}{missing}' if missing else 'all conditions met'}"


def _words(conditions: Sequence[Condition]) -> str:
    found = conditions[0].told
    if all(each.is_met for each in conditions):
        return "; ".join(f"{each.name}: {each.told}" for each in conditions)
    missing = ", ".join(each.name for each in conditions if not each.is_met)
    return f"{found}; {NOT_MET}{missing}"


def last_gate(project: Project, until: dt.datetime) -> dict[str, Any] | None:
    """The row that was written last of the gate before a moment; None before the first.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    since = until - dt.timedelta(days=60 + project.contract.maturity_days)
    rows = read_rows(project.warehouse, flows.GATES, project.contract, since=since, until=until)
    return rows[-1] if rows else None
