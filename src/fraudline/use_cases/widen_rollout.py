"""A rollout that widens by itself, as a step: judged as periods mature, and widened by the rule.

Both versions judge all payments anew, whichever of them decided; so the wealth does not hang on the
share, and no more is believed of a version than of a challenger. `widening_rule.py` is the rule.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from fraudline import flows
from fraudline.contract import Period
from fraudline.errors import BundleError, UsageError
from fraudline.measures.policy_effect import percent
from fraudline.registry import Rollout
from fraudline.stream.progress import Progress
from fraudline.use_cases.challenge_conditions import Condition
from fraudline.use_cases.champion import end_rollout, promote, widen
from fraudline.use_cases.learning_steps import Due, alive
from fraudline.use_cases.line_rows import first_after, last_end
from fraudline.use_cases.project import Project
from fraudline.use_cases.promote_winner import LEARN, told_beside
from fraudline.use_cases.widening_rule import (
    PeriodOfRollout,
    Step,
    at_share,
    next_step,
    what_is_next,
)
from fraudline.warehouse.decided_periods import decided_periods
from fraudline.warehouse.learning_tables import read_rows, write_rows

if TYPE_CHECKING:
    from fraudline.use_cases.both_ways import BothWays

_LOG = logging.getLogger(__name__)
_ORDER = "order"
_MOST_TOLD = 4096


class WidenRollout:
    """The step that judges a rollout, and widens, ends or completes it where its rule says so.

    Only one that was begun, or last widened, with the word that it is to widen by itself. Whatever
    a person does meanwhile stands: what was found is of the rollout as it was.

    Args:
        project: Whose registry, decisions, labels, settings and table.
        progress: Told that it lives while payments are judged.
    """

    name = "rollout"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._is_alive = project, alive(progress, self.name)
        self._last: Period | None = None  # that is due; what follows waits for it
        self._failed: Period | None = None  # the periods after it wait, for they stand on it
        self._length_s = project.settings.learning.period_s
        self._maturity = dt.timedelta(days=project.contract.maturity_days)

    def due(self, now: dt.datetime) -> list[Due]:
        """The mature periods that began since the rollout did, of which nothing was written."""
        rollout = self._standing()
        if rollout is None:
            return []
        rows, until = self._rows(rollout), now - self._maturity
        since = first_after(last_end(rows), self._length_s) if rows else rollout.since
        if until <= since:
            return []
        periods = decided_periods(self._project.warehouse, self._length_s, since=since, until=until)
        mature = [each for each in periods if rollout.since <= each.start and each.end <= until]
        self._last, self._failed = max(mature, default=None), None
        return [Due(each, each.end + self._maturity) for each in mature]

    def do(self, due: Due) -> str:
        """Judge, write down what was found, and do what follows after the last mature period."""
        if self._failed is not None:
            return f"waits for the period of {self._failed}, which could not be judged"
        rollout = self._standing()
        if rollout is None or due.period.start < rollout.since:
            return "the rollout that was to be widened stands no more, so nothing was judged"
        try:
            return self._judge(due, rollout)
        except (BundleError, UsageError, OSError) as error:
            self._failed = due.period
            _LOG.warning("learn: rollout of %s: %s", due.period, error)
            return f"LOOK: nothing was judged: {error}".removesuffix(".")

    def _judge(self, due: Due, rollout: Rollout) -> str:
        from fraudline.use_cases.both_ways import decode_both_ways  # brings ONNX Runtime
        from fraudline.use_cases.compare_versions import VersionPair

        champion = self._project.registry.champion()
        # Another one that runs may have written this period, too.
        rows = [each for each in self._rows(rollout) if each["period_start"] < due.period.start]
        before = decode_both_ways(rows[-1]["state"] if rows else "{}")
        version, since = rollout.version, rollout.since
        pair = VersionPair(
            self._project, champion, version, since, self._is_alive, so_far=before.sums
        )
        both = replace(pair.after(before, due.period), sums=pair.sums)
        judged = [
            *map(_period_of, rows),
            PeriodOfRollout(due.period, both.found.bet.wealth, both.found.bet.frauds),
        ]
        known = at_share(rollout.share, rollout.widened_at, judged, self._maturity)
        step = next_step(
            known,
            _missing(pair.conditions(both.found)),
            is_proved=both.found.bet.is_proved,
            is_worse=both.back.is_proved,
        )
        told = f"{rollout}: {step.why}"
        # Before anything follows from it: whoever is killed then has judged this period.
        self._write(due, champion, rollout, both, told)
        if due.period != self._last or step.what == "wait":
            return told
        return told + self._follow(step, rollout, champion)

    def _follow(self, step: Step, rollout: Rollout, champion: str) -> str:
        """Do it, if the rollout is still the one that was judged; gives what followed."""
        project, version = self._project, rollout.version
        try:
            if step.what == "end":
                end_rollout(project, of=rollout, by=LEARN, reason=step.why)
                return f"; ended: {champion} decides all again"
            if step.share is not None:
                widen(
                    project,
                    step.share,
                    version=version,
                    widens=True,
                    of=rollout,
                    by=LEARN,
                    reason=step.why,
                )
                return f"; widened to {percent(step.share)}"
            if not project.settings.learning.promotes:
                return f"; learning.promotes is false: `fraudline models promote {version}` does it"
            done = promote(project, version, by=LEARN, reason=step.why, over=champion, of=rollout)
        except (UsageError, OSError) as error:
            _LOG.warning("learn: rollout of %s: %s", version, error)
            return f"; LOOK: not done: {error}".removesuffix(".")
        return f"; promoted {version}{told_beside(done)}"

    def _standing(self) -> Rollout | None:
        registry = self._project.registry
        rollout = registry.rollout() if registry.has_champion() else None
        return rollout if rollout is not None and rollout.widens else None

    def _rows(self, rollout: Rollout) -> list[dict[str, Any]]:
        """What was written of this rollout, oldest first, whatever the periods' length was."""
        contract = self._project.contract
        rows = read_rows(self._project.warehouse, flows.ROLLOUTS, contract, since=rollout.since)
        return [
            row
            for row in rows
            if (row["version"], row["since"]) == (rollout.version, rollout.since)
        ]

    def _write(self, due: Due, champion: str, rollout: Rollout, both: BothWays, told: str) -> None:
        name, period = self._project.contract.name, due.period
        of = f"{name}|{period.start.isoformat()}|{self._length_s:g} s"
        row = {
            "row_key": f"{of}|{rollout.version} since {rollout.since.isoformat()}",
            "contract": name,
            "period_start": period.start,
            "period_end": period.end,
            "version": rollout.version,
            "champion": champion,
            "since": rollout.since,
            "share": rollout.share,
            "wealth": both.found.bet.wealth,
            "frauds": both.found.bet.frauds,
            "told": told[:_MOST_TOLD],
            "state": msgspec.json.encode(both).decode(),
        }
        write_rows(self._project.warehouse, flows.ROLLOUTS, [row])


