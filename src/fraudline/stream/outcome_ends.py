"""Where the outcomes of a partition end: after which of its messages nothing is decided yet.

A scorer puts an outcome into the partition with its transaction's number, in the order of the
transactions and in the Kafka transaction that moves the offset. So the last outcomes in the topics
of decisions and of rejects say how far a partition is decided, even where the group's own offset
is gone.

They are looked for from the end of these topics back, and no further than some ten megabytes of a
partition, however long it is. A partition whose number is its own there is found in the last
records. One that shares a partition with others, or whose last rejects lie behind very many
markers, may not be: it is named, and who asks has to know what that means.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import msgspec

from fraudline import flows
from fraudline.contract import REPLAYED
from fraudline.contract.columns import MAX_OFFSET
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_ranges

_FEW = 20  # records of a partition that are looked at first
_TIMES_MORE = 16
_MOST_BYTES = 32 * 2**20  # of a partition, and about as many records:
_MOST_RECORDS = 100_000


class _Outcome(msgspec.Struct):
    source_topic: str
    source_partition: int
    source_offset: int
    reason: str | None = None


_outcome = msgspec.json.Decoder(_Outcome).decode


@dataclass
class OutcomeEnds:
    """How far partitions of the topic of transactions are decided, by their outcomes.

    Attributes:
        known: The offset after the last message that has an outcome, of each partition of which
            one was found.
        unsure: Partitions with outcomes that may lie further back than was looked.
    """

    known: dict[int, int] = field(default_factory=dict)
    unsure: set[int] = field(default_factory=set)


def outcome_ends(kafka: KafkaSettings, partitions: Collection[int]) -> OutcomeEnds:
    """Where the outcomes of partitions of the topic of transactions end.

    Args:
        kafka: Broker and topics.
        partitions: Which ones.

    Raises:
        BrokerError: the topics of decisions and rejects cannot be read.
    """
    ends = OutcomeEnds()
    for flow in (flows.DECISIONS, flows.REJECTS):
        topic = kafka.topic(flow)
        ranges = offset_ranges(kafka, topic, is_beyond_open=True)
        wanted: dict[int, set[int]] = {}
        for partition in partitions:
            wanted.setdefault(partition % len(ranges), set()).add(partition)
        found, stops = _last_sources(kafka, topic, ranges, wanted)
        for partition, offset in found.items():
            ends.known[partition] = max(ends.known.get(partition, 0), offset + 1)
        for number, sources in wanted.items():
            if stops[number] > ranges[number][0]:
                ends.unsure |= sources - found.keys()
    return ends


def _last_sources(
    kafka: KafkaSettings,
    topic: str,
    ranges: Mapping[int, tuple[int, int]],
    wanted: dict[int, set[int]],
) -> tuple[dict[int, int], dict[int, int]]:
    """The last source offset of wanted partitions, by reading further and further back.

    Returns:
        By source partition, where it was found; and from which offset on each partition of the
        topic was read.
    """
    found: dict[int, int] = {}
    stops = {partition: ranges[partition][1] for partition in wanted}
    read_bytes = dict.fromkeys(wanted, 0)
    back = _FEW
    while back <= _MOST_RECORDS:
        windows = {
            partition: (max(ranges[partition][0], stop - back), stop)
            for partition, stop in stops.items()
            if ranges[partition][0] < stop
            and not wanted[partition] <= found.keys()
            and read_bytes[partition] * _TIMES_MORE <= _MOST_BYTES
        }
        seen: dict[int, int] = {}
        for partition, _, message in read_ranges(kafka, topic, windows):
            if message is None:
                continue
            read_bytes[partition] += len(message)
            outcome = _parsed(message.value())
            if outcome is None or outcome.reason == REPLAYED:
                continue  # a marker names a message that was decided long ago
            if outcome.source_offset >= MAX_OFFSET:
                continue  # no topic is that long: it is forged
            is_wanted = outcome.source_partition in wanted[partition]
            if is_wanted and outcome.source_topic == kafka.topic(flows.TRANSACTIONS):
                seen[outcome.source_partition] = outcome.source_offset
        found = seen | found  # what an earlier window held is later in the topic
        stops |= {partition: start for partition, (start, _) in windows.items()}
        back *= _TIMES_MORE
    return found, stops


def _parsed(value: bytes | None) -> _Outcome | None:
    try:
        return _outcome(value or b"")
    except msgspec.DecodeError:
        return None
