"""The tutorial's model, to the letter but for two mistakes that make its figures wrong.

The printed tutorial fits its scaler again on the test rows, and cuts probabilities to whole
numbers, which leaves only those that are exactly 1. Here the scaler is applied as it was
fitted, and a probability of at least one half counts as fraud. Everything else is as
printed: a random split, SMOTE, the network, ten epochs of batches of 32.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from imblearn.over_sampling import SMOTE

from fraudline.contract.array_types import Labels, Matrix
from fraudline.training.keras_engine import keras
from fraudline.training.preparation import as_they_are
from fraudline.training.recipes.recipe import Recipe
from fraudline.training.split import split_at_random, split_by_time_in_two


def balance(features: Matrix, labels: Labels, seed: int) -> tuple[Matrix, Labels]:
    """As many frauds as legitimate rows: new ones between a fraud and its neighbours (SMOTE)."""
    features, labels = SMOTE(random_state=seed).fit_resample(features, labels)
    return features, labels


def network(n_inputs: int) -> Any:
    """Two convolutions along the row of inputs, then a dense layer."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((n_inputs,)),
            layers.Reshape((n_inputs, 1)),
            layers.Conv1D(32, 2, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Conv1D(64, 2, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(1),
            layers.Activation("sigmoid"),
        ]
    )


def optimizer(learning_rate: float, weight_decay: float) -> Any:
    """Adam, at a constant rate, and no weight decays."""
    del weight_decay
    return keras.optimizers.Adam(learning_rate)


TUTORIAL = Recipe(
    name="tutorial",
    summary="The tutorial's network on a random split, with SMOTE on the train part alone "
    "and the scaler applied to other rows as it was fitted.",
    split=split_at_random,
    balance=balance,
    balancing="SMOTE drew new frauds between the known ones of the train part until it had as "
    "many as legitimate transactions; the scaler was fitted after that, as in the tutorial",
    learned_share=0.5,
    inputs=as_they_are,
    network=network,
    optimizer=optimizer,
    learning_rate=1e-4,
    weight_decay=0.0,
    averaging=0.0,
    epochs=10,
    most_steps=0,
    batch_rows=32,
    legitimate_per_fraud=None,
    threshold=0.5,
)

TUTORIAL_BY_TIME = replace(
    TUTORIAL,
    name="tutorial_by_time",
    summary="The tutorial's network and SMOTE, judged by the time after its train part as our own "
    "recipes are, and the scaler applied to other rows as it was fitted.",
    split=split_by_time_in_two,
)
