"""The record of what a detector found in a period of the stream."""

from __future__ import annotations

from fraudline.contract.columns import Column

# Each looks at something else; the last one says that nothing could be compared.
COLUMNS, SCORES, AMOUNTS, NULLS, REJECTS, REFERENCE, LEVELS = DETECTORS = (
    *("columns", "scores", "amounts", "nulls", "rejects", "reference", "levels"),
)

ALARM_COLUMNS: tuple[Column, ...] = (
    Column(
        "model_version",
        "string",
        "The version that decided, by whose reference; null of rejects, which no version decides.",
        is_nullable=True,
    ),
    Column(
        "detector",
        "string",
        "What was looked at: columns (are they distributed as they were), scores (do as many reach "
        "the highest), amounts (likewise), nulls, rejects, levels (have more than before one that "
        "was rare or unseen), or reference where there is none to compare with.",
        words=DETECTORS,
    ),
    Column("column_name", "string", "Which column, where it is of one.", is_nullable=True),
    Column("is_alarm", "bool", "Whether it was beyond its threshold."),
    Column(
        "statistic",
        "float64",
        "How far it was from what is usual: of columns, scores and amounts in standard "
        "deviations, of nulls, levels and rejects the share itself.",
        is_nullable=True,
    ),
    Column("threshold", "float64", "From where on it alarms.", is_nullable=True),
    Column(
        "alarm_since",
        "timestamp",
        "Begin of the period from which on it has alarmed, or a sum of deviations has grown.",
        is_nullable=True,
    ),
    Column("transactions", "int64", "How many transactions were looked at.", min=0),
    Column("told", "string", "What was found, a sentence.", max_length=4096),
    Column(
        "usual", "string", "What is usual, as a JSON object.", max_length=4096, is_nullable=True
    ),
    Column("found", "string", "What was found, likewise.", max_length=4096, is_nullable=True),
    Column(
        "state",
        "string",
        "What the next period goes on from, as a JSON object.",
        max_length=4096,
        is_nullable=True,
    ),
)
