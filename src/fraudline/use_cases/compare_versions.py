"""Two versions on the same payments, as scorers would judge them, period by period."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.bundle.bundle import Bundle
from fraudline.bundle.bundle_files import COMPARISONS_FILE, GRAPH_FILE, REASONS_FILE
from fraudline.bundle.policy import Policy
from fraudline.contract import APPROVED, FRAUD, Period
from fraudline.contract.array_types import DecisionCodes, Floats, Labels
from fraudline.measures.challenge import Challenge, DayOfOne
from fraudline.scoring.judge import Judge, Judged
from fraudline.use_cases.challenge_conditions import Condition, Measured, Pace, conditions_of
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.project import Project
from fraudline.use_cases.turned_out import flags
from fraudline.warehouse.counting_labels import labelled_pieces

_PIECE_ROWS = 4096
_NEEDED = ("decided_at", "decision", "label", "label_known_at", "label_arrived_at", "propensity")


class CountsDays(Protocol):
    """What takes both versions' days one after the other, as `Challenge` does."""

    def after(
        self,
        day: int,
        labels: Labels,
        champion: DayOfOne,
        challenger: DayOfOne,
        costs_of_approving: Floats,
    ) -> Self:
        """The same after another day."""
        ...


_Found = TypeVar("_Found", bound=CountsDays)


@dataclass(frozen=True)
class Spent:
    """What a version took for payments, and left open. Plain numbers, to go on from.

    Attributes:
        took_s: Of the processor, seconds.
        judged: How many payments.
        refused: On how many of them it has no verdict.
        without_reasons: How many it stops and gives no reasons for.
    """

    took_s: float = 0.0
    judged: int = 0
    refused: int = 0
    without_reasons: int = 0


@dataclass(frozen=True)
class PairSums:
    """What both took, and what was left out. Plain numbers, to go on from.

    Attributes:
        champion: What the champion took.
        other: What the other version did.
        hidden: Payments that were blocked and never labelled, which were left out.
        unjudged: Payments that one of the two has no verdict on, left out too.
        pace: How often the other version was clearly slower; none is counted by one of before.
    """

    champion: Spent = field(default_factory=Spent)
    other: Spent = field(default_factory=Spent)
    hidden: int = 0
    unjudged: int = 0
    pace: Pace = field(default_factory=Pace)


@dataclass
class _Side:
    """One of the two, what it needed, and what it said of a period so far."""

    bundle: Bundle
    judge: Judge
    spent: Spent
    scores: list[Floats] = field(default_factory=list)
    codes: list[DecisionCodes] = field(default_factory=list)

    def judge_lines(self, lines: list[bytes]) -> tuple[Judged, float]:
        begun_at = time.thread_time()
        judged = self.judge.judge_batch(lines)
        took_s = time.thread_time() - begun_at
        stopped = int((judged.assessment.decision_codes != APPROVED).sum())
        before = self.spent
        self.spent = Spent(
            before.took_s + took_s,
            before.judged + len(lines),
            before.refused + len(judged.rejects),
            before.without_reasons + stopped - len(judged.reasons),
        )
        return judged, took_s

    def take_day(self, labels: Labels, amounts: Floats, costs_by: Policy) -> DayOfOne:
        """What it said of a period, with what that cost; forgets it."""
        scores = np.concatenate([np.zeros(0), *self.scores])
        codes = np.concatenate([np.zeros(0, np.int8), *self.codes]).astype(np.int8)
        self.scores, self.codes = [], []
        return DayOfOne(scores, codes, costs_by.costs(codes, labels, amounts))

    def measured(self) -> Measured:
        files = (GRAPH_FILE, REASONS_FILE, COMPARISONS_FILE)
        size = sum((self.bundle.path / name).stat().st_size for name in files)
        spent = self.spent
        us = 1e6 * spent.took_s / spent.judged if spent.judged else None
        return Measured(size, us, spent.refused, spent.without_reasons)


