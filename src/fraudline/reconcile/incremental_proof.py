"""The proof in increments: each time only what has become complete since the last time.

Each message is compared with its row once. A row that is added to what was already proved is
found by counting rows: whenever the proof has caught up, and every half minute.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fraudline import flows
from fraudline.contract import REPLAYED, Contract
from fraudline.reconcile.check_window import Window, check_window
from fraudline.reconcile.ledger import Ledger, PartitionLedger, example
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import read_range
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

_WINDOW_MESSAGES = 20_000
# A row may be visible a little later than its append was acknowledged.
_MISSING_FOR_GOOD_S = 10.0
_COUNT_EVERY_S = 30.0


@dataclass(frozen=True)
class ProofState:
    """What the proof has found so far.

    Attributes:
        cursors: The offset up to which each partition is proved.
        proved: How many messages that is in all.
        rejected: Rejects among them, by partition.
        wrong: How many disagreements there are, by partition.
        summary: What is wrong in words; empty if nothing is.
        examples: Some of it.
        is_counted: Whether rows were counted since the last message was proved.
    """

    cursors: dict[int, int] = field(default_factory=dict)
    proved: int = 0
    rejected: dict[int, int] = field(default_factory=dict)
    wrong: dict[int, int] = field(default_factory=dict)
    summary: str = ""
    examples: list[str] = field(default_factory=list)
    is_counted: bool = True


class IncrementalProof:
    """Proves ranges as they become complete.

    Args:
        kafka: Broker and topics.
        warehouse: Where the rows are.
        contract: What a transaction looks like.

    Attributes:
        state: What was found so far; replaced as a whole, so other threads may read it.
    """

    def __init__(self, kafka: KafkaSettings, warehouse: Warehouse, contract: Contract) -> None:
        self._kafka = kafka
        self._warehouse = warehouse
        self._contract = contract
        self._ledger = Ledger(kafka.topic(flows.TRANSACTIONS))
        self._entries: dict[int, PartitionLedger] = {}
        self._missing_since: dict[int, float] = {}
        self._counted_at = time.monotonic()
        self._more: dict[int, int] = {}
        self.state = ProofState()

    def advance(self, partition: int, stop: int) -> None:
        """Prove what is new in a partition, up to an offset before which all is stored.

        The first call for a partition only notes where to begin.

        Raises:
            BrokerError: the topic cannot be read.
            WarehouseError: BigQuery cannot be queried.
        """
        if partition not in self._entries:
            entry = PartitionLedger(partition, stop, stop)
            self._entries[partition] = entry
            self._ledger.partitions.append(entry)
            self._publish(is_counted=self.state.is_counted)
        entry = self._entries[partition]
        if entry.end_offset >= stop:
            return
        for first, end, messages in read_range(
            self._kafka, self._ledger.topic, partition, entry.end_offset, stop, _WINDOW_MESSAGES
        ):
            window = Window(self._ledger.topic, partition, first, end)
            found = check_window(self._warehouse, self._contract, window, messages)
            if found.counts.missing:
                since = self._missing_since.setdefault(partition, time.monotonic())
                if time.monotonic() - since < _MISSING_FOR_GOOD_S:
                    return  # and look again next time
            self._missing_since.pop(partition, None)
            entry.counts += found.counts
            entry.end_offset = end
            self._ledger.keep_examples(found.examples)
            self._publish(is_counted=False)

    def count_again(self) -> None:
        """Count the rows of what is proved, if that is due: none may have been added or removed.

        Raises:
            WarehouseError: BigQuery cannot be queried.
        """
        is_due = time.monotonic() - self._counted_at > _COUNT_EVERY_S
        proved = [one for one in self._entries.values() if one.end_offset > one.first_offset]
        if not proved or (self.state.is_counted and not is_due):
            return
        counts = _count(self._warehouse, self._ledger.topic, proved)
        for entry in proved:
            more = counts.get(entry.partition, 0) - entry.counts.decisions - entry.counts.rejects
            if more and not self._more.get(entry.partition):
                self._more[entry.partition] = more
                what = (
                    f"and the offsets up to {entry.end_offset - 1} have {abs(more):,} "
                    f"{'more' if more > 0 else 'fewer'} rows than when they were proved"
                )
                self._ledger.keep_examples([example(entry.partition, entry.first_offset, what)])
        self._counted_at = time.monotonic()
        self._publish(is_counted=True)

    def _publish(self, *, is_counted: bool) -> None:
        ledger, entries = self._ledger, self._entries.values()
        totals = ledger.totals
        wrong = {
            "missing": totals.missing,
            "doubled": totals.doubled,
            "differing": totals.differing,
            "unexpected": totals.unexpected,
            "added or removed later": sum(map(abs, self._more.values())),
        }
        self.state = ProofState(
            {entry.partition: entry.end_offset for entry in entries},
            totals.inputs,
            {entry.partition: entry.counts.rejects for entry in entries},
            {
                entry.partition: entry.counts.wrong + abs(self._more.get(entry.partition, 0))
                for entry in entries
            },
            ", ".join(f"{name} {count:,}" for name, count in wrong.items() if count),
            list(ledger.examples),
            is_counted,
        )


def _count(warehouse: Warehouse, topic: str, entries: list[PartitionLedger]) -> dict[int, int]:
    """Rows of decisions and rejects in the ranges of these entries, by partition."""
    ranges = " OR ".join(
        f"(source_partition = {entry.partition} AND source_offset >= {entry.first_offset} "
        f"AND source_offset < {entry.end_offset})"
        for entry in entries
    )
    settings = warehouse.settings
    tables = " UNION ALL ".join(
        f"SELECT source_partition FROM `{warehouse.table(table)}` "  # noqa: S608 - names come from the settings
        f"WHERE source_topic = @topic AND ({ranges}){condition}"
        for table, condition in (
            (settings.table(flows.DECISIONS), ""),
            (settings.table(flows.REJECTS), f" AND reason != '{REPLAYED}'"),
        )
    )
    rows = query(
        warehouse,
        f"SELECT source_partition, COUNT(*) AS n FROM ({tables}) GROUP BY source_partition",  # noqa: S608 - likewise
        [("topic", "STRING", topic)],
    )
    return {row["source_partition"]: row["n"] for row in rows.to_pylist()}
