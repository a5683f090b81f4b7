"""Watching the stream for change before any label comes: the alarms of each period."""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from fraudline import flows
from fraudline.bundle.reference import (
    ReferenceFacts,
    read_reference,
    watched_values,
)
from fraudline.contract import Period
from fraudline.contract.alarms import (
    AMOUNTS,
    COLUMNS,
    DETECTORS,
    REFERENCE,
    REJECTS,
    SCORES,
)
from fraudline.errors import BundleError, InputError
from fraudline.measures.column_drift import LEAST_ROWS, PERIOD_ROWS
from fraudline.measures.period_watch import TOLD_SHARES, ColumnFound, compare_columns
from fraudline.measures.policy_effect import counted, number, percent
from fraudline.measures.share_drift import Cusum, UsualShare, share_limits, usual_share
from fraudline.stream.progress import Progress
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.level_rows import category_words, level_rows
from fraudline.use_cases.project import Project
from fraudline.use_cases.share_rows import (
    amount_row,
    json_text,
    left_out_words,
    null_rows,
    score_row,
    scores_text,
)
from fraudline.warehouse.learning_tables import read_rows, write_rows
from fraudline.warehouse.watched_decisions import (
    PeriodCounts,
    count_by_version,
    count_decided,
    count_rejects,
    draw_decided,
    watchable_periods,
)

_decode_cusum = msgspec.json.Decoder(Cusum).decode

_LOG = logging.getLogger(__name__)
# A stream that was never watched is watched from so many periods back; what is usual of rejects,
# and a sum of deviations, go back as far.
_MEMORY_PERIODS = 28
# A period of which nothing was stored when its time came is looked for so much longer.
_LATE_PERIODS = 8
# A statement has room for so many rows with all their values.
_MOST_COLUMNS = 100
# Of the event time of the reference's periods; what covers less differs by its hours.
_WHOLE_SHARE = 0.5
_HOUR_S = 3600
# Periods of rejects without which nothing is known to be usual.
_LEAST_PERIODS = 5

Row = dict[str, Any]

_NOTHING_COMPARED: Row = {
    "detector": COLUMNS,
    "is_alarm": False,
    "told": f"no column has {LEAST_ROWS} values that are not null, so none was compared",
}


