"""The way from a labelled history to a candidate bundle, top to bottom."""

from __future__ import annotations

import datetime as dt
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraudline.bundle import GRAPH_FILE, Manifest, Part, write_manifest
from fraudline.contract import Contract
from fraudline.training.calibration import best_f1, fit_platt
from fraudline.training.engine import keras, make_deterministic
from fraudline.training.evaluation import Evaluation, evaluate
from fraudline.training.fitting import Epoch, EpochRows, fit, predict
from fraudline.training.graph import run_graph, write_graph
from fraudline.training.history import check_history, event_text
from fraudline.training.keras_file import save_model
from fraudline.training.preparation import Preparation
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.report import Outcome, write_report
from fraudline.training.split import Split, check_split, find_twins

MODEL_FILE = "model.keras"
METRICS_FILE = "metrics.json"

Matrix = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int8]

_SOFTWARE = ("fraudline", "tensorflow-cpu", "keras", "numpy", "onnx", "scikit-learn")


def train(
    history: pa.Table,
    contract: Contract,
    recipe: Recipe,
    directory: Path,
    *,
    source: str,
    test_share: float,
    seed: int,
    on_progress: Callable[[str], None],
) -> Manifest:
    """Train a candidate, judge it, and write it as a bundle with a report.

    Args:
        history: Labelled transactions with the contract's columns, in order of event time.
        contract: What a transaction looks like.
        recipe: How to train.
        directory: Existing, empty; receives the bundle.
        source: Table and period that the history came from, in words.
        test_share: Share of the rows that nothing is chosen by, 0 to less than 1; 0 where
            the caller keeps its test rows to itself, then the validation part judges.
        seed: Of everything that is random. The same history and seed give the same bundle.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: nothing can be learned from this history; the message says why.
    """
    check_history(history, contract, test_share)
    features, labels = contract.feature_matrix(history), contract.labels(history)
    split = recipe.split(labels, test_share, seed)
    check_split(split, labels)
    on_progress(_described(split, labels))

    make_deterministic(seed)
    train_features, train_labels = recipe.balance(features[split.train], labels[split.train], seed)
    preparation = Preparation.fit(recipe.inputs(contract), train_features)
    validation = preparation.apply(features[split.validation]), labels[split.validation]
    network, epochs = _learn(
        recipe, preparation.apply(train_features), train_labels, validation, seed, on_progress
    )
    threshold, threshold_rule = _calibrate(recipe, network, *validation)

    graph = write_graph(preparation, network, len(contract.features))
    (directory / GRAPH_FILE).write_bytes(graph)
    save_model(whole_model(preparation, network, len(contract.features)), directory / MODEL_FILE)

    on_progress("judging the candidate")
    scores, amounts = run_graph(graph, features), contract.amounts(history)
    evaluations = {
        name: evaluate(labels[rows], scores[rows], threshold, amounts[rows])
        for name, rows in split.parts.items()
    }
    outcome = Outcome(
        split, labels, scores, amounts, evaluations, epochs, find_twins(features, split)
    )
    manifest = Manifest(
        recipe=recipe.name,
        contract=contract.name,
        contract_fingerprint=contract.fingerprint,
        features=contract.features,
        threshold=threshold,
        threshold_rule=threshold_rule,
        source=source,
        parts=_parts(history, contract, split, evaluations),
        software={"python": platform.python_version()}
        | {name: version(name) for name in _SOFTWARE},
        created_at=dt.datetime.now(dt.UTC),
        files={},
    )
    _write_metrics(directory / METRICS_FILE, outcome)
    write_report(directory, manifest, contract, recipe, outcome)
    return write_manifest(directory, manifest)


def whole_model(preparation: Preparation, network: Any, n_features: int) -> Any:
    """The Keras model that the graph equals: raw features in, probability out."""
    features = keras.Input((n_features,), name="features")
    return keras.Model(features, network(preparation.apply(features, keras.ops)))


def _learn(
    recipe: Recipe,
    inputs: Matrix,
    labels: Labels,
    validation: tuple[Matrix, Labels],
    seed: int,
    on_progress: Callable[[str], None],
) -> tuple[Any, list[Epoch]]:
    rows = EpochRows(
        inputs,
        labels,
        batch_rows=recipe.batch_rows,
        legitimate_rows=recipe.legitimate_rows,
        seed=seed,
    )
    network = recipe.network(inputs.shape[1])
    # A model around the same layers learns, so that the network is saved without its optimizer.
    learner = keras.Model(network.inputs, network.outputs)
    learner.compile(recipe.optimizer(len(rows) * recipe.epochs), "binary_crossentropy")
    return network, fit(learner, rows, validation, recipe.epochs, on_progress)


def _calibrate(recipe: Recipe, network: Any, inputs: Matrix, labels: Labels) -> tuple[float, str]:
    """Make the network's scores probabilities, if the recipe says so, and give the threshold."""
    if recipe.threshold is not None:
        return recipe.threshold, f"fixed at {recipe.threshold} by the recipe"
    before_sigmoid = network.layers[-2]
    log_odds = predict(keras.Model(network.inputs, before_sigmoid.output), inputs)
    line = fit_platt(labels, log_odds)
    kernel, bias = before_sigmoid.get_weights()
    before_sigmoid.set_weights([kernel * line.slope, bias * line.slope + line.intercept])
    best = best_f1(labels, line.probabilities(log_odds))
    return round(best / 2, 4), (
        f"half of {best:.3f}, the best F1 that any threshold reaches on the validation part: "
        "for calibrated scores this is the threshold that maximises F1 (Lipton, Elkan and "
        "Naryanaswamy, 2014), and it does not hang on a single transaction"
    )


def _described(split: Split, labels: Labels) -> str:
    return "; ".join(
        f"{name}: {len(rows):,} transactions, {int(labels[rows].sum()):,} frauds"
        for name, rows in split.parts.items()
    )


def _parts(
    history: pa.Table, contract: Contract, split: Split, evaluations: dict[str, Evaluation]
) -> dict[str, Part]:
    return {
        name: Part(
            rows=len(rows),
            frauds=evaluations[name].frauds,
            first_event=event_text(history, contract, int(rows[0])),
            last_event=event_text(history, contract, int(rows[-1])),
            metrics=evaluations[name].metrics(),
        )
        for name, rows in split.parts.items()
    }


def _write_metrics(path: Path, outcome: Outcome) -> None:
    content = {
        "parts": {name: judged.metrics() for name, judged in outcome.evaluations.items()},
        "epochs": outcome.epochs,
        "twins_of_train_rows": len(outcome.twins),
    }
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
