"""The optimizer of our own recipes, and how long they learn."""

from __future__ import annotations

from typing import Any

from fraudline.training.keras_engine import keras

WARM_UP_STEPS = 50

LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.3
AVERAGING = 0.998
MOST_STEPS = 15_000
BATCH_ROWS = 256
LEGITIMATE_PER_FRAUD = 80


def adamw(learning_rate: float, weight_decay: float) -> Any:
    """AdamW whose rate rises at first and then stays.

    It never falls, so that the n-th step is the same however many follow: learning may stop
    anywhere. What a falling rate would calm, the mean of the weights calms.

    Args:
        learning_rate: After the warm-up.
        weight_decay: Share of a weight, times the rate, that a step takes from it (Loshchilov
            and Hutter, Decoupled weight decay regularization, 2019).
    """
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, 1, alpha=1.0, warmup_target=learning_rate, warmup_steps=WARM_UP_STEPS
    )
    return keras.optimizers.AdamW(rate, weight_decay=weight_decay)
