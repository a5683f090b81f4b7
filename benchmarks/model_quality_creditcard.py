"""Our recipes and the measuring sticks on the last fifth, by time, of the creditcard data."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.measure import say, table
from benchmarks.model_quality_sticks import CREDITCARD, scores_of
from sklearn.metrics import average_precision_score, roc_auc_score

from fraudline.bundle import Source, open_bundle
from fraudline.contract import Contract
from fraudline.settings import PolicySettings
from fraudline.training.bootstrap import ENDS, RESAMPLES, average_precision_resamples
from fraudline.training.preparation import with_log_amount_and_time_of_day
from fraudline.training.recipes.catalogue import find_recipe
from fraudline.training.split import split_by_time
from fraudline.training.train import train
from fraudline.warehouse.history import History

RECIPES = ("default", "mlp")
SEEDS = range(5)
TEST_SHARE = 0.2

Scores = npt.NDArray[np.float64]


@dataclass
class Contender:
    """What one way of scoring reached, seed by seed."""

    scores: list[Scores] = field(default_factory=list)
    fit_s: list[float] = field(default_factory=list)


def measure(history: History, contract: Contract) -> list[str]:
    """Fit every contender with every seed, and compare them on the same test rows."""
    labels = contract.labels(history.rows)
    split = split_by_time(labels, TEST_SHARE, seed=0)
    features = contract.feature_matrix(history.rows)
    # What our recipes see: an amount as a logarithm, and the time of day.
    inputs = with_log_amount_and_time_of_day(contract).derive(features, np)
    learned = np.concatenate([split.train, split.validation])
    learn = inputs[learned], labels[learned]

    def fit_recipe(name: str) -> Callable[[int], Scores]:
        return lambda seed: recipe_scores(name, seed, history, contract, features[split.test])

    def fit_stick(make: Callable[[int], Any]) -> Callable[[int], Scores]:
        return lambda seed: scores_of(make(seed), learn, inputs[split.test])

    ways = {f"recipe `{name}`": fit_recipe(name) for name in RECIPES} | {
        name: fit_stick(make) for name, make in CREDITCARD.items()
    }
    contenders = {name: Contender() for name in ways}
    for seed in SEEDS:
        for name, fit in ways.items():
            begun_at = time.perf_counter()
            contenders[name].scores.append(fit(seed))
            contenders[name].fit_s.append(time.perf_counter() - begun_at)
            reached = average_precision_score(labels[split.test], contenders[name].scores[-1])
            say(f"seed {seed}, {name}: AP {reached:.3f}, {contenders[name].fit_s[-1]:.0f} s")
    return _told(history, labels[split.test], contenders)


def recipe_scores(
    name: str, seed: int, history: History, contract: Contract, test: npt.NDArray[np.float32]
) -> Scores:
    """Train by a recipe as `fraudline train` does, and score the test as a scorer does."""
    with tempfile.TemporaryDirectory() as directory:
        train(
            history.rows, contract, find_recipe(name), Path(directory),
            source=Source(**vars(history.snapshot)), test_share=TEST_SHARE, seed=seed,
            costs=PolicySettings(), on_progress=lambda _: None,
        )  # fmt: skip
        return open_bundle(Path(directory), contract).score(test)


def _told(
    history: History, labels: npt.NDArray[np.int8], contenders: dict[str, Contender]
) -> list[str]:
    everything = [scores for each in contenders.values() for scores in each.scores]
    resampled = average_precision_resamples(labels, everything)
    # Mean over the seeds on each resample, shape (contenders, resamples).
    means = resampled.reshape(len(contenders), len(SEEDS), -1).mean(axis=1)
    first, ours = next(iter(contenders)), means[0]

    def row(name: str, each: Contender, mean: Scores) -> list[str]:
        reached = [float(average_precision_score(labels, scores)) for scores in each.scores]
        low, high = np.percentile(mean, ENDS)
        less, more = np.percentile(ours - mean, ENDS)
        return [
            name,
            f"{statistics.mean(reached):.3f} ({min(reached):.3f} to {max(reached):.3f})",
            f"{low:.3f} to {high:.3f}",
            f"{statistics.mean(roc_auc_score(labels, s) for s in each.scores):.3f}",
            "" if name == first else f"{less:+.3f} to {more:+.3f}",
            f"{statistics.median(each.fit_s):.0f}",
        ]

    return [
        f"{history.snapshot.rows:,} rows read from BigQuery, SHA-256 of their values "
        f"`{history.snapshot.sha256[:16]}`; the last {TEST_SHARE:.0%} by time are the test, with "
        f"{int(labels.sum())} frauds. Means over {len(SEEDS)} seeds, in brackets the least and the "
        f"most. Intervals hold 95 % of {RESAMPLES:,} stratified bootstrap resamples; the "
        "difference is paired: both contenders on the same resample, each the mean of its seeds.",
        table(
            (
                "contender",
                "average precision",
                "its interval",
                "ROC AUC",
                f"{first} less this",
                "fit, s",
            ),
            [
                row(name, each, mean)
                for (name, each), mean in zip(contenders.items(), means, strict=True)
            ],
        ),
    ]
