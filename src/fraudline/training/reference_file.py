"""What a bundle keeps of its training period, for the stream to be compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from fraudline.bundle.policy import below_never
from fraudline.bundle.reference import (
    SCORE,
    HighAmounts,
    Reference,
    ReferenceFacts,
    Share,
    UsualDistance,
    UsualLevels,
    watched_values,
    write_reference,
)
from fraudline.contract import Contract
from fraudline.contract.array_types import Flags, Floats, Integers, Matrix, Vector
from fraudline.measures.column_drift import (
    LEAST_ROWS,
    PERIOD_ROWS,
    distances_from_others,
    sketch,
    usual_distances,
)
from fraudline.measures.days import DAY_S
from fraudline.measures.level_drift import (
    count_levels,
    level_distances_from_others,
    watched_levels,
)
from fraudline.measures.share_drift import HIGH_SHARE, UsualShare, usual_share
from fraudline.training.categories import level_names
from fraudline.training.history_checks import event_text
from fraudline.training.split import Rows, Split

LEAST_DAYS = 10
MOST_PERIODS = 28  # the latest ones, which the stream goes on from
BLOCK_ROWS = 10_000
LEAST_BLOCKS = 10
# Points that stand for a column, and values that a reference has at most in all.
POINTS = 2000
MOST_VALUES = 100_000

_NOWHERE = -1


@dataclass(frozen=True)
class Cut:
    """A history cut into periods.

    Attributes:
        kind: `days` of event time, or `blocks` of as many transactions.
        period: Number of each row's period from 0, and -1 where it is in none, shape (rows,).
        periods: How many there are.
    """

    kind: Literal["days", "blocks"]
    period: Integers
    periods: int


def cut_periods(event_s: Floats) -> Cut:
    """Cut a history into days, or into blocks where it has too few days or too little in one.

    The first and the last day are left out where they are cut themselves: with less than half of
    the transactions of the day in the middle.

    Args:
        event_s: Event times, seconds, in order, shape (rows,); a hundred at least.
    """
    days, counts = np.unique(np.floor(event_s / DAY_S), return_counts=True)
    middle = np.median(counts)
    first = int(counts[0] < middle / 2)
    last = len(days) - int(counts[-1] < middle / 2)
    if last - first >= LEAST_DAYS and middle >= LEAST_ROWS:
        numbers = np.full(len(days), _NOWHERE)
        kept = np.arange(max(first, last - MOST_PERIODS), last)
        numbers[kept] = np.arange(len(kept))
        return Cut("days", np.repeat(numbers, counts), len(kept))
    blocks = max(len(event_s) // BLOCK_ROWS, LEAST_BLOCKS)
    number = np.arange(len(event_s)) * blocks // len(event_s) - max(blocks - MOST_PERIODS, 0)
    return Cut("blocks", np.maximum(number, _NOWHERE), min(blocks, MOST_PERIODS))


def keep_reference(
    directory: Path,
    contract: Contract,
    history: pa.Table,
    split: Split,
    scores: Floats,
    seed: int,
    *,
    has_all_frauds: bool = True,
) -> ReferenceFacts:
    """Write a bundle's reference.

    Args:
        directory: The bundle's.
        contract: What a transaction looks like.
        history: Every row, in order of event time.
        split: Its parts. Columns are of all rows, scores of those that had not been learned from.
        scores: Of every row, of those parts as the model gave them before it had seen them.
        seed: Of the draw where a period has more rows than are looked at.
        has_all_frauds: Whether the part that is learned has as many frauds as the stream. Many of
            the highest amounts are frauds', so else these are of the other parts alone.
    """
    event_s = contract.event_seconds(history)
    cut = cut_periods(event_s)
    is_kept = cut.period != _NOWHERE
    values = watched_values(contract, history)
    random = np.random.default_rng(seed)
    of_periods = [np.flatnonzero(cut.period == number) for number in range(cut.periods)]
    drawn = [random.permutation(rows)[:PERIOD_ROWS] for rows in of_periods]
    usual = usual_distances(_distances(contract, [values[rows] for rows in drawn]))

    judged = np.concatenate([split.validation, split.test])
    judged = judged[is_kept[judged]] if is_kept[judged].any() else judged
    scores = below_never(scores.astype(np.float32).astype(np.float64))  # as a scorer gives them
    high_score = float(np.quantile(scores[judged], 1 - HIGH_SHARE, method="inverted_cdf"))
    kept = np.flatnonzero(is_kept)
    facts = ReferenceFacts(
        cut=cut.kind,
        periods=cut.periods,
        rows=len(kept),
        period_s=float(np.median([np.ptp(event_s[rows]) for rows in of_periods])),
        first_event=event_text(history, contract, int(kept[0])),
        last_event=event_text(history, contract, int(kept[-1])),
        distances={
            name: UsualDistance(*map(float, figures))
            for name, *figures in zip(contract.features, *usual, strict=True)
        },
        high_score=high_score,
        high_share=_share(scores[judged] >= high_score, cut.period[judged]),
        score_rows=len(judged),
        nulls={
            name: _share(
                np.isnan(values[kept, contract.features.index(name)])
                if name in contract.features
                else np.asarray(history.column(name).is_null())[kept],
                cut.period[kept],
            )
            for name in contract.nullable
        },
        levels={
            name: _usual_levels(
                level_names(history.column(name)),
                values[kept, contract.features.index(name)],
                cut.period[kept],
            )
            for name in contract.categories
        },
    )
    points = max(min(POINTS, MOST_VALUES // (len(contract.features) + 1)), LEAST_ROWS)
    columns = {
        name: sketch(values[kept, at], points)
        for at, name in enumerate(contract.features)
        if name not in contract.categories
    }
    high = _high_amounts(contract, history, cut, kept if has_all_frauds else judged)
    columns[SCORE] = sketch(scores[judged], points)
    write_reference(directory, Reference(facts, columns, high))
    return facts


def _high_amounts(
    contract: Contract, history: pa.Table, cut: Cut, rows: Rows
) -> HighAmounts | None:
    if contract.amount is None:
        return None
    amounts = contract.amounts(history)[rows]
    high = float(np.quantile(amounts, 1 - HIGH_SHARE, method="inverted_cdf"))
    return HighAmounts(high, _share(amounts >= high, cut.period[rows]))


def _distances(contract: Contract, periods: list[Matrix]) -> Floats:
    """How far each period is from the others, column by column."""
    found = distances_from_others(periods)
    for name in contract.categories:
        at = contract.features.index(name)
        found[:, at] = level_distances_from_others([period[:, at] for period in periods])
    return found


def _usual_levels(names: dict[int, str], codes: Vector, period: Integers) -> UsualLevels:
    """The levels of a category, and how many rows of a period have one that the others do not show.

    Args:
        names: By code.
        codes: Of each row that is kept.
        period: Of each of those rows.
    """
    levels, shares = watched_levels(codes)
    of_periods = [codes[period == number] for number in np.unique(period)]
    others, rows = [], []
    for number, own in enumerate(of_periods):
        elsewhere = np.concatenate([each for at, each in enumerate(of_periods) if at != number])
        known, _ = watched_levels(elsewhere)
        counts = count_levels(known, own)
        if counts.sum():
            others.append(counts[-1])
            rows.append(counts.sum())
    usual = usual_share(np.array(others or [0]), np.array(rows or [1]))
    return UsualLevels(
        tuple(map(int, levels)),
        tuple(names[int(code)] for code in levels),
        tuple(shares.tolist()),
        Share(usual.mean, usual.between_sd, usual.mean_sd),
    )


def _share(counts: Flags, period: Integers) -> Share:
    _, of_period = np.unique(period, return_inverse=True)
    usual: UsualShare = usual_share(np.bincount(of_period, counts), np.bincount(of_period))
    return Share(usual.mean, usual.between_sd, usual.mean_sd)
