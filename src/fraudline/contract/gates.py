"""The record of what the gate found of the champion's line in a period that is mature."""

from __future__ import annotations

from fraudline.contract.columns import Column

GATE_COLUMNS: tuple[Column, ...] = (
    Column("champion", "string", "The version that the line goes on from, and is to beat."),
    Column("champion_since", "timestamp", "Since when it was the champion."),
    Column(
        "version",
        "string",
        "The version of the line that was its newest when the period began, and judged it.",
    ),
    Column("newest", "string", "The newest one, which is what would be promoted."),
    Column("wealth", "float64", "Of the bet that the line ranks better, after this period.", min=0),
    Column("frauds", "int64", "Frauds on which it stands, from all periods of the line.", min=0),
    Column("is_won", "bool", "Whether all conditions were met."),
    Column("told", "string", "What was found, and what followed, in words.", max_length=4096),
    Column("state", "string", "What the next period goes on from, as JSON.", max_length=4096),
)
