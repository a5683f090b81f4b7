"""Pairs of models on the handbook's days, to be told apart by what the gate bets on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import numpy as np
from benchmarks.alarms_handbook import Stream
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.rows import DELAY_DAYS
from benchmarks.learning.world import Floats, Labels, Rows
from threadpoolctl import threadpool_limits

from fraudline.measures.fair_bet import DayGains, precision_gains

# First day that is judged, and the day after the last. The law was chosen by the first; what it is
# said to reach is measured by the second.
WEEKS = {"weeks that chose the law": (72, 126), "weeks that judge": (126, 182)}
LENGTHS = (3, 5, 7, 10, 14, 20, 27)  # days that a model learns from
LEAVES = (8, 31)
SEEDS = (0, 1)
DRAWN_SHARE = 0.3  # of the legitimate rows, another draw for each seed


@dataclass(frozen=True)
class Judged:
    """All models' scores of the days that judge.

    Attributes:
        labels: Day by day, shape (rows of the day,).
        scores: Day by day, shape (models, rows of the day).
    """

    labels: list[Labels]
    scores: list[Floats]

    @property
    def models(self) -> int:
        """How many there are."""
        return len(self.scores[0])

    def average_precisions(self) -> Floats:
        """Of each model within days, less what a day's share of frauds gives; shape (models,)."""
        alike = [
            np.array([precision_gains(labels, np.zeros(len(labels)), each) for each in scores])
            for labels, scores in zip(self.labels, self.scores, strict=True)
        ]
        return np.asarray(np.concatenate(alike, axis=1).mean(axis=1))

    def days(self, champion: int, challenger: int) -> list[DayGains]:
        """What a challenger gains on each day."""
        return [
            DayGains.of(labels, scores[champion], scores[challenger])
            for labels, scores in zip(self.labels, self.scores, strict=True)
        ]

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Each two of them, either way round."""
        return permutations(range(self.models), 2)


def judged(stream: Stream, weeks: str, kept: Kept) -> Judged:
    """Fit the models, or read what they said; boosted trees, for they are cheap."""
    judge, end = WEEKS[weeks]
    rows = stream.between(judge, end)
    day = stream.day[(stream.day >= judge) & (stream.day < end)]
    labels = stream.contract.labels(rows)
    features = stream.contract.feature_matrix(rows)

    scores = []
    for length, leaves, seed in product(LENGTHS, LEAVES, SEEDS):

        def compute(length: int = length, leaves: int = leaves, seed: int = seed) -> Found:
            trees = _fitted(stream, judge - DELAY_DAYS - length, length, leaves, seed)
            return {"scores": trees.predict_proba(features)[:, 1].astype(np.float32)}

        name = f"gate-trees-{judge}-{length}-{leaves}-{seed}"
        scores.append(kept.piece(name, compute)["scores"].astype(np.float64))
    days = [np.flatnonzero(day == each) for each in range(judge, end)]
    return Judged(
        [labels[each] for each in days], [np.array([of[each] for of in scores]) for each in days]
    )


def _fitted(stream: Stream, first: int, days: int, leaves: int, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - tests do without

    learned = stream.between(first, first + days)
    features, labels = stream.contract.feature_matrix(learned), stream.contract.labels(learned)
    random = np.random.default_rng(seed)
    drawn: Rows = np.flatnonzero((labels == 1) | (random.random(len(labels)) < DRAWN_SHARE))
    trees = HistGradientBoostingClassifier(
        max_iter=50,
        learning_rate=0.1,
        max_leaf_nodes=leaves,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1):  # two threads wait for each other where others have the cores
        return trees.fit(features[drawn], labels[drawn])
