"""Fitting: a recipe and rows to a model that has learned."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, log_loss

from fraudline.contract.array_types import Floats, Integers, Labels, Matrix
from fraudline.measures.drawn_rows import repeated
from fraudline.training.calibration import Platt
from fraudline.training.fitted import Checkpoint, Fit
from fraudline.training.keras_engine import keras, make_deterministic
from fraudline.training.learner import Learner
from fraudline.training.model import Model
from fraudline.training.preparation import Inputs, Preparation
from fraudline.training.recipes.recipe import Recipe

# After so many steps it is looked how far learning has come; then after a quarter more, and so on.
FIRST_STEPS, MORE = 100, 1.25
# It ends where nothing has got better since it was less than half as far ...
PATIENCE = 2.5
LEAST_STEPS = 1000  # ... but not before these.


def fit_model(
    recipe: Recipe,
    chosen: Inputs,
    train: tuple[Matrix, Labels],
    validation: tuple[Matrix, Labels],
    seed: int,
    on_progress: Callable[[str], None],
    *,
    steps: int | None = None,
    one_in: int = 1,
) -> Fit:
    """Balance, scale and fit by a recipe.

    Args:
        recipe: How.
        chosen: Which inputs the network gets.
        train: Features and labels, all that is learned from.
        validation: Features and labels that are measured at each checkpoint, perhaps none.
        seed: Of everything that is random; two fits with one seed begin alike.
        on_progress: Called with a sentence after each checkpoint.
        steps: How long; None goes on as long as the recipe says or, where it does not, until
            the validation part is no longer ranked better.
        one_in: Of the legitimate rows one in so many was drawn; it counts as often in what is
            measured.
    """
    if recipe.fit is not None:
        return recipe.fit(chosen, train, validation, seed, on_progress, steps=steps, one_in=one_in)
    make_deterministic(seed)
    features, labels = recipe.balance(*train, seed)
    preparation = Preparation.fit(chosen, features)
    inputs = preparation.with_places(features)
    network = recipe.network(len(preparation.sources))
    optimizer = recipe.optimizer(recipe.learning_rate, recipe.weight_decay)
    front = _front(preparation)
    learner = Learner(network, optimizer, inputs, labels, recipe.averaging, front)
    batches = Batches(labels, recipe.batch_rows, recipe.legitimate_per_fraud, seed)
    judged, truth = preparation.with_places(validation[0]), validation[1]

    plan = _plan(recipe, batches.in_epoch, steps)
    stops = steps is None and recipe.epochs is None and len(truth) > 0
    seen: list[Checkpoint] = []
    best: tuple[Checkpoint, list[Matrix]] | None = None
    rose_at = 0
    drawn = iter(batches)
    for before, at in itertools.pairwise([0, *plan]):
        loss = learner.learn(list(itertools.islice(drawn, at - before)))
        log_odds = learner.log_odds(judged) if len(truth) else None
        seen.append(_measure(at, loss, truth, log_odds, one_in))
        on_progress(_told(seen[-1], f"{'at most ' if stops else ''}{plan[-1]:,}"))
        gain = math.inf if best is None or not stops else _gain(best[0], seen[-1])
        if gain > 0:
            rose_at = at
        if gain >= 0:  # where few frauds are all found early, it still learns to tell others
            best = seen[-1], learner.averaged()
        if stops and at >= max(LEAST_STEPS, PATIENCE * rose_at):
            break
    assert best is not None
    if stops:
        on_progress(f"best on the validation part after {best[0].steps:,} steps")
    of_network = len(network.weights)
    network.set_weights(best[1][:of_network])
    if preparation.levels is not None:
        (table,) = best[1][of_network:]
        levels = preparation.levels.learned(table, preparation.levels.places(features))
        preparation = replace(preparation, levels=levels)
    return Fit(Model(preparation, network), best[0].steps, seen)


def _front(preparation: Preparation) -> Any:
    """What turns `Preparation.with_places` into the inputs of a network, and learns with it.

    What stands for a level begins as nothing, so that one of which nothing is learned says nothing.
    None where there is no category.
    """
    levels = preparation.levels
    if levels is None:
        return None
    layers = keras.layers
    numbers = len(preparation.sources) - len(levels.sources)
    seen = keras.Input((numbers + len(levels.features),))
    embedding = layers.Embedding(*levels.table.shape, embeddings_initializer="zeros")
    vectors = layers.Reshape((len(levels.sources),))(embedding(seen[:, numbers:]))
    return keras.Model(seen, layers.Concatenate()([seen[:, :numbers], vectors]))


class Batches:
    """Batches of train rows, for ever: epoch after epoch, each in a new random order.

    Args:
        labels: Of the rows, shape (rows,).
        batch_rows: Rows in a batch; the last one of an epoch may have fewer.
        legitimate_per_fraud: Every epoch has all frauds and for each this many legitimate
            rows, drawn anew; None takes all of them.
        seed: Of order and draw.
    """

    def __init__(
        self, labels: Labels, batch_rows: int, legitimate_per_fraud: int | None, seed: int
    ) -> None:
        self._frauds, self._legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
        self._batch_rows, self._seed = batch_rows, seed
        wanted = len(labels)
        if legitimate_per_fraud is not None:
            wanted = legitimate_per_fraud * len(self._frauds)
        self._draw = min(wanted, len(self._legitimate))
        self.in_epoch = math.ceil((len(self._frauds) + self._draw) / batch_rows)

    def __iter__(self) -> Iterator[Integers]:
        random = np.random.default_rng(self._seed)
        while True:
            legitimate = random.choice(self._legitimate, self._draw, replace=False)
            order = random.permutation(np.concatenate([self._frauds, legitimate]))
            for at in range(0, len(order), self._batch_rows):
                yield order[at : at + self._batch_rows]


def _plan(recipe: Recipe, in_epoch: int, steps: int | None) -> list[int]:
    """After how many steps the checkpoints are; the last is the end."""
    if recipe.epochs is not None:
        return [in_epoch * (epoch + 1) for epoch in range(recipe.epochs)]
    most = recipe.most_steps if steps is None else steps
    growing = (round(FIRST_STEPS * MORE**n) for n in itertools.count())
    return [*itertools.takewhile(lambda at: at < most, growing), most]


def _measure(
    at: int, loss: float, truth: Labels, log_odds: Floats | None, one_in: int
) -> Checkpoint:
    if log_odds is None:
        return Checkpoint(at, loss)
    truth, log_odds = repeated(truth, one_in, log_odds)
    return Checkpoint(
        at,
        loss,
        float(log_loss(truth, Platt(1.0, 0.0).probabilities(log_odds))),
        float(average_precision_score(truth, log_odds)),
    )


def _gain(best: Checkpoint, this: Checkpoint) -> float:
    assert this.validation_average_precision is not None
    assert best.validation_average_precision is not None
    return this.validation_average_precision - best.validation_average_precision


def _told(this: Checkpoint, most: str) -> str:
    said = f"step {this.steps:,} of {most}: loss {this.train_loss:.4f}"
    if this.validation_average_precision is None:
        return said
    return f"{said}, validation average precision {this.validation_average_precision:.3f}"
