"""Boosted trees, fitted by LightGBM and served as any network is."""

from __future__ import annotations

from typing import Any

from fraudline.training.forest_fitting import MOST_TREES, SETTINGS, fit_forest
from fraudline.training.preparation import with_logarithms_and_time_of_day
from fraudline.training.recipes.recipe import Recipe, keep_balance
from fraudline.training.split import split_by_time


def _none(*_: Any) -> Any:
    raise TypeError("recipe 'trees' has no network")


TREES = Recipe(
    name="trees",
    summary="Boosted trees on a split by time, fitted by LightGBM on what our networks see, with "
    "levels as the share of frauds that they had, and scores calibrated to probabilities.",
    split=split_by_time,
    balance=keep_balance,
    balancing="every transaction was seen, as often as it occurred",
    learned_share=None,
    inputs=with_logarithms_and_time_of_day,
    network=_none,
    optimizer=_none,
    learning_rate=float(str(SETTINGS["learning_rate"])),
    weight_decay=0.0,
    averaging=0.0,
    epochs=None,
    most_steps=MOST_TREES,
    batch_rows=0,
    legitimate_per_fraud=None,
    threshold=None,
    fit=fit_forest,
    libraries=("lightgbm",),
)
