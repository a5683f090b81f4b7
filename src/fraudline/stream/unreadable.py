"""Batches of messages that the Kafka client cannot read, and where the next one begins.

A batch may be compressed in a way that the client does not know, be damaged so that it cannot be
unpacked, or grow beyond all measure when it is. The client tells its first offset, tries again for
ever, and never comes past it. Here it is found where the batch ends, so that a loop can set it
aside and go on.

Checksums are not compared (`check.crcs`): librdkafka 2.16 loses its place behind a batch whose
checksum is wrong, and says that messages were deleted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from fraudline.contract.messages import NO_TIME_STAMP, UnreadableValue
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config
from fraudline.stream.ending import end_client

_LOG = logging.getLogger(__name__)
_ANSWER_TIMEOUT_S = 15.0
_CODES = frozenset(
    {
        KafkaError._BAD_COMPRESSION,  # noqa: SLF001 - the client's own names for local errors
        KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
    }
)


@dataclass(frozen=True)
class UnreadableBatch:
    """Stands for a batch among the messages of its partition: one that has its last offset.

    Attributes:
        start: Its first offset.
        why: What the client said, in words.
    """

    of_topic: str
    of_partition: int
    start: int
    stop: int
    why: str

    def error(self) -> None:
        """None, as of a message that was consumed."""

    def topic(self) -> str:
        """Its topic."""
        return self.of_topic

    def partition(self) -> int:
        """Its partition."""
        return self.of_partition

    def offset(self) -> int:
        """Its last offset: the next message is the one after it."""
        return self.stop - 1

    def key(self) -> None:
        """None: it cannot be read."""

    def value(self) -> UnreadableValue:
        """No bytes, but why there are none."""
        return UnreadableValue(
            f"offsets {self.start} to {self.stop - 1} are one batch that cannot be read: {self.why}"
        )

    def timestamp(self) -> tuple[int, int]:
        """That there is none."""
        return TIMESTAMP_NOT_AVAILABLE, NO_TIME_STAMP

    def __len__(self) -> int:
        """Its size as far as it can be read, bytes."""
        return 0


def is_unreadable(error: KafkaError) -> bool:
    """Whether an error that a consumer delivers says that a batch cannot be read."""
    return error.code() in _CODES


def unreadable_batch(kafka: KafkaSettings, told: Message) -> UnreadableBatch:
    """Find out where a batch ends, and log that it is set aside, in one line.

    Args:
        kafka: Broker and credentials.
        told: The client's error; its offset is the batch's first one.

    Raises:
        KafkaException: the broker does not answer.
    """
    topic, partition, start = told.topic(), told.partition(), told.offset()
    error = told.error()
    assert topic is not None
    assert partition is not None
    assert start is not None
    assert error is not None
    stop = _stop(kafka, TopicPartition(topic, partition, start))
    _LOG.error(
        "topic '%s', partition %d: offsets %d to %d are a batch that cannot be read, and count "
        "as one message at offset %d, which is rejected: %s. See 'A batch that cannot be read' in "
        "docs/guides/operations.md",
        topic,
        partition,
        start,
        stop - 1,
        stop - 1,
        error.str(),
    )
    return UnreadableBatch(topic, partition, start, stop, error.str())


def _stop(kafka: KafkaSettings, first: TopicPartition) -> int:
    """The first offset behind a batch.

    The client skips a batch whose last offset lies before the one asked for without unpacking
    it, so it fails at every offset of the batch, and at none behind it.
    """
    consumer = Consumer(
        {
            **client_config(kafka),
            "group.id": f"{kafka.group}.read",  # required by the client; nothing is committed
            "isolation.level": "read_uncommitted",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 20,
            "queued.max.messages.kbytes": 1024,
        }
    )
    try:
        _, end = consumer.get_watermark_offsets(first, timeout=_ANSWER_TIMEOUT_S)
        inside, outside = first.offset, first.offset + 1
        while outside < end and _is_inside(consumer, first, outside):
            inside, outside = outside, min(end, outside + 2 * (outside - first.offset))
        while outside - inside > 1:
            middle = (inside + outside) // 2
            if _is_inside(consumer, first, middle):
                inside = middle
            else:
                outside = middle
        return outside
    finally:
        end_client(consumer.close, "look at a batch that cannot be read")


def _is_inside(consumer: Consumer, first: TopicPartition, offset: int) -> bool:
    consumer.assign([TopicPartition(first.topic, first.partition, offset)])
    try:
        for message in consumer.consume(1, timeout=_ANSWER_TIMEOUT_S):
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                return False
            if is_unreadable(error):
                return message.offset() == first.offset
            raise KafkaException(error)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer in time"))  # noqa: SLF001 - its only name
    finally:
        consumer.unassign()
