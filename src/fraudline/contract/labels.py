"""A label: what somebody says became of a transaction, and the record that carries it.

Which of several labels counts is told in `docs/decisions/0019-which-label-counts.md`; the ranks of
the sources are here, the rule itself is SQL, in `warehouse/counting_labels.py`.
"""

from __future__ import annotations

from fraudline.contract.columns import Column

FRAUD, LEGITIMATE, WITHDRAWN = LABELS = ("fraud", "legitimate", "withdrawn")
SOURCES = ("chargeback", "customer", "analyst", "test")
"""Who may say what became of a transaction; the first outranks those after it."""
MAX_LABEL_BYTES = 16 * 1024

LABEL_COLUMNS: tuple[Column, ...] = (
    Column("contract", "string", "Name of the contract of the transaction.", max_length=128),
    Column(
        "transaction_id",
        "string",
        "The transaction, as its decision names it: the contract's id, or topic:partition:offset.",
    ),
    Column(
        "label",
        "string",
        "fraud, legitimate, or withdrawn: the source takes back what it said before.",
        words=LABELS,
    ),
    Column(
        "source", "string", "Who says so: chargeback, customer, analyst or test.", words=SOURCES
    ),
    Column("known_at", "timestamp", "When the source knew it."),
    Column("told_by", "string", "Person or system that sent it.", max_length=200),
    Column(
        "transaction_received_at",
        "timestamp",
        "The decision's received_at, where the contract has no id: it tells the transaction from "
        "another one at the same position of a topic that was made anew.",
        is_nullable=True,
    ),
    Column("note", "string", "Anything else.", max_length=1000, is_nullable=True),
)
