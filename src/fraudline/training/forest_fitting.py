"""Fitting a forest: gradient boosting by LightGBM, as `fit_model` fits a network."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, log_loss

from fraudline.contract.array_types import Floats, Integers, Labels, Matrix
from fraudline.errors import InputError
from fraudline.measures.drawn_rows import repeated, times
from fraudline.training.calibration import Platt
from fraudline.training.fitted import Checkpoint, Fit
from fraudline.training.forest import read_booster
from fraudline.training.forest_model import ForestModel
from fraudline.training.levels import Levels
from fraudline.training.preparation import Inputs, Preparation

MOST_TREES, PATIENCE = 800, 100
TREES_WITHOUT_VALIDATION = 200
VALUES_OF_A_THREAD = 10_000_000
MOST_VALUES = 20_000_000  # of the rows they learn from
# A level counts as if so many more rows had it, with the share of frauds of all rows ...
_SMOOTHING = 20
# ... and is seen, while trees learn, as the rows of other folds have it: no row sees its own label.
_FOLDS = 5
_LOOKS = 8  # at how far learning had come

SETTINGS = {
    "objective": "binary",
    "metric": "average_precision",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "max_depth": 4,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 1.0,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


class NoLightGBMError(InputError):
    """It is not installed, or cannot be loaded.

    Attributes:
        why: In words.
        way: How to have it.
    """

    def __init__(self, why: str, way: str) -> None:
        self.why, self.way = why, way
        super().__init__(f"recipe 'trees' learns by LightGBM, which {why}. To have it, {way}")


def load_lightgbm() -> Any:
    """LightGBM.

    Raises:
        NoLightGBMError: it is not there; the message says how to have it.
    """
    try:
        import lightgbm  # noqa: PLC0415 - it need not be installed
    except ImportError:
        way = "`pip install 'fraudline[trees]'` and train again."
        raise NoLightGBMError("is not installed", way) from None
    except OSError as error:  # of a system that has no library for threads of OpenMP
        way = "install what is missing (libgomp1 on Debian and Ubuntu) and train again."
        raise NoLightGBMError(f"cannot be loaded ({error})", way) from None
    return lightgbm


def fit_forest(
    chosen: Inputs,
    train: tuple[Matrix, Labels],
    validation: tuple[Matrix, Labels],
    seed: int,
    on_progress: Callable[[str], None],
    *,
    steps: int | None = None,
    one_in: int = 1,
) -> Fit:
    """Fit a forest for as many trees as rank the validation part best.

    Args:
        chosen: What the trees see.
        train: Features and labels, all that is learned from.
        validation: Features and labels that say how many trees, perhaps none.
        seed: Of everything that is random.
        on_progress: Called with a sentence at the end.
        steps: How many trees; None asks the validation part.
        one_in: Of the legitimate rows one in so many was drawn; it counts as often where the trees
            are judged.

    Raises:
        NoLightGBMError: it is not there.
    """
    kit, begun_at = load_lightgbm(), time.perf_counter()
    preparation, seen = _prepared(chosen, *train, seed)
    learned = drawn_rows(train[1], seen.shape[1], seed)
    features, labels = seen[learned], train[1][learned]
    # With any number of threads the trees are the same; on a busy machine they wait for each other.
    threads = 1 if seen.size < VALUES_OF_A_THREAD else len(os.sched_getaffinity(0))
    settings = SETTINGS | {"seed": seed, "num_threads": threads}
    data = kit.Dataset(features, labels)
    judged, truth = preparation.apply(validation[0]), validation[1]
    if steps is None and len(truth):
        weight = times(truth, one_in) if one_in > 1 else None
        reached: dict[str, dict[str, list[float]]] = {}
        booster = kit.train(
            settings,
            data,
            MOST_TREES,
            valid_sets=[kit.Dataset(judged, truth, weight=weight)],
            callbacks=[
                kit.early_stopping(PATIENCE, verbose=False),
                kit.record_evaluation(reached),
            ],
        )
        curve = np.array(reached["valid_0"]["average_precision"])
        count = int(np.flatnonzero(curve == curve.max())[-1]) + 1  # the latest has learned most
    else:
        count = TREES_WITHOUT_VALIDATION if steps is None else steps
        booster = kit.train(settings, data, count)
    seen_so_far = _looked(booster, (features, labels), (judged, truth), one_in)
    forest = read_booster(booster, count)
    drawn = int((labels == 0).sum()) if len(learned) < len(train[1]) else None
    if drawn is not None:  # frauds were rarer than among what was drawn
        of_all = int((train[1] == 0).sum())
        forest = replace(forest, base=forest.base + math.log(drawn / of_all))
    told = "" if drawn is None else f", from {drawn:,} legitimate rows alone, to save time"
    on_progress(f"{count:,} trees in {time.perf_counter() - begun_at:.0f} s{told}")
    return Fit(ForestModel(preparation, forest), count, seen_so_far, drawn)


def drawn_rows(labels: Labels, width: int, seed: int) -> Integers:
    """All rows or, where they are too many for the time, all frauds and a draw.

    Args:
        labels: Of the rows.
        width: How many inputs each has.
        seed: Of the draw.
    """
    frauds, legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    most = max(MOST_VALUES // width - len(frauds), len(frauds))
    if len(legitimate) <= most:
        return np.arange(len(labels))
    drawn = np.random.default_rng(seed).choice(legitimate, most, replace=False)
    return np.sort(np.concatenate([frauds, drawn]))


def _prepared(
    chosen: Inputs, features: Matrix, labels: Labels, seed: int
) -> tuple[Preparation, Matrix]:
    """What prepares rows, and the rows that are learned as trees see them."""
    preparation = Preparation.fit(chosen, features)
    if preparation.levels is None:
        return preparation, preparation.apply(features)
    places = preparation.levels.places(features)
    fold = np.random.default_rng(seed).integers(_FOLDS, size=len(labels))
    of_levels = np.empty(places.shape, np.float32)
    for each in range(_FOLDS):
        is_of = fold == each
        table = _odds_of_levels(preparation.levels, places[~is_of], labels[~is_of])
        of_levels[is_of] = table[places[is_of]]
    seen = np.concatenate([preparation.numbers(features), of_levels], axis=1)
    whole = _odds_of_levels(preparation.levels, places, labels)
    levels = replace(preparation.levels, table=whole[:, None])
    return replace(preparation, levels=levels), seen


def _odds_of_levels(levels: Levels, places: Integers, labels: Labels) -> Matrix:
    """The log-odds of a fraud in each row of the table, drawn to those of all rows, float32."""
    size = len(levels.table)
    share = (labels.sum() + 0.5) / (len(labels) + 1)
    rows = np.bincount(places.ravel(), minlength=size)
    frauds = np.bincount(places.ravel(), np.repeat(labels, places.shape[1]), minlength=size)
    found = (frauds + _SMOOTHING * share) / (rows + _SMOOTHING)
    odds: Matrix = np.log(found / (1 - found)).astype(np.float32)
    return odds


def _looked(
    booster: Any, train: tuple[Matrix, Labels], judged: tuple[Matrix, Labels], one_in: int
) -> list[Checkpoint]:
    """How far learning had come after some trees, the last of them included."""
    ends = np.unique(np.linspace(0, booster.num_trees(), _LOOKS + 1).round().astype(int))
    sums = [np.zeros(len(rows[1])) for rows in (train, judged)]
    seen = []
    for begin, end in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        for total, (rows, _) in zip(sums, (train, judged), strict=True):
            if len(rows):
                added = booster.predict(
                    rows, raw_score=True, start_iteration=begin, num_iteration=end - begin
                )
                np.add(total, added, out=total)
        losses: list[float | None] = [None, None]
        for at, (total, (_, labels)) in enumerate(zip(sums, (train, judged), strict=True)):
            if len(labels):
                truth, odds = repeated(labels, one_in if at else 1, total)
                losses[at] = float(log_loss(truth, _probabilities(odds)))
        assert losses[0] is not None
        reached = None
        if len(judged[1]):
            reached = float(average_precision_score(*repeated(judged[1], one_in, sums[1])))
        seen.append(Checkpoint(end, losses[0], losses[1], reached))
    return seen


def _probabilities(odds: Floats) -> Floats:
    return Platt(1.0, 0.0).probabilities(odds)