class WatchPeriods:
    """The step that holds each period against the reference of the version that decided.

    Args:
        project: Whose decisions, rejects, versions and table.
        progress: Is told how many alarms the last period has.
    """

    name = "watch"

    def __init__(self, project: Project, progress: Progress) -> None:
        self._project = project
        self._progress = progress
        self._length_s = project.settings.learning.period_s

    def due(self, now: dt.datetime) -> list[Due]:
        """The periods that are over and were not watched yet."""
        length = dt.timedelta(seconds=self._length_s)
        over = Period.holding(now, self._length_s).start
        first = over - length * _MEMORY_PERIODS
        watched = {
            Period(row["period_start"], row["period_end"]) for row in self._rows(first, over)
        }
        if watched:
            first = max(period.end for period in watched) - length * _LATE_PERIODS
        found = watchable_periods(self._project.warehouse, self._length_s, since=first, until=over)
        return [Due(period=period, at=period.end) for period in found if period not in watched]

    def do(self, due: Due) -> str:
        """Look for what changed in a period, and write down what was found."""
        period, warehouse = due.period, self._project.warehouse
        before = self._rows(period.start - period.length * _MEMORY_PERIODS, period.start)
        memory = Memory(before, self._project.registry.networks.of)
        versions = count_by_version(warehouse, period)
        found: list[Row] = []
        said = []
        for version, decided in versions.items():
            if memory.versions and not memory.knows(version):
                said.append(f"{version} decides now, and is compared with a reference of its own")
            found += self._watch_version(period, version, decided, memory)
        found.append(self._watch_rejects(period, sum(versions.values()), memory))
        rows = [self._complete(row, period, memory) for row in found]
        write_rows(warehouse, flows.ALARMS, rows)
        alarms = [f"ALARM ({row['detector']}): {row['told']}" for row in rows if row["is_alarm"]]
        for alarm in alarms:
            _LOG.warning("period of %s: %s", period, alarm)
        counts = Counter(row["detector"] for row in rows if row["is_alarm"])
        self._progress.record_alarms({detector: counts[detector] for detector in DETECTORS})
        looked_at = f"{counted(sum(versions.values()), 'decision')} watched"
        return "; ".join([looked_at, *said, *(alarms or ["nothing alarms"])])

    def _watch_version(
        self, period: Period, version: str, decided: int, memory: Memory
    ) -> list[Row]:
        project, contract = self._project, self._project.contract
        head = {"model_version": version, "transactions": decided}
        try:
            reference = read_reference(project.registry.path(version))
        except (BundleError, InputError) as error:
            return [{**head, "detector": REFERENCE, "is_alarm": True, "told": str(error)}]
        facts, high = reference.facts, reference.amounts
        counts = count_decided(
            project.warehouse,
            contract,
            period,
            version,
            facts.high_score,
            high.amount if high else None,
        )
        if decided < LEAST_ROWS:
            told = (
                f"{counted(decided, 'transaction')}, fewer than the {LEAST_ROWS} that tell "
                "something. If each period is like that, set learning.period_s higher"
            )
            few = {**head, "is_alarm": False, "told": told}
            scores, amounts = (json_text(memory.cusum(version, each)) for each in (SCORES, AMOUNTS))
            return [
                {**few, "detector": COLUMNS},
                {**few, "detector": SCORES, "state": scores, "found": scores_text(counts)},
                {**few, "detector": AMOUNTS, "state": amounts},
            ]
        rows = draw_decided(project.warehouse, contract, period, version, PERIOD_ROWS)
        compared = compare_columns(reference, watched_values(contract, rows))
        alarming = [each for each in compared if each.is_alarm]
        columns = [self._column(each) for each in (alarming or compared)[: _most_rows(alarming)]]
        columns = columns or [_NOTHING_COMPARED.copy()]
        columns[0]["told"] += _apart(counts, facts, len(alarming) - len(columns))
        if alarming or compared:  # else it says so of all
            columns[0]["told"] += left_out_words(facts.distances, [each.name for each in compared])
        nulls, levels = null_rows(reference, counts), level_rows(contract, reference, rows)
        for found in (nulls, levels):
            if len(found) > _MOST_COLUMNS:
                more = counted(len(found) - _MOST_COLUMNS, "more column")
                found[_MOST_COLUMNS - 1]["told"] += f"; {more} alarm, too"
        shares = [
            score_row(reference, counts, memory.cusum(version, SCORES), period),
            amount_row(contract, reference, counts, memory.cusum(version, AMOUNTS), period),
            *nulls[:_MOST_COLUMNS],
            *levels[:_MOST_COLUMNS],
        ]
        return [
            *({**head, **each, "transactions": rows.num_rows} for each in columns),
            *({**head, **each} for each in shares),
        ]

    def _column(self, found: ColumnFound) -> Row:
        row = {
            "detector": COLUMNS,
            "column_name": found.name,
            "is_alarm": found.is_alarm,
            "statistic": found.excess,
            "threshold": found.threshold,
        }
        if found.levels is not None:
            return row | category_words(found, found.levels)
        unit = self._project.contract.column(found.name).unit
        middle = len(TOLD_SHARES) // 2
        half, usual = (f"{number(of[middle])} {unit}".rstrip() for of in (found.found, found.usual))
        return row | {
            "told": (
                f"'{found.name}': {percent(found.distance)} of the values lie elsewhere. Half of "
                f"them are at most {half}, of the reference at most {usual}"
            ),
            "usual": json_text(_quantiles(found.usual)),
            "found": json_text(_quantiles(found.found)),
        }

    def _watch_rejects(self, period: Period, decided: int, memory: Memory) -> Row:
        rejected = count_rejects(self._project.warehouse, period)
        messages = decided + rejected
        usual = memory.usual_rejects()
        share, (_, most) = rejected / messages, share_limits(usual, messages)
        return {
            "model_version": None,
            "detector": REJECTS,
            "is_alarm": share > most,
            "statistic": share,
            "threshold": most,
            "transactions": messages,
            "told": (
                f"{percent(share)} of {counted(messages, 'message')} were rejected, usually "
                f"{percent(usual.mean)}"
            ),
            "usual": json_text({"share": usual.mean}),
            "found": json_text({"share": share, "rejected": rejected}),
        }

    def _complete(self, row: Row, period: Period, memory: Memory) -> Row:
        """A row with its key, its period, and since when it alarms."""
        contract = self._project.contract.name
        length = f"{period.length.total_seconds():g} s"
        of = (row["model_version"] or "", row["detector"], row.get("column_name") or "")
        if row["is_alarm"] and row.get("alarm_since") is None:
            row["alarm_since"] = memory.alarm_since(*of) or period.start
        return {
            "row_key": "|".join((contract, period.start.isoformat(), length, *of)),
            "contract": contract,
            "period_start": period.start,
            "period_end": period.end,
            **row,
        }

    def _rows(self, since: dt.datetime, until: dt.datetime) -> list[Row]:
        """What is written of periods of this length."""
        project = self._project
        rows = read_rows(
            project.warehouse, flows.ALARMS, project.contract, since=since, until=until
        )
        length = dt.timedelta(seconds=self._length_s)
        return [row for row in rows if row["period_end"] - row["period_start"] == length]


