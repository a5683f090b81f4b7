"""Our recipes and the measuring sticks on the last fifth, by time, of the creditcard data."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from benchmarks.measure import say, table
from benchmarks.model_quality_sticks import CREDITCARD, scores_of
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from fraudline.bundle.bundle import open_bundle
from fraudline.contract import Contract
from fraudline.measures.bootstrap import ENDS, RESAMPLES, average_precision_resamples
from fraudline.settings import PolicySettings
from fraudline.training.keras_engine import keras
from fraudline.training.keras_file import MODEL_FILE
from fraudline.training.model import predict
from fraudline.training.preparation import with_logarithms_and_time_of_day
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.split import split_by_time
from fraudline.training.train import train
from fraudline.use_cases.train_version import source_of
from fraudline.warehouse.history_table import History

RECIPES = ("default", "mlp", "trees")
TUTORIAL = "tutorial_by_time"
SEEDS = range(5)
TUTORIAL_SEEDS = range(1)  # one fit of it takes longer than all others together
TEST_SHARE = 0.2

Scores = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]


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
    inputs = with_logarithms_and_time_of_day(contract, features[split.train]).derive(features, np)
    learned, test = np.concatenate([split.train, split.validation]), features[split.test]
    learn = inputs[learned], labels[learned]

    def fit_recipe(name: str) -> Callable[[int], Scores]:
        return lambda seed: recipe_scores(name, seed, history, contract, test, TEST_SHARE)

    def fit_stick(make: Callable[[int], Any]) -> Callable[[int], Scores]:
        return lambda seed: scores_of(make(seed), learn, inputs[split.test])

    ways = {f"recipe `{name}`": fit_recipe(name) for name in RECIPES} | {
        name: fit_stick(make) for name, make in CREDITCARD.items()
    }
    truth = labels[split.test]
    contenders = {name: _contend(name, fit, SEEDS, truth) for name, fit in ways.items()}
    as_printed: list[Scores] = []

    def fit_tutorial(seed: int) -> Scores:
        with _trained(TUTORIAL, seed, history, contract, TEST_SHARE) as directory:
            as_printed.append(_printed_scores(directory, test))
            return open_bundle(directory, contract).score(test)

    name = f"recipe `{TUTORIAL}`, one seed"
    contenders[name] = _contend(name, fit_tutorial, TUTORIAL_SEEDS, truth)
    contenders["the same, its scaler fitted again on the test, as printed"] = Contender(
        as_printed, contenders[name].fit_s
    )
    return _told(history, truth, contenders)


def _contend(
    name: str, fit: Callable[[int], Scores], seeds: Iterable[int], truth: npt.NDArray[np.int8]
) -> Contender:
    contender = Contender()
    for seed in seeds:
        begun_at = time.perf_counter()
        contender.scores.append(fit(seed))
        contender.fit_s.append(time.perf_counter() - begun_at)
        reached = average_precision_score(truth, contender.scores[-1])
        say(f"seed {seed}, {name}: AP {reached:.3f}, {contender.fit_s[-1]:.0f} s")
    return contender


def recipe_scores(
    name: str, seed: int, history: History, contract: Contract, test: Matrix, test_share: float
) -> Scores:
    """Train by a recipe as `fraudline train` does, and score the test as a scorer does."""
    with _trained(name, seed, history, contract, test_share) as directory:
        return open_bundle(directory, contract).score(test)


@contextmanager
def _trained(
    name: str, seed: int, history: History, contract: Contract, test_share: float
) -> Iterator[Path]:
    """A bundle that ends with the block."""
    with tempfile.TemporaryDirectory() as directory:
        train(
            history.rows, contract, find_recipe(name), Path(directory),
            source=source_of(history), test_share=test_share, seed=seed,
            costs=PolicySettings(), on_progress=lambda _: None,
        )  # fmt: skip
        yield Path(directory)


def _printed_scores(directory: Path, test: Matrix) -> Scores:
    """Scores of the tutorial's network for rows on which a scaler was fitted again."""
    layers = keras.models.load_model(directory / MODEL_FILE).layers
    network = next(layer for layer in layers if isinstance(layer, keras.Sequential))
    return predict(network, StandardScaler().fit_transform(test).astype(np.float32))


def _told(
    history: History, labels: npt.NDArray[np.int8], contenders: dict[str, Contender]
) -> list[str]:
    everything = [scores for each in contenders.values() for scores in each.scores]
    resampled = average_precision_resamples(labels, everything)
    ends = np.cumsum([len(each.scores) for each in contenders.values()])
    # Mean over a contender's seeds on each resample, shape (contenders, resamples).
    means = np.stack([group.mean(axis=0) for group in np.split(resampled, ends[:-1])])
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
