"""What a scorer commits with its offsets, and the check of what it finds there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException

from fraudline import flows
from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Partitions
from fraudline.stream.offset_lookup import OffsetLookup
from fraudline.stream.outcome_ends import outcome_ends
from fraudline.stream.topic_guard import TopicGuard
from fraudline.stream.topic_lookup import NO_ID

_WORD = "topics"
_UNKNOWN = "-"


class ScoreCheckpoint(NamedTuple):
    """The metadata of a scorer's committed offset: which topics it is about.

    Attributes:
        transactions: Id of the topic that the offset is of; `NO_ID` if the broker gives none.
        decisions: Id of the topic with the decisions on what is before the offset.
        rejects: Id of the topic with the rejects among it.
    """

    transactions: str
    decisions: str
    rejects: str

    def __str__(self) -> str:
        return " ".join([_WORD, *(topic_id or _UNKNOWN for topic_id in self)])

    @classmethod
    def parse(cls, text: str | None) -> ScoreCheckpoint | None:
        """Parse a checkpoint; None for anything else, such as what an earlier fraudline left."""
        word, *ids = (text or "").split(" ")
        if word != _WORD or len(ids) != len(cls._fields):
            return None
        return cls(*(NO_ID if topic_id == _UNKNOWN else topic_id for topic_id in ids))


class ScoreStart:
    """Sees that partitions begin where their outcomes end.

    Args:
        kafka: Broker, topics and group.
        guard: Knows the topics as they are.
    """

    def __init__(self, kafka: KafkaSettings, guard: TopicGuard) -> None:
        self._kafka = kafka
        self._guard = guard
        self._topics = [
            kafka.topic(flow) for flow in (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)
        ]

    @property
    def metadata(self) -> str:
        """What is committed with an offset."""
        return str(ScoreCheckpoint(*map(self._guard.id_of, self._topics)))

    def check(self, committed: Partitions) -> None:
        """Check the committed offsets of partitions that are to be scored here from now on.

        One whose metadata names the topics' ids is believed if these are still the same. For
        one that has none, because an earlier fraudline committed it or because it is gone, the
        topics of outcomes tell how far it was decided.

        Raises:
            BrokerError: a topic was made anew, there are outcomes beyond an offset, or none of
                the group's offsets are left and the outcomes do not tell.
            KafkaException: the outcomes cannot be read now.
        """
        bare: dict[int, int] = {}
        for partition in committed:
            checkpoint = ScoreCheckpoint.parse(partition.metadata)
            if partition.offset >= 0 and checkpoint is not None:
                for topic, known_id in zip(self._topics, checkpoint, strict=True):
                    self._guard.require_same(topic, known_id)
            else:
                bare[partition.partition] = partition.offset
        if not bare:
            return
        try:
            ends = outcome_ends(self._kafka, bare)
        except BrokerError as error:  # it may succeed later, such as once a topic has a leader
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None  # noqa: SLF001 - its only name
        for number, offset in sorted(bare.items()):
            self._require_no_outcome(number, offset, ends.known.get(number, 0))
        self._require_sure({number: bare[number] for number in ends.unsure})
        if any(offset >= 0 for offset in bare.values()):
            self._guard.tell_once(
                "score: offsets of an earlier fraudline, or set by other means, do not say which "
                "topic they are of; their outcomes end where they should, and from the next "
                "commit on they do"
            )

    def _require_sure(self, unsure: Mapping[int, int]) -> None:
        """Begin where outcomes may lie too far back to be found only if something else tells.

        A partition that has an offset, or that was added while the others have theirs, goes on.
        """
        if not unsure:
            return
        inputs, decisions, rejects = self._topics
        lost = sorted(number for number, offset in unsure.items() if offset < 0)
        numbers = ", ".join(map(str, sorted(unsure)))
        told = (
            f"topic '{inputs}', partitions {numbers}: outcomes may lie further back in topics "
            f"'{decisions}' and '{rejects}' than the last ones, which were looked at"
        )
        if lost and not self._has_any_offset():
            raise BrokerError(
                f"{told}, and group '{self._kafka.group}.score' has no offset at all: deciding "
                "messages again would double their rows. Nothing was decided. `fraudline offsets "
                "show` tells what tables and topics know; then set the place with `fraudline "
                f"offsets set score --partition {lost[0]} --to OFFSET`."
            )
        self._guard.tell_once(
            f"score: {told}. Their offsets are believed, and those without one are taken for "
            "new partitions, since the group has offsets"
        )

    def _has_any_offset(self) -> bool:
        lookup = OffsetLookup(self._kafka)
        try:
            inputs = self._topics[0]
            keys = [(inputs, number) for number in range(self._guard.partitions_of(inputs))]
            return bool(lookup.committed(f"{self._kafka.group}.score", keys))
        except BrokerError as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, str(error))) from None  # noqa: SLF001 - its only name
        finally:
            lookup.close()

    def _require_no_outcome(self, partition: int, offset: int, end: int) -> None:
        if end <= max(0, offset):
            return
        inputs, decisions, rejects = self._topics
        found = f"only offset {offset}" if offset >= 0 else "no offset"
        raise BrokerError(
            f"group '{self._kafka.group}.score' has {found} for topic '{inputs}', partition "
            f"{partition}, but topics '{decisions}' and '{rejects}' hold outcomes of it up to "
            f"offset {end - 1}: deciding these messages again would double their rows. Nothing "
            "was decided. A group's offsets expire while no scorer runs, and go with a topic that "
            "is deleted. If the topic is still the one that was decided, go on after these "
            "outcomes with `fraudline offsets set score --to stored`. If it was deleted and made "
            "anew, see 'A topic was deleted and recreated' in docs/guides/operations.md."
        )
