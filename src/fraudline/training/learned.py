"""The way from a version and what became known of the stream to the next version.

As `train` does, it is done twice: first without the newest rows, on which calibration, policy and
figures then stand, and then with them. The first time it goes on from a version that had not
learned those rows either, which is the parent or one of its parents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.metrics import average_precision_score, log_loss

from fraudline.bundle.bundle_files import read_file, read_manifest
from fraudline.bundle.manifest import Learned, Manifest, Source
from fraudline.contract import Contract
from fraudline.contract.array_types import Flags, Floats, Labels, Matrix
from fraudline.errors import BundleError, InputError
from fraudline.training.calibration import Platt
from fraudline.training.candidate import Fitted, choose, write_candidate
from fraudline.training.fitting import Epoch
from fraudline.training.keras_engine import make_deterministic
from fraudline.training.model import Model
from fraudline.training.policy_pages import capped
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import Split, check_split, find_twins
from fraudline.training.update import Examples, LastLayer, balanced, fine_tune, open_model

FINE_TUNING, LAST_LAYER = "fine-tuning", "last-layer"
LAST_LAYER_FILE = "last_layer.npz"
_SEED = 1  # the examples of another day are others, so nothing is gained by another one


@dataclass(frozen=True)
class KnownRows:
    """What is known of payments at a moment; the n-th entries belong together.

    Attributes:
        rows: Payments with the history's columns, in order of event time.
        is_learned: Whether the row is drawn to be learned, shape (rows,).
        is_judged: Whether it is of the newest ones that are mature, on which figures stand. All of
            these are here, whether they are learned or not.
        is_before: Whether it was decided before the first of those, and if it is a fraud, known by
            then; or is of the history.
        known_s: Since when it is known, seconds since 1970; of the history -inf.
    """

    rows: pa.Table
    is_learned: Flags
    is_judged: Flags
    is_before: Flags
    known_s: Floats


@dataclass(frozen=True)
class Road:
    """How a version learns.

    Attributes:
        name: `FINE_TUNING` or `LAST_LAYER`.
        learning_rate: As for `fine_tune`.
        averaging: Likewise.
    """

    name: str
    learning_rate: float
    averaging: float


def learn_on(
    known: KnownRows,
    contract: Contract,
    parent: Path,
    earlier: Path,
    directory: Path,
    road: Road,
    *,
    source: Source,
    learned: Learned,
    on_progress: Callable[[str], None],
) -> Manifest:
    """Go on from a version, judge what comes of it, and write it as a bundle with a report.

    Args:
        known: The rows.
        contract: What a transaction looks like.
        parent: Directory of the version that it goes on from.
        earlier: Of the one that had not learned the rows that judge.
        directory: Existing, empty; receives the bundle.
        road: How it learns.
        source: Which rows they are.
        learned: What the version says of what it learned.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        BundleError: a version is altered, or cannot go on learning.
        InputError: nothing can be learned or judged from these rows; the message says why.
    """
    manifest = read_manifest(parent)
    recipe = find_recipe(manifest.recipe)
    features, labels = contract.feature_matrix(known.rows), contract.labels(known.rows)
    unusable = contract.unusable(features)
    if unusable.any():
        rows = int(unusable.any(axis=1).sum())
        raise InputError(
            f"{rows:,} of {len(labels):,} payments have features that are no finite number as "
            "float32, so nothing was learned. Limit the column in the contract."
        )
    split = Split(
        np.flatnonzero(known.is_learned & ~known.is_judged),
        np.flatnonzero(known.is_judged),
        np.arange(0),
    )
    check_split(split, labels)
    is_before = known.is_learned & known.is_before
    on_progress(f"learning {int(is_before.sum()):,} rows that were known before those that judge")
    first, _ = _learned(road, recipe, earlier, features, labels, known, is_before)
    judged = features[split.validation], labels[split.validation]
    choice = choose(recipe, first, *judged)
    on_progress(f"learning all {int(known.is_learned.sum()):,} rows")
    model, state = _learned(road, recipe, parent, features, labels, known, known.is_learned)
    if choice.line is not None:
        model.calibrate(choice.line)
    if state is not None:
        (directory / LAST_LAYER_FILE).write_bytes(state.to_bytes())
    scores = choice.validation_scores
    measured = Epoch(
        float(log_loss(labels[is_before], _probabilities(first, features[is_before]))),
        float(log_loss(judged[1], scores)),
        float(average_precision_score(judged[1], scores)),
    )
    return write_candidate(
        directory,
        known.rows,
        contract,
        recipe,
        split,
        Fitted(
            model,
            [measured],
            choice,
            {**vars(road), "recipe": recipe.name, "parent": learned.parent, "seed": _SEED},
            find_twins(features, split),
            source,
            learned,
        ),
        lambda rows: capped(manifest.policy, rows),
        seed=_SEED,
        on_progress=on_progress,
        # Frauds are far more frequent among what is learned than among payments.
        usual=known.is_judged | (known.is_learned & (labels == 0)),
    )


def _learned(
    road: Road,
    recipe: Recipe,
    begin: Path,
    features: Matrix,
    labels: Labels,
    known: KnownRows,
    taken: Flags,
) -> tuple[Model, LastLayer | None]:
    """What a version becomes by these rows, and the state that its last layer goes on from."""
    make_deterministic(_SEED)  # names of layers count on otherwise, and are in the Keras file
    model = open_model(begin)
    if road.name == LAST_LAYER:
        state, is_new = _begun(begin, model), taken & (known.known_s > _known_to(begin))
        examples = Examples(features[is_new], labels[is_new].astype(np.float64))
        if len(examples.labels):
            state = state.update(balanced(recipe, examples, _SEED))
        return state.model(), state
    examples = Examples(features[taken], labels[taken].astype(np.float64))
    tuned = fine_tune(
        model,
        recipe,
        balanced(recipe, examples, _SEED),
        learning_rate=road.learning_rate,
        averaging=road.averaging,
        seed=_SEED,
    )
    return tuned, None


def _begun(version: Path, model: Model) -> LastLayer:
    """Where the last layer of a version goes on: it takes each row once."""
    if LAST_LAYER_FILE not in read_manifest(version).files:
        return LastLayer.of(model)
    try:
        return LastLayer.from_bytes(model, read_file(version, LAST_LAYER_FILE))
    except ValueError as error:
        raise BundleError(
            f"{version / LAST_LAYER_FILE} is not what its last layer goes on from: {error}. "
            "Promote another version."
        ) from None


def _known_to(version: Path) -> float:
    """Until when a version knows the stream, seconds since 1970; the history was known before."""
    manifest = read_manifest(version)
    if LAST_LAYER_FILE in manifest.files and isinstance(manifest.learned, Learned):
        return manifest.learned.as_of.timestamp()
    return -np.finfo(np.float64).max


def _probabilities(model: Model, features: Matrix) -> Floats:
    return Platt(1.0, 0.0).probabilities(model.log_odds(features))
