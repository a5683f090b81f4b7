"""The committed offsets of a consumer group, for people: read, and set while nobody uses them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from fraudline.contract import Messages
from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config, raise_if_permanent
from fraudline.stream.intake import PartitionKey
from fraudline.stream.read_topic import read_range

_TIMEOUT_S = 10.0
_STABLE_TIMEOUT_S = 45.0  # a transaction ends after 6 s, and the broker looks every 10 to 20 s
_FEW = 200  # messages that are looked at first
_TIMES_MORE = 8
_MOST = 5_000


class CommittedOffset(NamedTuple):
    """What a group has committed for a partition."""

    offset: int
    metadata: str


class GroupOffsets:
    """The offsets of one consumer group.

    Args:
        kafka: Broker and credentials.
        group: Its full name.
    """

    def __init__(self, kafka: KafkaSettings, group: str) -> None:
        self._kafka = kafka
        self._group = group
        self._admin = AdminClient(client_config(kafka))

    def committed(self, partitions: Iterable[PartitionKey]) -> dict[PartitionKey, CommittedOffset]:
        """What is committed, with its metadata, once no open transaction can change it.

        Raises:
            BrokerError: the broker does not answer, or a transaction stays open.
        """
        asked = ConsumerGroupTopicPartitions(
            self._group, [TopicPartition(*key) for key in partitions]
        )
        deadline = time.monotonic() + _STABLE_TIMEOUT_S
        while True:
            failure: Exception
            try:
                answers = self._admin.list_consumer_group_offsets(
                    [asked], require_stable=True, request_timeout=_TIMEOUT_S
                )
                found = answers[self._group].result(_TIMEOUT_S).topic_partitions
            except (KafkaException, TimeoutError) as error:
                failure = error
            else:
                errors = [one.error for one in found if one.error is not None]
                if not errors:
                    return {
                        (one.topic, one.partition): CommittedOffset(one.offset, one.metadata or "")
                        for one in found
                        if one.offset >= 0
                    }
                failure = KafkaException(errors[0])
            cause = failure.args[0] if failure.args else None
            is_open = isinstance(cause, KafkaError) and (
                cause.code() == KafkaError.UNSTABLE_OFFSET_COMMIT
            )
            if not is_open or time.monotonic() > deadline:
                raise self._refused("its offsets could not be read", failure)
            time.sleep(0.5)

    def others(self, ending: str, partitions: Collection[PartitionKey]) -> dict[str, list[str]]:
        """Other groups that have committed something for some partitions; to be told to people.

        Args:
            ending: What their names end in.
            partitions: Of which.

        Returns:
            The metadata of each one's offsets, by its name; nothing where the broker tells nothing.
        """
        try:
            listed = self._admin.list_consumer_groups(request_timeout=_TIMEOUT_S).result(_TIMEOUT_S)
            names = [one.group_id for one in listed.valid if one.group_id.endswith(ending)]
            asked = [TopicPartition(*key) for key in partitions]
            answers = {
                name: self._admin.list_consumer_group_offsets(
                    [ConsumerGroupTopicPartitions(name, asked)], request_timeout=_TIMEOUT_S
                )[name]
                for name in names
                if name != self._group
            }
            found = {name: one.result(_TIMEOUT_S).topic_partitions for name, one in answers.items()}
        except (KafkaException, TimeoutError):
            return {}
        return {
            name: [one.metadata or "" for one in places if one.offset >= 0]
            for name, places in found.items()
        }

    def require_empty(self) -> None:
        """Check that no process is a member.

        Raises:
            BrokerError: there are some, or the broker does not answer.
        """
        try:
            answers = self._admin.describe_consumer_groups([self._group])
            members = answers[self._group].result(_TIMEOUT_S).members
        except (KafkaException, TimeoutError) as error:
            raise self._refused("its members could not be learnt", error) from None
        if members:
            raise BrokerError(self._in_use(f"{len(members)} members"))

    def set(self, places: Mapping[PartitionKey, CommittedOffset]) -> None:
        """Commit these offsets with their metadata; the broker refuses while there are members.

        Raises:
            BrokerError: it refuses.
        """
        asked = ConsumerGroupTopicPartitions(
            self._group,
            [
                TopicPartition(*key, place.offset, metadata=place.metadata)
                for key, place in places.items()
            ],
        )
        try:
            answers = self._admin.alter_consumer_group_offsets([asked], request_timeout=_TIMEOUT_S)
            done = answers[self._group].result(_TIMEOUT_S).topic_partitions
        except (KafkaException, TimeoutError) as error:
            raise self._refused("its offsets could not be set", error) from None
        for one in done:
            if one.error is None:
                continue
            if one.error.code() == KafkaError.UNKNOWN_MEMBER_ID:
                raise BrokerError(self._in_use("members"))
            raise self._refused("its offsets could not be set", KafkaException(one.error))

    def _in_use(self, members: str) -> str:
        return (
            f"group '{self._group}' has {members}, which would go on from where they are. Nothing "
            "was set. Stop every process of it; one that was killed is forgotten after 6 s."
        )

    def _refused(self, what: str, error: Exception) -> BrokerError:
        cause = error.args[0] if error.args else None
        if isinstance(cause, KafkaError):
            raise_if_permanent(cause)
        reason = cause.str() if isinstance(cause, KafkaError) else "no answer in time"
        return BrokerError(
            f"group '{self._group}' at {self._kafka.bootstrap_servers}: {what}: {reason}. Try "
            "again."
        )


def stored_end(
    kafka: KafkaSettings,
    key: PartitionKey,
    within: tuple[int, int],
    are_stored: Callable[[Messages], list[bool]],
) -> int:
    """The offset after the last message of a partition that is stored, by reading back.

    Args:
        kafka: Broker and credentials.
        key: The partition.
        within: First offset, and the one after the last.
        are_stored: Whether each of some messages is; if one is, all before it are.

    Returns:
        The partition's first offset if none is stored.

    Raises:
        BrokerError: the topic cannot be read.
    """
    low, stop = within
    back = _FEW
    while stop > low:
        start, found = max(low, stop - back), None
        for _, _, messages in read_range(kafka, *key, start, stop, _MOST):
            for offset, is_stored in zip(messages.offsets, are_stored(messages), strict=True):
                if is_stored:
                    found = offset + 1
        if found is not None:
            return found
        stop, back = start, back * _TIMES_MORE
    return low
