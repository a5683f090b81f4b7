"""Storing what the partitions of a sink hold, topic by topic, for as long as BigQuery allows.

A topic that cannot be stored now is held back: no more of its messages are taken, and the step
that failed is tried again after a pause, which costs the other topics nothing but that try.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fraudline.errors import WarehouseAwayError, WarehouseError
from fraudline.stream.backoff import Backoff
from fraudline.stream.intake import PartitionKey, Partitions
from fraudline.stream.progress import Progress
from fraudline.stream.sink_partition import SinkPartition

# The loop must come back to its consumer well within max.poll.interval.ms.
_PATIENCE_S = 2.0
_LONGEST_ROUND_S = 10.0
_LONGEST_TOPIC_S = 5.0  # the first time that a topic fails, the others still have their turn
_LOG = logging.getLogger(__name__)


class SinkStore:
    """The partitions that a session owns, and how far each is stored.

    Args:
        topics: All that are stored.
        progress: Told of each step, and of each batch once it is stored.
        consumer: Asked how many messages wait.
        commit: Commits how far all partitions are.
        fetch: Given the next offset of each partition to take messages of, and of no other.

    Attributes:
        owned: The partitions.
    """

    def __init__(
        self,
        topics: Iterable[str],
        progress: Progress,
        consumer: Consumer,
        *,
        commit: Callable[[], None],
        fetch: Callable[[Partitions], None],
    ) -> None:
        self.owned: dict[PartitionKey, SinkPartition] = {}
        self._progress = progress
        self._consumer = consumer
        self._commit, self._fetch = commit, fetch
        self._backoffs = {topic: Backoff(topic) for topic in topics}
        self._not_fetched: set[str] = set()

    def begin(self) -> None:
        """Begin with what was assigned just now: all of it is fetched."""
        self._not_fetched = set()

    def drop(self, keys: Iterable[PartitionKey]) -> None:
        """Forget partitions that another member owns now."""
        for key in keys:
            partition = self.owned.pop(key, None)
            if partition is not None:
                partition.close()
        if not self.owned:  # what is owned next starts afresh
            self._backoffs = {topic: Backoff(topic) for topic in self._backoffs}
            self._progress.end_waiting()

    def advance(self) -> None:
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
            owned = {key: one for key, one in self.owned.items() if key[0] == topic}
            try:
                self._store(owned, deadline)
            except WarehouseAwayError as error:
                backoff.record_failure(str(error))
            else:
                backoff.record_success()
        self._progress.record_in_flight(sum(one.unstored for one in self.owned.values()))
        self._fetch_storable()
        for topic, backoff in self._backoffs.items():
            backoff.log_if_due(partial(self._waiting, topic))

    def release(self, *, idle_s: float = 0.0) -> None:
        """Depend no longer on streams that hold all that was sent to them.

        Args:
            idle_s: Only on those that nothing was taken for, for this long, seconds.
        """
        for partition in self.owned.values():
            partition.release(idle_s)

    def collect(self, *, is_refused: bool = False) -> None:
        """Wait a moment until all that was sent is stored, so that nothing is left in doubt.

        Args:
            is_refused: Whether BigQuery has refused for good already, and need not be quoted.

        Raises:
            WarehouseError: BigQuery refuses for good, unless that is known.
        """
        answered_by = time.monotonic() + _PATIENCE_S
        for key, partition in self.owned.items():
            try:
                self._collect(key, partition, answered_by)
            except WarehouseError as error:
                if not (is_refused or isinstance(error, WarehouseAwayError)):
                    raise
                # The next owner finalizes the stream, and learns what became of the rows.
                level = logging.DEBUG if is_refused else logging.WARNING
                _LOG.log(level, "sink: stopped before BigQuery answered for all rows: %s", error)

    def _store(self, owned: dict[PartitionKey, SinkPartition], deadline: float) -> None:
        """Store what one topic's partitions hold; every step may fail and be repeated.

        What was sent in the last round is waited for only now: it was on its way while the
        next messages were decoded.
        """
        each = partial(self._each, owned, deadline)
        if not all(partition.is_taken_over for partition in owned.values()):
            self._progress.begin_step("settle")
            _require_table(owned)
        for _, partition in each("settle"):
            partition.take_over()
        answered_by = time.monotonic() + _PATIENCE_S
        for key, partition in each("wait"):
            self._collect(key, partition, answered_by)
        for _, partition in each("open"):
            partition.open()
        if any(partition.is_unnamed for partition in owned.values()):
            _require_table(owned)  # asked after the streams were created
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

    def _collect(self, key: PartitionKey, partition: SinkPartition, answered_by: float) -> None:
        for append in partition.collect(max(0.0, answered_by - time.monotonic())):
            self._progress.record_done(
                [TopicPartition(*key, append.position)],
                append.sent_at_ms,
                stored={partition.route.table: append.stored},
                rejected=append.reasons,
            )

    def _fetch_storable(self) -> None:
        """Fetch only topics that can be stored.

        The client's own pause and resume are not used: they keep offsets of their own, which
        have been seen to outlive an assignment. Each partition starts at an explicit offset.
        """
        if not self.owned:
            return
        held = {topic for topic, backoff in self._backoffs.items() if backoff.is_held}
        if held:
            self._progress.begin_waiting(
                "; ".join(sorted(self._backoffs[topic].reason for topic in held))
            )
        if held == self._not_fetched:
            return
        self._fetch(
            [
                TopicPartition(*key, partition.next_offset)
                for key, partition in self.owned.items()
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
                for key in self.owned
                if key[0] == topic
            }
        except KafkaException:
            return "An unknown number of messages are waiting."
        waiting = {
            key: high - max(low, self.owned[key].position) for key, (low, high) in ends.items()
        }
        self._progress.record_held(waiting)
        return f"About {sum(waiting.values()):,} messages are waiting."


def _require_table(owned: dict[PartitionKey, SinkPartition]) -> None:
    """See that one topic's rows go on in the table that holds those before them."""
    made_at = next(iter(owned.values())).route.table_made_at()
    for partition in owned.values():
        partition.require_table(made_at)
