"""A challenger beside the champion, judged by what became known after it was made one."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.bundle_files import COMPARISONS_FILE, GRAPH_FILE, REASONS_FILE
from fraudline.bundle.policy import Policy
from fraudline.contract import APPROVED, FRAUD, Period, json_lines
from fraudline.contract.array_types import DecisionCodes, Floats, Labels
from fraudline.errors import InputError
from fraudline.measures.challenge import Challenge, DayOfOne
from fraudline.registry import Challenger
from fraudline.scoring.judge import Judge, Judged
from fraudline.use_cases.challenge_conditions import Condition, Measured, conditions_of
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.project import Project
from fraudline.use_cases.turned_out import flags
from fraudline.warehouse.counting_labels import labelled_pieces
from fraudline.warehouse.decided_periods import decided_periods

_PIECE_ROWS = 4096
_NEEDED = ("decided_at", "decision", "label", "label_known_at", "label_arrived_at")


@dataclass(frozen=True)
class ChallengerVerdict:
    """What is known of a challenger at a moment.

    Attributes:
        challenger: Its version.
        champion: The version that it challenges.
        since: When it was made a challenger; only what became known later counts.
        until: When it expires.
        at: As of when it was judged.
        periods: How many periods were compared: those that are mature as a whole.
        found: Both, over all of them.
        hidden: Payments that were blocked and never labelled: nobody knows what they were, so they
            are left out.
        unjudged: Payments that one of the two has no verdict on, left out too.
        conditions: All that a challenger must meet.
    """

    challenger: str
    champion: str
    since: dt.datetime
    until: dt.datetime
    at: dt.datetime
    periods: int
    found: Challenge
    hidden: int
    unjudged: int
    conditions: list[Condition]

    @property
    def is_won(self) -> bool:
        """Whether it meets them all."""
        return all(each.is_met for each in self.conditions)


def judge_challengers(
    project: Project,
    version: str | None = None,
    *,
    at: dt.datetime | None = None,
    on_judged: Callable[[int], None] = lambda _: None,
) -> list[ChallengerVerdict]:
    """Judge the contract's challengers beside its champion, and keep each verdict in the registry.

    Both judge the same transactions anew, as a scorer would; what a version said at the time, it
    says again to the last bit. A period counts once all of it is mature, by the labels as of then,
    so a later look finds the same of it. Memory: the scores of a period.

    Args:
        project: Whose registry, decisions and labels.
        version: One of the challengers; all of them without one.
        at: As of when; now without one.
        on_judged: Called with how many transactions were judged so far.

    Raises:
        InputError: the version is no challenger.
        BundleError: there is no champion, or one of the versions is broken.
        ContractError: a column of the contract is called like one of its label beside a decision.
        WarehouseError: the tables cannot be queried.
    """
    at = at or dt.datetime.now(dt.UTC)
    verdicts = []
    for challenger in _chosen(project, version):
        verdict = _Comparison(project, challenger, at, on_judged).verdict()
        project.registry.record_verdict(challenger.version, msgspec.json.encode(_record(verdict)))
        verdicts.append(verdict)
    return verdicts


def _chosen(project: Project, version: str | None) -> list[Challenger]:
    contract = project.contract.name
    known = [
        each for each in project.registry.challengers() if each.version.startswith(f"{contract}-")
    ]
    if version is None:
        return [each for each in known if each.ended is None]
    for each in known:
        if each.version == version and each.ended is None:
            return [each]
    ended = next((each.ended for each in known if each.version == version), None)
    why = f"any more: {ended}" if ended else f"of the champion of contract '{contract}'"
    raise InputError(
        f"{version[:300]} is no challenger {why}. `fraudline models challenge {version[:300]}` "
        "makes it one, `fraudline models list` shows those that are."
    )


@dataclass
class _Side:
    """One of the two, what it needed, and what it said of a period so far."""

    bundle: Bundle
    judge: Judge
    took_s: float = 0.0
    judged: int = 0
    refused: int = 0
    without_reasons: int = 0
    scores: list[Floats] = field(default_factory=list)
    codes: list[DecisionCodes] = field(default_factory=list)

    def judge_lines(self, lines: list[bytes]) -> Judged:
        begun_at = time.thread_time()
        judged = self.judge.judge_batch(lines)
        self.took_s += time.thread_time() - begun_at
        self.judged += len(lines)
        self.refused += len(judged.rejects)
        stopped = int((judged.assessment.decision_codes != APPROVED).sum())
        self.without_reasons += stopped - len(judged.reasons)
        return judged

    def take_day(self, labels: Labels, amounts: Floats, costs_by: Policy) -> DayOfOne:
        """What it said of a period, with what that cost; forgets it."""
        scores = np.concatenate([np.zeros(0), *self.scores])
        codes = np.concatenate([np.zeros(0, np.int8), *self.codes]).astype(np.int8)
        self.scores, self.codes = [], []
        return DayOfOne(scores, codes, costs_by.costs(codes, labels, amounts))

    def measured(self) -> Measured:
        files = (GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE)
        size = sum((self.bundle.path / name).stat().st_size for name in files)
        us = 1e6 * self.took_s / self.judged if self.judged else None
        return Measured(size, us, self.refused, self.without_reasons)


class _Comparison:
    """A challenger and the champion, through all periods that are mature."""

    def __init__(
        self,
        project: Project,
        challenger: Challenger,
        at: dt.datetime,
        on_judged: Callable[[int], None],
    ) -> None:
        self._project, self._challenger, self._at = project, challenger, at
        self._on_judged = on_judged
        self._champion, self._other = (
            _Side(bundle, Judge(bundle))
            for bundle in (
                open_version(project, project.registry.champion()),
                open_version(project, challenger.version),
            )
        )
        self._maturity = dt.timedelta(days=project.contract.maturity_days)
        self._hidden = self._unjudged = 0

    def verdict(self) -> ChallengerVerdict:
        """Judge, and say of each condition whether it is met."""
        length_s = self._project.settings.learning.period_s
        since = self._challenger.since - self._maturity - dt.timedelta(seconds=length_s)
        until = self._at - self._maturity
        found, compared = Challenge(), 0
        for period in decided_periods(self._project.warehouse, length_s, since=since, until=until):
            if period.end <= until:
                found = self._after(found, period)
                compared += 1
        conditions = conditions_of(
            found,
            self._champion.bundle.manifest.policy,
            self._other.bundle.manifest.policy,
            self._champion.measured(),
            self._other.measured(),
        )
        return ChallengerVerdict(
            self._challenger.version,
            self._champion.bundle.manifest.version,
            self._challenger.since,
            self._challenger.until,
            self._at,
            compared,
            found,
            self._hidden,
            self._unjudged,
            conditions,
        )

    def _after(self, found: Challenge, period: Period) -> Challenge:
        contract = self._project.contract
        labels, amounts = [np.zeros(0, np.int8)], [np.zeros(0)]
        for rows in self._known_later(period):
            lines = json_lines(rows.select([each.name for each in contract.transaction_columns]))
            sides = [(side, side.judge_lines(lines)) for side in (self._champion, self._other)]
            (_, first), (_, second) = sides
            both = np.intersect1d(first.indices, second.indices)
            self._unjudged += len(lines) - len(both)
            for side, judged in sides:
                kept = np.isin(judged.indices, both)
                side.scores.append(judged.assessment.scores[kept])
                side.codes.append(judged.assessment.decision_codes[kept])
            taken = rows.take(pa.array(both, pa.int64()))
            labels.append(flags(pc.equal(taken.column("label"), FRAUD)).astype(np.int8))
            amounts.append(contract.amounts(taken))
            self._on_judged(self._champion.judged)
        is_fraud, worth = np.concatenate(labels), np.concatenate(amounts)
        policy = self._champion.bundle.manifest.policy  # what mistakes cost is one fact
        champion, other = (
            side.take_day(is_fraud, worth, policy) for side in (self._champion, self._other)
        )
        approved = np.full(len(is_fraud), APPROVED, np.int8)
        return found.after(
            round(period.start.timestamp()),
            is_fraud,
            champion,
            other,
            policy.costs(approved, is_fraud, worth),
        )

    def _known_later(self, period: Period) -> Iterator[pa.RecordBatch]:
        """What became known after the challenger was made, of what is known at all."""
        names = [column.name for column in self._project.contract.transaction_columns]
        pieces = labelled_pieces(
            self._project.warehouse,
            self._project.contract,
            as_of=period.end + self._maturity,
            since=period.start,
            until=period.end,
            columns=names,
            wanted=(*_NEEDED, *names),
        )
        for piece in pieces():
            for start in range(0, piece.num_rows, _PIECE_ROWS):
                rows = piece.slice(start, _PIECE_ROWS)
                known, arrived = rows.column("label_known_at"), rows.column("label_arrived_at")
                told = pc.if_else(pc.greater(known, arrived), known, arrived)
                matured = pc.add(rows.column("decided_at"), pa.scalar(self._maturity))
                known_at = pc.if_else(pc.is_valid(rows.column("label")), told, matured)
                is_later = flags(pc.greater(known_at, pa.scalar(self._challenger.since)))
                is_hidden = flags(
                    pc.and_(
                        pc.equal(rows.column("decision"), "block"),
                        pc.is_null(rows.column("label")),
                    )
                )
                self._hidden += int((is_later & is_hidden).sum())
                yield rows.filter(pa.array(is_later & ~is_hidden))


def _record(verdict: ChallengerVerdict) -> dict[str, object]:
    return {**asdict(verdict), "is_won": verdict.is_won}
