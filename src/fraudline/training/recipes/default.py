"""Our model: split by time, no invented frauds, fitted in well under a minute."""

from __future__ import annotations

from fraudline.training.preparation import with_log_amount_and_time_of_day
from fraudline.training.recipes.optimizer import adamw
from fraudline.training.recipes.recipe import Recipe, keep_balance
from fraudline.training.recipes.tutorial import network
from fraudline.training.split import split_by_time

DEFAULT = Recipe(
    name="default",
    summary="The tutorial's network on a split by time, with the amount as a logarithm and "
    "the event time as time of day, AdamW, and scores calibrated to probabilities.",
    split=split_by_time,
    balance=keep_balance,
    balancing="each epoch saw every fraud and, for each of them, 40 legitimate transactions, "
    "drawn anew; none was invented",
    learned_share=None,
    inputs=with_log_amount_and_time_of_day,
    network=network,
    optimizer=adamw(3e-3, weight_decay=0.05),
    epochs=8,
    batch_rows=512,
    legitimate_per_fraud=40,
    threshold=None,
)
