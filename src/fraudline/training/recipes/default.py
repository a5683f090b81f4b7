"""Our model: split by time, no invented frauds, and a network of little arithmetic."""

from __future__ import annotations

from typing import Any

from fraudline.training.keras_engine import keras
from fraudline.training.preparation import with_logarithms_and_time_of_day
from fraudline.training.recipes.optimizer import (
    AVERAGING,
    BATCH_ROWS,
    LEARNING_RATE,
    LEGITIMATE_PER_FRAUD,
    MOST_STEPS,
    WEIGHT_DECAY,
    adamw,
)
from fraudline.training.recipes.recipe import Recipe, keep_balance
from fraudline.training.split import split_by_time


def network(n_inputs: int) -> Any:
    """One narrow convolution over neighbouring inputs, then two dense layers.

    No batch normalisation: its running means would describe batches in which frauds are far
    more frequent than in flight. docs/guides/model-quality.md says how the form was chosen.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((n_inputs,)),
            layers.Reshape((n_inputs, 1)),
            layers.Conv1D(16, 2, activation="relu"),
            layers.Dropout(0.1),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(32, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(1),
            layers.Activation("sigmoid"),
        ]
    )


DEFAULT = Recipe(
    name="default",
    summary="A convolution and two dense layers on a split by time, with amounts also as "
    "logarithms and the event time as time of day, AdamW, and scores calibrated to probabilities.",
    split=split_by_time,
    balance=keep_balance,
    balancing=f"each epoch saw every fraud and, for each of them, {LEGITIMATE_PER_FRAUD} "
    "legitimate transactions, drawn anew; none was invented",
    learned_share=None,
    inputs=with_logarithms_and_time_of_day,
    network=network,
    optimizer=adamw,
    learning_rate=LEARNING_RATE,
    weight_decay=WEIGHT_DECAY,
    averaging=AVERAGING,
    epochs=None,
    most_steps=MOST_STEPS,
    batch_rows=BATCH_ROWS,
    legitimate_per_fraud=LEGITIMATE_PER_FRAUD,
    threshold=None,
)
