"""One range of offsets: its messages against the rows that BigQuery holds for them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import REPLAYED, Contract, Decoder, Messages, RejectReason, usable_key
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES
from fraudline.reconcile.ledger import LedgerCounts, example
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

NO_MESSAGE = "stored, but there is no such message"
_LOST = "neither decided nor rejected"
_STORED_TWICE = "stored more than once"
_SENT_AGAIN_TWICE = "rejected, and sent again more than once"
_DIFFERS = "the row does not say what the message says"
_REJECTED_BUT_GOOD = (
    "rejected, though it can be decoded; if the contract was changed since, `fraudline rejects "
    "replay` sends it again"
)

Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Window:
    """A range of offsets of a partition of the input topic.

    Attributes:
        topic: The topic.
        partition: The partition.
        first: The first offset.
        end: The one after the last.
    """

    topic: str
    partition: int
    first: int
    end: int


@dataclass
class WindowFindings:
    """What was found in a window.

    Attributes:
        counts: How much of what.
        examples: Each disagreement in words.
    """

    counts: LedgerCounts
    examples: list[str] = field(default_factory=list)


def check_window(
    warehouse: Warehouse, contract: Contract, window: Window, messages: Messages
) -> WindowFindings:
    """Compare the messages of a range of offsets with the rows that BigQuery holds for it.

    Args:
        warehouse: Where the rows are.
        contract: What a transaction looks like.
        window: Which offsets.
        messages: All messages of the window.

    Raises:
        WarehouseError: BigQuery cannot be queried.
    """
    settings = warehouse.settings
    names = [column.name for column in contract.transaction_columns]
    decisions = stored_rows(warehouse, settings.table(flows.DECISIONS), names, window)
    rejects, markers = _split(
        stored_rows(
            warehouse, settings.table(flows.REJECTS), ["original", "original_key", "reason"], window
        )
    )
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    decided_at, rejected_at = offsets_of(decisions), offsets_of(rejects)
    found, counts = np.unique(np.concatenate([decided_at, rejected_at]), return_counts=True)
    sent_again, times = np.unique(offsets_of(markers), return_counts=True)
    missing, unexpected = np.setdiff1d(offsets, found), np.setdiff1d(found, offsets)
    stored_twice, sent_again_twice = found[counts > 1], sent_again[times > 1]

    sent, originals = _expected(contract, messages, rejects, sent_again)
    rejected_but_good = np.intersect1d(offsets_of(sent), rejected_at)
    decided_but_bad = np.intersect1d(offsets_of(originals), decided_at)
    differing = np.concatenate(
        [
            np.setdiff1d(_differing(sent, decisions), rejected_but_good),
            decided_but_bad,
            np.setdiff1d(_differing(originals, rejects), decided_but_bad),
        ]
    )
    return WindowFindings(
        LedgerCounts(
            inputs=len(offsets),
            decisions=len(decided_at),
            rejects=len(rejected_at),
            sent_again=len(sent_again),
            missing=len(missing),
            doubled=len(stored_twice) + len(sent_again_twice),
            differing=len(rejected_but_good) + len(differing),
            unexpected=len(unexpected),
        ),
        [
            example(window.partition, offset, what)
            for faulty, what in (
                (missing, _LOST),
                (stored_twice, _STORED_TWICE),
                (sent_again_twice, _SENT_AGAIN_TWICE),
                (unexpected, NO_MESSAGE),
                (rejected_but_good, _REJECTED_BUT_GOOD),
                (differing, _DIFFERS),
            )
            for offset in faulty.tolist()
        ],
    )


def stored_rows(warehouse: Warehouse, table: str, columns: list[str], window: Window) -> pa.Table:
    """The rows of a table that stem from a window: these columns, and `source_offset`."""
    selected = ", ".join(f"`{name}`" for name in [*columns, "source_offset"])
    return query(
        warehouse,
        f"SELECT {selected} FROM `{warehouse.table(table)}` "  # noqa: S608 - names come from settings and a checked contract
        "WHERE source_topic = @topic AND source_partition = @partition "
        "AND source_offset >= @first AND source_offset < @end",
        [
            ("topic", "STRING", window.topic),
            ("partition", "INT64", window.partition),
            ("first", "INT64", window.first),
            ("end", "INT64", window.end),
        ],
    )


def offsets_of(rows: pa.Table) -> Offsets:
    """Which messages the rows stem from."""
    return np.asarray(rows.column("source_offset"), dtype=np.int64)


def _expected(
    contract: Contract, messages: Messages, rejects: pa.Table, sent_again: Offsets
) -> tuple[pa.Table, pa.Table]:
    """What the messages themselves say: the transactions, and the bytes of the rejects.

    A message that can be decoded may still be a reject: if only the model or an earlier message
    showed its fault, or if it was sent again after the contract had been changed.
    """
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    transactions, accepted, refused = Decoder(contract.transaction_columns).decode(messages.values)
    rows: Offsets = np.asarray(accepted, dtype=np.int64)
    not_in_message = [reason.value for reason in RejectReason if not reason.is_in_message]
    unseen = pc.is_in(rejects["reason"], pa.array(not_in_message, pa.string()))
    may_be_reject = np.isin(offsets[rows], offsets_of(rejects.filter(unseen)))
    may_be_reject |= np.isin(offsets[rows], sent_again)
    sent = pa.Table.from_batches([transactions]).append_column(
        "source_offset", pa.array(offsets[rows], pa.int64())
    )
    indices = [*(reject.index for reject in refused), *rows[may_be_reject].tolist()]
    originals = pa.table(
        {
            "original": pa.array(
                [(messages.values[index] or b"")[:MAX_ORIGINAL_BYTES] for index in indices],
                pa.binary(),
            ),
            "original_key": pa.array(
                [usable_key(messages.keys[index]) for index in indices], pa.binary()
            ),
            "source_offset": pa.array(offsets[indices], pa.int64()),
        }
    )
    return sent.filter(pa.array(~may_be_reject)), originals


def _split(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rejects, and the markers of those whose message was sent again."""
    is_marker = pc.equal(rows["reason"], REPLAYED)
    return rows.filter(pc.invert(is_marker)), rows.filter(is_marker)


def _differing(expected: pa.Table, found: pa.Table) -> Offsets:
    """Offsets in both tables at which a value differs."""
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
