"""One range of offsets: its messages against the rows that BigQuery holds for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import REPLAYED, Contract, Messages, RejectReason, usable_key
from fraudline.contract.ids import are_blank
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES
from fraudline.reconcile.decided import DecidedOffsets
from fraudline.reconcile.ledger import LedgerCounts, example
from fraudline.reconcile.stored_rows import (
    Offsets,
    RowTimes,
    TimeBounds,
    Window,
    made_at_us,
    offsets_of,
    stored_rows,
)
from fraudline.schemas import MessageForms
from fraudline.warehouse.client import Warehouse

BUCKET_OFFSETS = 50_000
"""Rows that were proved are counted again by pieces of so many offsets."""

NO_MESSAGE = "stored, but there is no such message"
_OF_ANOTHER = "stored, but not decided in the topic as it is now"
_LOST = "neither decided nor rejected"
_STORED_TWICE = "stored more than once"
_SENT_AGAIN_TWICE = "rejected, and sent again more than once"
_DIFFERS = "the row does not say what the message says"
_REJECTED_BUT_GOOD = (
    "rejected, though it can be decoded; if the contract was changed since, `fraudline rejects "
    "replay` sends it again"
)


@dataclass
class WindowFindings:
    """What was found in a window.

    Attributes:
        at: The offsets of what was counted, by the attribute of `LedgerCounts` that counts it.
        markers: Markers of messages that were sent again.
        examples: Each disagreement in words.
    """

    at: dict[str, Offsets]
    markers: pa.Table
    examples: list[str] = field(default_factory=list)

    @property
    def counts(self) -> LedgerCounts:
        """How much of what."""
        return LedgerCounts(**{kind: len(offsets) for kind, offsets in self.at.items()})

    def by_bucket(self) -> dict[int, LedgerCounts]:
        """How much of what, by pieces of `BUCKET_OFFSETS` offsets."""
        buckets = {kind: offsets // BUCKET_OFFSETS for kind, offsets in self.at.items()}
        return {
            bucket: LedgerCounts(
                **{kind: int((found == bucket).sum()) for kind, found in buckets.items()}
            )
            for bucket in np.unique(np.concatenate(list(buckets.values()))).tolist()
        }


@dataclass(frozen=True)
class _Stored:
    """The rows of a window: decisions, rejects, and markers of what was sent again."""

    decisions: pa.Table
    rejects: pa.Table
    markers: pa.Table

    @property
    def offsets(self) -> Offsets:
        """Which messages have a decision or a reject."""
        return np.concatenate([offsets_of(self.decisions), offsets_of(self.rejects)])

    def split(self, end: int) -> tuple[_Stored, Offsets]:
        """Those before an offset, and the offsets of the others, each once."""
        tables = (self.decisions, self.rejects, self.markers)
        before = _Stored(*(rows.filter(pc.less(rows["source_offset"], end)) for rows in tables))
        offsets = np.concatenate([offsets_of(rows) for rows in tables])
        return before, np.unique(offsets[offsets >= end])


def check_window(
    warehouse: Warehouse,
    contract: Contract,
    window: Window,
    messages: Messages,
    times: RowTimes | None = None,
    decided: DecidedOffsets | None = None,
    forms: MessageForms | None = None,
) -> WindowFindings:
    """Compare the messages of a range of offsets with the rows that BigQuery holds for it.

    Args:
        warehouse: Where the rows are.
        contract: What a transaction looks like.
        window: Which offsets.
        messages: All messages of the window.
        times: When its rows were probably made, which makes them cheap to find; it learns from
            them. What stands beside a message's decision, and was made at another time, is only
            found without.
        decided: How far the topic is decided, if it is not known that all of the window is: rows
            from there on are of none of its messages.
        forms: Makes JSON of messages in other forms, where there is a schema registry.

    Raises:
        WarehouseError: BigQuery cannot be queried.
        BrokerError: how far the topic is decided could not be learnt.
        SchemaRegistryError: a schema of the messages could not be asked for.
    """
    messages = messages if forms is None else forms.translate(messages)
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    bounds = None if times is None else times.bounds(messages)
    stored = _stored(warehouse, contract, window, bounds)
    if bounds is not None and len(np.setdiff1d(offsets, stored.offsets)):
        stored = _stored(warehouse, contract, window, None)  # made when nobody would have thought
    of_another: Offsets = np.empty(0, dtype=np.int64)
    if decided is not None and (len(stored.offsets) or stored.markers.num_rows):
        stored, of_another = stored.split(decided.end(window.partition, window.end))
        if len(of_another):
            decided.refuse(window.partition)
    if times is not None:
        times.learn(made_at_us(stored.decisions) + made_at_us(stored.rejects))
    decisions, rejects = stored.decisions, stored.rejects
    decided_at, rejected_at = offsets_of(decisions), offsets_of(rejects)
    found, counts = np.unique(stored.offsets, return_counts=True)
    marked = offsets_of(stored.markers)
    sent_again, times_sent = np.unique(marked, return_counts=True)
    missing = np.setdiff1d(offsets, found)
    unexpected = np.setdiff1d(np.concatenate([found, sent_again]), offsets)
    stored_twice, sent_again_twice = found[counts > 1], sent_again[times_sent > 1]

    sent, originals = _expected(contract, messages, rejects, sent_again)
    rejected_but_good = np.intersect1d(offsets_of(sent), rejected_at)
    decided_but_bad = np.intersect1d(offsets_of(originals), decided_at)
    differ = np.concatenate(
        [
            np.setdiff1d(differing(sent, decisions), rejected_but_good),
            decided_but_bad,
            np.setdiff1d(differing(originals, rejects), decided_but_bad),
        ]
    )
    return WindowFindings(
        {
            "inputs": offsets,
            "decisions": decided_at,
            "rejects": rejected_at,
            "places": found,
            "sent_again": sent_again,
            "unseen": offsets_of(rejects.filter(_is_unseen(rejects))),
            "missing": missing,
            "doubled": np.concatenate([stored_twice, sent_again_twice]),
            "differing": np.concatenate([rejected_but_good, differ]),
            "unexpected": np.concatenate([unexpected, of_another]),
        },
        stored.markers,
        [
            example(window.partition, offset, what)
            for faulty, what in (
                (missing, _LOST),
                (stored_twice, _STORED_TWICE),
                (sent_again_twice, _SENT_AGAIN_TWICE),
                (of_another, _OF_ANOTHER),
                (unexpected, NO_MESSAGE),
                (rejected_but_good, _REJECTED_BUT_GOOD),
                (differ, _DIFFERS),
            )
            for offset in faulty.tolist()
        ],
    )


def _stored(
    warehouse: Warehouse, contract: Contract, window: Window, bounds: TimeBounds | None
) -> _Stored:
    names = [column.name for column in contract.transaction_columns]
    decisions = stored_rows(warehouse, flows.DECISIONS, names, window, bounds)
    names = ["original", "original_key", "reason", "message"]
    rows = stored_rows(warehouse, flows.REJECTS, names, window, bounds)
    if bounds is not None and rows.num_rows:  # a marker may follow its reject by months
        rows = stored_rows(warehouse, flows.REJECTS, names, window, None)
    is_marker = pc.equal(rows["reason"], REPLAYED)
    return _Stored(decisions, rows.filter(pc.invert(is_marker)), rows.filter(is_marker))


def _is_unseen(rejects: pa.Table) -> pa.Array:
    """Which rejects have a reason that the message itself does not show."""
    reasons = [reason.value for reason in RejectReason if not reason.is_in_message]
    return pc.is_in(rejects["reason"], pa.array(reasons, pa.string()))


def _expected(
    contract: Contract, messages: Messages, rejects: pa.Table, sent_again: Offsets
) -> tuple[pa.Table, pa.Table]:
    """What the messages themselves say: the transactions, and the bytes of the rejects.

    A message that can be decoded may still be a reject: if only the model or an earlier message
    showed its fault, if its id is empty, or if it was sent again after the contract had been
    changed.
    """
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    decoder = contract.decoder(looks_at_id=False)
    transactions, accepted, refused = decoder.decode(messages.values)
    rows: Offsets = np.asarray(accepted, dtype=np.int64)
    unseen = offsets_of(rejects.filter(_is_unseen(rejects)))
    may_be_reject = np.isin(offsets[rows], unseen)
    may_be_reject |= np.isin(offsets[rows], sent_again)
    for name in contract.id_columns:  # earlier releases decided the first that came without one
        without_id = are_blank(transactions[name]).to_numpy(zero_copy_only=False)
        may_be_reject |= without_id & np.isin(offsets[rows], offsets_of(rejects))
    sent = pa.Table.from_batches([transactions]).append_column(
        "source_offset", pa.array(offsets[rows], pa.int64())
    )
    indices = [*(reject.index for reject in refused), *rows[may_be_reject].tolist()]
    originals = pa.table(
        {
            "original": pa.array(
                [(messages.original(index) or b"")[:MAX_ORIGINAL_BYTES] for index in indices],
                pa.binary(),
            ),
            "original_key": pa.array(
                [usable_key(messages.keys[index]) for index in indices], pa.binary()
            ),
            "source_offset": pa.array(offsets[indices], pa.int64()),
        }
    )
    return sent.filter(pa.array(~may_be_reject)), originals


def differing(expected: pa.Table, found: pa.Table) -> Offsets:
    """Offsets in both tables at which a value of the first one's columns differs."""
    first_of: dict[int, int] = {}
    for row, offset in enumerate(offsets_of(found).tolist()):
        first_of.setdefault(offset, row)
    pairs = [
        (row, first_of[offset])
        for row, offset in enumerate(offsets_of(expected).tolist())
        if offset in first_of
    ]
    if not pairs:
        return np.empty(0, dtype=np.int64)
    left = expected.take([row for row, _ in pairs])
    right = found.take([row for _, row in pairs])
    is_equal = np.ones(len(pairs), dtype=bool)
    for name in expected.column_names:
        sent, stored = left.column(name), right.column(name).cast(left.schema.field(name).type)
        equal = pc.or_(
            pc.fill_null(pc.equal(sent, stored), False),
            pc.and_(pc.is_null(sent), pc.is_null(stored)),
        )
        is_equal &= equal.to_numpy()
    return offsets_of(left)[~is_equal]
