"""Looking up where partitions end, what a group has committed, and the next message there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it is, by the documentation
    AdminClient,
    OffsetSpec,
)

from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config
from fraudline.stream.ending import end_client
from fraudline.stream.intake import PartitionKey, position_of
from fraudline.stream.read_topic import groupless_consumer

_TIMEOUT_S = 3.0
_TRANSIENT = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,  # another broker has heard of the leader, and this one has not
    KafkaError.FENCED_LEADER_EPOCH,
)
_EARLIEST = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the library's gap
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # likewise


@dataclass(frozen=True)
class PartitionEnd:
    """The offsets at which a partition begins and ends.

    Attributes:
        low: The first offset that the topic still holds.
        stable: The first offset that is not readable yet: the end, or where the first open
            transaction begins.
        high: The one after the last offset.
    """

    low: int
    stable: int
    high: int


@dataclass(frozen=True)
class NextMessage:
    """The first readable message at or after an offset.

    Attributes:
        offset: Where it is.
        sent_at_s: When it was sent, by its own time stamp, seconds since 1970 UTC; None if it
            has none.
        value: The message itself; None for a tombstone.
    """

    offset: int
    sent_at_s: float | None
    value: bytes | None


class OffsetLookup:
    """Asks a broker for offsets, with a few requests for all partitions at once.

    Args:
        kafka: Broker and credentials.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin = AdminClient(client_config(kafka))
        self._consumer = groupless_consumer(
            kafka,
            **{  # one message of each partition is looked at
                "queued.min.messages": 1,
                "fetch.queue.backoff.ms": 10,
                "fetch.message.max.bytes": 65_536,
            },
        )

    def close(self) -> None:
        """Drop the connections."""
        end_client(self._consumer.close, "look-up of offsets")

    def ends(self, topics: Iterable[str]) -> dict[PartitionKey, PartitionEnd]:
        """Where each partition of the topics ends.

        Raises:
            BrokerError: the broker does not answer, or a topic does not exist.
        """
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                return self._ends(topics)
            except KeyError as error:
                raise BrokerError(
                    f"topic {error} does not exist at {self._kafka.bootstrap_servers}; "
                    "`fraudline setup` creates the topics."
                ) from None
            except (KafkaException, TimeoutError) as error:
                # A topic that was just created has no leader for a moment.
                is_transient = bool(error.args) and error.args[0] in _TRANSIENT
                if not is_transient or time.monotonic() > deadline:
                    raise self._unavailable(error) from None
                time.sleep(0.1)

    def _ends(self, topics: Iterable[str]) -> dict[PartitionKey, PartitionEnd]:
        found = self._admin.list_topics(timeout=_TIMEOUT_S).topics
        keys = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(found[topic].partitions)
        ]
        low, stable, high = (
            self._admin.list_offsets(
                dict.fromkeys(keys, spec), isolation_level=isolation, request_timeout=_TIMEOUT_S
            )
            for spec, isolation in (
                (_EARLIEST, IsolationLevel.READ_UNCOMMITTED),
                (_LATEST, IsolationLevel.READ_COMMITTED),
                (_LATEST, IsolationLevel.READ_UNCOMMITTED),
            )
        )
        return {
            (key.topic, key.partition): PartitionEnd(
                *(answer[key].result(_TIMEOUT_S).offset for answer in (low, stable, high))
            )
            for key in keys
        }

    def committed(self, group: str, partitions: Iterable[PartitionKey]) -> dict[PartitionKey, int]:
        """The committed offsets of a group, where it has committed any.

        Raises:
            BrokerError: the broker does not answer.
        """
        request = ConsumerGroupTopicPartitions(group, [TopicPartition(*key) for key in partitions])
        try:
            answers = self._admin.list_consumer_group_offsets([request], request_timeout=_TIMEOUT_S)
            found = answers[group].result(_TIMEOUT_S).topic_partitions
        except (KafkaException, TimeoutError) as error:
            raise self._unavailable(error) from None
        return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}

    def heads(self, offsets: Mapping[PartitionKey, int]) -> dict[PartitionKey, NextMessage | None]:
        """The next readable message of each partition at or after an offset.

        Returns:
            None for a partition without such a message; no entry for one whose messages at
            that offset were deleted, or whose broker did not answer in time.
        """
        if not offsets:
            return {}
        self._consumer.assign([TopicPartition(*key, offset) for key, offset in offsets.items()])
        found: dict[PartitionKey, NextMessage | None] = {}
        deleted: set[PartitionKey] = set()
        deadline = time.monotonic() + _TIMEOUT_S
        try:
            while len(found) + len(deleted) < len(offsets) and time.monotonic() < deadline:
                for message in self._consumer.consume(100, timeout=0.1):
                    error = message.error()
                    topic, partition, offset = position_of(message)
                    key = topic, partition
                    if error is None:
                        at_ms = message.timestamp()[1]
                        sent_at_s = at_ms / 1000 if at_ms >= 0 else None
                        head = NextMessage(offset, sent_at_s, message.value())
                        if found.setdefault(key, head) is None:
                            found[key] = head
                    elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                        found.setdefault(key, None)
                    elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - likewise
                        deleted.add(key)
        finally:
            self._consumer.unassign()
        return found

    def _unavailable(self, error: Exception) -> BrokerError:
        cause = error.args[0] if error.args else None
        reason = cause.str() if isinstance(cause, KafkaError) else "no answer in time"
        return BrokerError(
            f"the broker at {self._kafka.bootstrap_servers} does not answer: {reason}. Check that "
            "it is running; `fraudline up` starts a local one."
        )
