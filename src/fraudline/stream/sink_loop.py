"""The exactly-once loop from topics to a store that counts rows.

The store offers streams: appends go to a stream at an explicit offset, and a stream can be
finalized, after which it accepts nothing and its row count stands. That is all the state
there is. For each partition the committed Kafka offset carries, as its metadata, the name
of the partition's stream and the number of rows it held when all messages before the offset
were stored.

A new owner of a partition finalizes the named stream. This shuts out a writer that was
thought dead, and the final row count minus the committed one is exactly how many rows
beyond the committed offset are stored already: they are skipped. It then goes on with a
stream of its own, whose name is committed before its first append. Rows that are still to
be skipped are carried as a negative count, so a death at any point leaves the same sum. An
owner that leaves, or has had nothing to do for a while, finalizes its stream itself and
commits the count without a name.

Offsets move in Kafka transactions, together with the rejects of messages that could not be
decoded, so these too are neither lost nor doubled, and a stale owner cannot commit.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

import pyarrow as pa
from confluent_kafka import Message, TopicPartition

from fraudline.contract import Decoder
from fraudline.errors import WarehouseError
from fraudline.scoring import reject_record
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Intake, Partitions, columns_of, group_consumer, position_of
from fraudline.stream.progress import Progress
from fraudline.stream.session import persist
from fraudline.stream.transaction import Record, Transactions

_IDLE_S = 300.0
# An append costs the store the same for one row as for hundreds.
_LINGER_S = 0.1
_LOG = logging.getLogger(__name__)


class AppendStream(Protocol):
    """A stream of the store, written by this process only."""

    @property
    def name(self) -> str:
        """Its name, by which it can be finalized later."""

    def send(self, rows: pa.RecordBatch) -> None:
        """Begin to append rows after all that were sent before."""

    def wait(self) -> None:
        """Wait until everything sent is stored; raise if it may not be."""

    def close(self) -> None:
        """Drop the connection."""


@dataclass(frozen=True)
class Route:
    """Where the messages of a topic go.

    Attributes:
        topic: Topic of JSON messages.
        table: Name of what holds the rows, for people.
        decoder: Decodes them into the store's rows.
        open_stream: Makes a new stream for these rows.
        finalize: Closes a stream for ever, by name; gives the number of its rows.
    """

    topic: str
    table: str
    decoder: Decoder
    open_stream: Callable[[], AppendStream]
    finalize: Callable[[str], int]


@dataclass
class _Partition:
    """What this process knows of a partition it owns.

    `rows` is how many rows of `stream` stem from messages before `position`; it is negative
    by the number of rows to skip, which earlier streams hold.
    """

    route: Route
    position: int
    rows: int = 0
    stream: AppendStream | None = None
    used_at: float = field(default_factory=time.monotonic)
    is_moved: bool = False
    rejects: list[Record] = field(default_factory=list)

    def settle(self, stream: str) -> None:
        """Close a stream for ever, and keep only how many of its rows are to be skipped."""
        stored = self.route.finalize(stream)
        if stored < self.rows:
            raise WarehouseError(
                f"write stream {stream} holds {stored} rows, but {self.rows} were acknowledged: "
                "BigQuery has lost some. Stop the sink and compare with `fraudline reconcile`."
            )
        self.rows -= stored
        self.is_moved = True


def sink_loop(
    kafka: KafkaSettings,
    routes: list[Route],
    *,
    batch_rows: int,
    commit_interval_ms: int,
    stop: threading.Event,
    progress: Progress,
) -> None:
    """Store every message of the routes' topics, exactly once, until told to stop.

    Args:
        kafka: Broker and group. Several processes with the same settings share the
            partitions.
        routes: Topics and where their rows go.
        batch_rows: Most messages handled at once.
        commit_interval_ms: Time between two commits of offsets; it bounds how many rows a
            new owner has to skip, not what can be lost, which is nothing.
        stop: Set it to end the loop after the batch in hand.
        progress: Told of each step and of each batch, after it was stored.

    Raises:
        BrokerError: the broker refuses for good.
        WarehouseError: the store refuses for good.
    """

    def session() -> None:
        sink = _Sink(kafka, {route.topic: route for route in routes}, progress)
        try:
            sink.run(batch_rows, commit_interval_ms / 1000, stop)
        finally:
            sink.close()

    persist(session, progress=progress, stop=stop)


class _Sink:
    def __init__(
        self,
        kafka: KafkaSettings,
        routes: dict[str, Route],
        progress: Progress,
    ) -> None:
        self._kafka = kafka
        self._routes = routes
        self._progress = progress
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._consumer = group_consumer(kafka, f"{kafka.group}.sink")
        self._transactions: Transactions | None = None
        self._intake: Intake | None = None

    def run(self, batch_rows: int, commit_interval_s: float, stop: threading.Event) -> None:
        self._transactions = Transactions(self._kafka, "sink")
        self._intake = intake = Intake(
            self._consumer,
            list(self._routes),
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )
        due_at = time.monotonic() + commit_interval_s
        while not stop.is_set():
            self._progress.step("take")
            taken = intake.take(batch_rows, _LINGER_S)
            if taken:
                self._store(taken)
            else:
                self._progress.idle()
            if time.monotonic() >= due_at:
                self._settle(idle_s=_IDLE_S)
                self._commit()
                due_at = time.monotonic() + commit_interval_s
        self._settle()
        self._commit()

    def close(self) -> None:
        if self._transactions is not None:
            self._transactions.abort()
        self._lost([TopicPartition(*key) for key in self._partitions])
        self._consumer.close()

    def _assigned(self, partitions: Partitions) -> None:
        for committed in partitions:
            state = _Partition(self._routes[committed.topic], position=committed.offset)
            self._partitions[committed.topic, committed.partition] = state
            if committed.metadata:
                state.rows, name = _parse_metadata(committed)
                if name:
                    state.settle(name)
            elif committed.offset >= 0:
                _LOG.warning(
                    "sink: topic '%s', partition %d begins at offset %d, which was set by hand: "
                    "whether rows beyond it are stored already is not known",
                    committed.topic,
                    committed.partition,
                    committed.offset,
                )

    def _revoked(self, partitions: Partitions) -> None:
        self._settle()
        self._commit()
        self._lost(partitions)

    def _lost(self, partitions: Partitions) -> None:
        for lost in partitions:
            state = self._partitions.pop((lost.topic, lost.partition), None)
            if state is not None and state.stream is not None:
                state.stream.close()

    def _store(self, taken: list[Message]) -> None:
        def partition_of(message: Message) -> tuple[str, int]:
            return position_of(message)[:2]

        pieces = [
            (self._partitions[key], list(messages))
            for key, messages in groupby(sorted(taken, key=partition_of), key=partition_of)
        ]
        self._progress.step("open")
        self._open_streams(pieces)
        self._progress.step("send")
        sent = []
        for state, messages in pieces:
            batch = columns_of(state.route.topic, messages)
            rows, _, rejects = state.route.decoder.decode(batch.values)
            rejected_at = dt.datetime.now(dt.UTC)
            letters: list[Record] = [
                (self._kafka.topic_rejects, None, reject_record(batch, reject, rejected_at))
                for reject in rejects
            ]
            unstored = rows.slice(min(max(0, -state.rows), rows.num_rows))
            reasons = Counter(reject.reason.value for reject in rejects)
            sent.append((state, batch, rows.num_rows, unstored.num_rows, letters, reasons))
            assert state.stream is not None  # `_open_streams` saw to it
            if unstored.num_rows:
                state.stream.send(unstored)
        self._progress.step("wait")
        for state, batch, count, stored, letters, reasons in sent:
            assert state.stream is not None
            state.stream.wait()
            state.position = batch.offsets[-1] + 1
            state.rows += count
            state.rejects += letters
            state.is_moved = True
            state.used_at = time.monotonic()
            self._progress.batch(
                {(batch.topic, batch.partitions[-1]): state.position},
                batch.sent_at_ms,
                {state.route.table: stored},
                reasons,
            )

    def _open_streams(self, pieces: list[tuple[_Partition, list[Message]]]) -> None:
        """Give a stream to each partition without one, and commit its name before its use."""
        fresh = [
            (state, position_of(messages[0])[2]) for state, messages in pieces if not state.stream
        ]
        for state, position in fresh:
            state.stream = state.route.open_stream()
            state.position = position
            state.is_moved = True
        if fresh:
            self._commit()

    def _settle(self, idle_s: float = 0) -> None:
        """Finalize streams that were not used for a while, or, at the end, all of them.

        BigQuery closes a connection after ten idle minutes and forgets a stream after some
        idle days; a partition that no offset ties to a stream waits as long as it likes.
        """
        now = time.monotonic()
        for state in self._partitions.values():
            if state.stream is not None and now - state.used_at >= idle_s:
                state.settle(state.stream.name)
                state.stream.close()
                state.stream = None

    def _commit(self) -> None:
        moved = [(key, state) for key, state in self._partitions.items() if state.is_moved]
        if not moved:
            return
        self._progress.step("commit")
        assert self._transactions is not None
        assert self._intake is not None
        self._transactions.commit(
            [record for _, state in moved for record in state.rejects],
            [
                TopicPartition(*key, state.position, metadata=_metadata(state))
                for key, state in moved
            ],
            self._intake.membership,
        )
        for _, state in moved:
            state.is_moved = False
            state.rejects = []


def _metadata(state: _Partition) -> str:
    return str(state.rows) if state.stream is None else f"{state.rows} {state.stream.name}"


def _parse_metadata(committed: TopicPartition) -> tuple[int, str]:
    """Row count and name of the stream; no name where nothing is to be finalized."""
    count, _, name = (committed.metadata or "").partition(" ")
    try:
        return int(count), name
    except ValueError:
        raise WarehouseError(
            f"sink: the committed offset {committed.offset} of topic '{committed.topic}', "
            f"partition {committed.partition}, carries {committed.metadata!r}, expected the row "
            "count and name of a BigQuery stream. Another program commits for this consumer "
            "group; give fraudline one of its own by kafka.group."
        ) from None
