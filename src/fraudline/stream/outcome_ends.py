"""Where the outcomes of a partition end: after which of its messages nothing is decided yet.

A scorer puts an outcome into the partition with its transaction's number, in the order of the
transactions and in the Kafka transaction that moves the offset. So the last outcomes in the topics
of decisions and of rejects say how far a partition is decided, even where the group's own offset
is gone.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping

import msgspec
from confluent_kafka import KafkaError, TopicPartition

from fraudline import flows
from fraudline.contract import REPLAYED
from fraudline.contract.columns import MAX_OFFSET
from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import handle_consumer_error
from fraudline.stream.ending import end_client
from fraudline.stream.intake import position_of
from fraudline.stream.read_topic import groupless_consumer, offset_ranges

_FEW = 20  # records of a partition that are looked at first
_TIMES_MORE = 16
_SILENCE_S = 30.0  # a transaction of a dead producer ends after 6 s, and the broker looks every 10


class _Outcome(msgspec.Struct):
    source_topic: str
    source_partition: int
    source_offset: int
    reason: str | None = None


_outcome = msgspec.json.Decoder(_Outcome).decode


def outcome_ends(kafka: KafkaSettings, partitions: Collection[int]) -> dict[int, int]:
    """Where the outcomes of partitions of the topic of transactions end.

    Args:
        kafka: Broker and topics.
        partitions: Which ones.

    Returns:
        The offset after the last message that has an outcome, of each partition that has any
        in the topics of decisions and rejects.

    Raises:
        BrokerError: these topics cannot be read.
    """
    ends: dict[int, int] = {}
    for flow in (flows.DECISIONS, flows.REJECTS):
        topic = kafka.topic(flow)
        ranges = offset_ranges(kafka, topic, is_beyond_open=True)
        wanted: dict[int, set[int]] = {}
        for partition in partitions:
            wanted.setdefault(partition % len(ranges), set()).add(partition)
        for partition, offset in _last_sources(kafka, topic, ranges, wanted).items():
            ends[partition] = max(ends.get(partition, 0), offset + 1)
    return ends


def _last_sources(
    kafka: KafkaSettings,
    topic: str,
    ranges: Mapping[int, tuple[int, int]],
    wanted: dict[int, set[int]],
) -> dict[int, int]:
    """The last source offset of each wanted partition, by reading further and further back."""
    found: dict[int, int] = {}
    stops = {partition: ranges[partition][1] for partition in wanted}
    back = _FEW
    while True:
        windows = {
            partition: (max(ranges[partition][0], stop - back), stop)
            for partition, stop in stops.items()
            if ranges[partition][0] < stop and not wanted[partition] <= found.keys()
        }
        if not windows:
            return found
        seen: dict[int, int] = {}
        for value in _read(kafka, topic, windows):
            outcome = _parsed(value)
            if outcome is None or outcome.reason == REPLAYED:
                continue  # a marker names a message that was decided long ago
            if outcome.source_offset >= MAX_OFFSET:
                continue  # no topic is that long: it is forged
            if outcome.source_topic == kafka.topic(flows.TRANSACTIONS):
                seen[outcome.source_partition] = outcome.source_offset
        found = seen | found  # what an earlier window held is later in the topic
        stops = {partition: start for partition, (start, _) in windows.items()}
        back *= _TIMES_MORE


def _parsed(value: bytes | None) -> _Outcome | None:
    try:
        return _outcome(value or b"")
    except msgspec.DecodeError:
        return None


def _read(
    kafka: KafkaSettings, topic: str, windows: Mapping[int, tuple[int, int]]
) -> Iterator[bytes | None]:
    """The committed messages of several ranges, with one consumer."""
    consumer = groupless_consumer(kafka)
    consumer.assign(
        [TopicPartition(topic, partition, start) for partition, (start, _) in windows.items()]
    )
    left = {partition: stop for partition, (_, stop) in windows.items()}
    silent_since = time.monotonic()
    try:
        while left:
            for message in consumer.consume(1000, timeout=0.1):
                silent_since = time.monotonic()
                error = message.error()
                _, partition, offset = position_of(message)
                if error is None:
                    if offset < windows[partition][1]:
                        yield message.value()
                    offset += 1
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its only name
                    handle_consumer_error(consumer, message)
                    continue
                if offset >= left.get(partition, offset + 1):
                    del left[partition]
            if time.monotonic() - silent_since > _SILENCE_S:
                raise BrokerError(
                    f"topic '{topic}', partitions {', '.join(map(str, sorted(left)))}: the last "
                    f"outcomes could not be read: nothing came for {_SILENCE_S:.0f} s. An open "
                    "transaction may be holding them back; try again."
                )
    finally:
        end_client(consumer.close, f"reader of topic '{topic}'")
