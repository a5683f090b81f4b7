"""Every message of the input topic against the rows that BigQuery holds for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from fraudline import flows
from fraudline.contract import REPLAYED, Contract
from fraudline.reconcile.check_window import (
    NO_MESSAGE,
    Window,
    check_window,
    offsets_of,
    stored_rows,
)
from fraudline.reconcile.ledger import Ledger, LedgerCounts, PartitionLedger, example
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.warehouse.client import Warehouse

WINDOW_MESSAGES = 50_000
_NO_END = 2**63 - 1
_LOOK_AGAIN_S = 2.0


def reconcile(kafka: KafkaSettings, warehouse: Warehouse, contract: Contract) -> Ledger:
    """Check offset by offset, value by value, what became of every message.

    The topic is read as it is now, from the first message that it still holds. Each message
    is decoded again and compared, column by column, with its row; for a reject, the original
    bytes are compared. Memory is bounded by `WINDOW_MESSAGES`.
    """
    ledger = Ledger(kafka.topic(flows.TRANSACTIONS))
    for partition, (start, stop) in offset_ranges(kafka, ledger.topic).items():
        entry = PartitionLedger(partition, start, stop)
        ledger.partitions.append(entry)
        for first, end, messages in read_range(
            kafka, ledger.topic, partition, start, stop, WINDOW_MESSAGES
        ):
            window = Window(ledger.topic, partition, first, end)
            found = check_window(warehouse, contract, window, messages)
            entry.counts += found.counts
            ledger.keep_examples(found.examples)
        beyond = _rows_beyond(kafka, warehouse, Window(ledger.topic, partition, stop, _NO_END))
        entry.counts += LedgerCounts(unexpected=len(beyond))
        ledger.keep_examples(example(partition, offset, NO_MESSAGE) for offset in beyond)
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
        wait_s: After this many seconds the ledger is given as it is.
        on_wait: Called before each wait with how many messages are missing.
    """
    deadline = time.monotonic() + wait_s
    while True:
        ledger = reconcile(kafka, warehouse, contract)
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
    more offset for its end, including those of a replay of rejects.
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


def _rows_beyond(kafka: KafkaSettings, warehouse: Warehouse, window: Window) -> list[int]:
    """Offsets of rows past the end of the topic, which is asked for after the rows."""
    offsets = [
        offset
        for flow in (flows.DECISIONS, flows.REJECTS)
        for offset in offsets_of(
            stored_rows(warehouse, warehouse.settings.table(flow), [], window)
        ).tolist()
    ]
    if not offsets:
        return []
    _, end = offset_ranges(kafka, window.topic)[window.partition]
    return [offset for offset in offsets if offset >= end]
