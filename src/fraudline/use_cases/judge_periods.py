"""Judging what was decided in each period, again and again as labels arrive."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from fraudline import flows
from fraudline.contract import Period
from fraudline.contract.columns import EARLIEST
from fraudline.measures.policy_effect import counted, money, percent
from fraudline.measures.prequential import PeriodMeasures, PeriodTally
from fraudline.metrics.collector import JUDGED
from fraudline.stream.progress import Progress
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.project import Project
from fraudline.use_cases.turned_out import NEEDED, frauds_of, policies_of, turned_out, versions_of
from fraudline.warehouse.counting_labels import labelled_pieces
from fraudline.warehouse.decided_periods import decided_periods, judged_periods
from fraudline.warehouse.explored import explored_columns
from fraudline.warehouse.learning_tables import write_rows

_LOG = logging.getLogger(__name__)
_DAY_S = 86400.0
# Most labels come soon, corrections for more than a year: a bank has 540 days for some.
_LAST_LOOK = 16
# A period in which no decision was stored when its time came is looked for so much longer.
_LATE_PERIODS = 8


def looks(length_s: float, maturity_days: float) -> list[int]:
    """So many lengths of a period after its end it is judged: 1, 2, 4, 8, … and once it is mature.

    So a period is judged a few times in all, and what is told of it is never older than half of
    its own age. The last look is at an age of sixteen maturities or the next power of two.

    Args:
        length_s: How long a period is, seconds.
        maturity_days: After which an unlabelled payment counts as legitimate, days.
    """
    mature = math.ceil(maturity_days * _DAY_S / length_s)
    powers = math.ceil(math.log2(_LAST_LOOK * mature)) + 1
    return sorted({mature, *(2**power for power in range(powers))})


def first_to_judge(project: Project, now: dt.datetime) -> dt.datetime:
    """Where judging begins, if it never did: with the last period that is mature as a whole."""
    length_s = project.settings.learning.period_s
    maturity = dt.timedelta(days=project.contract.maturity_days)
    return Period.holding(now - maturity - dt.timedelta(seconds=length_s), length_s).start


class JudgePeriods:
    """The step that judges each period by the labels that had arrived.

    Args:
        project: Whose decisions, labels, versions and table.
        progress: Told the figures of each period that is judged for the first time.
    """

    name = "judge"

    def __init__(self, project: Project, progress: Progress | None = None) -> None:
        self._project, self._progress = project, progress
        self._has_told = False
        self._length_s = project.settings.learning.period_s
        self._looks = looks(self._length_s, project.contract.maturity_days)

    def due(self, now: dt.datetime) -> list[Due]:
        """Of each period the last of its looks whose time has come, if it was not taken.

        Looks that were missed while nothing ran are left out: the later one knows more. A stream
        that was never judged is judged from `first_to_judge` on.
        """
        project, length = self._project, dt.timedelta(seconds=self._length_s)
        since = Period.holding(now - length * (self._looks[-1] + 2), self._length_s).start
        judged = judged_periods(project.warehouse, project.contract, self._length_s, since=since)
        over = Period.holding(now - length, self._length_s)
        first = first_to_judge(project, now)
        if judged:  # the first of them was the first of all, as they are judged in their order
            first = max(min(judged).start, max(judged).end - length * _LATE_PERIODS)
        elif not self._has_told:
            self._tell_what_is_left_out(first)
        decided = decided_periods(project.warehouse, self._length_s, since=first, until=over.start)
        found = []
        for period in {*judged, *decided}:
            at = self._last_look(period, now)
            if at is not None and (period not in judged or at > judged[period]):
                found.append(Due(period, at))
        return found

    def _tell_what_is_left_out(self, first: dt.datetime) -> None:
        self._has_told = True
        earlier = decided_periods(
            self._project.warehouse, self._length_s, since=EARLIEST, until=first
        )
        if earlier:
            _LOG.warning(
                "learn: judging begins with %s. %s before, from %s on, will not be judged: "
                "`fraudline backtest` does that for any time",
                f"{first:%Y-%m-%d %H:%M:%S} UTC",
                counted(len(earlier), "period"),
                earlier[0],
            )

    def do(self, due: Due) -> str:
        """Judge a period by what had arrived at a moment, and write it down."""
        project, contract = self._project, self._project.contract
        amount = () if contract.amount is None else (contract.amount,)
        beside = (*amount, *explored_columns(project.warehouse))
        pieces = labelled_pieces(
            project.warehouse,
            contract,
            as_of=due.at,
            since=due.period.start,
            until=due.period.end,
            columns=beside,
            wanted=(*NEEDED, *beside),
        )
        frauds, versions = [], set[str]()
        for piece in pieces():
            frauds.append(frauds_of(piece))
            versions |= versions_of(piece)
        policies = policies_of(project, versions)
        caps = [policy.most_reviews_a_day for policy in policies.values() if policy is not None]
        tally = PeriodTally(
            frauds, max(caps, default=None), due.period.length.total_seconds() / _DAY_S
        )
        for piece in pieces():
            tally.add(turned_out(piece, contract.amount, policies))
        found = tally.measure()
        write_rows(project.warehouse, flows.MEASURES, self._rows(due, found, policies))
        if self._progress is not None and due.at == due.period.end + due.period.length:
            self._progress.record_judged({part: _figures(each) for part, each in found.items()})
        return _told(found["all"], [name for name, policy in policies.items() if policy is None])

    def _last_look(self, period: Period, now: dt.datetime) -> dt.datetime | None:
        age = (now - period.end) // period.length
        look = max((look for look in self._looks if look <= age), default=None)
        return None if look is None else period.end + look * period.length

    def _rows(
        self, due: Due, found: Mapping[str, PeriodMeasures], versions: Iterable[str]
    ) -> list[dict[str, object]]:
        name, period = self._project.contract.name, due.period
        look = (due.at - period.end) // period.length
        of = f"{name}|{period.start.isoformat()}|{period.length.total_seconds():g} s|look {look}"
        return [
            {
                "row_key": f"{of}|{part}",
                "contract": name,
                "period_start": period.start,
                "period_end": period.end,
                "as_of": due.at,
                "look": look,
                "part": part,
                "model_versions": ", ".join(versions),
                "maturity_days": self._project.contract.maturity_days,
                **asdict(measures),
            }
            for part, measures in found.items()
        ]


def _figures(found: PeriodMeasures) -> dict[str, float]:
    named = {name: getattr(found, name) for name in JUDGED}
    return {name: value for name, value in named.items() if value is not None}


def _told(found: PeriodMeasures, unknown: list[str]) -> str:
    """A judged period in a sentence."""
    said = f"{counted(found.decisions, 'decision')}, {counted(found.frauds, 'fraud')} so far"
    if found.average_precision is not None:
        said += f", average precision {found.average_precision:.3f}"
    if found.saved is not None:
        said += f", saved {money(found.saved)}"
    said += f"; {percent(found.immature_share)} may still be told to be fraud"
    if found.left_out:
        said += (
            f"; {counted(found.left_out, 'payment')} reviewed in place of being blocked and not "
            "labelled left out"
        )
    if unknown:
        said += (
            f"; LOOK: cost is not told, since the registry here has no {', '.join(unknown)}, "
            "by whose policy it was decided"
        )
    return said
