"""What is known of payments at a moment, as arrays: from what was read of them."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Contract
from fraudline.contract.array_types import Flags, Floats
from fraudline.contract.columns import EARLIEST
from fraudline.warehouse.history_table import digest_of

POSITION = ("source_topic", "source_partition", "source_offset")
_IN_ORDER = [("decided_at", "ascending"), *((name, "ascending") for name in POSITION)]


@dataclass(frozen=True)
class NeverLabelled:
    """Payments that are mature and that nobody knows, as they were blocked, or reviewed unlabelled.

    Reviewed are only those that would have been blocked. The n-th entries belong together.

    Attributes:
        rows: With the columns of a transaction, oldest first by event time.
        is_learned: Whether it is drawn to be learned as what it is likely to be, shape (rows,).
        is_judged: Whether it is of the time of those that judge: of these none is left out.
        is_before: Whether it was decided before that time.
        known_s: Since when it is mature, seconds since 1970.
    """

    rows: pa.Table
    is_learned: Flags
    is_judged: Flags
    is_before: Flags
    known_s: Floats


@dataclass(frozen=True)
class Known:
    """Known payments, oldest first by event time; the n-th entries belong together.

    Attributes:
        rows: With the history's columns.
        is_learned: Whether it is drawn to be learned, shape (rows,).
        is_judged: Whether it is of the newest ones that are mature: of these none is left out.
        is_before: Whether it was decided before the first of those, and if it is a fraud, known by
            then; or is of the history.
        is_explored: Whether it would have been blocked, was reviewed in place of it, and has a
            label: drawn where there are more than are learned of frauds.
        known_s: Since when it is known, seconds since 1970; -inf of the history.
        drawn_share: Which share of the stream's legitimate payments is drawn to be learned.
        never_labelled: Payments of the same time of which nobody knows what they were; drawn where
            there are more than are learned of frauds.
        since: When the oldest of the stream was decided.
        judged_since: When the oldest one that judges was.
        until: When the newest one was.
        of_history: How many are of the history.
        hidden: How many those are that were never labelled, drawn or not.
        table: Full name of the table of decisions.
        query: What read them.
        sha256: Of the rows' values.
    """

    rows: pa.Table
    is_learned: Flags
    is_judged: Flags
    is_before: Flags
    is_explored: Flags
    known_s: Floats
    drawn_share: float
    never_labelled: NeverLabelled
    since: dt.datetime
    judged_since: dt.datetime
    until: dt.datetime
    of_history: int
    hidden: int
    table: str
    query: str
    sha256: str


def known_of(
    contract: Contract,
    read: pa.Table,
    history: pa.Table,
    *,
    judged_since: dt.datetime,
    drawn_share: float,
    hidden: int,
    table: str,
    sql: str,
) -> Known:
    """What was read, as arrays.

    Args:
        contract: What a transaction looks like, and when it is mature.
        read: Decisions as `read_known` asks for them.
        history: Rows of the labelled history.
        judged_since: As in `Known`, like the others.
        drawn_share: Likewise.
        hidden: Likewise.
        table: Likewise.
        sql: Likewise, its `query`.
    """
    is_hidden = read.column("is_hidden")
    stream = read.filter(pc.invert(is_hidden)).sort_by(_IN_ORDER)
    told = pc.fill_null(
        pc.if_else(
            pc.greater(stream.column("label_known_at"), stream.column("label_arrived_at")),
            stream.column("label_known_at"),
            stream.column("label_arrived_at"),
        ),
        pa.scalar(EARLIEST),
    )
    known_at = pc.if_else(stream.column("is_told"), told, _matured_at(contract, stream))
    rows = pa.concat_tables([history, _as_history(contract, stream)])
    order = np.argsort(contract.event_seconds(rows), kind="stable")
    old, decided_at = history.num_rows, stream.column("decided_at")

    def ordered(of_history: float, of_stream: pa.ChunkedArray) -> np.ndarray:
        values = of_stream.to_numpy()
        return np.concatenate([np.full(old, of_history, values.dtype), values])[order]

    kept = rows.take(pa.array(order)).combine_chunks()
    never_labelled = _never_labelled(contract, read.filter(is_hidden), judged_since)
    return Known(
        rows=kept,
        is_learned=ordered(True, stream.column("is_learned")),
        is_judged=ordered(False, stream.column("is_judged")),
        is_before=ordered(
            True,
            pc.and_(
                pc.less(decided_at, pa.scalar(judged_since)),
                # A version that decided those could not have learned frauds that were told later.
                pc.or_(
                    pc.invert(stream.column("is_fraud")),
                    pc.less_equal(known_at, pa.scalar(judged_since)),
                ),
            ),
        ),
        is_explored=ordered(False, stream.column("is_explored")),
        known_s=ordered(-np.inf, _seconds(known_at)),
        drawn_share=drawn_share,
        never_labelled=never_labelled,
        since=pc.min(decided_at).as_py(),
        judged_since=judged_since,
        until=pc.max(decided_at).as_py(),
        of_history=old,
        hidden=hidden,
        table=table,
        query=sql,
        sha256=_digest(kept, never_labelled.rows),
    )


def _as_history(contract: Contract, stream: pa.Table) -> pa.Table:
    """Decisions with what is known of them in the place of the history's label."""
    schema = contract.history_schema
    field = schema.field(contract.label)
    label = pc.cast(stream.column("is_fraud"), field.type)
    names = [column.name for column in contract.transaction_columns]
    at = schema.get_field_index(contract.label)
    return stream.select(names).add_column(at, field, label).select(schema.names).cast(schema)


def _never_labelled(
    contract: Contract, hidden: pa.Table, judged_since: dt.datetime
) -> NeverLabelled:
    hidden = hidden.sort_by(_IN_ORDER)
    rows = hidden.select(contract.transaction_schema.names).cast(contract.transaction_schema)
    order = np.argsort(contract.event_seconds(rows), kind="stable")
    is_before = pc.less(hidden.column("decided_at"), pa.scalar(judged_since))
    return NeverLabelled(
        rows.take(pa.array(order)).combine_chunks(),
        hidden.column("is_learned").to_numpy()[order],
        hidden.column("is_judged").to_numpy()[order],
        is_before.to_numpy()[order],
        _seconds(_matured_at(contract, hidden)).to_numpy()[order],
    )


def _matured_at(contract: Contract, decisions: pa.Table) -> pa.ChunkedArray:
    maturity = dt.timedelta(days=contract.maturity_days)
    return pc.add(decisions.column("decided_at"), pa.scalar(maturity))


def _seconds(at: pa.ChunkedArray) -> pa.ChunkedArray:
    microseconds = pc.cast(pc.cast(at, pa.timestamp("us", "UTC")), "int64")
    return pc.divide(pc.cast(microseconds, "double", safe=False), 1e6)  # far years, too


def _digest(known: pa.Table, never_labelled: pa.Table) -> str:
    """Of both, or of what is known alone where there is no other, as before there was any."""
    if not never_labelled.num_rows:
        return digest_of(known)
    both = f"{digest_of(known)} {digest_of(never_labelled)}"
    return hashlib.sha256(both.encode()).hexdigest()
