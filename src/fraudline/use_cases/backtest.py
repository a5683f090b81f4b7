"""A past period through any version, decision by decision, beside what was decided then.

A decision keeps its transaction and judging is pure, so this is what the version would have said
at the time; of the version that decided then it is what it did say, to the last bit.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.bundle.bundle import Bundle
from fraudline.contract import APPROVED, DECISIONS, FRAUD, Period, Reject
from fraudline.contract.array_types import DecisionCodes, Flags, Floats
from fraudline.errors import InputError
from fraudline.measures.prequential import (
    PARTS,
    PeriodMeasures,
    PeriodTally,
    put_together,
)
from fraudline.scoring import Judge
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.project import Project
from fraudline.use_cases.turned_out import (
    NEEDED,
    amounts_of,
    codes_of,
    floats,
    frauds_of,
    turned_out,
    versions_of,
)
from fraudline.warehouse.counting_labels import labelled_pieces
from fraudline.warehouse.decided_periods import decided_periods
from fraudline.warehouse.explored import explored_columns

_PIECE_ROWS = 4096
_MOST_EXAMPLES = 5
_DAY_S = 86400.0


@dataclass(frozen=True)
class Difference:
    """A decision that the version does not give again.

    Attributes:
        transaction_id: Of the transaction.
        what: What differs: `score`, `decision`, `threshold`, `reasons` or `propensity`, or that the
            transaction is refused, in words.
        then: What was stored.
        now: What the version says.
    """

    transaction_id: str
    what: str
    then: str
    now: str


@dataclass(frozen=True)
class BacktestPeriod:
    """One period, judged by the same labels on both sides.

    Attributes:
        period: As far as it lies in what was asked for.
        then: What was decided, by part; see `measures.prequential.PARTS`.
        now: What the version decides. Its parts are its own: what it blocks, for example.
    """

    period: Period
    then: dict[str, PeriodMeasures]
    now: dict[str, PeriodMeasures]


@dataclass
class Backtest:
    """Decisions beside what a version says of their transactions.

    Attributes:
        version: Which one.
        since: From when on.
        until: Up to when, which is no part of it.
        as_of: By which labels: those that had arrived at this moment.
        decisions: How many were compared; a transaction that was sent twice is one.
        own: Those of them that this version had made.
        differing: Those of its own that it does not give again, to the last bit.
        examples: Some of them, in what first differs.
        refused: Transactions that the version has no verdict on, by reason; no figure of it holds
            them.
        moves: How many that were decided the first way it decides the second way.
        periods: Each alone, in order.
    """

    version: str
    since: dt.datetime
    until: dt.datetime
    as_of: dt.datetime
    decisions: int = 0
    own: int = 0
    differing: int = 0
    examples: list[Difference] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    periods: list[BacktestPeriod] = field(default_factory=list)

    @property
    def then(self) -> dict[str, PeriodMeasures]:
        """What was decided, over all periods, by part; each period is ranked alone."""
        return {part: put_together([each.then[part] for each in self.periods]) for part in PARTS}

    @property
    def now(self) -> dict[str, PeriodMeasures]:
        """What the version decides, likewise."""
        return {part: put_together([each.now[part] for each in self.periods]) for part in PARTS}


def backtest(
    project: Project,
    since: dt.datetime,
    until: dt.datetime,
    version: str | None = None,
    *,
    as_of: dt.datetime | None = None,
    on_judged: Callable[[int], None] = lambda _: None,
) -> Backtest:
    """Judge the transactions of a time again, by any version, and compare decision by decision.

    They come from the table of decisions, piece by piece. Labels are those of one moment, and costs
    those of the version's policy, on both sides. What was blocked at the time has hardly any
    labels, whatever the version says of it.

    Args:
        project: Whose decisions, labels and versions.
        since: Only what was decided at this time or later, and
        until: before this time.
        version: One of the registry; the champion without one.
        as_of: By which labels: those that had arrived by then; now without one.
        on_judged: Called with how many were judged so far.

    Raises:
        InputError: nothing was decided in that time, or there is no such version.
        BundleError: the version is broken, or for another contract.
        ContractError: a column of the contract is called like one of its label beside a decision.
        WarehouseError: the tables cannot be queried.
    """
    version = version or project.registry.champion()
    bundle = open_version(project, version)
    length_s = project.settings.learning.period_s
    found = Backtest(version, since, until, as_of or dt.datetime.now(dt.UTC))
    for period in decided_periods(project.warehouse, length_s, since=since, until=until):
        within = Period(max(period.start, since), min(period.end, until))
        found.periods.append(_PeriodAgain(project, bundle, found, within, on_judged).judge())
    if not found.periods:
        raise InputError(
            f"nothing was decided from {since.isoformat()} to {until.isoformat()}, so there is "
            "nothing to compare. The times are those of `decided_at` in the table of decisions."
        )
    return found


class _PeriodAgain:
    """One period through the version; what is found goes into the whole."""

    def __init__(
        self,
        project: Project,
        bundle: Bundle,
        whole: Backtest,
        period: Period,
        on_judged: Callable[[int], None],
    ) -> None:
        self._project, self._bundle, self._whole = project, bundle, whole
        self._period, self._on_judged = period, on_judged
        self._judge = Judge(bundle)
        contract = project.contract
        self._columns = [column.name for column in contract.transaction_columns]
        also = ("reasons", *explored_columns(project.warehouse))
        self._pieces = labelled_pieces(
            project.warehouse,
            contract,
            as_of=whole.as_of,
            since=period.start,
            until=period.end,
            columns=(*self._columns, *also),
            wanted=(*NEEDED, "transaction_id", "threshold", *also, *self._columns),
        )

    def judge(self) -> BacktestPeriod:
        """Judge the frauds, which a ranking has to know beforehand, and then all."""
        frauds_then, frauds_now = [], []
        for piece in self._sliced():
            frauds_then.append(frauds_of(piece))
            again = self._again(piece.filter(pc.equal(piece.column("label"), FRAUD)))
            kept = ~again.is_refused
            frauds_now.append((again.scores[kept], again.codes[kept]))
        own = self._bundle.manifest.policy  # what mistakes cost is one fact
        days = self._period.length.total_seconds() / _DAY_S
        then, now = (
            PeriodTally(frauds, own.most_reviews_a_day, days)
            for frauds in (frauds_then, frauds_now)
        )
        amount = self._project.contract.amount
        for piece in self._sliced():
            again = self._again(piece)
            self._compare(piece, again)
            was = turned_out(piece, amount, dict.fromkeys(versions_of(piece), own))
            then.add(was)
            labels, amounts = was.is_fraud.astype(np.int8), amounts_of(piece, amount)
            approved = np.full_like(again.codes, APPROVED)
            would_be = replace(
                was,
                scores=again.scores,
                codes=again.codes,
                costs=own.costs(again.codes, labels, amounts),
                costs_of_approving=own.costs(approved, labels, amounts),
            )
            now.add(would_be.where(~again.is_refused))
            self._on_judged(self._whole.decisions)
        return BacktestPeriod(self._period, then.measure(), now.measure())

    def _sliced(self) -> Iterator[pa.RecordBatch]:
        for piece in self._pieces():
            for start in range(0, piece.num_rows, _PIECE_ROWS):
                yield piece.slice(start, _PIECE_ROWS)

    def _again(self, piece: pa.RecordBatch) -> _Again:
        """What the version says of each row's transaction, as a scorer would judge its message."""
        judged = self._judge.judge_batch(self._bundle.contract.message_lines(piece))
        rows = np.asarray(judged.indices, dtype=np.int64)
        count, assessment = piece.num_rows, judged.assessment
        again = _Again(
            np.full(count, np.nan),
            np.zeros(count, np.int8),
            np.full(count, np.nan),
            [None] * count,
            np.full(count, np.nan),
            {reject.index: reject for reject in judged.rejects},
        )
        again.scores[rows] = assessment.scores
        again.codes[rows] = assessment.decision_codes
        again.thresholds[rows] = assessment.thresholds
        if assessment.propensities is not None:
            again.propensities[rows] = assessment.propensities
        for row, told in judged.reasons.items():
            again.reasons[judged.indices[row]] = msgspec.json.encode(told).decode()
        return again

    def _compare(self, piece: pa.RecordBatch, again: _Again) -> None:
        whole = self._whole
        codes = codes_of(piece)
        is_own = np.asarray(
            pc.equal(piece.column("model_version"), whole.version).to_numpy(zero_copy_only=False)
        )
        reasons = piece.column("reasons").to_pylist()
        differs = {
            "score": floats(piece.column("score")) != again.scores,
            "decision": codes != again.codes,
            "threshold": floats(piece.column("threshold")) != again.thresholds,
            "reasons": np.array(
                [was != now for was, now in zip(reasons, again.reasons, strict=True)], np.bool_
            ),
        }
        if "propensity" in piece.schema.names:
            then, now = floats(piece.column("propensity")), again.propensities
            differs["propensity"] = (then != now) & ~(np.isnan(then) & np.isnan(now))
        is_different = np.logical_or.reduce([again.is_refused, *differs.values()]) & is_own
        whole.decisions += piece.num_rows
        whole.own += int(is_own.sum())
        whole.differing += int(is_different.sum())
        whole.refused.update(str(reject.reason) for reject in again.rejects.values())
        moved = len(DECISIONS) * codes[~again.is_refused] + again.codes[~again.is_refused]
        for place in np.unique(moved).tolist():
            was, now = divmod(place, len(DECISIONS))
            whole.moves[DECISIONS[was], DECISIONS[now]] += int((moved == place).sum())
        for row in np.flatnonzero(is_different)[: _MOST_EXAMPLES - len(whole.examples)].tolist():
            what = next((name for name, flags in differs.items() if flags[row]), "")
            whole.examples.append(_difference(piece, again, row, what))


@dataclass(frozen=True)
class _Again:
    """What the version says of each row of a piece."""

    scores: Floats
    codes: DecisionCodes
    thresholds: Floats
    reasons: list[str | None]
    propensities: Floats
    rejects: dict[int, Reject]

    @property
    def is_refused(self) -> Flags:
        flags = np.zeros(len(self.scores), np.bool_)
        flags[list(self.rejects)] = True
        return flags


def _difference(piece: pa.RecordBatch, again: _Again, row: int, what: str) -> Difference:
    transaction_id = piece.column("transaction_id")[row].as_py()
    if row in again.rejects:
        reject = again.rejects[row]
        score = piece.column("score")[row].as_py()
        return Difference(
            transaction_id, "score", repr(score), f"refused ({reject.reason}): {reject.message}"
        )
    then = piece.column(what)[row].as_py()
    now: dict[str, object] = {
        "score": float(again.scores[row]),
        "decision": DECISIONS[again.codes[row]],
        "threshold": float(again.thresholds[row]),
        "reasons": again.reasons[row],
        "propensity": float(again.propensities[row]),
    }
    return Difference(transaction_id, what, str(then), str(now[what]))
