"""The proof in increments: each time only what has become complete since the last time.

Each message is compared with its row once. Whether rows were added to what was proved, or taken
away from it, is asked whenever the proof has caught up, and every half minute, by a question whose
cost does not grow (`rows_beside`). Only if its answer is not the expected one are the rows of what
was proved counted by position; and each time twice as much is proved as at the last such count, so
that all counts together cost a small multiple of one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fraudline import flows
from fraudline.contract import Contract
from fraudline.reconcile.check_window import check_window
from fraudline.reconcile.ledger import Ledger, LedgerCounts, PartitionLedger
from fraudline.reconcile.recount import Recount, count_from, rows_beside
from fraudline.reconcile.sent_again import SentAgain
from fraudline.reconcile.stored_rows import RowTimes, Window
from fraudline.schemas import MessageForms
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.warehouse.client import Warehouse

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
        forms: As for `check_window`.

    Attributes:
        state: What was found so far; replaced as a whole, so other threads may read it.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        warehouse: Warehouse,
        contract: Contract,
        forms: MessageForms | None = None,
    ) -> None:
        self._forms = forms
        self._kafka = kafka
        self._warehouse = warehouse
        self._contract = contract
        self._ledger = Ledger(kafka.topic(flows.TRANSACTIONS))
        self._entries: dict[int, PartitionLedger] = {}
        self._times: dict[int, RowTimes] = {}
        self._sent_again: dict[int, SentAgain] = {}
        self._missing_since: dict[int, float] = {}
        self._counted_at = time.monotonic()
        self._recounted_rows = 0  # as many were proved at the last count by position
        self._rows_beside: int | None = None
        self._too_far = 0
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
            self._times[partition] = RowTimes()
            self._sent_again[partition] = SentAgain()
            self._publish(is_counted=self.state.is_counted)
        entry = self._entries[partition]
        if entry.end_offset >= stop:
            return
        for first, end, messages in read_range(
            self._kafka, self._ledger.topic, partition, entry.end_offset, stop, _WINDOW_MESSAGES
        ):
            window = Window(self._ledger.topic, partition, first, end)
            found = check_window(
                *(self._warehouse, self._contract, window, messages, self._times[partition]),
                forms=self._forms,
            )
            if found.counts.missing:
                since = self._missing_since.setdefault(partition, time.monotonic())
                if time.monotonic() - since < _MISSING_FOR_GOOD_S:
                    return  # and look again next time
            self._missing_since.pop(partition, None)
            entry.add(found.by_bucket())
            entry.end_offset = end
            false = self._sent_again[partition].check(window, messages, found.markers)
            entry.counts += LedgerCounts(unexpected=len(false))
            self._ledger.keep_examples(found.examples + false)
            self._publish(is_counted=False)

    def count_again(self, *, is_caught_up: bool = True) -> None:
        """Count the rows of what is proved, if that is due: none may have been added or removed.

        Args:
            is_caught_up: Whether nothing that is stored is left to be proved.

        Raises:
            BrokerError: the topic cannot be read.
            WarehouseError: BigQuery cannot be queried.
        """
        is_new = is_caught_up and not self.state.is_counted
        is_due = time.monotonic() - self._counted_at > _COUNT_EVERY_S
        if not self.state.proved or not (is_new or is_due):
            return
        beside, too_far = self._look_beside()
        rows = self._ledger.totals.rows
        is_changed = (beside, too_far) != (self._rows_beside, self._too_far)
        if is_changed or rows >= 2 * self._recounted_rows:
            Recount(
                *(self._kafka, self._warehouse, self._contract, self._ledger), forms=self._forms
            ).run()
            self._recounted_rows = rows
            # Rows that were found now count as checked, and no longer as beside it.
            self._rows_beside = beside - (self._ledger.totals.rows - rows)
            self._too_far = too_far
        self._counted_at = time.monotonic()
        self._publish(is_counted=is_caught_up or self.state.is_counted)

    def _look_beside(self) -> tuple[int, int]:
        """How many rows are neither proved nor still to be proved.

        And how many pass for rows that are still to be proved, and are beyond the topic's end.
        """
        sinces = [times.since for times in self._times.values()]
        known = [since for since in sinces if since is not None]
        since = min(known) if known else None
        found = rows_beside(self._warehouse, self._ledger, since)
        ahead = {key: offset for key, offset in found.farthest.items() if offset is not None}
        ends = offset_ranges(self._kafka, self._ledger.topic) if ahead else {}
        passed = {
            key: ends[key][1]
            for key, offset in ahead.items()
            if key in ends and offset >= ends[key][1]
        }
        too_far = count_from(self._warehouse, self._ledger.topic, passed)
        return found.count - self._ledger.totals.rows, too_far

    def _publish(self, *, is_counted: bool) -> None:
        ledger, entries = self._ledger, self._entries.values()
        totals = ledger.totals
        wrong = {
            "missing": totals.missing,
            "doubled": totals.doubled,
            "differing": totals.differing,
            "unexpected": totals.unexpected,
        }
        self.state = ProofState(
            {entry.partition: entry.end_offset for entry in entries},
            totals.inputs,
            {entry.partition: entry.counts.rejects for entry in entries},
            {entry.partition: entry.counts.wrong for entry in entries},
            ", ".join(f"{name} {count:,}" for name, count in wrong.items() if count),
            list(ledger.examples),
            is_counted,
        )
