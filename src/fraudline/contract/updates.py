"""The record of what `fraudline learn` made, or why it made nothing, at the end of a period."""

from __future__ import annotations

from fraudline.contract.columns import Column

ROADS = ("fine-tuning", "last-layer", "retraining")

UPDATE_COLUMNS: tuple[Column, ...] = (
    Column(
        "road",
        "string",
        "Which layers learned: fine-tuning all, or the last one; or retraining, from fresh "
        "weights.",
        words=ROADS,
    ),
    Column("version", "string", "The version that was made; null if none was.", is_nullable=True),
    Column("parent", "string", "The version that it goes on from.", is_nullable=True),
    Column("rows", "int64", "How many rows were learned.", min=0),
    Column("frauds", "int64", "How many of them are frauds.", min=0),
    Column("processor_s", "float64", "Processor time that it took.", "s", is_nullable=True),
    Column("told", "string", "What was made, or why nothing was, a sentence.", max_length=4096),
)
