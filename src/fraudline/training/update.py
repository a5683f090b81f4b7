"""Learning on: a version's network and newly known rows to a network that has learned them, too.

Three roads, each from a version as it was fitted, with its preparation as it is: all layers a
little (`fine_tune`), the last one alone (`LastLayer`), and only what scores mean (`recalibrate`).
A network that is given stays as it is. Full retraining is `train`.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from fraudline.bundle.bundle_files import GRAPH_FILE, check_bundle, read_file
from fraudline.contract.array_types import Floats, Labels, Matrix
from fraudline.errors import BundleError, InputError
from fraudline.training.calibrated_graph import uncalibrated
from fraudline.training.calibration import fit_line, fit_platt
from fraudline.training.fine_tuning import FineTuning
from fraudline.training.graph import read_preparation, write_graph
from fraudline.training.keras_engine import keras, make_deterministic
from fraudline.training.keras_file import MODEL_FILE
from fraudline.training.model import Model
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import MIN_FRAUDS

_WEIGHT_PRECISION, _BIAS_PRECISION = 1.0, 1e-3
_FORGET = 0.97
_NEWTON_STEPS, _HALVINGS, _SMALL_STEP = 20, 30, 1e-8


@dataclass(frozen=True)
class Examples:
    """Rows as they are to be learned.

    Attributes:
        features: float32, shape (rows, features), as `Contract.feature_matrix` gives.
        labels: How much of a fraud each row is: 1, 0, or a share between them, shape (rows,).
    """

    features: Matrix
    labels: Floats


def open_model(directory: Path) -> Model:
    """The network and the preparation of a version, exactly as they were fitted.

    The network is in its Keras file, the preparation in its graph, where a calibration of its own
    may stand behind it: that is no part of what learns, and left out. That both together are what
    scores is tried: they are written as a graph again, which has to be the version's own.

    Args:
        directory: The version's.

    Raises:
        BundleError: the version was altered, has no Keras file, or is not what this fraudline
            would make of it.
    """
    manifest = check_bundle(directory)
    if MODEL_FILE not in manifest.files:
        raise BundleError(
            f"version {manifest.version} has no {MODEL_FILE}, so nothing can go on learning from "
            "it. `fraudline train` makes a version that has one; promote that."
        )
    graph = read_file(directory, GRAPH_FILE)
    try:
        whole = keras.models.load_model(directory / MODEL_FILE, compile=False)
        network = next(each for each in whole.layers if isinstance(each, keras.Sequential))
        model = Model(read_preparation(graph), network)
        again = write_graph(model.preparation, network, len(manifest.features))
    except (ValueError, TypeError, KeyError, StopIteration, InputError, OSError) as error:
        raise BundleError(
            f"version {manifest.version} cannot go on learning: {error or 'it has no network'}. "
            "`fraudline train` makes a version that can; promote that."
        ) from error
    if onnx.load_from_string(again).graph != onnx.load_from_string(uncalibrated(graph)).graph:
        raise BundleError(
            f"version {manifest.version} cannot go on learning: its {MODEL_FILE} and what prepares "
            f"its features give another graph than its {GRAPH_FILE}, so another fraudline or "
            "somebody's own code made it. `fraudline train` makes a version that can; promote that."
        )
    return model


def balanced(recipe: Recipe, examples: Examples, seed: int) -> Examples:
    """The examples with the balance that a recipe learns from; most leave them as they are.

    Frauds that a recipe invents lie between frauds that are given, and are only ever learned.
    Rows that are a share of a fraud are no corners for that, and stay as they are.

    Args:
        recipe: Whose.
        examples: What is known.
        seed: Of what is random.

    Raises:
        InputError: there are too few frauds to invent others between them.
    """
    if recipe.learned_share is None:
        return examples
    is_whole = np.isin(examples.labels, (0.0, 1.0))
    whole, labels = examples.features[is_whole], examples.labels[is_whole].astype(np.int8)
    if labels.sum() < MIN_FRAUDS:
        raise InputError(
            f"recipe '{recipe.name}' invents frauds between those that are known, and "
            f"{int(labels.sum())} are; expected at least {MIN_FRAUDS}. Wait for more labels."
        )
    features, made = recipe.balance(whole, labels, seed)
    return Examples(
        np.concatenate([features, examples.features[~is_whole]]),
        np.concatenate([made.astype(np.float64), examples.labels[~is_whole]]),
    )


def fine_tune(
    model: Model,
    recipe: Recipe,
    examples: Examples,
    *,
    learning_rate: float,
    averaging: float,
    seed: int,
) -> Model:
    """A model that has gone once through examples in small steps, from the weights of another.

    Args:
        model: Where it begins; it is not changed.
        recipe: Its own: of it the rows in a step, the weight decay, and whether it calibrates.
        examples: What is learned; one pass, in an order drawn anew.
        learning_rate: As for `FineTuning`.
        averaging: Likewise.
        seed: Of what is random; the same model, examples and seed give the same weights.

    Raises:
        InputError: all examples are alike, so there is nothing to tell apart.
    """
    make_deterministic(seed)
    way = FineTuning(recipe, learning_rate=learning_rate, averaging=averaging)
    return tuned(model, recipe, examples, way, seed)


def tuned(model: Model, recipe: Recipe, examples: Examples, way: FineTuning, seed: int) -> Model:
    """The same, by a way that may have been gone before.

    Where a recipe calibrates, the other's scores are probabilities among all payments, and frauds
    are far more frequent among examples. So its last layer is first brought to their scale by a
    straight line; otherwise most of what is learned would be that there are more frauds. The
    result has the examples' scale, and is to be calibrated.

    Args:
        model: As for `fine_tune`.
        recipe: Likewise.
        examples: Likewise.
        way: Compiled for the recipe after `make_deterministic`.
        seed: Of the order.

    Raises:
        InputError: all examples are alike, so there is nothing to tell apart.
    """
    if len(np.unique(examples.labels)) < 2:
        raise InputError(
            f"{len(examples.labels):,} examples of one kind cannot be told apart. "
            "Wait for labels of both kinds."
        )
    learned = model.copy()
    if recipe.threshold is None:
        line = fit_line(examples.labels, model.log_odds(examples.features))
        if line.slope > 0:
            learned.calibrate(line)
    order = np.random.default_rng(seed).permutation(len(examples.labels))
    inputs = learned.preparation.apply(examples.features)[order]
    way.pass_once(learned.network, inputs, examples.labels[order])
    return learned


@dataclass(frozen=True)
class LastLayer:
    """A network whose last dense layer goes on learning, by Newton's method.

    What is kept of the rows so far is a normal distribution of the weights. New rows make it
    narrower, where they tell something; before them it is made wider, so that old ones are
    forgotten. Each row is to be given once. The other layers stay as they are.

    Attributes:
        base: The network that it began from.
        weights: Of the layer, its bias last, float64, shape (units + 1,).
        precision: Inverse of their covariance, shape (units + 1, units + 1).
    """

    base: Model
    weights: Floats
    precision: Floats

    @classmethod
    def of(cls, model: Model, *, precision: float = _WEIGHT_PRECISION) -> LastLayer:
        """Begin with a network's own weights.

        Args:
            model: The network.
            precision: How well each weight is known, as one over its variance. Of the bias it is
                nearly nothing: that follows the share of frauds among the rows that are given.
        """
        kernel, bias = model.network.layers[-2].get_weights()
        weights = np.concatenate([kernel[:, 0], bias]).astype(np.float64)
        known = np.full(len(weights), precision)
        known[-1] = _BIAS_PRECISION
        return cls(model, weights, np.diag(known))

    def update(self, examples: Examples, *, forget: float = _FORGET) -> LastLayer:
        """What it is after more rows.

        Args:
            examples: Rows that it has not been given yet.
            forget: Which share of what is known of the weights is still believed.
        """
        hidden = self.base.hidden(examples.features).astype(np.float64)
        rows = np.column_stack([hidden, np.ones(len(hidden))])
        before, weights = forget * self.precision, self.weights
        precision = before

        def loss(at: Floats) -> float:
            odds, off = rows @ at, at - self.weights
            surprise = np.logaddexp(0, odds) - examples.labels * odds
            return float(surprise.sum() + 0.5 * off @ before @ off)

        for _ in range(_NEWTON_STEPS):
            scores = 1 / (1 + np.exp(-np.clip(rows @ weights, -500, 500)))
            precision = before + rows.T @ (rows * (scores * (1 - scores))[:, None])
            gradient = rows.T @ (scores - examples.labels) + before @ (weights - self.weights)
            step, reached = np.linalg.solve(precision, gradient), loss(weights)
            for _ in range(_HALVINGS):  # far from the least loss, a whole step may lead past it
                if loss(weights - step) <= reached:
                    break
                step = step / 2
            else:
                break
            weights = weights - step
            if np.abs(step).max() < _SMALL_STEP:
                break
        return replace(self, weights=weights, precision=precision)

    def model(self) -> Model:
        """The network with these weights."""
        learned = self.base.copy()
        kernel, bias = self.weights[:-1, None], self.weights[-1:]
        learned.network.layers[-2].set_weights([kernel.astype("f4"), bias.astype("f4")])
        return learned

    def to_bytes(self) -> bytes:
        """What is to be kept beside the network, the same bytes for the same numbers."""
        file = io.BytesIO()
        np.savez(file, weights=self.weights, precision=self.precision)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, model: Model, content: bytes) -> LastLayer:
        """Go on from what `to_bytes` gave.

        Args:
            model: A network whose other layers are those that it was kept of.
            content: The bytes.

        Raises:
            ValueError: it is nothing of that kind, or of a layer of another size.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as kept:
                weights, precision = _numbers(kept["weights"]), _numbers(kept["precision"])
        except (
            zipfile.BadZipFile,
            KeyError,
            OSError,
            EOFError,
            TypeError,
            AttributeError,
        ) as error:
            raise ValueError(f"it is no state of a last layer ({error})") from None
        size = len(cls.of(model).weights)
        if weights.shape != (size,) or precision.shape != (size, size):
            raise ValueError(f"it has {weights.size} weights, and the network's last layer {size}")
        return cls(model, weights, precision)


def _numbers(array: npt.NDArray[Any]) -> Floats:
    if array.dtype != np.float64 or not np.isfinite(array).all():
        raise ValueError("it holds something else than finite numbers")
    return array


def recalibrate(model: Model, labels: Labels, log_odds: Floats) -> Model:
    """A model whose scores are probabilities on the rows given; it ranks as before.

    Args:
        model: It is not changed.
        labels: 1 for fraud, shape (rows,).
        log_odds: What the model gives of the same rows, shape (rows,).

    Raises:
        InputError: higher log-odds do not mean more fraud on these rows.
    """
    line = fit_platt(labels, log_odds)
    learned = model.copy()
    learned.calibrate(line)
    return learned
