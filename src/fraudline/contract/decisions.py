"""A decision: the three words, their places, and the record that carries one."""

from __future__ import annotations

import datetime as dt

import msgspec

from fraudline.contract.columns import POSITION_COLUMNS, Column

APPROVE, REVIEW, BLOCK = DECISIONS = ("approve", "review", "block")
APPROVED, REVIEWED, BLOCKED = range(len(DECISIONS))  # places in it: decision codes

DECISION_COLUMNS: tuple[Column, ...] = (
    Column("transaction_id", "string", "The contract's id, or topic:partition:offset."),
    *POSITION_COLUMNS,
    Column("score", "float64", "Probability of fraud.", min=0, max=1),
    Column("decision", "string", "What to do: approve, review or block."),
    Column(
        "threshold",
        "float64",
        "Least score at which a payment of this amount is not approved.",
        min=0,
        max=1,
    ),
    Column("model_version", "string", "Version of the bundle that decided."),
    Column(
        "reasons",
        "string",
        "Why it was not approved, strongest first: a JSON array of objects with feature, value, "
        "contribution (to the log-odds of fraud) and sentence. Null where it was approved.",
        max_length=16_384,
        is_nullable=True,
    ),
    Column("repeat_of", "string", "Where it was decided before, or null.", is_nullable=True),
    Column(
        "received_at",
        "timestamp",
        "When the message says it was sent; null if it does not say.",
        is_nullable=True,
    ),
    Column("decided_at", "timestamp", "When the scorer decided."),
    Column(
        "propensity",
        "float64",
        "Of a payment that is reviewed though it would be blocked, so that people label it: the "
        "probability of that. Null for all others.",
        min=0,
        max=1,
        is_nullable=True,
    ),
    Column(
        "challenger_scores",
        "string",
        "What versions say that score beside the champion and decide nothing: a JSON object of "
        "version and score. Null where there is none, and where repeat_of is set.",
        max_length=4096,
        is_nullable=True,
    ),
)


class Decision(msgspec.Struct, gc=False):
    """`DECISION_COLUMNS`, in a form that encodes fast; a test holds the two together.

    A transaction that was sent twice is given its first decision again: its score, decision,
    threshold, version, reasons and propensity, and in `repeat_of` the topic:partition:offset of the
    first. What was added later is null in the records of before.
    """

    transaction_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    score: float
    decision: str
    threshold: float
    model_version: str
    reasons: str | None
    repeat_of: str | None
    received_at: dt.datetime | None
    decided_at: dt.datetime
    propensity: float | None = None
    challenger_scores: str | None = None