def _period_of(row: dict[str, Any]) -> PeriodOfRollout:
    period = Period(row["period_start"], row["period_end"])
    return PeriodOfRollout(period, row["wealth"], row["frauds"])


def _missing(conditions: Sequence[Condition]) -> list[str]:
    return [each.name for each in conditions if not each.is_met and each.name != _ORDER]


@dataclass(frozen=True)
class RolloutStatus:
    """What is known of a rollout.

    Attributes:
        told: Which version decides which share; None where none does.
        widened_at: Since when.
        waits_for: What the next step waits for; None where it does not widen by itself.
        look: The row that was written last of one that does, whether it stands or not.
    """

    told: str | None
    widened_at: dt.datetime | None
    waits_for: str | None
    look: dict[str, Any] | None


def rollout_status(project: Project, until: dt.datetime) -> RolloutStatus:
    """The rollout that stands, and what was found before a moment of one that widens by itself.

    Raises:
        WarehouseError: the table cannot be queried: it is made by `fraudline setup`.
    """
    since = until - dt.timedelta(days=60 + project.contract.maturity_days)
    rows = read_rows(project.warehouse, flows.ROLLOUTS, project.contract, since=since, until=until)
    look = rows[-1] if rows else None
    standing = project.registry.rollout() if project.registry.has_champion() else None
    if standing is None:
        return RolloutStatus(None, None, None, look)
    waits_for = what_is_next(standing.share, standing.widened_at) if standing.widens else None
    return RolloutStatus(str(standing), standing.widened_at, waits_for, look)
