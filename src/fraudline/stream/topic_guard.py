"""Which topic a name stands for: the id that a broker gives each topic it makes.

A topic that is deleted and made anew keeps its name, and its offsets begin at 0 again. Once it
is longer than a position in the old one, a consumer goes on there, and nothing tells that the
first messages were skipped. So each loop commits the ids of its topics with its offsets, and
asks for them again: when partitions are assigned, after the last message of every batch that
is to be committed or stored, and about once a second. An answer to a question that was asked
after a message was taken speaks for that message, too, since an id never comes back.
`docs/decisions/0018-which-topic-it-is.md` argues it, and says what it costs.

The same answer tells how many partitions there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException

from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import raise_if_permanent
from fraudline.stream.topic_lookup import NO_ID, TopicIdentity, TopicInquiry, TopicLookup

_LOG = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.0
_LONGEST_SILENCE_S = 30.0  # a broker that is back by then need not find a new session
_GONE_FOR_GOOD_S = 5.0  # a broker that has just started may not know each topic yet


class TopicGuard:
    """Holds a loop to the topics that it began with, across all of its sessions.

    Args:
        kafka: Broker and credentials.
        inputs: Topics of which the loop takes messages.
        outputs: Others that it relies on.
        group: The consumer group, for people.
        require: Called with the number of partitions of each topic at the begin of a session;
            refuses numbers that do not fit one another.

    Attributes:
        seen_at: When the broker last said which topics there are, by `time.monotonic`.
        has_grown: Whether a topic has another number of partitions than when the session began:
            it is over, and a new one begins with all of them.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        inputs: Iterable[str],
        outputs: Iterable[str] = (),
        *,
        group: str,
        require: Callable[[Mapping[str, int]], None] = lambda _: None,
    ) -> None:
        self._kafka = kafka
        self._lookup: TopicLookup | None = None  # each session has one of its own
        self._inputs = list(inputs)
        self._topics = [*self._inputs, *outputs]
        self._group = group
        self._require = require
        self._begun: dict[str, TopicIdentity] = {}
        self._asked: TopicInquiry | None = None
        self._looking: TopicInquiry | None = None
        self._looked_at = 0.0
        self.seen_at = time.monotonic()
        self._gone_since: float | None = None
        self._told: set[str] = set()
        self.has_grown = False

    def begin(self) -> None:
        """Begin a session: see which topics there are.

        Raises:
            KafkaException: the broker does not answer.
            BrokerError: a topic is gone, is another one than in the session before, or has a
                number of partitions that does not fit.
        """
        self._asked = self._looking = None
        # A client that has lost its brokers may never find them again: see `fetch_watch`.
        if self._lookup is not None:
            self._lookup.close()
        self._lookup = TopicLookup(self._kafka)
        found = self._answer(self._ask(self._topics))
        for topic, one in found.items():
            self._require_id(topic, self._begun.get(topic, one).id, one.id)
            if one.id == NO_ID:
                self.tell_once(
                    f"the broker gives topic '{topic}' no id, so one that is deleted and made "
                    "anew is noticed only while it is shorter than the old one. Stop scorers and "
                    "sinks before you do that"
                )
        self._require({topic: one.partitions for topic, one in found.items()})
        self._begun = found
        self._looked_at = time.monotonic()
        self.has_grown = False

    def id_of(self, topic: str) -> str:
        """The id that a topic had when the session began; `NO_ID` if the broker gives none."""
        return self._begun[topic].id

    def partitions_of(self, topic: str) -> int:
        """How many partitions a topic had when the session began."""
        return self._begun[topic].partitions

    def ask(self) -> None:
        """Ask whether the inputs are still the same; `confirm` waits for the answer."""
        self._asked = self._ask(self._inputs)

    def confirm(self) -> None:
        """Wait until it is certain that all messages taken before `ask` are of the same topics.

        Raises:
            KafkaException: that could not be learnt.
            BrokerError: they are not.
        """
        asked, self._asked = self._asked, None
        if asked is not None:
            self._compare(self._answer(asked))
        self.look()

    def look(self) -> None:
        """Look at all topics about once a second, without waiting.

        Raises:
            KafkaException: a topic is gone, or the broker has not answered for long.
            BrokerError: a topic was made anew, or the broker denies access.
        """
        now = time.monotonic()
        if self._looking is None:
            if now - self._looked_at >= _LOOK_EVERY_S:
                self._looking = self._ask(self._topics)
            return
        if not self._looking.is_answered:
            return
        looking, self._looking = self._looking, None
        self._looked_at = now
        try:
            self._compare(self._answer(looking))
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            raise_if_permanent(error.args[0])
            if now - self.seen_at > _LONGEST_SILENCE_S:
                raise
            _LOG.debug("the topics' ids: %s", error.args[0])

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Let a topic that was made anew explain what the broker refuses inside the block.

        Raises:
            BrokerError: what was refused, or what explains it.
            KafkaException: whether a topic was made anew could not be learnt.
        """
        try:
            yield
        except BrokerError:
            self.ask()
            self.confirm()
            raise

    def require_same(self, topic: str, known_id: str) -> None:
        """Refuse a topic whose id is another one than was known.

        Args:
            topic: Its name.
            known_id: The id of old, or `NO_ID` where none was told.

        Raises:
            BrokerError: it was made anew since.
        """
        self._require_id(topic, known_id, self._begun[topic].id)

    def tell_once(self, message: str) -> None:
        """Log a warning that is worth saying once in a process."""
        if message not in self._told:
            self._told.add(message)
            _LOG.warning("%s", message)

    def _ask(self, topics: Iterable[str]) -> TopicInquiry:
        assert self._lookup is not None, "no session has begun"
        return self._lookup.ask(topics)

    def _answer(self, inquiry: TopicInquiry) -> dict[str, TopicIdentity]:
        try:
            found = inquiry.answer()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
            now = time.monotonic()
            self._gone_since = self._gone_since or now
            if now - self._gone_since < _GONE_FOR_GOOD_S:
                raise
            raise BrokerError(
                f"{error.args[0].str()} at {self._kafka.bootstrap_servers} any more: it was "
                "deleted. What was processed before stays processed. `fraudline setup` makes it "
                "anew; what else to do is in docs/guides/operations.md, 'A topic was deleted and "
                "recreated'."
            ) from None
        self._gone_since = None
        self.seen_at = time.monotonic()
        return found

    def _compare(self, found: Mapping[str, TopicIdentity]) -> None:
        for topic, one in found.items():
            begun = self._begun[topic]
            self._require_id(topic, begun.id, one.id)
            if one.partitions != begun.partitions:
                self.has_grown = True
                _LOG.warning(
                    "topic '%s' has %d partitions now, %d before; joining group '%s' again",
                    topic,
                    one.partitions,
                    begun.partitions,
                    self._group,
                )

    def _require_id(self, topic: str, known_id: str, found_id: str) -> None:
        if NO_ID in (known_id, found_id) or known_id == found_id:
            return
        raise BrokerError(recreated(topic, known_id, found_id, self._group))


def recreated(topic: str, known_id: str, found_id: str, group: str) -> str:
    """What is said of a topic that was made anew, and what to do."""
    return (
        f"topic '{topic}' was deleted and made anew (its id is {found_id}, and group '{group}' "
        f"has got to know {known_id}), so its offsets begin at 0 again. Nothing of the new topic "
        "was processed, and nothing of it is lost. Do what docs/guides/operations.md says under "
        "'A topic was deleted and recreated', which ends with `fraudline offsets set`."
    )
