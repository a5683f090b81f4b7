"""Dense layers alone: no neighbourhood among the inputs, and far less arithmetic.

A convolution says that inputs which stand side by side belong together. Of principal
components or window counts that is not so; this recipe makes no such claim.
"""

from __future__ import annotations

from typing import Any

from fraudline.training.keras_engine import keras
from fraudline.training.preparation import with_log_amounts_and_time_of_day
from fraudline.training.recipes.optimizer import adamw
from fraudline.training.recipes.recipe import Recipe, keep_balance
from fraudline.training.split import split_by_time

LEGITIMATE_PER_FRAUD = 80
WEIGHT_DECAY = 0.3


def network(n_inputs: int) -> Any:
    """Two dense layers, and no batch normalisation.

    Its running means would describe batches in which frauds are far more frequent than in
    flight.
    """
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((n_inputs,)),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(1),
            layers.Activation("sigmoid"),
        ]
    )


MLP = Recipe(
    name="mlp",
    summary="Two dense layers on a split by time, with amounts also as logarithms and the event "
    "time as time of day, AdamW, and scores calibrated to probabilities.",
    split=split_by_time,
    balance=keep_balance,
    balancing=f"each epoch saw every fraud and, for each of them, {LEGITIMATE_PER_FRAUD} "
    "legitimate transactions, drawn anew; none was invented",
    learned_share=None,
    inputs=with_log_amounts_and_time_of_day,
    network=network,
    optimizer=adamw(4e-3, WEIGHT_DECAY),
    weight_decay=WEIGHT_DECAY,
    epochs=12,
    batch_rows=256,
    legitimate_per_fraud=LEGITIMATE_PER_FRAUD,
    threshold=None,
)
