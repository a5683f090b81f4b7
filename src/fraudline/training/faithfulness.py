"""Whether reasons are true to the model: asked of the model itself, on real alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fraudline.bundle.graphs import Graphs
from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.contributions_graph import log_odds_of

ALERTS = 100
DELETED = (1, 2, 4)
TOP = 4
_PERMUTATIONS = 60
_REFERENCE_ROWS = 2000

LogOdds = Callable[[Matrix], Floats]


@dataclass(frozen=True)
class Faith:
    """What was found on alerts.

    Attributes:
        alerts: How many were asked about.
        sum_error: Largest difference between a row's sum and what it should add up to.
        same_top: Share of alerts whose first reason is that of the Shapley reference.
        overlap: Mean share of the first `TOP` reasons that are among the reference's.
        rank_correlation: Mean Spearman correlation of all contributions with the reference.
        reference_same_top: The same of one half of the reference's samples with the other:
            no method can be expected to agree better.
        reference_overlap: Likewise.
        gap: Mean of an alert's log-odds minus the background's.
        deleted: By number of features, mean loss of log-odds once so many are replaced by
            the background's: first reasons, the reference's first, and random ones.
    """

    alerts: int
    sum_error: float
    same_top: float
    overlap: float
    rank_correlation: float
    reference_same_top: float
    reference_overlap: float
    gap: float
    deleted: dict[int, tuple[float, float, float]]


def measure_faith(
    graph: bytes,
    reasons: bytes,
    alerts: Matrix,
    background: Matrix,
    legitimate: Matrix,
    seed: int,
    base: float,
) -> Faith:
    """Compare reasons with a Shapley reference, and delete features to see what they carried.

    The reference is the mean change of log-odds when features are switched from a
    legitimate row to the alert in random order (Strumbelj and Kononenko, Explaining
    prediction models and individual predictions with feature contributions, 2014), with
    another legitimate row each time: many more than the background of the reasons has.

    Args:
        graph: The graph of scores.
        reasons: The graph of contributions.
        alerts: Features of rows that are not approved, shape (alerts, features).
        background: What features are replaced by.
        legitimate: Features of legitimate rows of the train part.
        seed: Of what is random.
        base: The log-odds that contributions are measured from.
    """
    random, log_odds = np.random.default_rng(seed), log_odds_of(graph)
    found = Graphs(graph, reasons).contributions(alerts).astype(np.float64)
    others = legitimate[random.choice(len(legitimate), min(_REFERENCE_ROWS, len(legitimate)))]
    halves = [sampled_shapley(log_odds, alerts, others, _PERMUTATIONS, random) for _ in range(2)]
    reference = (halves[0] + halves[1]) / 2
    of_alerts, of_background = log_odds(alerts), log_odds(background).mean()
    orders = [_order(found), _order(reference), random.permuted(_order(found), axis=1)]
    deleted = {}
    for count in DELETED:
        losses = [
            float((of_alerts - _without(log_odds, alerts, order[:, :count], background)).mean())
            for order in orders
        ]
        deleted[count] = (losses[0], losses[1], losses[2])
    return Faith(
        alerts=len(alerts),
        sum_error=float(np.abs(found.sum(axis=1) - of_alerts + base).max()),
        same_top=_same_top(found, reference),
        overlap=_overlap(found, reference),
        rank_correlation=_rank_correlation(found, reference),
        reference_same_top=_same_top(*halves),
        reference_overlap=_overlap(*halves),
        gap=float(of_alerts.mean() - of_background),
        deleted=deleted,
    )


def sampled_shapley(
    log_odds: LogOdds,
    rows: Matrix,
    others: Matrix,
    permutations: int,
    random: np.random.Generator,
) -> Floats:
    """Shapley values of the log-odds by sampling, float64, shape (rows, features)."""
    count, features = rows.shape
    values = np.zeros(rows.shape)
    every = np.arange(count)
    for _ in range(permutations):
        mixed = others[random.integers(len(others), size=count)].copy()
        order = np.argsort(random.random(rows.shape), axis=1)
        steps = np.empty((features + 1, count, features), dtype=np.float32)
        steps[0] = mixed
        for step, column in enumerate(order.T, start=1):
            mixed[every, column] = rows[every, column]
            steps[step] = mixed
        along = log_odds(steps.reshape(-1, features)).reshape(features + 1, count)
        for column, change in zip(order.T, np.diff(along, axis=0), strict=True):
            values[every, column] += change
    return values / permutations


def _without(
    log_odds: LogOdds, rows: Matrix, deleted: npt.NDArray[np.int64], background: Matrix
) -> Floats:
    """Mean log-odds of rows once some features are those of each background row."""
    mask = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(mask, deleted, True, axis=1)
    mixed = np.where(mask[:, None], background[None], rows[:, None])
    along = log_odds(mixed.reshape(-1, rows.shape[1]))
    mean: Floats = along.reshape(len(rows), len(background)).mean(axis=1)
    return mean


def _order(contributions: Floats) -> npt.NDArray[np.int64]:
    return np.argsort(-contributions, axis=1, kind="stable")


def _same_top(one: Floats, other: Floats) -> float:
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def _overlap(one: Floats, other: Floats) -> float:
    pairs = zip(_order(one)[:, :TOP], _order(other)[:, :TOP], strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in pairs]))


def _rank_correlation(one: Floats, other: Floats) -> float:
    ranks = [np.argsort(_order(each), axis=1).astype(float) for each in (one, other)]
    centred = [each - each.mean(axis=1, keepdims=True) for each in ranks]
    products = (centred[0] * centred[1]).sum(axis=1)
    return float((products / np.square(centred[0]).sum(axis=1)).mean())