class VersionPair:
    """The champion and another version, on payments of which more became known since a moment.

    Args:
        project: Whose registry, decisions and labels.
        champion: The champion.
        other: The version that is compared with it.
        since: What was known by then counts for neither.
        on_judged: Called with how many transactions were judged so far.
        so_far: What another pair found of the same two, on periods before.

    Raises:
        BundleError: one of the versions is broken.
    """

    def __init__(
        self,
        project: Project,
        champion: str,
        other: str,
        since: dt.datetime,
        on_judged: Callable[[int], None] = lambda _: None,
        so_far: PairSums | None = None,
    ) -> None:
        self._project, self._since, self._on_judged = project, since, on_judged
        before = so_far or PairSums()
        self._before = before.champion.judged
        self._champion, self._other = (
            _Side(bundle, Judge(bundle), spent)
            for bundle, spent in (
                (open_version(project, champion), before.champion),
                (open_version(project, other), before.other),
            )
        )
        self._maturity = dt.timedelta(days=project.contract.maturity_days)
        self._hidden, self._unjudged, self._pace = before.hidden, before.unjudged, before.pace

    @property
    def sums(self) -> PairSums:
        """What both took so far, and what was left out."""
        return PairSums(
            self._champion.spent, self._other.spent, self._hidden, self._unjudged, self._pace
        )

    def conditions(self, found: Challenge) -> list[Condition]:
        """All that the other version has to meet, by what was found of both."""
        return conditions_of(
            found,
            self._champion.bundle.manifest.policy,
            self._other.bundle.manifest.policy,
            self._champion.measured(),
            self._other.measured(),
            self._pace,
        )

    def after(self, found: _Found, period: Period) -> _Found:
        """What is found of both once a period that is mature is counted, too.

        Args:
            found: What counts days: a `Challenge`, or what has more than that.
            period: The next one.
        """
        contract = self._project.contract
        labels, amounts = [np.zeros(0, np.int8)], [np.zeros(0)]
        for rows in self._known_later(period):
            lines = contract.message_lines(rows)
            first, champion_s = self._champion.judge_lines(lines)
            second, other_s = self._other.judge_lines(lines)
            if lines:
                self._pace = self._pace.after(champion_s, other_s)
            both = np.intersect1d(first.indices, second.indices)
            self._unjudged += len(lines) - len(both)
            for side, judged in ((self._champion, first), (self._other, second)):
                kept = np.isin(judged.indices, both)
                side.scores.append(judged.assessment.scores[kept])
                side.codes.append(judged.assessment.decision_codes[kept])
            taken = rows.take(pa.array(both, pa.int64()))
            labels.append(flags(pc.equal(taken.column("label"), FRAUD)).astype(np.int8))
            amounts.append(contract.amounts(taken))
            self._on_judged(self._champion.spent.judged - self._before)
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
            columns=[*names, "propensity"],
            wanted=(*_NEEDED, *names),
        )
        for piece in pieces():
            for start in range(0, piece.num_rows, _PIECE_ROWS):
                rows = piece.slice(start, _PIECE_ROWS)
                known, arrived = rows.column("label_known_at"), rows.column("label_arrived_at")
                told = pc.if_else(pc.greater(known, arrived), known, arrived)
                matured = pc.add(rows.column("decided_at"), pa.scalar(self._maturity))
                known_at = pc.if_else(pc.is_valid(rows.column("label")), told, matured)
                is_later = flags(pc.greater(known_at, pa.scalar(self._since)))
                is_stopped = pc.or_(
                    pc.equal(rows.column("decision"), "block"),
                    pc.is_valid(rows.column("propensity")),
                )
                is_hidden = flags(pc.and_(is_stopped, pc.is_null(rows.column("label"))))
                self._hidden += int((is_later & is_hidden).sum())
                yield rows.filter(pa.array(is_later & ~is_hidden))
