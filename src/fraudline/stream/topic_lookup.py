"""Asking a broker which topic a name stands for, and how many partitions it has."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it is, by the documentation
    AdminClient,
    TopicDescription,
)

from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config
from fraudline.stream.ending import end_client

_ANSWER_TIMEOUT_S = 5.0

NO_ID = ""
"""In place of a topic's id, where the broker gives none."""
_ZERO_ID = "A" * 22  # sixteen zero bytes, as the client prints them


@dataclass(frozen=True)
class TopicIdentity:
    """What a broker says of a topic.

    Attributes:
        id: Given when the topic was made, and to no other; `NO_ID` if the broker gives none.
        partitions: How many it has.
    """

    id: str
    partitions: int


class TopicInquiry:
    """A question that is on its way to the broker.

    Args:
        futures: The client's, by topic.
    """

    def __init__(self, futures: Mapping[str, Future[TopicDescription]]) -> None:
        self._futures = futures

    @property
    def is_answered(self) -> bool:
        """Whether `answer` need not wait."""
        return all(future.done() for future in self._futures.values())

    def answer(self) -> dict[str, TopicIdentity]:
        """Wait for the answer.

        Raises:
            KafkaException: the broker does not answer, or has no such topic.
        """
        deadline = time.monotonic() + _ANSWER_TIMEOUT_S
        found = {}
        for topic, future in self._futures.items():
            try:
                found[topic] = _identity(future.result(max(0.0, deadline - time.monotonic())))
            except TimeoutError:
                error = KafkaError(KafkaError._TIMED_OUT, f"the id of topic '{topic}' is not told")  # noqa: SLF001 - its only name
                raise KafkaException(error) from None
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
                raise KafkaException(
                    KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic '{topic}'")
                ) from None
        return found


class TopicLookup:
    """Asks a broker for the identities of topics.

    Args:
        kafka: Broker and credentials.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._admin = AdminClient(client_config(kafka))

    def close(self) -> None:
        """Drop the connections."""
        admin = [self._admin]
        del self._admin
        end_client(admin.clear, "topics' ids")

    def ids(self, topics: Iterable[str]) -> dict[str, str]:
        """The topics' ids, waited for; `NO_ID` where the broker gives none.

        Raises:
            BrokerError: the broker does not answer, or has no such topic.
        """
        try:
            return {topic: one.id for topic, one in self.ask(topics).answer().items()}
        except KafkaException as error:
            raise BrokerError(
                f"which topics there are could not be learnt at {self._kafka.bootstrap_servers}: "
                f"{error.args[0].str()}. Check that the broker is running, and try again."
            ) from None

    def ask(self, topics: Iterable[str]) -> TopicInquiry:
        """Begin to ask; the caller works on meanwhile."""
        return TopicInquiry(
            self._admin.describe_topics(
                TopicCollection(list(topics)), request_timeout=_ANSWER_TIMEOUT_S
            )
        )


def _identity(found: TopicDescription) -> TopicIdentity:
    topic_id = str(found.topic_id)
    return TopicIdentity(NO_ID if topic_id == _ZERO_ID else topic_id, len(found.partitions))
