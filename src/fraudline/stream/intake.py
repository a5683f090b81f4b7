"""Taking messages as a member of a consumer group, safely across rebalances."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, cast

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from fraudline.contract import Messages
from fraudline.contract.messages import NO_TIME_STAMP
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config, handle_consumer_error
from fraudline.stream.unreadable import is_unreadable, unreadable_batch

WAIT_S = 0.1
_ANSWER_TIMEOUT_S = 15.0
_STABLE_TIMEOUT_S = 45.0  # a transaction ends after 6 s, and the broker looks every 10 to 20 s

Partitions = list[TopicPartition]
PartitionKey = tuple[str, int]
"""Topic and partition."""

_LOG = logging.getLogger(__name__)


def group_consumer(kafka: KafkaSettings, group: str, **options: Any) -> Consumer:
    """A consumer that sees committed messages only and leaves commits to its caller."""
    return Consumer(
        {
            **client_config(kafka),
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,  # see `Intake.positions`
            # `Intake` decides where to begin; to begin anywhere else is an error.
            "auto.offset.reset": "error",
            # A killed process is replaced after this time; one that pauses for longer than
            # max.poll.interval.ms counts as dead, too.
            "session.timeout.ms": 6_000,  # the least that brokers allow by default
            "heartbeat.interval.ms": 1_000,
            # All partitions are revoked before any is assigned: `Intake` relies on it.
            "partition.assignment.strategy": "range,roundrobin",
            "max.poll.interval.ms": 60_000,
            # By default a topic that is not known at the first look is looked for after minutes.
            "topic.metadata.refresh.interval.ms": 5_000,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 32_768,
            # The next fetch of a partition is requested once the last one was taken, so with
            # fetches of a megabyte (the default) a fast loop would wait for each.
            "max.partition.fetch.bytes": 4_000_000,
            "fetch.max.bytes": 50_000_000,
            **options,
        }
    )


class Intake:
    """Messages of a group's partitions, in batches that this member certainly owns.

    A rebalance may happen while a batch is being collected, and the client does not say which
    messages came before it and which after. Such a batch is dropped as a whole and read again
    from the committed offsets. This requires that callers, before a rebalance ends, commit what
    they took earlier or discard it: the score loop aborts its open transaction, the sink loop
    commits when partitions are revoked.

    Committed offsets are fetched here, after waiting for any open transaction of the last
    owner. Left to itself, the client has been seen to begin at the start of the topic when a
    rebalance met such a transaction.

    Args:
        consumer: A consumer made by `group_consumer`.
        topics: What to subscribe to.
        to_go_on: What to do where messages are not there any more, a sentence.
        on_assign: Called with the partitions that this member now owns, with their committed
            offsets and metadata. May return those that can be fetched at once, if others
            cannot: `fetch_also` adds them later.
        on_revoke: Called before they are given to another member.
        on_lost: Called after they were: it is too late to commit anything.
        kafka: Broker and credentials, by which the end of a batch is found that the client
            cannot read; without them such a batch ends the session.
    """

    def __init__(
        self,
        consumer: Consumer,
        topics: list[str],
        *,
        to_go_on: str = "Begin again.",
        on_assign: Callable[[Partitions], Partitions | None] | None = None,
        on_revoke: Callable[[Partitions], None] | None = None,
        on_lost: Callable[[Partitions], None] | None = None,
        kafka: KafkaSettings | None = None,
    ) -> None:
        self._consumer = consumer
        self._to_go_on = to_go_on
        self._kafka = kafka
        self._unreadable: dict[PartitionKey, Message] = {}
        self._is_rebalanced = False
        self._membership: bytes | None = None
        self._starts: Partitions = []
        self._next: dict[PartitionKey, int] = {}
        self._ends: dict[PartitionKey, int] = {}
        self._failure: Exception | None = None

        def assigned(_: Consumer, partitions: Partitions) -> None:
            self._is_rebalanced = True
            self._membership = consumer.consumer_group_metadata()
            if not consumer.memberid():  # removed since: see `membership`
                self._membership = None
            committed = self._committed(partitions)
            ready = on_assign(committed) if on_assign is not None else None
            self._starts = committed if ready is None else ready
            self.fetch(self._starts)

        def taken_away(
            then: Callable[[Partitions], None] | None,
        ) -> Callable[[Consumer, Partitions], None]:
            def callback(_: Consumer, partitions: Partitions) -> None:
                self._is_rebalanced = True
                try:
                    if then is not None:
                        then(partitions)
                finally:
                    self._membership = None
                    self._starts = []

            return callback

        consumer.subscribe(
            topics,
            on_assign=self._kept(assigned),
            on_revoke=self._kept(taken_away(on_revoke)),
            on_lost=self._kept(taken_away(on_lost)),
        )

    def _kept(
        self, callback: Callable[[Consumer, Partitions], None]
    ) -> Callable[[Consumer, Partitions], None]:
        """Keep what a callback raises for `take`: the client would turn it into a SystemError."""

        def wrapped(consumer: Consumer, partitions: Partitions) -> None:
            try:
                callback(consumer, partitions)
            except Exception as error:  # noqa: BLE001 - raised again by `take`
                _LOG.debug("a rebalance callback failed: %s", error)
                self._failure = self._failure or error

        return wrapped

    @property
    def membership(self) -> bytes:
        """The member and generation in whose name offsets are committed.

        It is kept from the moment of the assignment. Asked later, the client may already know
        that it was removed from the group, and would give a membership without a member, by
        which a broker cannot tell an old owner from the new one.

        Raises:
            KafkaException: this member owns nothing any more.
        """
        if self._membership is None:
            raise KafkaException(
                KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "removed from the consumer group")
            )
        return self._membership

    @property
    def is_rebalanced(self) -> bool:
        """Whether the last `take` met a rebalance: what is not committed must be discarded."""
        return self._is_rebalanced

    @property
    def positions(self) -> dict[PartitionKey, int]:
        """The next offset of each fetched partition: all messages before it were handed over.

        Those in the client's queue were not. Transaction markers are passed by the client's
        end-of-partition event, which waits in the same queue as the messages.
        """
        return {key: max(offset, self._ends.get(key, 0)) for key, offset in self._next.items()}

    def take(self, most: int, *, wait_s: float = WAIT_S, linger_s: float = 0) -> list[Message]:
        """Wait briefly for a message, then take what is there, up to `most`.

        A batch that the client cannot read is taken as one message, an `UnreadableBatch`. To find
        its end takes a moment, so that is done by a call that may wait, and it is all that the
        call takes.

        Args:
            most: How many to take at most.
            wait_s: How long to wait for the first one.
            linger_s: How long to wait for more once there is one.

        Raises:
            BrokerError: the broker refuses permanently.
            KafkaException: a rebalance callback failed.
        """
        self._is_rebalanced = False
        if self._unreadable and wait_s:
            return self._set_aside()
        messages = self._consumer.consume(1 if wait_s else most, timeout=wait_s)
        if messages and wait_s and most > 1:
            messages += self._consumer.consume(most - 1, timeout=linger_s)
        if self._failure is not None:
            raise self._failure
        if self._is_rebalanced:
            if self._starts:  # else nothing is ours, and the client knows
                self.fetch(self._starts)
            return []
        return [message for message in messages if self._is_to_take(message)]

    def _is_to_take(self, message: Message) -> bool:
        """Whether it is the next message; what else a consumer delivers is noted or raised."""
        error = message.error()
        if error is None:
            return self._is_next(message)
        if position_of(message)[:2] in self._unreadable:
            return False  # the client may lose its place in what it cannot read
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
            topic, partition, offset = position_of(message)
            self._ends[topic, partition] = offset
        elif self._kafka is not None and is_unreadable(error):
            if position_of(message)[:2] in self._next:
                self._unreadable[position_of(message)[:2]] = message
        else:
            handle_consumer_error(self._consumer, message, to_go_on=self._to_go_on)
        return False

    def _set_aside(self) -> list[Message]:
        """Take each batch that cannot be read, and fetch from behind it."""
        assert self._kafka is not None
        batches = [unreadable_batch(self._kafka, told) for told in self._unreadable.values()]
        self._next |= {(one.topic(), one.partition()): one.stop for one in batches}
        self.fetch([TopicPartition(*key, offset) for key, offset in self._next.items()])
        return cast("list[Message]", batches)

    def fetch(self, starts: Partitions) -> None:
        """Fetch from these partitions only, of those that are ours.

        The beginning of a partition is looked up here. The client's own look-up has been seen to
        outlive its assignment and to rewind a partition that had been reassigned since.

        Args:
            starts: The next offset of each; a negative one means the partition's beginning.
        """
        self._next = {
            (start.topic, start.partition): (
                start.offset if start.offset >= 0 else self._beginning(start)
            )
            for start in starts
        }
        self._ends = {}
        self._unreadable = {}  # what is still in the way is told again
        self._consumer.assign([TopicPartition(*key, offset) for key, offset in self._next.items()])

    def fetch_also(self, starts: Partitions) -> None:
        """Fetch from these partitions as well."""
        self._starts = [*self._starts, *starts]
        self.fetch([*(TopicPartition(*key, offset) for key, offset in self._next.items()), *starts])

    def set_aside(self, starts: Partitions) -> None:
        """Fetch no more from these partitions; `fetch_also` goes on with them where it is told."""
        held = {(start.topic, start.partition) for start in starts}
        self.fetch(
            [TopicPartition(*key, offset) for key, offset in self._next.items() if key not in held]
        )

    def _is_next(self, message: Message) -> bool:
        """Whether a message is new; the client has been seen to rewind by itself."""
        topic, partition, offset = position_of(message)
        if (topic, partition) in self._unreadable:
            return False  # behind the batch; it is fetched again
        expected = self._next.get((topic, partition))
        if expected is None or offset < expected:
            _LOG.warning(
                "topic '%s', partition %d: the client delivered offset %d again; it is ignored",
                topic,
                partition,
                offset,
            )
            return False
        self._next[topic, partition] = offset + 1
        return True

    def _beginning(self, partition: TopicPartition) -> int:
        first, _ = self._consumer.get_watermark_offsets(
            TopicPartition(partition.topic, partition.partition), timeout=_ANSWER_TIMEOUT_S
        )
        return int(first)

    def _committed(self, partitions: Partitions) -> Partitions:
        """The committed offsets, once no open transaction can change them any more."""
        deadline = time.monotonic() + _STABLE_TIMEOUT_S
        while True:
            found = self._consumer.committed(partitions, timeout=_ANSWER_TIMEOUT_S)
            errors = [part.error for part in found if part.error is not None]
            if not errors:
                return found
            is_pending = all(error.code() == KafkaError.UNSTABLE_OFFSET_COMMIT for error in errors)
            if not is_pending or time.monotonic() > deadline:
                raise KafkaException(errors[0])
            time.sleep(WAIT_S)


def position_of(message: Message) -> tuple[str, int, int]:
    """Topic, partition and offset of a consumed message."""
    return (message.topic(), message.partition(), message.offset())  # type: ignore[return-value]  # a consumed message has all three


def next_offsets(messages: list[Message]) -> Partitions:
    """For each partition among the messages, the offset after its last one."""
    last: dict[tuple[str, int], int] = {}
    for message in messages:
        topic, partition, offset = position_of(message)
        last[topic, partition] = offset
    return [
        TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in last.items()
    ]


def _sent_at_ms(message: Message) -> int:
    kind, at_ms = message.timestamp()
    return NO_TIME_STAMP if kind == TIMESTAMP_NOT_AVAILABLE else at_ms


def as_messages(topic: str, taken: list[Message]) -> Messages:
    """Messages of one topic in the form that other rooms take them."""
    return Messages(
        topic=topic,
        partitions=[message.partition() or 0 for message in taken],
        offsets=[message.offset() or 0 for message in taken],
        keys=[message.key() for message in taken],
        values=[message.value() for message in taken],
        sent_at_ms=[_sent_at_ms(message) for message in taken],
    )
