"""The way from a version and what became known of the stream to the next version.

As `train` does, it is done twice: first without the newest rows, on which calibration, policy and
figures then stand, and then with them. The first time it goes on from a version that had not
learned those rows either, which is the parent or one of its parents. What is trained anew goes on
from none: its parent only says what blocked payments are like.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.metrics import average_precision_score, log_loss

from fraudline.bundle.bundle_files import GRAPH_FILE, read_file, read_manifest
from fraudline.bundle.manifest import Learned, Manifest, Source
from fraudline.contract import Contract
from fraudline.contract.array_types import Flags, Floats, Labels, Matrix
from fraudline.errors import BundleError, InputError
from fraudline.training.amount_unit import restate
from fraudline.training.anew import Anew, begin_anew, end_anew, with_drawn_labels
from fraudline.training.calibration import Platt
from fraudline.training.candidate import Choice, Fitted, Unlabelled, choose, write_candidate
from fraudline.training.fine_tuning import FineTuning
from fraudline.training.fitting import Checkpoint
from fraudline.training.graph import read_preparation
from fraudline.training.keras_engine import make_deterministic
from fraudline.training.keras_file import LAST_LAYER_FILE
from fraudline.training.model import Model
from fraudline.training.policy_pages import capped
from fraudline.training.recipes.all_recipes import find_recipe
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.soft_labels import LEAST_EXPLORED, among_drawn, shares_of_frauds
from fraudline.training.split import Split, check_split, find_twins
from fraudline.training.update import Examples, LastLayer, balanced, open_model, tuned

FINE_TUNING, LAST_LAYER = "fine-tuning", "last-layer"
_SEED = 1  # the examples of another day are others, so nothing is gained by another one


@dataclass(frozen=True)
class HiddenRows:
    """Payments that were blocked, or would have been, and were never labelled.

    Attributes:
        rows: With the columns of a transaction, in order of event time.
        is_learned: Whether it is drawn to be learned as what it is likely to be, shape (rows,).
        is_judged: Whether it is of the time of those that judge; all of these are here.
        is_before: Whether it was decided before that time.
        known_s: Since when it is mature, seconds since 1970.
    """

    rows: pa.Table
    is_learned: Flags
    is_judged: Flags
    is_before: Flags
    known_s: Floats


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
        is_explored: Whether it would have been blocked, was reviewed in place of it, and is
            labelled.
        known_s: Since when it is known, seconds since 1970; of the history -inf.
        judged_s: When the first of those that judge was decided.
        drawn_share: Which share of the stream's legitimate payments is drawn to be learned.
        never_labelled: Payments of the same time that nobody knows.
    """

    rows: pa.Table
    is_learned: Flags
    is_judged: Flags
    is_before: Flags
    is_explored: Flags
    known_s: Floats
    judged_s: float
    drawn_share: float
    never_labelled: HiddenRows


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

    def told(self) -> dict[str, object]:
        """How it learns, by name."""
        return dict(vars(self))


