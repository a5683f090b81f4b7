"""The optimizer of our own recipes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fraudline.training.keras_engine import keras

WARM_UP_STEPS = 50


def adamw(peak_rate: float, weight_decay: float) -> Callable[[int], Any]:
    """AdamW whose rate rises at first and then falls along a cosine to a hundredth.

    Args:
        peak_rate: Learning rate after the warm-up.
        weight_decay: Share of a weight, times the rate, that a step takes from it (Loshchilov
            and Hutter, Decoupled weight decay regularization, 2019).

    Returns:
        Number of steps of the whole fit to the optimizer.
    """

    def optimizer(steps: int) -> Any:
        rate = keras.optimizers.schedules.CosineDecay(
            0.0,
            max(steps - WARM_UP_STEPS, 1),
            alpha=0.01,
            warmup_target=peak_rate,
            warmup_steps=WARM_UP_STEPS,
        )
        return keras.optimizers.AdamW(rate, weight_decay=weight_decay)

    return optimizer
