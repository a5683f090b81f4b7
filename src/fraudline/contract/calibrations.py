"""The record of what became of a calibration anew, for each period that is mature."""

from __future__ import annotations

from fraudline.contract.columns import Column

CALIBRATION_COLUMNS: tuple[Column, ...] = (
    Column("champion", "string", "The version whose scores are to mean what they say."),
    Column("champion_since", "timestamp", "Since when it was the champion."),
    Column(
        "version",
        "string",
        "The newest calibration before this period, which was judged by it; null if none was.",
        is_nullable=True,
    ),
    Column(
        "newest",
        "string",
        "The newest one after it, which is what would be promoted; null if none was made yet.",
        is_nullable=True,
    ),
    Column("wealth", "float64", "Of the bet on a lower log loss, after this period.", min=0),
    Column("frauds", "int64", "Frauds on which it stands.", min=0),
    Column("is_won", "bool", "Whether all conditions were met."),
    Column("processor_s", "float64", "Processor time of calibrating.", "s", is_nullable=True),
    Column("told", "string", "What was found, and what was made, in words.", max_length=4096),
    Column("state", "string", "What the next period goes on from, as JSON.", max_length=4096),
)
