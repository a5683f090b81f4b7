"""Our model: split by time, no invented frauds, fitted in well under a minute."""

from __future__ import annotations

from typing import Any

from fraudline.training.engine import keras
from fraudline.training.preparation import with_log_amount_and_time_of_day
from fraudline.training.recipes.recipe import Recipe, keep_balance
from fraudline.training.recipes.tutorial import network
from fraudline.training.split import split_by_time

WARM_UP_STEPS = 50


def optimizer(steps: int) -> Any:
    """AdamW whose rate rises at first and then falls along a cosine to a hundredth."""
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(steps - WARM_UP_STEPS, 1),
        alpha=0.01,
        warmup_target=3e-3,
        warmup_steps=WARM_UP_STEPS,
    )
    return keras.optimizers.AdamW(rate, weight_decay=0.05)


DEFAULT = Recipe(
    name="default",
    summary="The tutorial's network on a split by time, with the amount as a logarithm and "
    "the event time as time of day, AdamW, and scores calibrated to probabilities.",
    split=split_by_time,
    balance=keep_balance,
    balancing="each epoch saw every fraud and, for each of them, 40 legitimate transactions, "
    "drawn anew; none was invented",
    inputs=with_log_amount_and_time_of_day,
    network=network,
    optimizer=optimizer,
    epochs=8,
    batch_rows=512,
    legitimate_per_fraud=40,
    threshold=None,
)
