"""What the Kafka client knows without a request: how far it is, and which brokers answer.

librdkafka compiles these statistics once a second from what fetches and heartbeats brought
in anyway. The fields are those of its `STATISTICS.md`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec

EVERY_MS = 1000
_NO_ANSWER = -1
_ALL_PARTITIONS = "-1"  # the client's own bookkeeping, of no partition


class _Partition(msgspec.Struct):
    leader: int
    desired: bool
    fetch_state: str
    hi_offset: int
    ls_offset: int


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition]


class _Broker(msgspec.Struct):
    nodeid: int
    source: str
    rxidle: int


class _Group(msgspec.Struct):
    state: str
    join_state: str
    assignment_size: int


class _Statistics(msgspec.Struct):
    brokers: dict[str, _Broker]
    topics: dict[str, _Topic]
    cgrp: _Group


_decode = msgspec.json.Decoder(_Statistics).decode


@dataclass(frozen=True)
class FetchedPartition:
    """What the client knows of one partition.

    Attributes:
        stable: The first offset that is not readable yet: the topic's end, or where its
            first open transaction begins.
        end: The one after the last offset in the topic.
        answered_at: When its broker last answered, by `time.monotonic`.
    """

    stable: int
    end: int
    answered_at: float


@dataclass(frozen=True)
class ClientStatistics:
    """What the client knew at one moment.

    Attributes:
        group: State of the membership; `steady` when it is neither joining nor leaving.
        answered_at: When the group's coordinator last answered, by `time.monotonic`.
        partitions: Those that are assigned and being fetched.
        assigned: How many are assigned.
    """

    group: str
    answered_at: float
    partitions: dict[tuple[str, int], FetchedPartition]
    assigned: int

    @property
    def is_steady(self) -> bool:
        """Whether the member is in its group and fetches every partition it was assigned."""
        return self.group == "steady" and len(self.partitions) == self.assigned

    def silence_s(self, now: float) -> float:
        """For how long the broker that is silent longest has not answered; infinite if it is lost.

        Of those of which something is fetched; if nothing is, the group's coordinator.

        Args:
            now: By `time.monotonic`.
        """
        silences = [now - each.answered_at for each in self.partitions.values()]
        return max(silences, default=now - self.answered_at)


def parse_statistics(text: str | bytes) -> ClientStatistics:
    """Parse the JSON that the client passes to `stats_cb`.

    Raises:
        DecodeError: of msgspec: it lacks what is read here, as that of another librdkafka may.
        ValueError: likewise.
    """
    found = _decode(text)
    now = time.monotonic()

    def answered_at(broker: _Broker | None) -> float:
        if broker is None or broker.rxidle == _NO_ANSWER:
            return float("-inf")
        return now - broker.rxidle / 1e6

    brokers = {broker.nodeid: broker for broker in found.brokers.values()}
    coordinator = next((each for each in brokers.values() if each.source == "logical"), None)
    partitions = {
        (topic, int(number)): FetchedPartition(
            partition.ls_offset,
            partition.hi_offset,
            answered_at(brokers.get(partition.leader)),
        )
        for topic, of in found.topics.items()
        for number, partition in of.partitions.items()
        if number != _ALL_PARTITIONS and partition.desired and partition.fetch_state == "active"
        and partition.hi_offset >= 0
    }  # fmt: skip
    group = found.cgrp.join_state if found.cgrp.state == "up" else found.cgrp.state
    return ClientStatistics(group, answered_at(coordinator), partitions, found.cgrp.assignment_size)
