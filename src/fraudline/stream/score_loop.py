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
from collections.abc import Callable, Mapping
from dataclasses import asdict
from operator import attrgetter

from confluent_kafka import TopicPartition

from fraudline import flows
from fraudline.contract import Messages, Outcome, RejectReason
from fraudline.schemas import MessageForms
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import require_enough_partitions
from fraudline.stream.counts import DecisionCounts
from fraudline.stream.ending import end_client
from fraudline.stream.fetch_watch import FetchWatch
from fraudline.stream.intake import (
    WAIT_S,
    Intake,
    Partitions,
    as_messages,
    group_consumer,
)
from fraudline.stream.kafka_transaction import ProducerRecord, TransactionalProducer
from fraudline.stream.progress import Progress
from fraudline.stream.repeat_restore import RepeatRestore
from fraudline.stream.schema_waits import SchemaWaits
from fraudline.stream.score_checkpoint import ScoreStart
from fraudline.stream.supervise import supervise
from fraudline.stream.topic_guard import TopicGuard

# Decided at once: enough to share the cost of a call, and half as many where deciding is slow, so
# that a transaction is over before the broker aborts it.
_PIECE_ROWS, _SLOW_PIECE_ROWS = 1000, 500
_SLOW_S = 0.001  # for a message
# A broker aborts a transaction that takes longer than transaction.timeout.ms.
_LONGEST_S = 1.0

_DECISION, _IS_CUT = attrgetter("decision"), attrgetter("is_cut")

Decide = Callable[[Messages, dt.datetime], list[Outcome]]
"""Messages and the time to outcomes, one for each message."""


def score_loop(
    kafka: KafkaSettings,
    deciders: Callable[[], Decide],
    *,
    batch_rows: int,
    stop: threading.Event,
    progress: Progress,
    restore: RepeatRestore | None = None,
    forms: MessageForms | None = None,
) -> None:
    """Decide every transaction of the topic, exactly once, until told to stop.

    Args:
        kafka: Broker, topics and group. Several processes with the same settings share
            the partitions.
        deciders: Asked once for each Kafka transaction what decides its messages, so that
            another model can take over between two of them.
        batch_rows: Most messages in one Kafka transaction.
        stop: Set it to end the loop after the batch in hand.
        progress: Told of each step and of each batch, after it was committed.
        restore: Reads back what was decided before, for contracts with an id.
        forms: Makes JSON of messages in other forms, where there is a schema registry.

    Raises:
        BrokerError: the broker refuses for good, a topic is not the one that it was, or
            offsets and outcomes do not fit.
    """
    inputs, decisions, rejects = (
        kafka.topic(flow) for flow in (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)
    )

    def require(counts: Mapping[str, int]) -> None:
        if restore is not None:
            require_enough_partitions(
                {topic: counts[topic] for topic in (inputs, decisions)},
                "The contract has an id, and to know a transaction that is sent twice its "
                "decisions stay in the partition of its number: give the second one as many.",
            )

    guard = TopicGuard(
        kafka, [inputs], [decisions, rejects], group=f"{kafka.group}.score", require=require
    )
    start = ScoreStart(kafka, guard)
    waits = None if forms is None else SchemaWaits(forms, inputs, progress)

    def assigned(partitions: Partitions) -> Partitions | None:
        start.check(partitions)
        if waits is not None:
            waits.forget()
        return restore.assigned(partitions) if restore is not None else None

    def session() -> None:
        guard.begin()
        consumer = group_consumer(kafka, f"{kafka.group}.score", **progress.consumer_options)
        transactions = None
        try:
            transactions = TransactionalProducer(kafka, "score")
            intake = Intake(
                consumer,
                [inputs],
                to_go_on="`fraudline offsets set score --to start`.",
                on_assign=assigned,
                kafka=kafka,
            )
            progress.attach(intake)
            scorer = _Scorer(
                *(kafka, deciders, intake, transactions, progress, restore, guard, start, waits)
            )
            while not stop.is_set() and not guard.has_grown:
                scorer.one_transaction(batch_rows)
                progress.record_topics(guard.seen_at)
        finally:
            if transactions is not None:
                transactions.close()
            end_client(consumer.close, "scorer's group")

    supervise(session, progress=progress, stop=stop)


