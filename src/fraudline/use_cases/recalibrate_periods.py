"""Calibrating anew as a step: what scores mean, by the payments that matured last.

Each period that is mature judges the newest calibration that was made before it, beside the
champion's; then another one is made, this period in it. When the bet is won, that newest one is
promoted.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from fraudline import flows
from fraudline.bundle.manifest import Manifest
from fraudline.contract import Period
from fraudline.contract.columns import EARLIEST
from fraudline.errors import BundleError, UsageError
from fraudline.measures.calibration_bet import CalibrationChallenge, Line
from fraudline.stream.progress import Progress
from fraudline.use_cases.calibration_state import Money, money_before, so_far, state_text
from fraudline.use_cases.challenge_conditions import (
    Condition,
    brief_words,
    calibration_conditions,
    told_conditions,
    wealth_words,
)
from fraudline.use_cases.learning_steps import WON_BEFORE, Due, alive
from fraudline.use_cases.line_rows import first_after, last_end
from fraudline.use_cases.make_beside import make_beside
from fraudline.use_cases.own_process import Answer
from fraudline.use_cases.project import Project
from fraudline.use_cases.promote_winner import promote_winner
from fraudline.use_cases.recalibrate_version import can_be_calibrated
from fraudline.use_cases.update_process import RECALIBRATE
from fraudline.warehouse.decided_periods import decided_periods
from fraudline.warehouse.learning_tables import read_rows, write_rows

_LOG = logging.getLogger(__name__)
_MOST_TOLD = 4096


class RecalibratePeriods:
    """The step that keeps what the champion's scores mean.

    Periods that passed while nothing ran are judged, and not calibrated on one by one: the last
    one is.

    Args:
        project: Whose registry, decisions, labels, settings and table.
        progress: Told that it lives while another process runs.
    """

    name = "recalibrate"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._is_alive = project, alive(progress, self.name)
        self._last: Period | None = None
        self._is_told = False
        self._failed: Period | None = None  # the periods after it wait, for they stand on it
        self._length_s = project.settings.learning.period_s
        self._maturity = dt.timedelta(days=project.contract.maturity_days)

    def due(self, now: dt.datetime) -> list[Due]:
        """The periods that matured since the champion is that, of which nothing was written.

        Of a champion of which nothing was written at all, it is the last one.
        """
        registry = self._project.registry
        if not self._project.settings.learning.recalibrates or not registry.has_champion():
            return []
        if not self._can_be():
            return []
        until, rows = now - self._maturity, self._rows()
        begin = registry.champion_since() - self._maturity
        since = Period.holding(begin, self._length_s).start
        since = max(since, first_after(last_end(rows), self._length_s)) if rows else since
        if until <= since:
            return []
        mature = [
            each
            for each in decided_periods(
                self._project.warehouse, self._length_s, since=since, until=until
            )
            if each.end <= until
        ]
        self._last, self._failed = max(mature, default=None), None
        return [Due(each, each.end + self._maturity) for each in (mature if rows else mature[-1:])]

    def _can_be(self) -> bool:
        """Whether the champion's scores are meant as probabilities; where not, it is told once."""
        champion = self._project.registry.champion()
        for each in self._project.registry.versions():
            if each.version == champion and not can_be_calibrated(each):
                if not self._is_told:
                    _LOG.warning(
                        "learn: nothing is calibrated anew: scores of recipe '%s' are no "
                        "probabilities",
                        each.recipe,
                    )
                self._is_told = True
                return False
        return True

    def do(self, due: Due) -> str:
        """Judge, calibrate anew, and promote where all conditions are met."""
        if self._failed is not None:
            return f"waits for the period of {self._failed}, which could not be judged"
        try:
            return self._do(due)
        except (BundleError, UsageError, OSError) as error:
            self._failed = due.period
            _LOG.warning("learn: calibration of %s: %s", due.period, error)
            return f"LOOK: nothing was calibrated: {error}".removesuffix(".")

    def _do(self, due: Due) -> str:
        registry = self._project.registry
        champion, since = registry.champion(), registry.champion_since()
        if due.at <= since:
            return f"{champion} is the champion since later than this was mature"
        manifests = {each.version: each for each in registry.versions()}
        if champion not in manifests:
            raise BundleError(
                f"the champion {champion} is broken or not in this registry, so nothing can be "
                "judged beside it. `fraudline models list` shows the versions that are."
            )
        # Another one that runs may have written this period, too.
        rows = [each for each in self._rows() if each["period_start"] < due.period.start]
        last = rows[-1] if rows else None
        newest_then = last["newest"] if last else None
        version = newest_then if newest_then in manifests else None
        money = Money.of_version(manifests[version]) if version is not None else None
        before = money_before(last, manifests)
        found, anew = so_far(last, due.period, before, money)
        said = told = f"{champion} has no other calibration yet that is older than this period"
        if newest_then is not None and version is None:
            said = told = (
                f"the calibration of that time, {newest_then}, is broken or was removed, so "
                "nothing was judged"
            )
        is_won = False
        if version is not None:
            found, conditions = self._judged(due, manifests[champion], manifests[version], found)
            is_won, told = all(each.is_met for each in conditions), told_conditions(conditions)
            wealth = wealth_words(found.calibration.wealth, found.bet.frauds)
            said = brief_words(wealth, conditions)
        said, told = f"{anew}{said}", f"{anew}{told}"
        answer = Answer()
        if due.period == self._last:  # of those that were missed, the last one is enough
            answer = make_beside(
                self._project,
                RECALIBRATE,
                due.at,
                [champion],
                self._is_alive,
                nothing="not calibrated anew",
            )
            said, told = f"{said}; {answer.told}", f"{told}; {answer.told}"
        newest = answer.version or version
        # Before anything follows from it: whoever is killed then has judged this period.
        state = state_text(found, before if money is None else money)
        versions = version, newest
        self._write(due, (champion, since), versions, found, told, state, answer, is_won=is_won)
        if is_won and newest is not None:
            said += self._follow(due, newest, champion, told)
        return said.removesuffix(".")

    def _follow(self, due: Due, newest: str, champion: str, reason: str) -> str:
        """Promote what won; gives what followed, in words.

        Of periods that matured while nothing ran, the last one acts: with it the newest calibration
        is made, and by then all is judged that is known.
        """
        if due.period != self._last:
            return WON_BEFORE
        return promote_winner(self._project, newest, champion, reason)

    def _judged(
        self, due: Due, champion: Manifest, version: Manifest, found: CalibrationChallenge
    ) -> tuple[CalibrationChallenge, list[Condition]]:
        """What is found of a calibration that was made of earlier periods, and all conditions.

        It has seen no payment of this one, so labels that were told before it was made count, too:
        without them there would be too few frauds.
        """
        from fraudline.use_cases.compare_versions import VersionPair  # brings ONNX Runtime

        pair = VersionPair(self._project, champion.version, version.version, EARLIEST)
        of = self._project.registry.networks.of
        lines = _line(champion), _line(version)
        if of(champion.version) == of(version.version):
            found = found.between(*lines)
        else:  # one of them takes money in another unit
            found = found.beyond_lines()
        judged = pair.after(found, due.period)
        return judged, calibration_conditions(judged, pair.conditions(judged))

    def _rows(self) -> list[dict[str, Any]]:
        """What was written beside the present champion, oldest first."""
        registry = self._project.registry
        of = registry.champion(), registry.champion_since()
        rows = read_rows(
            self._project.warehouse,
            flows.CALIBRATIONS,
            self._project.contract,
            since=Period.holding(of[1] - self._maturity, self._length_s).start,
        )
        return [row for row in rows if (row["champion"], row["champion_since"]) == of]

    def _write(
        self,
        due: Due,
        champion: tuple[str, dt.datetime],
        versions: tuple[str | None, str | None],
        found: CalibrationChallenge,
        told: str,
        state: str,
        answer: Answer,
        *,
        is_won: bool,
    ) -> None:
        name, period = self._project.contract.name, due.period
        of = f"{name}|{period.start.isoformat()}|{self._length_s:g} s"
        row = {
            "row_key": f"{of}|{champion[0]} since {champion[1].isoformat()}",
            "contract": name,
            "period_start": period.start,
            "period_end": period.end,
            "champion": champion[0],
            "champion_since": champion[1],
            "version": versions[0],
            "newest": versions[1],
            "wealth": found.calibration.wealth,
            "frauds": found.bet.frauds,
            "is_won": is_won,
            "processor_s": answer.processor_s,
            "told": told[:_MOST_TOLD],
            "state": state,
        }
        write_rows(self._project.warehouse, flows.CALIBRATIONS, [row])


def _line(version: Manifest) -> Line:
    """What its scores are of the log-odds of its network."""
    if version.calibrated:
        return version.calibrated.slope, version.calibrated.intercept
    return 1.0, 0.0


def last_calibration(project: Project, until: dt.datetime) -> dict[str, Any] | None:
    """The row that was written last of a calibration before a moment; None before the first.

    Raises:
        WarehouseError: the table cannot be queried.
    """
    since = until - dt.timedelta(days=60 + project.contract.maturity_days)
    rows = read_rows(
        project.warehouse, flows.CALIBRATIONS, project.contract, since=since, until=until
    )
    return rows[-1] if rows else None
