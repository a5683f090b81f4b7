"""Dense layers alone: no neighbourhood among the inputs, and far less arithmetic.

A convolution says that inputs which stand side by side belong together. Of principal
components or window counts that is not so; this recipe makes no such claim.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fraudline.training.keras_engine import keras
from fraudline.training.recipes.default import DEFAULT


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


MLP = replace(
    DEFAULT,
    name="mlp",
    summary="Two dense layers on a split by time, with amounts also as logarithms and the event "
    "time as time of day, AdamW, and scores calibrated to probabilities.",
    network=network,
)
