"""How a period's decisions turned out, by the scores given at the time and the labels there are.

Payments come piece by piece and are counted, never kept, so that a day of any size is judged in
little memory: of the payments only the frauds' scores and delays are held, and the highest scores.

What nobody has called a fraud counts as legitimate so far, whether it is mature or not; how many
may still be told otherwise stands beside each figure. But what would have been blocked, was
reviewed in place of it and has no label counts for nothing: it stands among the highest scores, and
whoever looked at it has not said what it was. Periods are never pooled into one ranking:
where a feature changes its unit within the pool, the scores of two periods are of two scales, and
a worse model wins (the average precision over several periods is their mean over the frauds).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import DecisionCodes, Flags, Floats, Integers

PARTS: dict[str, tuple[int, ...]] = {
    "all": (0, 1, 2),
    "approved": (0,),
    "reviewed": (1,),
    "blocked": (2,),
    "not blocked": (0, 1),
}
"""Parts of the payments by what was decided, as places in `contract.DECISIONS`. A payment that was
blocked hardly ever shows whether it was a fraud, so figures of `not blocked` stand on what did."""

_DELAY_SHARES = (0.1, 0.5, 0.9, 1.0)
_LEAST_PROBABILITY = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class TurnedOut:
    """Decided payments and what is known of them at the moment of judging; a value a row.

    Attributes:
        scores: As they were given, 0 to below 1, shape (rows,).
        codes: What was decided, as places in `contract.DECISIONS`.
        is_fraud: Whether a label that had arrived says fraud.
        is_told: Whether a label that had arrived says anything.
        is_open: Whether none had, and the payment may still be told to be a fraud.
        delays_s: From the decision to the arrival of that label, seconds; NaN without one.
        is_hidden: Whether it was reviewed in place of being blocked, and has no label.
        costs: What the decision did cost by the policy that made it; NaN where that is not known.
        costs_of_approving: What approving would have cost, likewise.
    """

    scores: Floats
    codes: DecisionCodes
    is_fraud: Flags
    is_told: Flags
    is_open: Flags
    delays_s: Floats
    is_hidden: Flags
    costs: Floats
    costs_of_approving: Floats

    def where(self, rows: Flags) -> TurnedOut:
        """Those rows only."""
        return TurnedOut(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class PeriodMeasures:
    """How decisions turned out, as far as it is known.

    Attributes:
        decisions: Payments.
        frauds: Those that a label calls fraud.
        legitimate: Those that a label calls legitimate.
        unlabelled: Those of which no label says anything.
        immature: Unlabelled ones that may still be told to be a fraud.
        average_precision: Mean over the frauds of the share of frauds among what scored at least
            as high in its period; None without a fraud.
        alerts_a_day: How many of the highest scores a day could be looked at; None if nobody said.
        alerts: How many that makes.
        caught: Frauds among them. Of payments that share the last score it is the share of them
            that fits, so it need be no whole number, and does not hang on their order.
        log_loss: Mean of -log of the probability that was given to what is so far found, in nats;
            no probability counts as less than 2.2e-16. None without payments.
        expected_frauds: Sum of the scores.
        cost: What the decisions cost; None where the policy of some is not known.
        cost_of_approving: What approving everything would have cost; likewise.
        delay_s_p10: Of the frauds: seconds from the decision until the label that counts arrived,
            the tenth part of them; None without a fraud, and where periods are put together.
        delay_s_p50: Likewise, the half.
        delay_s_p90: Likewise, nine tenths.
        delay_s_max: Likewise, all.
        left_out: Payments that were reviewed in place of being blocked and have no label: of all
            figures only the counts above hold them. Rows of before left none out.
    """

    decisions: int
    frauds: int
    legitimate: int
    unlabelled: int
    immature: int
    average_precision: float | None
    alerts_a_day: float | None
    alerts: float | None
    caught: float | None
    log_loss: float | None
    expected_frauds: float
    cost: float | None
    cost_of_approving: float | None
    delay_s_p10: float | None
    delay_s_p50: float | None
    delay_s_p90: float | None
    delay_s_max: float | None
    left_out: int = 0

    @property
    def ranked(self) -> int:
        """Payments that figures other than counts stand on."""
        return self.decisions - self.left_out

    @property
    def precision(self) -> float | None:
        """Share of frauds among the highest scores that could be looked at."""
        return None if self.caught is None or not self.alerts else self.caught / self.alerts

    @property
    def recall(self) -> float | None:
        """Share of the frauds that is among the highest scores that could be looked at."""
        return None if self.caught is None or not self.frauds else self.caught / self.frauds

    @property
    def saved(self) -> float | None:
        """What the decisions save against approving everything."""
        if self.cost is None or self.cost_of_approving is None:
            return None
        return self.cost_of_approving - self.cost

    @property
    def immature_share(self) -> float:
        """Share of the payments that may still be told to be frauds; 0 without payments."""
        return self.immature / max(self.decisions, 1)

    @property
    def unlabelled_share(self) -> float:
        """Share of the payments of which no label says anything; 0 without payments."""
        return self.unlabelled / max(self.decisions, 1)


class _Tally:
    """Counts the payments of a part of one period, piece by piece.

    Args:
        fraud_scores: The scores of all frauds that will be counted, in any order, shape (frauds,).
        alerts_a_day: How many of the highest scores a day could be looked at; None: not known.
        days: How long the period is.
    """

    def __init__(self, fraud_scores: Floats, alerts_a_day: float | None, days: float) -> None:
        self._levels = np.unique(fraud_scores)
        self._rows_at = np.zeros(len(self._levels) + 1, np.int64)
        self._frauds_at = np.zeros(len(self._levels) + 1, np.int64)
        self._alerts_a_day = alerts_a_day
        self._highest = _Highest(None if alerts_a_day is None else alerts_a_day * days)
        self._counts = np.zeros(5, np.int64)
        self._log_loss = self._expected = self._cost = self._cost_of_approving = 0.0
        self._delays: list[Floats] = []

    def add(self, rows: TurnedOut) -> None:
        legitimate, hidden = rows.is_told & ~rows.is_fraud, rows.is_hidden
        told = (rows.is_fraud, legitimate, ~rows.is_told, rows.is_open, hidden)
        self._counts += [int(flags.sum()) for flags in told]
        if hidden.any():
            rows = rows.where(~hidden)
        # How many of the frauds' scores each row reaches: it stands before those frauds, or with.
        reached = np.searchsorted(self._levels, rows.scores, side="right")
        places = len(self._levels) + 1
        self._rows_at += np.bincount(reached, minlength=places)
        self._frauds_at += np.bincount(reached[rows.is_fraud], minlength=places)
        self._highest.add(rows.scores, rows.is_fraud)
        of_found = np.where(rows.is_fraud, rows.scores, 1 - rows.scores)
        self._log_loss -= float(np.log(np.maximum(of_found, _LEAST_PROBABILITY)).sum())
        self._expected += float(rows.scores.sum())
        self._cost += float(rows.costs.sum())
        self._cost_of_approving += float(rows.costs_of_approving.sum())
        if rows.is_fraud.any():
            self._delays.append(rows.delays_s[rows.is_fraud])

    def measure(self) -> PeriodMeasures:
        frauds, legitimate, unlabelled, immature, left_out = self._counts.tolist()
        decisions = frauds + legitimate + unlabelled
        delays: Sequence[float | None] = [None] * len(_DELAY_SHARES)
        if frauds:
            delays = np.quantile(np.concatenate(self._delays), _DELAY_SHARES).tolist()
        p10, p50, p90, longest = delays
        caught, alerts = self._highest.caught()
        is_policy_known = not np.isnan(self._cost)
        return PeriodMeasures(
            decisions,
            frauds,
            legitimate,
            unlabelled,
            immature,
            self._average_precision() if frauds else None,
            self._alerts_a_day,
            alerts,
            caught,
            self._log_loss / (decisions - left_out) if decisions > left_out else None,
            self._expected,
            self._cost if is_policy_known else None,
            self._cost_of_approving if is_policy_known else None,
            p10,
            p50,
            p90,
            longest,
            left_out,
        )

    def _average_precision(self) -> float:
        # Place n counts what reaches n of the levels: from there on, all that stands at or above.
        rows, frauds = (
            np.cumsum(counted[::-1])[::-1][1:] for counted in (self._rows_at, self._frauds_at)
        )
        at_level = self._frauds_at[1:]
        return float((at_level * frauds / rows).sum() / at_level.sum())


class _Highest:
    """The highest scores, as levels with how many payments and frauds have each."""

    def __init__(self, most: float | None) -> None:
        self._most = most
        self._scores: Floats = np.empty(0)
        self._rows: Integers = np.empty(0, np.int64)
        self._frauds: Integers = np.empty(0, np.int64)

    def add(self, scores: Floats, is_fraud: Flags) -> None:
        if self._most is None:
            return
        every = np.concatenate([self._scores, scores])
        levels, places = np.unique(-every, return_inverse=True)
        before = places[: len(self._scores)]
        rows, frauds = (
            np.bincount(before, was, len(levels)).astype(np.int64)
            + np.bincount(places[len(self._scores) :], new, len(levels)).astype(np.int64)
            for was, new in ((self._rows, None), (self._frauds, is_fraud))
        )
        kept = 1 + int(np.searchsorted(np.cumsum(rows), self._most))
        self._scores, self._rows, self._frauds = -levels[:kept], rows[:kept], frauds[:kept]

    def caught(self) -> tuple[float | None, float | None]:
        """Frauds among the highest, and how many payments those are."""
        if self._most is None:
            return None, None
        taken = np.clip(self._most - (np.cumsum(self._rows) - self._rows), 0, self._rows)
        return float((taken * self._frauds / np.maximum(self._rows, 1)).sum()), float(taken.sum())


class PeriodTally:
    """Counts the payments of one period, piece by piece, in each of `PARTS`.

    Args:
        frauds: Scores and decision codes of all frauds of the period, in pieces: a ranking has to
            know them before the others are counted.
        alerts_a_day: How many of the highest scores a day could be looked at; None: not known.
        days: How long the period is.
    """

    def __init__(
        self,
        frauds: Iterable[tuple[Floats, DecisionCodes]],
        alerts_a_day: float | None,
        days: float,
    ) -> None:
        pieces = [(np.empty(0), np.empty(0, np.int8)), *frauds]
        scores, codes = (np.concatenate([piece[place] for piece in pieces]) for place in range(2))
        self._tallies = {
            name: _Tally(scores[np.isin(codes, decided)], alerts_a_day, days)
            for name, decided in PARTS.items()
        }

    def add(self, rows: TurnedOut) -> None:
        """Count further payments of the period, in any order."""
        for name, decided in PARTS.items():
            self._tallies[name].add(rows.where(np.isin(rows.codes, decided)))

    def measure(self) -> dict[str, PeriodMeasures]:
        """The figures of what was counted, by part."""
        return {name: tally.measure() for name, tally in self._tallies.items()}


def put_together(periods: Sequence[PeriodMeasures]) -> PeriodMeasures:
    """The figures over several periods: each is judged alone, and the frauds of all are averaged.

    Args:
        periods: At least one, of the same part of the payments.
    """

    def total(name: str) -> float | None:
        """None where a period with payments does not say."""
        values = [getattr(each, name) for each in periods if each.decisions]
        return None if None in values else float(sum(values))

    def mean(name: str, weight: str) -> float | None:
        weights = [getattr(each, weight) for each in periods]
        sums = sum(w * getattr(each, name) for w, each in zip(weights, periods, strict=True) if w)
        return sums / sum(weights) if sum(weights) else None

    counts = {
        name: sum(getattr(each, name) for each in periods)
        for name in ("decisions", "frauds", "legitimate", "unlabelled", "immature", "left_out")
    }
    budgets = {each.alerts_a_day for each in periods}
    return replace(
        periods[-1],
        **counts,
        average_precision=mean("average_precision", "frauds"),
        alerts_a_day=budgets.pop() if len(budgets) == 1 else None,
        alerts=total("alerts"),
        caught=total("caught"),
        log_loss=mean("log_loss", "ranked"),
        expected_frauds=sum(each.expected_frauds for each in periods),
        cost=total("cost"),
        cost_of_approving=total("cost_of_approving"),
        delay_s_p10=None,
        delay_s_p50=None,
        delay_s_p90=None,
        delay_s_max=None,
    )
