"""Every message of the input topic against the rows that BigQuery holds for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from fraudline import flows
from fraudline.contract import REPLAYED, Contract
from fraudline.contract.columns import MAX_OFFSET
from fraudline.reconcile.check_window import check_window
from fraudline.reconcile.decided import DecidedOffsets
from fraudline.reconcile.ledger import Ledger, LedgerCounts, PartitionLedger
from fraudline.reconcile.recount import Recount
from fraudline.reconcile.sent_again import SentAgain
from fraudline.reconcile.stored_rows import RowTimes, Window
from fraudline.schemas import MessageForms
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.warehouse.client import Warehouse

WINDOW_MESSAGES = 50_000
_LOOK_AGAIN_S = 2.0


def reconcile(
    kafka: KafkaSettings,
    warehouse: Warehouse,
    contract: Contract,
    forms: MessageForms | None = None,
) -> Ledger:
    """Check offset by offset, value by value, what became of every message.

    The topic is read as it is now, from the first message that it still holds. Each message
    is decoded again and compared, column by column, with its row; for a reject, the original
    bytes are compared. Then all rows are counted by position, which finds those that stand where
    none is looked for. Rows of a former topic of the same name are told from those of this one.
    Memory is bounded by `WINDOW_MESSAGES`.

    Args:
        kafka: Broker and topics.
        warehouse: Where the rows are.
        contract: What a transaction looks like.
        forms: Makes JSON of messages in other forms, where there is a schema registry.

    Raises:
        SchemaRegistryError: a schema of the messages could not be asked for.
        BrokerError: the broker does not answer, or the topic was made anew meanwhile.
        WarehouseError: BigQuery cannot be queried.
    """
    ledger = Ledger(kafka.topic(flows.TRANSACTIONS))
    markers: dict[int, SentAgain] = {}
    decided = DecidedOffsets(kafka, ledger.topic)
    for partition, (start, stop) in offset_ranges(kafka, ledger.topic).items():
        entry = PartitionLedger(partition, start, stop)
        ledger.partitions.append(entry)
        sent_again = markers[partition] = SentAgain()
        times = RowTimes()
        for first, end, messages in read_range(
            kafka, ledger.topic, partition, start, stop, WINDOW_MESSAGES
        ):
            window = Window(ledger.topic, partition, first, end)
            found = check_window(warehouse, contract, window, messages, times, decided, forms)
            entry.add(found.by_bucket())
            ledger.keep_examples(found.examples)
            _put_false(ledger, entry, sent_again.check(window, messages, found.markers))
    Recount(kafka, warehouse, contract, ledger, decided, forms).run()
    ends = offset_ranges(kafka, ledger.topic)
    for entry in ledger.partitions:
        _, end = ends[entry.partition]
        _put_false(ledger, entry, markers[entry.partition].left(entry.partition, end))
    decided.require_same_topic()
    ledger.notes = decided.notes()
    return ledger


def _put_false(ledger: Ledger, entry: PartitionLedger, markers: list[str]) -> None:
    """Count false markers that a message was sent again, each given in words."""
    entry.counts += LedgerCounts(unexpected=len(markers))
    ledger.keep_examples(markers)


def reconcile_when_complete(
    kafka: KafkaSettings,
    warehouse: Warehouse,
    contract: Contract,
    forms: MessageForms | None = None,
    *,
    wait_s: float,
    on_wait: Callable[[int], None],
) -> Ledger:
    """Check again while something is missing, since it may still be on its way.

    Args:
        kafka: As for `reconcile`.
        warehouse: As for `reconcile`.
        contract: As for `reconcile`.
        forms: As for `reconcile`.
        wait_s: After this many seconds the ledger is given as it is.
        on_wait: Called before each wait with how many messages are missing.
    """
    deadline = time.monotonic() + wait_s
    while True:
        ledger = reconcile(kafka, warehouse, contract, forms)
        if ledger.is_complete or time.monotonic() >= deadline:
            return ledger
        on_wait(ledger.totals.missing)
        time.sleep(min(_LOOK_AGAIN_S, max(0.0, deadline - time.monotonic())))


def ledger_sql(kafka: KafkaSettings, warehouse: Warehouse) -> str:
    """SQL that counts the same from the tables alone.

    It cannot see what was lost before the first or after the last row, nor a value that was
    altered: for that the topic itself has to be read, as `reconcile` does. Offsets are
    consecutive unless a producer uses transactions, so with a plain producer `without_row` is
    the number of lost messages between the first and the last row. Each transaction takes one
    more offset for its end, including those of a replay of rejects. Rows whose offset no topic can
    reach are `impossible`, and count nowhere else.
    """
    topic = kafka.topic(flows.TRANSACTIONS)
    decisions, rejects = (
        warehouse.table(warehouse.settings.table(flow)) for flow in (flows.DECISIONS, flows.REJECTS)
    )
    return f"""\
WITH stored AS (
  SELECT source_partition, source_offset, 'decision' AS kind
  FROM `{decisions}` WHERE source_topic = '{topic}'
  UNION ALL
  SELECT source_partition, source_offset, 'reject' AS kind
  FROM `{rejects}` WHERE source_topic = '{topic}'
    AND reason != '{REPLAYED}'  -- a marker: the rejected message was sent again
), placed AS (
  SELECT source_partition, kind,
    IF(source_offset BETWEEN 0 AND {MAX_OFFSET}, source_offset, NULL) AS place
  FROM stored
)
SELECT
  source_partition AS `partition`,
  COUNTIF(kind = 'decision' AND place IS NOT NULL) AS decisions,
  COUNTIF(kind = 'reject' AND place IS NOT NULL) AS rejects,
  IFNULL(MAX(place) - MIN(place) + 1, 0) - COUNT(DISTINCT place) AS without_row,
  COUNT(place) - COUNT(DISTINCT place) AS doubled,
  COUNTIF(place IS NULL) AS impossible
FROM placed
GROUP BY source_partition
ORDER BY source_partition"""  # noqa: S608 - names come from the settings
