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

import logging
import threading
import time

from confluent_kafka import KafkaException, Message, TopicPartition

from fraudline import flows
from fraudline.errors import (
    NewerRecordError,
    StreamFinalizedError,
    WarehouseAwayError,
    WarehouseError,
)
from fraudline.settings import KafkaSettings
from fraudline.stream.ending import end_client
from fraudline.stream.fetch_watch import FetchWatch
from fraudline.stream.intake import (
    Intake,
    PartitionKey,
    Partitions,
    as_messages,
    group_consumer,
    next_offsets,
)
from fraudline.stream.kafka_transaction import TransactionalProducer
from fraudline.stream.progress import Progress
from fraudline.stream.sink_checkpoint import SinkCheckpoint
from fraudline.stream.sink_decode import decode
from fraudline.stream.sink_partition import Route, SinkPartition
from fraudline.stream.sink_start import SinkStart
from fraudline.stream.sink_store import SinkStore
from fraudline.stream.supervise import supervise
from fraudline.stream.topic_guard import TopicGuard

_IDLE_S = 300.0
# An append costs the store the same for one row as for hundreds.
_LINGER_S = 0.1
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
        self._rejects = kafka.topic(flows.REJECTS)
        self._progress = progress
        self._consumer = group_consumer(kafka, f"{kafka.group}.sink", **progress.consumer_options)
        self._store = SinkStore(
            routes, progress, self._consumer, commit=self._commit, fetch=self._fetch
        )
        self._is_over = False
        self._fetches = FetchWatch(progress)
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
            self._leave(is_refused=True)
            raise
        except NewerRecordError:
            self._leave()
            raise
        self._leave()

    def _until(
        self, stop: threading.Event, intake: Intake, batch_rows: int, commit_interval_s: float
    ) -> None:
        due_at = time.monotonic() + commit_interval_s
        while not stop.is_set() and not self._guard.has_grown:
            self._progress.begin_step("take")
            with self._guard.explaining():
                taken = intake.take(batch_rows, linger_s=_LINGER_S)
            if taken:
                self._fetches.took_some()
                self._guard.ask()
                self._decode(taken)
                self._guard.confirm()  # nothing is stored of a topic made anew
            else:
                self._progress.record_idle()
                self._fetches.took_nothing()
                self._guard.look()
            self._progress.record_topics(self._guard.seen_at)
            self._store.advance()
            if time.monotonic() >= due_at:
                self._store.release(idle_s=_IDLE_S)
                self._commit()
                due_at = time.monotonic() + commit_interval_s

    def close(self) -> None:
        if self._transactions is not None:
            self._transactions.close()
        self._is_over = True
        self._progress.discard_taken()
        self._store.drop(list(self._store.owned))
        end_client(self._consumer.close, "sink's group")

    def _assigned(self, partitions: Partitions) -> None:
        self._store.begin()
        self._start.check(partitions)
        for committed in partitions:
            route = self._routes[committed.topic]
            checkpoint = _checkpoint(committed) if committed.metadata else SinkCheckpoint()
            if committed.offset >= 0:
                self._guard.require_same(committed.topic, checkpoint.topic_id)
            self._store.owned[committed.topic, committed.partition] = SinkPartition(
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
        if not self._is_over:  # the consumer, which may be closed long after the session
            self._leave()
        self._lost(partitions)

    def _lost(self, partitions: Partitions) -> None:
        if self._is_over:
            return
        self._progress.discard_taken()
        self._store.drop([(lost.topic, lost.partition) for lost in partitions])

    def _decode(self, taken: list[Message]) -> None:
        by_partition: dict[PartitionKey, list[Message]] = {}
        for message in taken:
            key: PartitionKey = message.topic(), message.partition()  # type: ignore[assignment]  # a consumed message has both
            by_partition.setdefault(key, []).append(message)
        self._progress.record_taken(
            next_offsets([messages[-1] for messages in by_partition.values()]), "decode"
        )
        for key, messages in by_partition.items():
            partition = self._store.owned[key]
            batch = as_messages(key[0], messages)
            partition.take(decode(partition.route, batch, self._rejects, partition.topic_id))

    def _fetch(self, starts: Partitions) -> None:
        assert self._intake is not None
        self._intake.fetch(starts)

    def _leave(self, *, is_refused: bool = False) -> None:
        """Commit all that is stored, and release the streams that are no longer needed.

        Args:
            is_refused: Whether BigQuery refuses for good. Whoever deletes the table and makes it
                anew to mend that deletes its streams, too: none should be known by then. That
                this does not succeed is told, and does not hide why it refuses.
        """
        self._store.collect(is_refused=is_refused)
        self._store.release()
        try:
            self._commit()
        except KafkaException as error:
            if not is_refused:
                raise
            _LOG.warning("sink: what is stored could not be committed: %s", error.args[0])

    def _commit(self) -> None:
        moved = [one for one in self._store.owned.items() if one[1].is_moved]
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
