"""Reading a topic without a group: a range of it, or what arrives from now on."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from fraudline.contract import Messages
from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config, handle_consumer_error
from fraudline.stream.ending import end_client
from fraudline.stream.intake import as_messages, position_of
from fraudline.stream.unreadable import (
    UnreadableBatch,
    is_unreadable,
    unreadable_batch,
)

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_TIMEOUT_S = 15.0
# A transaction of a dead producer ends after 6 s, and the broker looks every 10 s.
_SILENCE_S = 30.0
_WINDOW_BYTES = 32 * 2**20
_FEW_MESSAGES = 100


def groupless_consumer(kafka: KafkaSettings, **options: Any) -> Consumer:
    """A consumer without a group: it sees committed messages and reads where it is assigned."""
    return Consumer(
        {
            **client_config(kafka),
            "group.id": f"{kafka.group}.read",  # required by the client; nothing is committed
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 20,
            "queued.max.messages.kbytes": 32_768,
            **options,
        }
    )


def offset_ranges(
    kafka: KafkaSettings,
    topic: str,
    *,
    since: dt.datetime | None = None,
    is_beyond_open: bool = False,
) -> dict[int, tuple[int, int]]:
    """First offset and the one after the last, of each partition of a topic, as of now.

    Args:
        kafka: Broker and credentials.
        topic: Its name.
        since: Leave out what was sent before.
        is_beyond_open: Whether the end is past transactions that are still open. Committed
            messages may follow them: a reader up to that end has to wait, but misses nothing.

    Raises:
        BrokerError: the broker cannot be reached, or the topic does not exist.
    """
    # For a reader of committed messages a partition ends where its first open transaction begins.
    isolation = "read_uncommitted" if is_beyond_open else "read_committed"
    consumer = groupless_consumer(kafka, **{"isolation.level": isolation})
    try:
        metadata = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        if metadata.error is not None:
            raise BrokerError(
                f"topic '{topic}' cannot be read at {kafka.bootstrap_servers}: "
                f"{metadata.error.str()}. `fraudline setup` creates the topics."
            )
        found = {
            partition: consumer.get_watermark_offsets(
                TopicPartition(topic, partition), timeout=_TIMEOUT_S
            )
            for partition in sorted(metadata.partitions)
        }
        if since is None:
            return found
        return _since(consumer, topic, found, since)
    except KafkaException as error:
        raise BrokerError(
            f"topic '{topic}' cannot be read at {kafka.bootstrap_servers}: {error.args[0].str()}. "
            "Check that the broker is running; `fraudline up` starts a local one."
        ) from None
    finally:
        end_client(consumer.close, f"reader of topic '{topic}'")


def _since(
    consumer: Consumer, topic: str, found: dict[int, tuple[int, int]], since: dt.datetime
) -> dict[int, tuple[int, int]]:
    """Start each range at the first message that was sent at a given time or later."""
    since_ms = max(0, (since - _EPOCH) // dt.timedelta(milliseconds=1))
    later = dict(found)
    for start in consumer.offsets_for_times(
        [TopicPartition(topic, partition, since_ms) for partition in found], timeout=_TIMEOUT_S
    ):
        if start.error is not None:
            raise KafkaException(start.error)
        _, end = found[start.partition]
        later[start.partition] = (end if start.offset < 0 else start.offset, end)
    return later


def read_range(
    kafka: KafkaSettings, topic: str, partition: int, start: int, stop: int, most: int
) -> Iterator[tuple[int, int, Messages]]:
    """Read the committed messages of a partition from `start` to before `stop`.

    Yields:
        First offset, the one after the last, and the messages between: at most `most`, or
        fewer once they reach 32 MiB. The ranges follow one another without a gap and end at
        `stop`.

    Raises:
        BrokerError: as for `read_ranges`.
    """
    window: list[Message] = []
    window_bytes = 0
    begun_at = start
    for _, position, message in read_ranges(kafka, topic, {partition: (start, stop)}):
        if message is not None:
            window.append(message)
            window_bytes += len(message)
        if (len(window) >= most or window_bytes >= _WINDOW_BYTES) and position < stop:
            yield begun_at, position, as_messages(topic, window)
            begun_at, window, window_bytes = position, [], 0
    yield begun_at, stop, as_messages(topic, window)


def read_ranges(
    kafka: KafkaSettings, topic: str, ranges: Mapping[int, tuple[int, int]]
) -> Iterator[tuple[int, int, Message | None]]:
    """Read the committed messages of ranges of several partitions with one consumer.

    Args:
        kafka: Broker and credentials.
        topic: Its name.
        ranges: First offset and the one after the last, by partition.

    Yields:
        Partition, the offset after what was read of it so far, and a message before that; None
        for what is no message, such as the end of a transaction. Those of one partition come in
        order. A batch that cannot be read is one message.

    Raises:
        BrokerError: the broker refuses, or an open transaction holds messages back.
    """
    left = {partition: stop for partition, (start, stop) in ranges.items() if start < stop}
    if not left:
        return
    positions = {partition: ranges[partition][0] for partition in left}
    passed: dict[int, set[int]] = {partition: set() for partition in left}
    consumer = groupless_consumer(kafka)
    consumer.assign([TopicPartition(topic, *at) for at in positions.items()])
    silent_s = 0.0
    try:
        while left:
            asked_at = time.monotonic()
            taken = consumer.consume(1, timeout=0.5) + consumer.consume(_FEW_MESSAGES, timeout=0)
            silent_s = 0.0 if taken else silent_s + time.monotonic() - asked_at
            lost = set[int]()
            for message in taken:
                partition = message.partition()
                if partition in lost or (partition in positions and partition not in left):
                    continue
                if partition not in left:  # an error of the whole consumer
                    handle_consumer_error(consumer, message)
                    continue
                position = positions[partition]
                one, position = _received(kafka, consumer, message, position, passed[partition])
                positions[partition] = position
                if isinstance(one, UnreadableBatch):
                    lost.add(partition)  # what the client made of the rest counts for nothing
                yield partition, position, one if position <= left[partition] else None
                if position >= left[partition]:
                    del left[partition]
                    consumer.pause([TopicPartition(topic, partition)])
            if silent_s > _SILENCE_S:
                raise BrokerError(_held_back(topic, positions, left))
    finally:
        end_client(consumer.close, f"reader of topic '{topic}'")


def _held_back(topic: str, positions: Mapping[int, int], left: Mapping[int, int]) -> str:
    where = "; ".join(
        f"partition {partition}: offsets {positions[partition]} to {stop - 1}"
        for partition, stop in sorted(left.items())
    )
    return (
        f"topic '{topic}', {where} could not be read: nothing came for {_SILENCE_S:.0f} s. An "
        "open transaction may be holding them back; try again."
    )


def _received(
    kafka: KafkaSettings, consumer: Consumer, message: Message, position: int, passed: set[int]
) -> tuple[Message | None, int]:
    """A message that counts, if this is one, and the next offset.

    Args:
        kafka: Broker and credentials.
        consumer: Of one partition.
        message: What it delivered.
        position: The next offset so far.
        passed: Where batches begin that could not be read; more are added.
    """
    error = message.error()
    if error is None:
        offset = position_of(message)[2]
        # What comes from before a batch that was passed was on its way already.
        return (message, offset + 1) if offset >= position else (None, position)
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
        return None, max(position, message.offset() or 0)
    if not is_unreadable(error):
        handle_consumer_error(consumer, message)
        return None, position
    start = position_of(message)[2]
    if start in passed:  # told again
        return None, position
    passed.add(start)
    batch = unreadable_batch(kafka, message)
    consumer.seek(TopicPartition(batch.topic(), batch.partition(), batch.stop))
    return cast("Message", batch), batch.stop


def watch_topic(
    kafka: KafkaSettings,
    topic: str,
    *,
    stop: threading.Event,
    on_messages: Callable[[Messages, float], None],
    ready: threading.Event,
) -> None:
    """Pass on the committed messages that arrive from now on, until `stop` is set.

    Args:
        kafka: Broker and credentials.
        topic: What to watch.
        stop: Ends the watch.
        on_messages: Called with messages and the time at which they came, seconds since 1970
            UTC.
        ready: Set once nothing that is produced from then on can be missed.
    """
    ends = offset_ranges(kafka, topic)
    consumer = groupless_consumer(kafka)
    consumer.assign([TopicPartition(topic, partition, end) for partition, (_, end) in ends.items()])
    ready.set()
    passed: dict[int, set[int]] = {partition: set() for partition in ends}
    try:
        while not stop.is_set():
            taken, lost = [], set[int]()
            for message in consumer.consume(1, timeout=0.1) + consumer.consume(5000, timeout=0):
                partition = message.partition() or 0
                if partition in lost:
                    continue
                one, _ = _received(kafka, consumer, message, 0, passed[partition])
                if one is not None:
                    taken.append(one)
                if isinstance(one, UnreadableBatch):
                    lost.add(partition)
            if taken:
                on_messages(as_messages(topic, taken), time.time())
    finally:
        end_client(consumer.close, f"reader of topic '{topic}'")