def learn_on(
    known: KnownRows,
    contract: Contract,
    parent: Path,
    earlier: Path,
    directory: Path,
    road: Road | Anew,
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
    manifest, known = read_manifest(parent), _in_one_unit(known, contract, parent)
    recipe = road.recipe if isinstance(road, Anew) else find_recipe(manifest.recipe)
    features, labels = contract.feature_matrix(known.rows), contract.labels(known.rows)
    never = known.never_labelled
    data = _Data(features, labels, contract.feature_matrix(never.rows))
    _require_usable(contract, data)
    split = Split(
        np.flatnonzero(known.is_learned & ~known.is_judged),
        np.flatnonzero(known.is_judged),
        np.arange(0),
    )
    check_split(split, labels)
    is_before = known.is_learned & known.is_before
    was_known = known.is_explored & known.is_before & (known.known_s <= known.judged_s)
    on_progress(f"learning {int(is_before.sum()):,} rows that were known before those that judge")
    make_deterministic(_SEED)  # names of layers count on otherwise, and are in the Keras file
    before = _Taken(is_before, was_known, never.is_learned & never.is_before)
    judged = features[split.validation], labels[split.validation]
    begun, way = None, None
    if isinstance(road, Anew):
        shown = _shown(earlier, data, known, before)
        begun = begin_anew(road, contract, shown, judged, _SEED, on_progress)
        first = begun.fit.model
    else:
        if road.name == FINE_TUNING:  # compiled once for both passes
            way = FineTuning(recipe, learning_rate=road.learning_rate, averaging=road.averaging)
        first, _ = _learned(way, recipe, earlier, data, known, before)
    choice = choose(recipe, first, *judged)
    unlabelled = None
    if never.is_judged.any():
        unlabelled = Unlabelled(
            never.rows.filter(pa.array(never.is_judged)),
            _probabilities(first, data.never_labelled[never.is_judged], choice.line),
        )
    on_progress(f"learning all {int(known.is_learned.sum()):,} rows")
    now = _Taken(known.is_learned, known.is_explored, never.is_learned)
    state = None
    if isinstance(road, Anew):
        assert begun is not None
        shown = _shown(parent, data, known, now)
        model = end_anew(road, begun, shown, _SEED, on_progress)
    else:
        model, state = _learned(way, recipe, parent, data, known, now)
    if choice.line is not None:
        model.calibrate(choice.line)
    if state is not None:
        (directory / LAST_LAYER_FILE).write_bytes(state.to_bytes())
    fitted = road.told() | {"recipe": recipe.name, "parent": learned.parent, "seed": _SEED}
    if begun is None:
        seen = [_measured(first, choice, (features[is_before], labels[is_before]), judged[1])]
    else:
        seen, fitted = begun.fit.checkpoints, fitted | {"steps": begun.fit.steps}
    return write_candidate(
        directory,
        known.rows,
        contract,
        recipe,
        split,
        Fitted(
            model,
            seen,
            choice,
            fitted,
            find_twins(features, split),
            source,
            learned,
        ),
        lambda rows: capped(manifest.policy, rows),
        seed=_SEED,
        on_progress=on_progress,
        # Frauds are far more frequent among what is learned than among payments.
        usual=known.is_judged | (known.is_learned & (labels == 0)),
        unlabelled=unlabelled,
    )


def _in_one_unit(known: KnownRows, contract: Contract, parent: Path) -> KnownRows:
    """The rows with money as it comes now: older ones may be of a time with another unit."""
    try:
        preparation = read_preparation(read_file(parent, GRAPH_FILE))
    except ValueError:  # refused by name where it is opened to learn on
        return known
    never = known.never_labelled
    labels = contract.labels(known.rows)
    _, rows, others = restate(known.rows, labels, never.rows, contract, preparation)
    return replace(known, rows=rows, never_labelled=replace(never, rows=others))


def _measured(
    first: Model, choice: Choice, learned: tuple[Matrix, Labels], judged: Labels
) -> Checkpoint:
    """What a version says of rows that it has just learned, and of those that judge."""
    return Checkpoint(
        1,  # pass, of which nothing is measured on the way
        float(log_loss(learned[1], _probabilities(first, learned[0]))),
        float(log_loss(judged, choice.validation_scores)),
        float(average_precision_score(judged, choice.validation_scores)),
    )


@dataclass(frozen=True)
class _Data:
    """Features and labels of the known rows, and features of those that nobody knows."""

    features: Matrix
    labels: Labels
    never_labelled: Matrix


@dataclass(frozen=True)
class _Taken:
    """Which rows are learned, which reviewed ones tell of blocked ones, and of which."""

    known: Flags
    explored: Flags
    never_labelled: Flags


def _require_usable(contract: Contract, data: _Data) -> None:
    """Refuse features that a network could not see."""
    parts = (data.features, data.never_labelled)
    unusable = sum(int(contract.unusable(each).any(axis=1).sum()) for each in parts)
    if unusable:
        raise InputError(
            f"{unusable:,} of {sum(map(len, parts)):,} payments have features that are no finite "
            "number as float32, so nothing was learned. Limit the column in the contract."
        )


def _learned(
    way: FineTuning | None,
    recipe: Recipe,
    begin: Path,
    data: _Data,
    known: KnownRows,
    taken: _Taken,
) -> tuple[Model, LastLayer | None]:
    """What a version becomes by these rows, and the state that its last layer goes on from.

    Without a way for all layers, the last one alone learns.
    """
    model = open_model(begin)
    if way is None:
        known_to = _known_to(begin)
        is_new = taken.known & (known.known_s > known_to)
        is_new_hidden = taken.never_labelled & (known.never_labelled.known_s > known_to)
        state = _begun(begin, model)
        new = _Taken(is_new, taken.explored, is_new_hidden)
        if is_new.any():
            state = state.update(_examples(recipe, model, data, known, new))
        return state.model(), state
    examples = _examples(recipe, model, data, known, taken)
    return tuned(model, recipe, examples, way, _SEED), None


def _shown(alike: Path, data: _Data, known: KnownRows, taken: _Taken) -> tuple[Matrix, Labels]:
    """What a fresh network is shown; by an older one it is known what blocked payments are like."""
    hidden = data.never_labelled[taken.never_labelled]
    shares = None
    if len(hidden) and int(taken.explored.sum()) >= LEAST_EXPLORED:
        explored = data.features[taken.explored], data.labels[taken.explored]
        shares = shares_of_frauds(open_model(alike), *explored, hidden)
    if shares is not None:
        shares = among_drawn(shares, known.drawn_share)
    rows = data.features[taken.known], data.labels[taken.known]
    return with_drawn_labels(rows, hidden, shares, _SEED)


def _examples(
    recipe: Recipe, model: Model, data: _Data, known: KnownRows, taken: _Taken
) -> Examples:
    """What is learned: known rows, and if enough were reviewed, others as what they likely are."""
    whole = Examples(data.features[taken.known], data.labels[taken.known].astype(np.float64))
    examples = balanced(recipe, whole, _SEED)
    explored, hidden = taken.explored, data.never_labelled[taken.never_labelled]
    shares = shares_of_frauds(model, data.features[explored], data.labels[explored], hidden)
    if shares is None:
        return examples
    return Examples(
        np.concatenate([examples.features, hidden]),
        np.concatenate([examples.labels, among_drawn(shares, known.drawn_share)]),
    )


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


def _probabilities(model: Model, features: Matrix, line: Platt | None = None) -> Floats:
    return (line or Platt(1.0, 0.0)).probabilities(model.log_odds(features))
