"""The exactly-once loop from the topic of transactions to decisions and rejects.

One Kafka transaction holds the outcomes of a batch and the offsets after it. A process
that dies leaves a transaction that the broker aborts; readers of committed messages never
see it, and the next owner of the partition begins where the last whole batch ended.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import Counter
from collections.abc import Callable

from confluent_kafka import TopicPartition

from fraudline.contract import Messages
from fraudline.scoring import Outcome
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import partition_counts, require_as_many_partitions
from fraudline.stream.intake import (
    WAIT_S,
    Intake,
    Partitions,
    columns_of,
    group_consumer,
    next_offsets,
)
from fraudline.stream.progress import Progress
from fraudline.stream.recall import Recall
from fraudline.stream.session import persist
from fraudline.stream.transaction import Record, Transactions

# Decided at once: enough to share the cost of a call, few enough to stay in the cache.
_PIECE_ROWS = 500
# A broker aborts a transaction that takes longer than transaction.timeout.ms.
_LONGEST_S = 1.0

Decide = Callable[[Messages, dt.datetime], list[Outcome]]


def score_loop(
    kafka: KafkaSettings,
    decide: Decide,
    *,
    batch_rows: int,
    stop: threading.Event,
    progress: Progress,
    recall: Recall | None = None,
) -> None:
    """Decide every transaction of the topic, exactly once, until told to stop.

    Args:
        kafka: Broker, topics and group. Several processes with the same settings share
            the partitions.
        decide: Messages and the time to outcomes, one for each message.
        batch_rows: Most messages in one Kafka transaction.
        stop: Set it to end the loop after the batch in hand.
        progress: Told of each step and of each batch, after it was committed.
        recall: Reads back what was decided before, for contracts with an id.

    Raises:
        BrokerError: the broker refuses for good.
    """

    def session() -> None:
        consumer = group_consumer(kafka, f"{kafka.group}.score", **progress.consumer_options)
        transactions = None
        try:
            transactions = Transactions(kafka, "score")
            intake = Intake(
                consumer,
                [kafka.topic_transactions],
                on_assign=recall.assigned if recall is not None else None,
            )
            progress.takes_from(intake)
            scorer = _Scorer(kafka, decide, intake, transactions, progress, recall)
            while not stop.is_set():
                scorer.one_transaction(batch_rows)
        finally:
            if transactions is not None:
                transactions.close()
            consumer.close()

    persist(session, progress=progress, stop=stop)


class _Scorer:
    def __init__(
        self,
        kafka: KafkaSettings,
        decide: Decide,
        intake: Intake,
        transactions: Transactions,
        progress: Progress,
        recall: Recall | None,
    ) -> None:
        self._kafka = kafka
        self._decide = decide
        self._intake = intake
        self._transactions = transactions
        self._progress = progress
        self._recall = recall
        self._is_recalling = False
        self._partitions = partition_counts(
            kafka, [kafka.topic_transactions, kafka.topic_decisions, kafka.topic_rejects]
        )
        if recall is not None:
            require_as_many_partitions(
                {
                    topic: self._partitions[topic]
                    for topic in (kafka.topic_transactions, kafka.topic_decisions)
                },
                "The contract has an id, and to know a transaction that is sent twice they need "
                "as many: give both the same number.",
            )

    def one_transaction(self, most_rows: int) -> None:
        """Take what is there, piece by piece, and commit it as one transaction.

        What is decided travels to the broker while the next piece is decided.
        """
        progress, intake = self._progress, self._intake
        self._recall_a_piece()
        progress.step("take")
        wait_s = 0.0 if self._is_recalling else WAIT_S
        taken = intake.take(min(_PIECE_ROWS, most_rows), wait_s=wait_s)
        if not taken:
            progress.idle()
            return
        done = _Done()
        full_at = time.monotonic() + _LONGEST_S
        while taken:
            offsets = next_offsets(taken)
            progress.took(offsets, "decide")
            messages = columns_of(self._kafka.topic_transactions, taken)
            outcomes = self._decide(messages, dt.datetime.now(dt.UTC))
            self._transactions.produce(map(self._record, outcomes))
            done.add(offsets, messages, outcomes)
            more = min(_PIECE_ROWS, most_rows - done.rows)
            is_full = more == 0 or time.monotonic() > full_at
            taken = [] if is_full else intake.take(more, wait_s=0)
        if intake.is_rebalanced:
            # What was taken is read again from the committed offsets, here or elsewhere.
            progress.gave_up()
            self._transactions.abort()
            return
        progress.step("commit")
        self._transactions.commit(done.offsets, intake.membership)
        if self._recall is not None:
            self._recall.committed(done.offsets)
        progress.batch(done.offsets, done.sent_at_ms, done.decided, done.rejected)

    def _recall_a_piece(self) -> None:
        """Read back a piece of what was decided before; take of a partition once it is read."""
        recall = self._recall
        if recall is None:
            return
        if recall.waiting:
            self._is_recalling = True
            self._progress.step("recall")
            self._progress.waiting(f"{recall.waiting} partitions read earlier decisions back")
            read = recall.step()
            if read:
                self._intake.fetch_too(read)
        elif self._is_recalling:
            self._is_recalling = False
            self._progress.resumed()

    def _record(self, outcome: Outcome) -> Record:
        topic = self._kafka.topic_rejects if outcome.is_reject else self._kafka.topic_decisions
        # Outcomes keep the partition, and so the order, of their transactions.
        return topic, outcome.partition % self._partitions[topic], outcome.key, outcome.value


class _Done:
    """What a transaction holds so far."""

    def __init__(self) -> None:
        self._offsets: dict[int, TopicPartition] = {}
        self.sent_at_ms: list[int] = []
        self.decided: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()

    @property
    def rows(self) -> int:
        return len(self.sent_at_ms)

    @property
    def offsets(self) -> Partitions:
        return list(self._offsets.values())

    def add(self, offsets: Partitions, messages: Messages, outcomes: list[Outcome]) -> None:
        self._offsets.update({after.partition: after for after in offsets})
        self.sent_at_ms += messages.sent_at_ms
        self.decided.update(outcome.verdict for outcome in outcomes if not outcome.is_reject)
        self.rejected.update(outcome.verdict for outcome in outcomes if outcome.is_reject)
