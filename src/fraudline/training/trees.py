"""Boosted trees on the same rows: a stick that every network is measured with.

They are those of recipe `trees`, tree by tree. Where they rank the validation part better beyond
doubt, that recipe is offered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from sklearn.metrics import average_precision_score

from fraudline.contract.array_types import Floats, Integers, Labels, Matrix
from fraudline.measures.bootstrap import ENDS, average_precision_resamples
from fraudline.measures.drawn_rows import repeated
from fraudline.training.fitted import Fit
from fraudline.training.forest_fitting import NoLightGBMError, fit_forest
from fraudline.training.preparation import Inputs
from fraudline.training.split import Split

NOT_INSTALLED = (
    "no boosted trees stand beside this network, because LightGBM {why}. To see whether it is "
    "behind them, {way}"
)
_OFFER = (
    "LOOK: boosted trees rank the validation part better, by {gain:.3f} of average precision (95 % "
    "interval {least:.3f} to {most:.3f}). `fraudline train --recipe trees` makes a version of them "
    "that scores and gives reasons as any other"
)


@dataclass(frozen=True)
class Trees:
    """What boosted trees reached that learned what the network learned.

    Attributes:
        made_with: LightGBM and its version.
        count: How many trees.
        drawn: How many legitimate rows they learned from, where not from all; else None.
        scores: Log-odds of every row; NaN where they were not judged, shape (rows,).
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
    scores = np.full(len(labels), np.nan)
    said: list[str] = []

    def fit(rows: Integers, judged: Integers, count: int | None) -> Fit:
        learn, judge = (features[rows], labels[rows]), (features[judged], labels[judged])
        return fit_forest(inputs, learn, judge, seed, said.append, steps=count, one_in=one_in)

    try:
        fitted = fit(split.train, split.validation, None)
        if len(split.validation):
            scores[split.validation] = fitted.model.log_odds(features[split.validation])
        if len(split.test):
            both = np.concatenate([split.train, split.validation])
            fitted = fit(both, split.test[:0], fitted.steps)
            scores[split.test] = fitted.model.log_odds(features[split.test])
    except NoLightGBMError as missing:
        on_progress(NOT_INSTALLED.format(why=missing.why, way=missing.way))
        return None
    on_progress(f"boosted trees for comparison: {said[-1]}")
    return Trees(f"LightGBM {version('lightgbm')}", fitted.steps, fitted.drawn, scores)


def stand_beside(
    trees: Trees,
    labels: Labels,
    scores: Floats,
    split: Split,
    one_in: int = 1,
    part: str | None = None,
) -> BesideTrees:
    """The network beside the trees, on resamples that are the same for both.

    Args:
        trees: Of the same split.
        labels: Of every row.
        scores: Of the network, of every row.
        split: Which row is of which part.
        one_in: As for `fit_trees`.
        part: Which part tells the difference; the one that judges, without one.
    """
    part = part or split.judged_by
    judged = {name: rows for name, rows in split.parts.items() if name != "train"}
    rows = judged[part]
    contenders = [scores[rows], trees.scores[rows]]
    ours, theirs = average_precision_resamples(labels[rows], contenders, one_in)
    low, high = np.percentile(ours - theirs, ENDS)
    reached = {
        name: float(average_precision_score(*repeated(labels[of], one_in, trees.scores[of])))
        for name, of in judged.items()
    }
    own = float(average_precision_score(*repeated(labels[rows], one_in, scores[rows])))
    return BesideTrees(
        trees.made_with,
        trees.count,
        trees.drawn,
        part,
        reached,
        own - reached[part],
        float(low),
        float(high),
    )


def offer(
    trees: Trees, labels: Labels, scores: Floats, split: Split, one_in: int = 1
) -> str | None:
    """What to say of recipe `trees`, by the validation part alone: no test row chooses a recipe.

    Args: as for `stand_beside`; the scores of the validation part are of before it was learned.

    Returns:
        None unless the interval of the difference leaves no doubt that trees rank better.
    """
    found = stand_beside(trees, labels, scores, split, one_in, "validation")
    if not found.is_behind:
        return None
    return _OFFER.format(gain=-found.difference, least=-found.high, most=-found.low)
