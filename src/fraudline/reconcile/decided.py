"""How far the topic as it is now was decided: rows from there on are of no message of it.

A topic that is deleted and made anew keeps its name, and its offsets begin at 0 again, so rows of
the former one have the positions of its messages. A decision or a reject is made in the Kafka
transaction that moves the scorers' offset, whose metadata names the topic. So a row at or beyond
that offset, or in a partition that has no offset of this topic, is of another one, or forged.
"""

from __future__ import annotations

from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.group_offsets import CommittedOffset, GroupOffsets
from fraudline.stream.score_checkpoint import ScoreCheckpoint
from fraudline.stream.topic_lookup import NO_ID, TopicLookup

_OF_SCORERS = ".score"
_WHAT_NOW = "See 'A topic was deleted and recreated' in docs/guides/operations.md."


class DecidedOffsets:
    """What the scorers' group has committed for a topic, asked for when it matters.

    Args:
        kafka: Broker and group.
        topic: The input topic.

    Raises:
        BrokerError: the broker does not answer.
    """

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._topic = topic
        self._group = f"{kafka.group}{_OF_SCORERS}"
        self._offsets = GroupOffsets(kafka, self._group)
        self._lookup = TopicLookup(kafka)
        self._id = self._topic_id()
        self._other_ids: dict[int, str] = {}
        self._refused: dict[int, int | None] = {}
        self._ends: dict[int, int | None] = {}

    def end(self, partition: int, stop: int) -> int:
        """The offset before which a partition is decided, or `stop`, if it is decided so far.

        To be asked after the rows were read: what made them has then committed.

        Raises:
            BrokerError: the broker does not answer.
        """
        if (self._ends.get(partition) or 0) < stop:
            # One at a time: of many, some are in a scorer's transaction at every moment.
            key = self._topic, partition
            committed = self._offsets.committed([key]).get(key)
            self._ends[partition] = self._end_of(partition, committed)
        return min(self._ends.get(partition) or 0, stop)

    def refuse(self, partition: int) -> None:
        """Note that a partition has rows from `end` on."""
        self._refused[partition] = self._ends.get(partition)

    def require_same_topic(self) -> None:
        """See that the topic is still the one that it was in the beginning.

        Raises:
            BrokerError: it is not, or the broker does not answer.
        """
        found = self._topic_id()
        if found != self._id:
            raise BrokerError(
                f"topic '{self._topic}' was deleted and made anew while it was compared with its "
                f"rows (its id was {self._id}, and is {found}), so nothing is proved. {_WHAT_NOW}"
            )

    def notes(self) -> list[str]:
        """Which rows were not counted as those of messages, and why, each in a sentence."""
        notes = []
        if self._other_ids:
            known = ", ".join(sorted(set(self._other_ids.values())))
            notes.append(
                f"topic '{self._topic}' was deleted and made anew: its id is {self._id}, and what "
                f"group '{self._group}' has decided is of {known}. Rows of the former topic count "
                f"as unexpected, not as those of messages at the same offsets. {_WHAT_NOW}"
            )
        bare = [
            one for one, end in self._refused.items() if end is None and one not in self._other_ids
        ]
        if bare:
            notes.append(self._told_of_bare(bare))
        beyond = {one: end for one, end in self._refused.items() if end is not None}
        if beyond:
            told = ", ".join(f"{one} from offset {end} on" for one, end in sorted(beyond.items()))
            notes.append(
                f"there are rows of messages that group '{self._group}' has not decided in topic "
                f"'{self._topic}' as it is now (partition {told}). They count as unexpected: they "
                "are of a former topic of this name, or of messages from before somebody set the "
                f"group back, or forged. {_WHAT_NOW}"
            )
        return notes

    def _told_of_bare(self, partitions: list[int]) -> str:
        """What is said of rows where the group has no offset."""
        mine = self._group.removesuffix(_OF_SCORERS)
        keys = [(self._topic, partition) for partition in partitions]
        deciders = [
            name.removesuffix(_OF_SCORERS)
            for name, metadata in sorted(self._offsets.others(_OF_SCORERS, keys).items())
            if any(self._is_of_topic(one) for one in metadata)
        ]
        others = (
            f" (scorers of {', '.join(map(repr, deciders))} have decided in this topic)"
            if deciders
            else ""
        )
        return (
            f"there are rows of {self._places(partitions)}, and group '{self._group}' has no "
            "offset there: whose they are cannot be told, so they count as unexpected. Either "
            f"`kafka.group`, which is '{mine}', is not what the scorers have{others}: give "
            "`reconcile` the same. Or the group's offsets have expired, or it was renamed: if the "
            "topic is still the one that was decided, run `fraudline offsets set score --to "
            "stored`. Or they went with a former topic of this name: "
            f"{_WHAT_NOW[0].lower()}{_WHAT_NOW[1:]}"
        )

    def _is_of_topic(self, metadata: str) -> bool:
        """Whether a scorer has committed an offset of the topic as it is now."""
        checkpoint = ScoreCheckpoint.parse(metadata)
        return checkpoint is not None and checkpoint.transactions in {self._id, NO_ID}

    def _places(self, partitions: list[int]) -> str:
        numbers = ", ".join(map(str, sorted(partitions)))
        return f"topic '{self._topic}', partition{'s' * (len(partitions) > 1)} {numbers}"

    def _end_of(self, partition: int, committed: CommittedOffset | None) -> int | None:
        self._other_ids.pop(partition, None)
        if committed is None:
            return None
        checkpoint = ScoreCheckpoint.parse(committed.metadata)
        known = checkpoint.transactions if checkpoint is not None else NO_ID
        if NO_ID not in (known, self._id) and known != self._id:
            self._other_ids[partition] = known
            return None
        return committed.offset

    def _topic_id(self) -> str:
        return self._lookup.ids([self._topic])[self._topic]