@dataclass(frozen=True)
class Memory:
    """What earlier periods have left.

    A version that only calibrates another one's network goes on from what is known of that: its
    reference is the same on another scale, so what alarmed still does, and since when it did.

    Attributes:
        rows: Of these periods, oldest first.
        network_of: Gives the version whose network a version has.
    """

    rows: Sequence[Mapping[str, Any]]
    network_of: Callable[[str], str] = str

    @property
    def _last(self) -> list[Mapping[str, Any]]:
        """The rows of the period before."""
        if not self.rows:
            return []
        last = self.rows[-1]["period_start"]
        return [row for row in self.rows if row["period_start"] == last]

    @property
    def versions(self) -> set[str]:
        """The versions that decided in the period before."""
        return {row["model_version"] for row in self._last if row["model_version"]}

    def knows(self, version: str) -> bool:
        """Whether it, or its network, decided in the period before."""
        return self.network_of(version) in {self.network_of(each) for each in self.versions}

    def _of(self, version: str) -> list[Mapping[str, Any]]:
        """The rows of the period before of a version, and then of others with its network."""
        network = self.network_of(version) if version else ""
        alike = [
            row
            for row in self._last
            if (row["model_version"] or "") == version
            or (row["model_version"] and self.network_of(row["model_version"]) == network)
        ]
        return sorted(alike, key=lambda row: (row["model_version"] or "") != version)

    def cusum(self, version: str, detector: str) -> Cusum:
        """The sums of a version's scores or amounts; at 0 where another network decided before."""
        for row in self._of(version):
            if row["detector"] == detector and row["state"]:
                return _decode_cusum(row["state"])
        return Cusum()

    def alarm_since(self, version: str, detector: str, column: str) -> dt.datetime | None:
        """Since when it alarmed in the period before; None if it did not."""
        for row in self._of(version):
            if (row["detector"], row["column_name"] or "") == (detector, column) and row[
                "is_alarm"
            ]:
                since: dt.datetime | None = row["alarm_since"]
                return since
        return None

    def usual_rejects(self) -> UsualShare:
        """What share of messages was rejected in periods without an alarm; 0 if too few were."""
        quiet = [row for row in self.rows if row["detector"] == REJECTS and not row["is_alarm"]]
        if len(quiet) < _LEAST_PERIODS:
            return UsualShare(0.0, 0.0, 0.0)
        rejected = [msgspec.json.decode(row["found"])["rejected"] for row in quiet]
        return usual_share(np.array(rejected), np.array([row["transactions"] for row in quiet]))


def _most_rows(alarming: Sequence[ColumnFound]) -> int:
    """So many columns have a row: those that alarm, up to a limit, or the one nearest to it."""
    return _MOST_COLUMNS if alarming else 1


def _apart(counts: PeriodCounts, facts: ReferenceFacts, untold: int) -> str:
    """What has to be known of the columns' alarms of a period: the end of a sentence."""
    told = f"; {counted(untold, 'more column')} alarm, too" if untold > 0 else ""
    if counts.event_s < facts.period_s * _WHOLE_SHARE:
        told += (
            f"; the period covers {counts.event_s / _HOUR_S:.3g} hours of event time, those of the "
            f"reference {facts.period_s / _HOUR_S:.3g}: what differs between hours is in it"
        )
    return told


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    return {f"{share:g}": value for share, value in zip(TOLD_SHARES, values, strict=True)}
