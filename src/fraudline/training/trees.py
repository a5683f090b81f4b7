"""Boosted trees on the same rows: a stick that every training is measured with, never served."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from fraudline.contract.array_types import Floats, Integers, Labels, Matrix
from fraudline.measures.bootstrap import ENDS, average_precision_resamples
from fraudline.measures.drawn_rows import repeated, times
from fraudline.training.levels import Levels
from fraudline.training.preparation import Inputs
from fraudline.training.split import Split

MOST_TREES, PATIENCE = 1500, 150
TREES_WITHOUT_VALIDATION = 300
VALUES_OF_A_THREAD = 2_000_000
MOST_VALUES = 20_000_000  # of the rows they learn from
NOT_INSTALLED = (
    "no boosted trees stand beside this network, because LightGBM {why}. To see whether it is "
    "behind them, {way}"
)

_SETTINGS = {
    "objective": "binary",
    "metric": "average_precision",
    "learning_rate": 0.02,
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.5,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class Trees:
    """What boosted trees reached that learned what the network learned.

    Attributes:
        made_with: LightGBM and its version.
        count: How many trees.
        drawn: How many legitimate rows they learned from, where not from all; else None.
        scores: Of every row; NaN where they were not judged, shape (rows,).
    """

    made_with: str
    count: int
    drawn: int | None
    scores: Floats


@dataclass(frozen=True)
class BesideTrees:
    """The network beside boosted trees, on the part that judges.

    Attributes:
        made_with: What the trees were made with.
        count: How many trees.
        drawn: How many legitimate rows they learned from, where not from all; else None.
        part: Which part judges.
        average_precision: Of the trees, by part.
        difference: Average precision of the network less that of the trees, on that part.
        low: Where its interval begins, which holds 95 % of paired bootstrap resamples.
        high: Where it ends.
    """

    made_with: str
    count: int
    drawn: int | None
    part: str
    average_precision: dict[str, float]
    difference: float
    low: float
    high: float

    @property
    def is_behind(self) -> bool:
        """Whether the interval leaves no doubt that the trees rank better."""
        return self.high < 0

    def __str__(self) -> str:
        reached = self.average_precision[self.part]
        interval = f"95 % interval of the difference {self.low:+.3f} to {self.high:+.3f}"
        how = f"{self.made_with}, {self.count} trees"
        if self.drawn is not None:
            how += f", {self.drawn:,} of the legitimate rows"
        if self.is_behind:
            stands = "the network is BEHIND them"
        elif self.low > 0:
            stands = "the network is ahead"
        else:
            stands = "too close to tell which is better"
        return (
            f"average precision {reached:.3f} of the {self.part} part by boosted trees ({how}), "
            f"{reached + self.difference:.3f} by the network: {stands} ({interval})"
        )


def fit_trees(
    inputs: Inputs,
    features: Matrix,
    labels: Labels,
    split: Split,
    seed: int,
    on_progress: Callable[[str], None],
    one_in: int = 1,
) -> Trees | None:
    """Fit boosted trees as a network is fitted, and score what neither had learned by then.

    On the train part, for as many trees as rank the validation part best; where there is a test
    part, then anew on both, and no row of it chooses anything.

    Args:
        inputs: What the network sees, before it is scaled.
        features: Of every row, float32, shape (rows, features).
        labels: Of every row.
        split: Which row is of which part.
        seed: Of everything that is random.
        on_progress: Called with a sentence for a person who waits.
        one_in: Of the legitimate rows one in so many was drawn; it counts as often where the trees
            are judged.

    Returns:
        None where LightGBM is not there, which is told.
    """
    kit = _loaded(on_progress)
    if kit is None:
        return None
    begun_at = time.perf_counter()
    seen, columns = _seen(inputs, features, split)
    # With any number of threads the trees are the same; on a busy machine they wait for each other.
    threads = 1 if seen.size < VALUES_OF_A_THREAD else len(os.sched_getaffinity(0))
    settings = {**_SETTINGS, "seed": seed, "num_threads": threads}
    scores = np.full(len(labels), np.nan)
    count, rows = TREES_WITHOUT_VALIDATION, _drawn(split.train, labels, seen.shape[1], seed)
    learned = rows
    if len(split.validation):
        first = kit.train(
            settings,
            kit.Dataset(seen[rows], labels[rows], **columns),
            MOST_TREES,
            valid_sets=[
                kit.Dataset(
                    seen[split.validation],
                    labels[split.validation],
                    weight=times(labels[split.validation], one_in) if one_in > 1 else None,
                )
            ],
            callbacks=[kit.early_stopping(PATIENCE, verbose=False)],
        )
        count = first.best_iteration
        scores[split.validation] = first.predict(seen[split.validation], num_iteration=count)
    if len(split.test):
        both = np.concatenate([split.train, split.validation])
        learned = _drawn(both, labels, seen.shape[1], seed)
        again = kit.train(settings, kit.Dataset(seen[learned], labels[learned], **columns), count)
        scores[split.test] = again.predict(seen[split.test])
    of = np.concatenate([split.train, split.validation]) if len(split.test) else split.train
    drawn = int((labels[learned] == 0).sum()) if len(learned) < len(of) else None
    told = "" if drawn is None else f", from {drawn:,} legitimate rows alone, to save time"
    on_progress(
        f"boosted trees for comparison: {count} trees in {time.perf_counter() - begun_at:.0f} s"
        f"{told}"
    )
    return Trees(f"LightGBM {version('lightgbm')}", count, drawn, scores)


def _seen(inputs: Inputs, features: Matrix, split: Split) -> tuple[Matrix, dict[str, list[int]]]:
    """What the trees learn from, and which columns of it are levels, as LightGBM takes them."""
    seen: Matrix = inputs.derive(features, np)
    if not inputs.levels:
        return seen, {}
    places = Levels.fit(inputs.levels, features[split.train]).places(features)
    columns = list(range(seen.shape[1], seen.shape[1] + places.shape[1]))
    together = np.concatenate([seen, places.astype(np.float32)], axis=1)
    return together, {"categorical_feature": columns}


def stand_beside(
    trees: Trees, labels: Labels, scores: Floats, split: Split, one_in: int = 1
) -> BesideTrees:
    """The network beside the trees, on resamples that are the same for both.

    Args:
        trees: Of the same split.
        labels: Of every row.
        scores: Of the network, of every row.
        split: Which row is of which part.
        one_in: As for `fit_trees`.
    """
    judged = {name: rows for name, rows in split.parts.items() if name != "train"}
    rows = judged[split.judged_by]
    contenders = [scores[rows], trees.scores[rows]]
    ours, theirs = average_precision_resamples(labels[rows], contenders, one_in)
    low, high = np.percentile(ours - theirs, ENDS)
    reached = {
        name: float(average_precision_score(*repeated(labels[part], one_in, trees.scores[part])))
        for name, part in judged.items()
    }
    own = float(average_precision_score(*repeated(labels[rows], one_in, scores[rows])))
    return BesideTrees(
        trees.made_with,
        trees.count,
        trees.drawn,
        split.judged_by,
        reached,
        own - reached[split.judged_by],
        float(low),
        float(high),
    )


def _loaded(on_progress: Callable[[str], None]) -> Any:
    try:
        import lightgbm  # noqa: PLC0415 - it need not be installed
    except ImportError:
        way = "`pip install 'fraudline[trees]'` and train again."
        on_progress(NOT_INSTALLED.format(why="is not installed", way=way))
        return None
    except OSError as error:  # of a system that has no library for threads of OpenMP
        way = "install what is missing (libgomp1 on Debian and Ubuntu) and train again."
        on_progress(NOT_INSTALLED.format(why=f"cannot be loaded ({error})", way=way))
        return None
    return lightgbm


def _drawn(rows: Integers, labels: Labels, width: int, seed: int) -> Integers:
    """All of the rows or, where they are too many for the time, all frauds and a draw."""
    frauds, legitimate = rows[labels[rows] == 1], rows[labels[rows] == 0]
    most = max(MOST_VALUES // width - len(frauds), len(frauds))
    if len(legitimate) <= most:
        return rows
    drawn = np.random.default_rng(seed).choice(legitimate, most, replace=False)
    return np.sort(np.concatenate([frauds, drawn]))
