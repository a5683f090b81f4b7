"""How far messages of the input topic have come (scored, stored), and which stage is stalled.

The scorer's committed offsets say what is scored. The sink's say what is stored: each leads
to the next decision or reject that is not stored yet, which names the input it stems from. A
partition's outcomes keep their order and stay in one partition, so all inputs before that one
are stored. While this is uncertain, the last certain answer holds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from fraudline import flows
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import require_enough_partitions
from fraudline.stream.intake import PartitionKey
from fraudline.stream.offset_lookup import NextMessage, OffsetLookup, PartitionEnd
from fraudline.stream.topic_lookup import NO_ID, TopicLookup


class _Source(msgspec.Struct):
    """The message that a decision or a reject stems from."""

    source_topic: str
    source_partition: int
    source_offset: int


_source = msgspec.json.Decoder(_Source).decode


@dataclass(frozen=True)
class PartitionReach:
    """How far one partition of the input topic has come, in offsets.

    Attributes:
        end: The one after the last message.
        scored: Every message before this offset is decided or rejected.
        stored: Every outcome of a message before this offset is in BigQuery; None if unknown.
        held_back: Messages before `end` that an open transaction of their producer hides.
        scored_age_s: Age of the message at `scored`, seconds; None if there is none.
        stored_age_s: Age of the message at `stored`, likewise; None where it has no time stamp.
    """

    end: int
    scored: int
    stored: int | None
    held_back: int
    scored_age_s: float | None
    stored_age_s: float | None


class StageTracker:
    """Looks up positions, and remembers when each one last moved.

    Args:
        kafka: Broker, topics and groups.

    Attributes:
        reaches: How far each partition was at the last look.
        recreated: Partitions whose topic was recreated while it was followed: it has another id,
            or ends before what was already stored.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._positions = OffsetLookup(kafka)
        self._identities = TopicLookup(kafka)
        self._id = NO_ID
        self._stored: dict[int, int] = {}
        self._stood: dict[tuple[str, PartitionKey], tuple[int, float]] = {}
        self.reaches: dict[int, PartitionReach] = {}
        self.recreated: frozenset[int] = frozenset()

    def close(self) -> None:
        """Drop the connections."""
        self._positions.close()

    def look(self) -> None:
        """See where everything is now.

        Raises:
            BrokerError: the broker does not answer.
        """
        kafka, ask = self._kafka, self._positions
        inputs = ask.ends([kafka.topic(flows.TRANSACTIONS)])
        self._compare_id(kafka.topic(flows.TRANSACTIONS), inputs)
        scored = ask.committed(f"{kafka.group}.score", inputs)
        # Asked for after `scored`, so the outcomes of everything before it are within these ends.
        outcomes = ask.ends([kafka.topic(flows.DECISIONS), kafka.topic(flows.REJECTS)])
        # An outcome is looked for where the scorer puts it: in the partition of its input.
        counts = Counter(topic for topic, _ in [*inputs, *outcomes])
        require_enough_partitions(
            {
                topic: counts[topic]
                for topic in (kafka.topic(flows.TRANSACTIONS), kafka.topic(flows.DECISIONS))
            },
            "Which decisions are stored cannot be followed. Give the second as many, or use "
            "`fraudline reconcile`, which does not need it.",
        )
        self.recreated |= {
            number for (_, number), end in inputs.items() if end.high < self._stored.get(number, 0)
        }
        sunk = ask.committed(f"{kafka.group}.sink", outcomes)
        ends = {**inputs, **outcomes}
        next_ones = {key: max(end.low, scored.get(key, 0), sunk.get(key, 0))
                     for key, end in ends.items()}  # fmt: skip
        heads = ask.heads({key: at for key, at in next_ones.items() if at < ends[key].high})
        done = {
            key: end.high if _is_drained(key, next_ones[key], end, heads) else next_ones[key]
            for key, end in ends.items()
        }
        for key, end in ends.items():
            stage = "scorer" if key in inputs else "sink"
            self._see(stage, key, next_ones[key], is_waiting=done[key] < end.high)
        for key in inputs:
            self._learn_stored(key, done, ends, heads)
        self._tell(inputs, done, heads)

    def still(self, stage: str, stalled_after_s: float) -> tuple[float, list[PartitionKey]]:
        """For how long a stage has committed nothing although something waits, and where."""
        now = time.monotonic()
        still = {
            key: now - since
            for (of, key), (_, since) in list(self._stood.items())  # another thread's
            if of == stage and now - since > stalled_after_s
        }
        return max(still.values(), default=0.0), sorted(still)

    def _compare_id(self, topic: str, inputs: Iterable[PartitionKey]) -> None:
        """Notice that the topic is another one than at the first look."""
        found = self._identities.ids([topic])[topic]
        if NO_ID not in (self._id, found) and found != self._id:
            self.recreated |= {number for _, number in inputs}
        self._id = self._id or found

    def _see(self, stage: str, key: PartitionKey, position: int, *, is_waiting: bool) -> None:
        if not is_waiting:
            self._stood.pop((stage, key), None)
        elif self._stood.get((stage, key), (None, 0.0))[0] != position:
            self._stood[stage, key] = position, time.monotonic()

    def _learn_stored(
        self,
        key: PartitionKey,
        done: Mapping[PartitionKey, int],
        ends: Mapping[PartitionKey, PartitionEnd],
        heads: Mapping[PartitionKey, NextMessage | None],
    ) -> None:
        bounds = [done[key]]
        for topic in (self._kafka.topic(flows.DECISIONS), self._kafka.topic(flows.REJECTS)):
            count = sum(name == topic for name, _ in ends)
            outcome = topic, key[1] % count  # as the scorer places them
            if done[outcome] >= ends[outcome].high:
                continue
            source = _source_of(heads.get(outcome))
            if source is None or (source.source_topic, source.source_partition) != key:
                return
            if not 0 <= source.source_offset < ends[key].high:
                return  # of a message that came since `ends`; or forged, and says nothing
            bounds.append(source.source_offset)
        # A marker that a reject was sent again names an input that was stored long ago.
        self._stored[key[1]] = max(self._stored.get(key[1], 0), min(bounds))

    def _tell(
        self,
        inputs: Mapping[PartitionKey, PartitionEnd],
        done: Mapping[PartitionKey, int],
        heads: Mapping[PartitionKey, NextMessage | None],
    ) -> None:
        topic = self._kafka.topic(flows.TRANSACTIONS)
        unstored = {
            (topic, partition): offset
            for partition, offset in self._stored.items()
            if offset < done[topic, partition]
        }
        oldest = self._positions.heads(unstored)
        self.reaches = {
            partition: PartitionReach(
                end.high,
                done[key],
                self._stored.get(partition),
                end.high - end.stable if heads.get(key) is None else 0,
                _age_s(heads.get(key)) if done[key] < end.high else None,
                _age_s(oldest.get(key)) if key in unstored else None,
            )
            for key, end in inputs.items()
            for partition in [key[1]]
        }


def _is_drained(
    key: PartitionKey,
    position: int,
    end: PartitionEnd,
    heads: Mapping[PartitionKey, NextMessage | None],
) -> bool:
    """Whether nothing is left but the markers that Kafka transactions leave behind."""
    return position >= end.high or (end.stable == end.high and key in heads and heads[key] is None)


def _source_of(head: NextMessage | None) -> _Source | None:
    try:
        return _source(head.value or b"") if head is not None else None
    except msgspec.DecodeError:
        return None


def _age_s(head: NextMessage | None) -> float | None:
    if head is None or head.sent_at_s is None:
        return None
    return max(0.0, time.time() - head.sent_at_s)
