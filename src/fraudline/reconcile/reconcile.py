"""Every message of the input topic against the rows that BigQuery holds for it."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraudline import flows
from fraudline.contract import REPLAYED, Contract, Decoder, Messages, usable_key
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES, NOT_IN_THE_MESSAGE
from fraudline.reconcile.ledger import Ledger, PartitionLedger
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

WINDOW_MESSAGES = 50_000
NO_MESSAGE = "stored, but there is no such message"
DIFFERS = "the row is not what the message says"
REJECTED_BUT_GOOD = (
    "rejected, though it can be decoded; if the contract was mended since, `fraudline rejects "
    "replay` sends it again"
)
_NO_END = 2**63 - 1
_LOOK_AGAIN_S = 2.0

Offsets = npt.NDArray[np.int64]


def reconcile(kafka: KafkaSettings, warehouse: Warehouse, contract: Contract) -> Ledger:
    """Check offset by offset, value by value, what became of every message.

    The topic is read as it is now, from the first message that it still holds. Each message
    is decoded anew and compared, column by column, with its row; of a reject the original
    bytes are compared. Memory is bounded by `WINDOW_MESSAGES`.
    """
    ledger = Ledger(kafka.topic(flows.TRANSACTIONS))
    for partition, (start, stop) in offset_ranges(kafka, kafka.topic(flows.TRANSACTIONS)).items():
        entry = PartitionLedger(partition, start, stop)
        ledger.partitions.append(entry)
        for first, end, messages in read_range(
            kafka, kafka.topic(flows.TRANSACTIONS), partition, start, stop, WINDOW_MESSAGES
        ):
            check_window(ledger, entry, warehouse, contract, (first, end), messages)
        _check_beyond(ledger, entry, kafka, warehouse)
    return ledger


def reconcile_when_complete(
    kafka: KafkaSettings,
    warehouse: Warehouse,
    contract: Contract,
    *,
    wait_s: float,
    on_wait: Callable[[int], None],
) -> Ledger:
    """Check again while something is missing, since it may still be on its way.

    Args:
        kafka: As for `reconcile`.
        warehouse: As for `reconcile`.
        contract: As for `reconcile`.
        wait_s: After so many seconds the ledger is given as it is.
        on_wait: Told how many are missing, before each wait.
    """
    deadline = time.monotonic() + wait_s
    while True:
        ledger = reconcile(kafka, warehouse, contract)
        if ledger.is_complete or time.monotonic() >= deadline:
            return ledger
        on_wait(ledger.total("missing"))
        time.sleep(min(_LOOK_AGAIN_S, max(0.0, deadline - time.monotonic())))


def ledger_sql(kafka: KafkaSettings, warehouse: Warehouse) -> str:
    """SQL that counts the same from the tables alone.

    It cannot see what was lost before the first or after the last row, nor a value that was
    altered: for that the topic itself has to be read, as `reconcile` does. Offsets follow
    upon each other unless a producer uses transactions, so with a plain producer
    `without_row` is the number of lost messages between the first and the last row. A
    transaction takes one more offset for its end, and so does each one of a replay of rejects.
    """
    decisions, rejects = (
        warehouse.table(name)
        for name in (
            warehouse.settings.table(flows.DECISIONS),
            warehouse.settings.table(flows.REJECTS),
        )
    )
    return f"""\
WITH stored AS (
  SELECT source_partition, source_offset, 'decision' AS kind
  FROM `{decisions}` WHERE source_topic = '{kafka.topic(flows.TRANSACTIONS)}'
  UNION ALL
  SELECT source_partition, source_offset, 'reject' AS kind
  FROM `{rejects}` WHERE source_topic = '{kafka.topic(flows.TRANSACTIONS)}'
    AND reason != '{REPLAYED}'  -- which marks a reject whose message was sent again
)
SELECT
  source_partition AS `partition`,
  COUNTIF(kind = 'decision') AS decisions,
  COUNTIF(kind = 'reject') AS rejects,
  MAX(source_offset) - MIN(source_offset) + 1 - COUNT(DISTINCT source_offset) AS without_row,
  COUNT(*) - COUNT(DISTINCT source_offset) AS doubled
