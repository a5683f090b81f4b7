"""The way from a labelled history to a candidate bundle, top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from fraudline.bundle.manifest import Manifest, Source
from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.measures.drawn_rows import repeated, times
from fraudline.settings import PolicySettings
from fraudline.training.candidate import Choice, Fitted, choose, write_candidate
from fraudline.training.categories import shared_codes, told_levels
from fraudline.training.fitted import Fit
from fraudline.training.fitting import fit_model
from fraudline.training.history_checks import (
    event_text,
    require_enough_inputs,
    require_fitting_recipe,
    require_trainable,
    told_constants,
)
from fraudline.training.missing_values import told_nulls
from fraudline.training.policy_pages import choose_policy
from fraudline.training.preparation import Inputs
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import Split, check_split, drop_twins, find_twins, split_drawn
from fraudline.training.trees import fit_trees


def train(
    history: pa.Table,
    contract: Contract,
    recipe: Recipe,
    directory: Path,
    *,
    source: Source,
    test_share: float,
    seed: int,
    costs: PolicySettings,
    on_progress: Callable[[str], None],
) -> Manifest:
    """Train a candidate, judge it, and write it as a bundle with a report.

    Args:
        history: Labelled transactions with the contract's columns, in order of event time.
        contract: What a transaction looks like.
        recipe: How to train.
        directory: Existing, empty; receives the bundle.
        source: Which rows the history is.
        test_share: Share of the rows that nothing is chosen by, 0 to less than 1; 0 where
            the caller keeps its test rows to itself, then the validation part judges.
        seed: Of everything that is random. The same history and seed give the same bundle.
        costs: What decisions cost.
        on_progress: Called with a sentence for a person who waits.

    Raises:
        InputError: nothing can be learned from this history; the message says why.
    """
    require_trainable(history, contract, test_share)
    require_fitting_recipe(recipe, contract)
    features, labels = contract.feature_matrix(history), contract.labels(history)
    drawn = split_drawn(
        recipe.split,
        labels,
        source.one_in,
        test_share,
        seed,
        has_time=contract.event_time is not None,
    )
    twins = find_twins(features, drawn)
    split = drop_twins(drawn, twins)
    check_split(split, labels)
    _tell_parts(contract, features, labels, split, source.one_in, on_progress)
    for told in shared_codes(contract, history):
        on_progress(told)

    inputs = recipe.inputs(contract, features[split.train])
    require_enough_inputs(recipe, inputs, contract)
    fit, choice = _fit_and_choose(
        recipe, inputs, features, labels, split, source.one_in, seed, on_progress
    )
    trees = None
    if recipe.fit is None:
        trees = fit_trees(inputs, features, labels, split, seed, on_progress, source.one_in)
    return write_candidate(
        directory,
        history,
        contract,
        recipe,
        split,
        Fitted(
            fit.model,
            fit.checkpoints,
            choice,
            _settings(recipe, fit.steps, test_share, seed, history, contract)
            | ({"legitimate_one_in": source.one_in} if source.one_in > 1 else {}),
            twins,
            source,
            trees=trees,
        ),
        lambda rows: choose_policy(contract, costs, recipe.threshold, rows),
        seed=seed,
        on_progress=on_progress,
    )


def _fit_and_choose(
    recipe: Recipe,
    inputs: Inputs,
    features: Matrix,
    labels: Labels,
    split: Split,
    one_in: int,
    seed: int,
    on_progress: Callable[[str], None],
) -> tuple[Fit, Choice]:
    """Fit, choose on the validation part if there is one, and then fit anew with it.

    The fit is the latter; its checkpoints are those of the first, which validation measured.
    """
    train_part = features[split.train], labels[split.train]
    validation = features[split.validation], labels[split.validation]
    fit = fit_model(recipe, inputs, train_part, validation, seed, on_progress, one_in=one_in)
    choice = choose(recipe, fit.model, *validation, one_in)
    if choice.line is not None:
        on_progress(
            "fitting anew on the train and validation parts together, for "
            f"{fit.steps:,} {'steps' if recipe.fit is None else 'trees'} again"
        )
        rows = np.concatenate([split.train, split.validation])
        both, none = (features[rows], labels[rows]), (features[:0], labels[:0])
        again = fit_model(recipe, inputs, both, none, seed, on_progress, steps=fit.steps)
        again.model.calibrate(choice.line)
        fit = replace(fit, model=again.model)
    return fit, choice


def _tell_parts(
    contract: Contract,
    features: Matrix,
    labels: Labels,
    split: Split,
    one_in: int,
    on_progress: Callable[[str], None],
) -> None:
    """Say what is learned from, and of what nothing can be learned."""
    parts = (
        f"{name}: {int(times(labels[rows], one_in).sum()):,} transactions"
        + (f" ({len(rows):,} of them drawn)" if one_in > 1 else "")
        + f", {int(labels[rows].sum()):,} frauds"
        for name, rows in split.parts.items()
    )
    on_progress("; ".join(parts))
    known, seen = labels[split.train], features[split.train]
    (as_often,) = repeated(known, one_in)
    fraud_share = float(as_often.mean())
    for told in (
        *told_constants(seen, contract),
        *told_nulls(seen, known, contract, fraud_share),
        *told_levels(contract, seen, known, fraud_share),
    ):
        on_progress(told)


def _settings(
    recipe: Recipe, steps: int, test_share: float, seed: int, history: pa.Table, contract: Contract
) -> dict[str, object]:
    """What was trained with: what is the recipe's own, and what was asked for."""
    return {
        **recipe.told(),
        "steps": steps,
        "seed": seed,
        "test_share": test_share,
        "first_event": event_text(history, contract, 0),
        "last_event": event_text(history, contract, -1),
    }
