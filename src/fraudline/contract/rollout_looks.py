"""The record of what was found of a rollout that widens by itself, in a period that is mature."""

from __future__ import annotations

from fraudline.contract.columns import Column

ROLLOUT_COLUMNS: tuple[Column, ...] = (
    Column("version", "string", "The version that decides a share."),
    Column("champion", "string", "The version that decides the others, and is to be beaten."),
    Column("since", "timestamp", "Since when the version decides any."),
    Column("share", "float64", "The share that it had when the period was judged.", min=0, max=1),
    Column(
        "wealth", "float64", "Of the bet that it ranks better, after all periods so far.", min=0
    ),
    Column("frauds", "int64", "Frauds on which that stands.", min=0),
    Column("told", "string", "What was found, and what follows, in words.", max_length=4096),
    Column("state", "string", "What the next period goes on from, as JSON.", max_length=4096),
)