class _Scorer:
    def __init__(
        self,
        kafka: KafkaSettings,
        deciders: Callable[[], Decide],
        intake: Intake,
        transactions: TransactionalProducer,
        progress: Progress,
        restore: RepeatRestore | None,
        guard: TopicGuard,
        start: ScoreStart,
        waits: SchemaWaits | None,
    ) -> None:
        self._waits = waits
        self._deciders = deciders
        self._intake = intake
        self._transactions = transactions
        self._progress = progress
        self._fetches = FetchWatch(progress)
        self._restore = restore
        self._is_restoring = False
        self._piece_rows = _SLOW_PIECE_ROWS
        self._inputs, self._decisions, self._rejects = (
            kafka.topic(flow) for flow in (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)
        )
        self._guard, self._metadata = guard, start.metadata
        self._partitions = {
            topic: guard.partitions_of(topic) for topic in (self._decisions, self._rejects)
        }

    def one_transaction(self, most_rows: int) -> None:
        """Take what is there, piece by piece, and commit it as one transaction.

        What is decided travels to the broker while the next piece is decided.
        """
        progress, intake = self._progress, self._intake
        self._restore_a_piece()
        if self._waits is not None and not self._is_restoring:
            self._waits.look(intake)
        progress.begin_step("take")
        most = min(self._piece_rows, most_rows)
        messages = self._take(most, 0.0 if self._is_restoring else WAIT_S)
        if not messages:
            progress.record_idle()
            self._fetches.took_nothing()
            self._guard.look()
            return
        self._fetches.took_some()
        batch, decide = _Batch(), self._deciders()
        full_at = time.monotonic() + _LONGEST_S
        while messages:
            batch.add(messages)
            progress.record_taken(batch.offsets, "decide")
            # A piece that is not full has emptied the topic: those in it should not wait.
            is_last = len(messages) < most or batch.rows == most_rows or time.monotonic() > full_at
            if is_last or batch.rows == most:
                self._send_offsets(batch)  # of the last piece and the first, while they are decided
            begun_at = time.monotonic()
            outcomes = decide(messages, dt.datetime.now(dt.UTC))
            is_slow = time.monotonic() - begun_at > _SLOW_S * len(messages)
            self._piece_rows = _SLOW_PIECE_ROWS if is_slow else _PIECE_ROWS
            self._transactions.produce(map(self._record, outcomes))
            batch.decided(messages, outcomes)
            most = min(self._piece_rows, most_rows - batch.rows)
            if is_last:
                break
            messages = self._take(most, 0.0)
        if intake.is_rebalanced:
            # What was taken is read again from the committed offsets, here or elsewhere.
            progress.discard_taken()
            self._transactions.abort()
            return
        progress.begin_step("commit")
        if not batch.is_sent:
            self._send_offsets(batch)
        self._guard.confirm()  # no message of a topic made anew is decided while others are skipped
        self._transactions.commit()
        if self._restore is not None:
            self._restore.committed(batch.offsets)
        progress.record_done(
            batch.offsets,
            batch.sent_at_ms,
            decided=DecisionCounts.from_words(batch.decisions),
            rejected=batch.rejects,
            cut=batch.cut,
        )

    def _take(self, most: int, wait_s: float) -> Messages:
        with self._guard.explaining():
            messages = as_messages(self._inputs, self._intake.take(most, wait_s=wait_s))
        if self._waits is None or not messages:
            return messages
        return self._waits.readable(messages, self._intake)

    def _send_offsets(self, batch: _Batch) -> None:
        self._guard.ask()
        offsets = [
            TopicPartition(after.topic, after.partition, after.offset, metadata=self._metadata)
            for after in batch.offsets
        ]
        self._transactions.send_offsets(offsets, self._intake.membership)
        batch.is_sent = True

    def _restore_a_piece(self) -> None:
        """Read back a piece of what was decided before; take of a partition once it is read."""
        restore = self._restore
        if restore is None:
            return
        if restore.waiting:
            self._is_restoring = True
            self._progress.begin_step("recall")
            self._progress.begin_waiting(restore.told)
            read = restore.step()
            self._progress.record_recalled(asdict(restore.recalled))
            if read:
                self._intake.fetch_also(read)
        elif self._is_restoring:
            self._is_restoring = False
            self._progress.end_waiting()

    def _record(self, outcome: Outcome) -> ProducerRecord:
        topic = self._decisions if outcome.reject_reason is None else self._rejects
        # Outcomes keep the partition, and so the order, of their transactions.
        return topic, outcome.partition % self._partitions[topic], outcome.key, outcome.value


class _Batch:
    """What a transaction holds so far.

    Attributes:
        rows: How many messages were taken.
        is_sent: Whether the producer was told of `offsets` as they are.
        sent_at_ms: When each message that is decided was sent.
        decisions: How many were decided which way.
        rejects: How many were rejected for which reason.
        cut: Of how many that are decided something was ignored.
    """

    def __init__(self) -> None:
        self._offsets: dict[int, TopicPartition] = {}
        self.rows = 0
        self.is_sent = False
        self.sent_at_ms: list[int] = []
        self.decisions: Counter[str] = Counter()
        self.rejects: Counter[RejectReason] = Counter()
        self.cut = 0

    @property
    def offsets(self) -> Partitions:
        """The one after the last message taken, of each partition."""
        return list(self._offsets.values())

    def add(self, messages: Messages) -> None:
        """Count messages that were taken."""
        last = dict(zip(messages.partitions, messages.offsets, strict=True))
        for partition, offset in last.items():
            self._offsets[partition] = TopicPartition(messages.topic, partition, offset + 1)
        self.rows += len(messages)
        self.is_sent = False

    def decided(self, messages: Messages, outcomes: list[Outcome]) -> None:
        """Count what became of messages."""
        self.sent_at_ms += messages.sent_at_ms
        decisions = Counter(map(_DECISION, outcomes))
        if decisions.pop(None, 0):
            self.rejects.update(
                one.reject_reason for one in outcomes if one.reject_reason is not None
            )
        self.decisions += decisions
        self.cut += sum(map(_IS_CUT, outcomes))
