"""Fitting: a recipe and rows to a model that has learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, log_loss

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.training.keras_engine import keras, make_deterministic
from fraudline.training.model import Model, predict
from fraudline.training.preparation import Preparation
from fraudline.training.recipes.recipe import Recipe

_LEVELS = "levels"


@dataclass(frozen=True)
class Epoch:
    """What was measured after one epoch.

    Attributes:
        train_loss: Mean cross-entropy over the epoch's rows, with dropout.
        validation_loss: Over the validation part, without dropout; None if there is none.
        validation_average_precision: Over the validation part; None if there is none.
    """

    train_loss: float
    validation_loss: float | None = None
    validation_average_precision: float | None = None


class EpochRows(keras.utils.PyDataset):  # type: ignore[misc] # Keras brings no types
    """Batches of train rows in a new random order each epoch.

    Args:
        inputs: float32, shape (rows, inputs).
        labels: Shape (rows,).
        batch_rows: Rows in a batch; the last one may have fewer.
        legitimate_per_fraud: Every epoch has all frauds and for each this many legitimate
            rows, drawn anew; None takes all of them.
        seed: Of order and draw.
    """

    def __init__(
        self,
        inputs: Matrix,
        labels: Labels,
        *,
        batch_rows: int,
        legitimate_per_fraud: int | None,
        seed: int,
    ) -> None:
        super().__init__()
        self._inputs, self._labels = inputs, labels.astype(np.float32)[:, None]
        self._frauds, self._legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
        self._batch_rows = batch_rows
        wanted = (
            len(labels)
            if legitimate_per_fraud is None
            else (legitimate_per_fraud * len(self._frauds))
        )
        self._draw = min(wanted, len(self._legitimate))
        self._random = np.random.default_rng(seed)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_rows)

    def __getitem__(self, index: int) -> tuple[Matrix, Matrix]:
        rows = self._order[index * self._batch_rows : (index + 1) * self._batch_rows]
        return self._inputs[rows], self._labels[rows]

    def on_epoch_end(self) -> None:
        """Draw the rows of the next epoch; Keras calls this."""
        legitimate = self._random.choice(self._legitimate, self._draw, replace=False)
        self._order = self._random.permutation(np.concatenate([self._frauds, legitimate]))


class _Watch(keras.callbacks.Callback):  # type: ignore[misc] # Keras brings no types
    """Measures the validation part after each epoch and says so; changes nothing."""

    def __init__(
        self, validation: tuple[Matrix, Labels], epochs: int, on_progress: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._inputs, self._labels = validation
        self._epochs, self._on_progress = epochs, on_progress
        self.seen: list[Epoch] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        loss = float(logs["loss"])
        said = f"epoch {epoch + 1} of {self._epochs}: loss {loss:.4f}"
        if len(self._labels):
            scores = predict(self.model, self._inputs)
            self.seen.append(
                Epoch(
                    loss,
                    float(log_loss(self._labels, scores)),
                    float(average_precision_score(self._labels, scores)),
                )
            )
            said += (
                f", validation average precision {self.seen[-1].validation_average_precision:.3f}"
            )
        else:
            self.seen.append(Epoch(loss))
        self._on_progress(said)


def fit_model(
    recipe: Recipe,
    contract: Contract,
    train: tuple[Matrix, Labels],
    validation: tuple[Matrix, Labels],
    seed: int,
    on_progress: Callable[[str], None],
) -> tuple[Model, list[Epoch]]:
    """Balance, scale and fit by a recipe, for a fixed number of epochs.

    Args:
        recipe: How.
        contract: What the features are.
        train: Features and labels, all that is learned from.
        validation: Features and labels that are measured after each epoch, perhaps none.
        seed: Of everything that is random; two fits with one seed begin alike.
        on_progress: Called with a sentence after each epoch.
    """
    make_deterministic(seed)
    features, labels = recipe.balance(*train, seed)
    preparation = Preparation.fit(recipe.inputs(contract), features)
    inputs = preparation.with_places(features)
    rows = EpochRows(
        inputs,
        labels,
        batch_rows=recipe.batch_rows,
        legitimate_per_fraud=recipe.legitimate_per_fraud,
        seed=seed,
    )
    network = recipe.network(len(preparation.sources))
    # A model around the same layers learns, so that the network is saved without its optimizer.
    learner = _learner(network, preparation)
    learner.compile(recipe.optimizer(len(rows) * recipe.epochs), "binary_crossentropy")
    judged = preparation.with_places(validation[0]), validation[1]
    watch = _Watch(judged, recipe.epochs, on_progress)
    learner.fit(rows, epochs=recipe.epochs, verbose=0, shuffle=False, callbacks=[watch])
    return Model(_with_levels(preparation, learner, features), network), watch.seen


def _learner(network: Any, preparation: Preparation) -> Any:
    """A model that learns a network and, of categories, what stands for each level.

    That begins as nothing, so that a level of which nothing is learned says nothing.
    """
    levels = preparation.levels
    if levels is None:
        return keras.Model(network.inputs, network.outputs)
    layers = keras.layers
    numbers = len(preparation.sources) - len(levels.sources)
    seen = keras.Input((numbers + len(levels.features),))
    embedding = layers.Embedding(*levels.table.shape, embeddings_initializer="zeros", name=_LEVELS)
    vectors = layers.Reshape((len(levels.sources),))(embedding(seen[:, numbers:]))
    inputs = layers.Concatenate()([seen[:, :numbers], vectors])
    return keras.Model(seen, network(inputs))


def _with_levels(preparation: Preparation, learner: Any, features: Matrix) -> Preparation:
    """The preparation with what the learner has learned of levels."""
    levels = preparation.levels
    if levels is None:
        return preparation
    (table,) = learner.get_layer(_LEVELS).get_weights()
    return replace(preparation, levels=levels.learned(table, levels.places(features)))