FROM stored
GROUP BY source_partition
ORDER BY source_partition"""  # noqa: S608 - names come from the settings


def check_window(
    ledger: Ledger,
    entry: PartitionLedger,
    warehouse: Warehouse,
    contract: Contract,
    window: tuple[int, int],
    messages: Messages,
) -> None:
    """Compare the messages of a range of offsets with the rows that BigQuery holds for it.

    Args:
        ledger: Is given examples of what is wrong.
        entry: The partition; its counts grow.
        warehouse: Where the rows are.
        contract: What a transaction looks like.
        window: First offset, and the one after the last.
        messages: All messages between.
    """
    names = [column.name for column in contract.transaction_columns]
    settings = warehouse.settings
    decisions = _stored(
        warehouse, settings.table(flows.DECISIONS), names, ledger.topic, entry, window
    )
    rejects, markers = _split(
        _stored(
            warehouse,
            settings.table(flows.REJECTS),
            ["original", "original_key", "reason"],
            ledger.topic,
            entry,
            window,
        )
    )
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    decided_at_offsets, rejected_at_offsets = _offsets(decisions), _offsets(rejects)
    stored = np.concatenate([decided_at_offsets, rejected_at_offsets])
    found, counts = np.unique(stored, return_counts=True)
    sent_again, times = np.unique(_offsets(markers), return_counts=True)

    entry.inputs += len(offsets)
    entry.decisions += len(decided_at_offsets)
    entry.rejects += len(rejected_at_offsets)
    entry.sent_again += len(sent_again)
    for name, faulty, what in (
        ("missing", np.setdiff1d(offsets, found), "neither decided nor rejected"),
        ("doubled", found[counts > 1], "stored more than once"),
        ("doubled", sent_again[times > 1], "rejected, and sent again more than once"),
        ("unexpected", np.setdiff1d(found, offsets), NO_MESSAGE),
    ):
        setattr(entry, name, getattr(entry, name) + len(faulty))
        for offset in faulty:
            ledger.note(entry.partition, int(offset), what)

    expected_decisions, expected_rejects = _expected(contract, messages, rejects, sent_again)
    for expected, found_rows, other, what in (
        (expected_decisions, decisions, rejected_at_offsets, REJECTED_BUT_GOOD),
        (expected_rejects, rejects, decided_at_offsets, DIFFERS),
    ):
        wrong_kind = np.intersect1d(_offsets(expected), other)
        differing = np.setdiff1d(_differing(expected, found_rows), wrong_kind)
        entry.differing += len(wrong_kind) + len(differing)
        for offset in wrong_kind:
            ledger.note(entry.partition, int(offset), what)
        for offset in differing:
            ledger.note(entry.partition, int(offset), DIFFERS)


def _expected(
    contract: Contract, messages: Messages, rejects: pa.Table, sent_again: Offsets
) -> tuple[pa.Table, pa.Table]:
    """What the messages say themselves: the transactions, and the bytes of the rejects.

    A message that can be decoded may be a reject all the same: if only the model or an
    earlier message could tell, or if it was sent again after the contract had been mended.
    """
    offsets: Offsets = np.asarray(messages.offsets, dtype=np.int64)
    transactions, accepted, refused = Decoder(contract.transaction_columns).decode(messages.values)
    rows: Offsets = np.asarray(accepted, dtype=np.int64)
    unseen = pc.is_in(rejects["reason"], pa.array(sorted(NOT_IN_THE_MESSAGE)))
    may_be_reject = np.isin(offsets[rows], _offsets(rejects.filter(unseen)))
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


def _check_beyond(
    ledger: Ledger, entry: PartitionLedger, kafka: KafkaSettings, warehouse: Warehouse
) -> None:
    """Find rows for offsets that the topic has not reached, by its end after the rows were read."""
    beyond = [
        offset
        for table in (
            warehouse.settings.table(flows.DECISIONS),
            warehouse.settings.table(flows.REJECTS),
        )
        for offset in _offsets(
            _stored(warehouse, table, [], ledger.topic, entry, (entry.end_offset, _NO_END))
        ).tolist()
    ]
    if not beyond:
        return
    _, end = offset_ranges(kafka, ledger.topic)[entry.partition]
    for offset in beyond:
        if offset >= end:
            entry.unexpected += 1
            ledger.note(entry.partition, offset, NO_MESSAGE)


def _stored(
    warehouse: Warehouse,
    table: str,
    columns: list[str],
    topic: str,
    entry: PartitionLedger,
    window: tuple[int, int],
) -> pa.Table:
    selected = ", ".join(f"`{name}`" for name in [*columns, "source_offset"])
    return query(
        warehouse,
        f"SELECT {selected} FROM `{warehouse.table(table)}` "  # noqa: S608 - names come from settings and a checked contract
        "WHERE source_topic = @topic AND source_partition = @partition "
        "AND source_offset >= @first AND source_offset < @end",
        [
            ("topic", "STRING", topic),
            ("partition", "INT64", entry.partition),
            ("first", "INT64", window[0]),
            ("end", "INT64", window[1]),
        ],
    )


def _offsets(rows: pa.Table) -> Offsets:
    return np.asarray(rows.column("source_offset"), dtype=np.int64)


def _differing(expected: pa.Table, found: pa.Table) -> Offsets:
    """Offsets in both tables at which a value differs."""
    first_of: dict[int, int] = {}
    for row, offset in enumerate(_offsets(found).tolist()):
        first_of.setdefault(offset, row)
    pairs = [
        (row, first_of[offset])
        for row, offset in enumerate(_offsets(expected).tolist())
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
    return _offsets(left)[~is_equal]
