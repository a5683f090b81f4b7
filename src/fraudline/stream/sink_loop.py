"""The exactly-once loop from topics to a store that counts rows.

The store offers streams: appends go to a stream at an explicit offset, and a stream can be
finalized, after which it accepts nothing and its row count is final. No other state exists.
For each partition the committed Kafka offset carries, as its metadata, a `SinkCheckpoint`: the
name of the partition's stream, the number of rows it held when all messages before the offset
were stored, and a fingerprint of the decoder that told rows from rejects.

A new owner of a partition finalizes the named stream. This fences a writer that was believed
dead, and the final row count minus the committed one is exactly how many rows beyond the
committed offset are stored already: these are skipped. Skipping means counting rows, so an
owner with a different decoder refuses to, and says what to do. The new owner continues with a
stream of its own, whose name is committed before its first append. Rows still to be skipped
are carried as a negative count, so a crash at any point leaves the same sum. An owner that
leaves, or has been idle for a while, and has had all of its appends acknowledged, commits the
count without a name.

Offsets are committed in Kafka transactions, together with the rejects of messages that could
not be decoded, so these are neither lost nor duplicated, and a stale owner cannot commit.

While BigQuery is unavailable, the loop keeps its place in the group: it takes no more messages
of the topics concerned, keeps the few it has, and retries the step that failed. Finalizing a
predecessor's stream is such a step, and so is repeating an append at the same offset, which
stores nothing twice. `docs/decisions/0003-exactly-once-sink.md` argues why.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from confluent_kafka import KafkaException, Message, TopicPartition

from fraudline import flows
from fraudline.contract import Messages, Reject, RejectReason, reject_record, with_arrival
from fraudline.errors import (
    BrokerError,
    NewerRecordError,
    StreamFinalizedError,
    WarehouseAwayError,
    WarehouseError,
)
from fraudline.settings import KafkaSettings
from fraudline.stream.backoff import Backoff
from fraudline.stream.intake import (
    Intake,
    PartitionKey,
    Partitions,
    as_messages,
    group_consumer,
    next_offsets,
)
from fraudline.stream.kafka_transaction import ANY_PARTITION, TransactionalProducer
from fraudline.stream.progress import Progress
from fraudline.stream.sink_partition import PendingAppend, Route, SinkCheckpoint, SinkPartition
from fraudline.stream.sink_start import SinkStart
from fraudline.stream.supervise import supervise
from fraudline.stream.topic_guard import TopicGuard

_IDLE_S = 300.0
# An append costs the store the same for one row as for hundreds.
_LINGER_S = 0.1
# The loop must come back to its consumer well within max.poll.interval.ms.
_PATIENCE_S = 2.0
_LONGEST_ROUND_S = 10.0
_LONGEST_TOPIC_S = 5.0  # the first time that a topic fails, the others still have their turn
_LOG = logging.getLogger(__name__)


def sink_loop(
    kafka: KafkaSettings,
    routes: list[Route],
    *,
    batch_rows: int,
    commit_interval_ms: int,
    stop: threading.Event,
    progress: Progress,
) -> None:
    """Store every message of the routes' topics, exactly once, until `stop` is set.

    Args:
        kafka: Broker and group. Several processes with the same settings share the
            partitions.
        routes: Topics and where their rows go.
        batch_rows: Most messages handled at once.
        commit_interval_ms: Time between two commits of offsets; it bounds how many rows a
            new owner has to skip. Nothing is ever lost.
        stop: Set it to end the loop after the current batch.
        progress: Records each step, and each batch once it is stored.

    Raises:
        BrokerError: the broker refuses permanently.
        WarehouseError: BigQuery refuses permanently.
        NewerRecordError: a later fraudline wrote a record; what was taken before it is stored.
    """
    guard = TopicGuard(kafka, [route.topic for route in routes], group=f"{kafka.group}.sink")
    by_topic = {route.topic: route for route in routes}
    start = SinkStart(kafka, by_topic)

    def session() -> None:
        guard.begin()
        sink = _Sink(kafka, by_topic, progress, guard, start)
        try:
            sink.run(batch_rows, commit_interval_ms / 1000, stop)
        finally:
            sink.close()

    supervise(session, progress=progress, stop=stop)


class _Sink:
    """One session: a membership in the group, and the partitions it brings."""

    def __init__(
        self,
        kafka: KafkaSettings,
        routes: dict[str, Route],
        progress: Progress,
        guard: TopicGuard,
        start: SinkStart,
    ) -> None:
        self._kafka = kafka
        self._guard, self._start = guard, start
        self._routes = routes
        self._progress = progress
        self._partitions: dict[PartitionKey, SinkPartition] = {}
        self._backoffs = {topic: Backoff(topic) for topic in routes}
        self._not_fetched: set[str] = set()
        self._consumer = group_consumer(kafka, f"{kafka.group}.sink", **progress.consumer_options)
        self._transactions: TransactionalProducer | None = None
        self._intake: Intake | None = None

    def run(self, batch_rows: int, commit_interval_s: float, stop: threading.Event) -> None:
        self._transactions = TransactionalProducer(self._kafka, "sink")
        self._intake = intake = Intake(
            self._consumer,
            list(self._routes),
            to_go_on="`fraudline offsets set sink --to start`.",
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
            kafka=self._kafka,
        )
        self._progress.attach(intake)
        try:
            self._until(stop, intake, batch_rows, commit_interval_s)
        except (WarehouseAwayError, StreamFinalizedError):
            raise
        except WarehouseError:
            self._leave_refused()
            raise
        self._leave()

    def _until(
        self, stop: threading.Event, intake: Intake, batch_rows: int, commit_interval_s: float
    ) -> None:
        due_at = time.monotonic() + commit_interval_s
        while not stop.is_set() and not self._guard.has_grown:
            self._progress.begin_step("take")
            taken = self._take(intake, batch_rows)
            if taken:
                self._guard.ask()
                self._decode(taken)
                self._guard.confirm()  # nothing is stored of a topic made anew
            else:
                self._progress.record_idle()
                self._guard.look()
            self._progress.record_topics(self._guard.seen_at)
            self._advance()
            if time.monotonic() >= due_at:
                for partition in self._partitions.values():
                    partition.release(idle_s=_IDLE_S)
                self._commit()
                due_at = time.monotonic() + commit_interval_s

    def _take(self, intake: Intake, most: int) -> list[Message]:
        try:
            return intake.take(most, linger_s=_LINGER_S)
        except BrokerError:
            self._guard.ask()  # a topic that was made anew explains most of what may be wrong
            self._guard.confirm()
            raise

    def close(self) -> None:
        if self._transactions is not None:
            self._transactions.close()
        self._lost([TopicPartition(*key) for key in self._partitions])
        self._consumer.close()

    def _assigned(self, partitions: Partitions) -> None:
        self._not_fetched = set()
        self._start.check(partitions)
        for committed in partitions:
            route = self._routes[committed.topic]
            checkpoint = _checkpoint(committed) if committed.metadata else SinkCheckpoint()
            if committed.offset >= 0:
                self._guard.require_same(committed.topic, checkpoint.topic_id)
            self._partitions[committed.topic, committed.partition] = SinkPartition(
                route, committed.offset, checkpoint, self._guard.id_of(committed.topic)
            )
            if not committed.metadata and committed.offset >= 0:
                _LOG.warning(
                    "sink: topic '%s', partition %d starts at offset %d, which was set by hand: "
                    "rows beyond it may already be stored",
                    committed.topic,
                    committed.partition,
                    committed.offset,
                )

    def _revoked(self, partitions: Partitions) -> None:
        self._leave()
        self._lost(partitions)

    def _lost(self, partitions: Partitions) -> None:
        self._progress.discard_taken()
        for lost in partitions:
            partition = self._partitions.pop((lost.topic, lost.partition), None)
            if partition is not None:
                partition.close()
        if not self._partitions:  # what is owned next starts afresh
            self._backoffs = {topic: Backoff(topic) for topic in self._routes}
            self._progress.end_waiting()

    def _decode(self, taken: list[Message]) -> None:
        by_partition: dict[PartitionKey, list[Message]] = {}
        for message in taken:
            key: PartitionKey = message.topic(), message.partition()  # type: ignore[assignment]  # a consumed message has both
            by_partition.setdefault(key, []).append(message)
        self._progress.record_taken(
            next_offsets([messages[-1] for messages in by_partition.values()]), "decode"
        )
        for key, messages in by_partition.items():
            partition = self._partitions[key]
            batch = as_messages(key[0], messages)
            rows, accepted, rejects = partition.route.decoder.decode(batch.values)
            self._stop_before_newer(partition.route, batch, rejects)
            taken_at = dt.datetime.now(dt.UTC)
            if partition.route.keeps_arrival:
                rows = with_arrival(rows, batch.take(accepted), partition.topic_id, taken_at)
            partition.take(
                PendingAppend(
                    start=batch.offsets[0],
                    position=batch.offsets[-1] + 1,
                    sent_at_ms=batch.sent_at_ms,
                    rows=rows,
                    rejects=[
                        (
                            self._kafka.topic(flows.REJECTS),
                            ANY_PARTITION,
                            None,
                            reject_record(batch, reject, taken_at),
                        )
                        for reject in rejects
                    ],
                    reasons=Counter(reject.reason for reject in rejects),
                )
            )

    def _stop_before_newer(self, route: Route, batch: Messages, rejects: list[Reject]) -> None:
        """Refuse a batch with a record of ours that has more columns than we know.

        To store it without them would lose them, and to reject it would lose all of it.
        """
        for reject in rejects:
            if reject.reason is not RejectReason.UNKNOWN_COLUMN:
                continue
            column = route.decoder.newer_column(batch.values[reject.index])
            if column is not None:
                self._leave()
                raise NewerRecordError(
                    f"sink: topic '{batch.topic}', partition {batch.partitions[reject.index]}, "
                    f"offset {batch.offsets[reject.index]} is a record with the column "
                    f"{column[:100]!r}, which this sink does not know: a later fraudline wrote it, "
                    "or one whose contract has more columns. Upgrade the sinks first, and give "
                    "them that contract; then start them. Nothing is lost, and nothing from that "
                    "record on was stored or rejected."
                )

    def _advance(self) -> None:
        """Advance each topic's partitions as far as BigQuery allows; hold back the others.

        A held topic is tried after all others, so that a call that hangs costs them nothing in
        this round. Among held topics, the one that has been due longest comes first.
        """
        round_ends_at = time.monotonic() + _LONGEST_ROUND_S
        for topic, backoff in sorted(self._backoffs.items(), key=lambda one: one[1].priority):
            deadline = min(round_ends_at, time.monotonic() + _LONGEST_TOPIC_S)
            if not backoff.is_due:
                continue
            if time.monotonic() > round_ends_at:
                break  # the others have their turn in the next round
            owned = {key: one for key, one in self._partitions.items() if key[0] == topic}
            try:
                self._store(owned, deadline)
            except WarehouseAwayError as error:
                backoff.record_failure(str(error))
            else:
                backoff.record_success()
        self._progress.record_in_flight(sum(one.unstored for one in self._partitions.values()))
        self._fetch()
        for topic, backoff in self._backoffs.items():
            backoff.log_if_due(partial(self._waiting, topic))

    def _store(self, owned: dict[PartitionKey, SinkPartition], deadline: float) -> None:
        """Store what one topic's partitions hold; every step may fail and be repeated.

        What was sent in the last round is waited for only now: it was on its way while the
        next messages were decoded.
        """
        each = partial(self._each, owned, deadline)
        for _, partition in each("settle"):
            partition.take_over()
        answered_by = time.monotonic() + _PATIENCE_S
        for key, partition in each("wait"):
            for append in partition.collect(max(0.0, answered_by - time.monotonic())):
                self._report(key, partition, append)
        for _, partition in each("open"):
            partition.open()
        for _, partition in each("commit"):
            if partition.is_unnamed:
                self._commit()  # of all of them
        for _, partition in each("send"):
            partition.send()

    def _each(
        self, owned: dict[PartitionKey, SinkPartition], deadline: float, step: str
    ) -> Iterator[tuple[PartitionKey, SinkPartition]]:
        """Yield partitions to take a step with, until there is no time for another."""
        self._progress.begin_step(step)
        for key, partition in owned.items():
            if time.monotonic() > deadline:
                raise WarehouseAwayError("BigQuery answers too slowly.")
            yield key, partition

    def _report(self, key: PartitionKey, partition: SinkPartition, append: PendingAppend) -> None:
        self._progress.record_done(
            [TopicPartition(*key, append.position)],
            append.sent_at_ms,
            stored={partition.route.table: append.stored},
            rejected=append.reasons,
        )

    def _fetch(self) -> None:
        """Fetch only topics that can be stored.

        The client's own pause and resume are not used: they keep offsets of their own, which
        have been seen to outlive an assignment. Each partition starts at an explicit offset.
        """
        if not self._partitions:
            return
        held = {topic for topic, backoff in self._backoffs.items() if backoff.is_held}
        if held:
            self._progress.begin_waiting(
                "; ".join(sorted(self._backoffs[topic].reason for topic in held))
            )
        if held == self._not_fetched:
            return
        assert self._intake is not None
        self._intake.fetch(
            [
                TopicPartition(*key, partition.next_offset)
                for key, partition in self._partitions.items()
                if key[0] not in held
            ]
        )
        self._not_fetched = held
        if not held:
            self._progress.end_waiting()

    def _waiting(self, topic: str) -> str:
        """How many messages of a topic are not stored yet, in words."""
        try:
            ends = {
                key: self._consumer.get_watermark_offsets(TopicPartition(*key), timeout=_PATIENCE_S)
                for key in self._partitions
                if key[0] == topic
            }
        except KafkaException:
            return "An unknown number of messages are waiting."
        waiting = {
            key: high - max(low, self._partitions[key].position)
            for key, (low, high) in ends.items()
        }
        self._progress.record_held(waiting)
        return f"About {sum(waiting.values()):,} messages are waiting."

    def _leave(self) -> None:
        """Commit all that is stored, and release the streams that are no longer needed."""
        answered_by = time.monotonic() + _PATIENCE_S
        for key, partition in self._partitions.items():
            try:
                for append in partition.collect(max(0.0, answered_by - time.monotonic())):
                    self._report(key, partition, append)
            except WarehouseAwayError as error:
                # The next owner finalizes the stream, and learns what became of the rows.
                _LOG.warning("sink: stopped before BigQuery answered for all rows: %s", error)
            partition.release()
        self._commit()

    def _leave_refused(self) -> None:
        """Leave although BigQuery refuses, so that no stream need be known once that is mended.

        Whoever deletes the table and makes it anew to mend it deletes its streams, too.
        """
        answered_by = time.monotonic() + _PATIENCE_S
        for key, partition in self._partitions.items():
            try:
                for append in partition.collect(max(0.0, answered_by - time.monotonic())):
                    self._report(key, partition, append)
            except WarehouseError as error:
                _LOG.debug("sink: %s, partition %d: %s", *key, error)
            partition.release()
        try:
            self._commit()
        except KafkaException as error:
            _LOG.warning("sink: what is stored could not be committed: %s", error.args[0])

    def _commit(self) -> None:
        moved = [one for one in self._partitions.items() if one[1].is_moved]
        if not moved:
            return
        self._progress.begin_step("commit")
        assert self._transactions is not None
        assert self._intake is not None
        self._transactions.send_offsets(
            [
                TopicPartition(*key, partition.position, metadata=partition.metadata)
                for key, partition in moved
            ],
            self._intake.membership,
        )
        self._transactions.produce(record for _, partition in moved for record in partition.rejects)
        self._transactions.commit()
        for _, partition in moved:
            partition.committed()


def _checkpoint(committed: TopicPartition) -> SinkCheckpoint:
    """What the last owner committed with an offset."""
    try:
        return SinkCheckpoint.parse(committed.metadata or "")
    except ValueError:
        raise WarehouseError(
            f"sink: the committed offset {committed.offset} of topic '{committed.topic}', "
            f"partition {committed.partition}, carries {committed.metadata!r}; expected the row "
            "count and name of a BigQuery stream, and a decoder's fingerprint. Another program "
            "commits to this consumer group; give fraudline one of its own with kafka.group."
        ) from None
