"""Connecting to a broker: configuration, topics, and errors a person can act on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings

_LOG = logging.getLogger("fraudline.kafka")


class _RateLimit(logging.Filter):
    """Lets one line through in five seconds: without a broker, a client logs twenty a second."""

    _silent_until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        now = time.monotonic()
        if now < self._silent_until:
            return False
        self._silent_until = now + 5.0
        return True


_LOG.addFilter(_RateLimit())
_SILENT = logging.getLogger("fraudline.kafka.silent")
_SILENT.setLevel(logging.CRITICAL)
_ANSWER_TIMEOUT_S = 10.0
_LEAST_MESSAGE_BYTES = 1_048_588
_PERMANENT = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - the client's own name for local errors
    }
)
_SPECIFIC = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE})  # noqa: SLF001 - the client's own names for local errors


def client_config(kafka: KafkaSettings) -> dict[str, Any]:
    """What every producer, consumer and admin client has in common."""
    config: dict[str, Any] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "security.protocol": kafka.security_protocol,
        "client.id": "fraudline",
        "logger": _LOG,
        # Small requests follow one another here; none should wait for the last one's receipt.
        "socket.nagle.disable": True,
        # The back-off while a broker is away: long enough to be gentle, short enough to notice
        # its return at once.
        "reconnect.backoff.ms": 100,
        "reconnect.backoff.max.ms": 2000,
    }
    if kafka.security_protocol.startswith("SASL"):
        config["sasl.mechanism"] = kafka.sasl_mechanism
        config["sasl.username"] = kafka.sasl_username
        config["sasl.password"] = kafka.sasl_password.get_secret_value()
    if kafka.ssl_ca_location is not None:
        config["ssl.ca.location"] = str(kafka.ssl_ca_location)
    return config


def existing_topics(kafka: KafkaSettings) -> frozenset[str]:
    """Ask the broker for its topics, which also proves that it can be reached.

    Raises:
        BrokerError: no broker answers, or it refuses us; the message says which and why.
    """
    heard: list[KafkaError] = []
    config = client_config(kafka)
    config["error_cb"] = heard.append
    config["logger"] = _SILENT  # the error below says it all, once
    admin = None
    try:
        admin = AdminClient(config)
        return frozenset(admin.list_topics(timeout=_ANSWER_TIMEOUT_S).topics)
    except (KafkaException, ValueError) as error:
        # The time-out says only that there was no answer; the callback is given the cause.
        if admin is not None:
            admin.poll(0)
        causes = [cause for cause in heard if cause.code() in _SPECIFIC] or heard
        reason = causes[0].str() if causes else _reason(error)
        raise BrokerError(
            f"no broker could be reached at {kafka.bootstrap_servers} "
            f"({kafka.security_protocol}): {reason}. Check kafka.bootstrap_servers and the "
            "credentials in fraudline.toml or FRAUDLINE_KAFKA__…; a local broker is started by "
            "`fraudline up`."
        ) from None


def require_topics(kafka: KafkaSettings, topics: Iterable[str]) -> None:
    """Check that topics exist.

    Raises:
        BrokerError: the broker cannot be reached, or a topic does not exist.
    """
    existing = existing_topics(kafka)
    missing = [topic for topic in topics if topic not in existing]
    if missing:
        known = sorted(name for name in existing if not name.startswith("__"))
        raise BrokerError(
            f"topic {', '.join(map(repr, missing))} does not exist at {kafka.bootstrap_servers}; "
            f"there {'is' if len(known) == 1 else 'are'} {', '.join(known) or 'none'}. "
            "`fraudline setup` creates the topics and tables that the settings name."
        )


def require_enough_partitions(counts: Mapping[str, int], why: str) -> None:
    """Refuse a topic that has fewer partitions than the first.

    Args:
        counts: How many partitions each topic has.
        why: Who needs as many and what to do about it, in sentences.

    Raises:
        BrokerError: one of them has fewer than the first.
    """
    (first, many), *others = counts.items()
    for topic, count in others:
        if count < many:
            raise BrokerError(
                f"topic '{first}' has {many} partition{'' if many == 1 else 's'} and topic "
                f"'{topic}' has {count}. {why}"
            )


def create_topics(kafka: KafkaSettings, topics: Iterable[str]) -> list[str]:
    """Create the topics that do not exist yet, and wait until they can be written to.

    A broker says that a topic is created once the controller has written that down; it may take
    the broker that is asked next a moment to hear of it, and its partitions a moment to have a
    leader.

    Returns:
        Names of those that were created.

    Raises:
        BrokerError: the broker cannot be reached, refuses, or does not know within 10 seconds the
            topics that it created.
    """
    existing = existing_topics(kafka)
    missing = [topic for topic in topics if topic not in existing]
    if not missing:
        return []
    admin = AdminClient(client_config(kafka))
    futures = admin.create_topics(
        [
            NewTopic(
                topic,
                num_partitions=kafka.partitions,
                replication_factor=kafka.replication_factor,
            )
            for topic in missing
        ]
    )
    for topic, future in futures.items():
        try:
            future.result(timeout=_ANSWER_TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            cause = error.args[0] if error.args else None
            if isinstance(cause, KafkaError) and cause.code() == KafkaError.TOPIC_ALREADY_EXISTS:
                continue  # somebody else was faster
            raise BrokerError(
                f"topic '{topic}' could not be created at {kafka.bootstrap_servers} "
                f"(partitions: {kafka.partitions}, copies: {kafka.replication_factor}): "
                f"{_reason(error)}. Create it yourself, or change kafka.partitions and "
                "kafka.replication_factor."
            ) from None
    _wait_for_leaders(kafka, admin, missing)
    return missing


def _wait_for_leaders(kafka: KafkaSettings, admin: AdminClient, topics: Iterable[str]) -> None:
    waiting = set(topics)
    deadline = time.monotonic() + _ANSWER_TIMEOUT_S
    while True:
        try:
            known = admin.list_topics(timeout=_ANSWER_TIMEOUT_S).topics
        except KafkaException as error:
            raise BrokerError(
                f"topics {', '.join(map(repr, sorted(waiting)))} were created at "
                f"{kafka.bootstrap_servers}, which then gave no answer: {_reason(error)}. Repeat "
                "the command: it goes on with the topics that are there."
            ) from None
        waiting = {
            topic
            for topic in waiting
            if topic not in known
            or not known[topic].partitions
            or any(partition.leader < 0 for partition in known[topic].partitions.values())
        }
        if not waiting:
            return
        if time.monotonic() > deadline:
            raise BrokerError(
                f"topic {', '.join(map(repr, sorted(waiting)))} was created at "
                f"{kafka.bootstrap_servers}, but has no leader after {_ANSWER_TIMEOUT_S:.0f} "
                "seconds. Check that the brokers of the cluster are up, and repeat the command."
            )
        time.sleep(0.05)


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    return cause.str() if isinstance(cause, KafkaError) else str(cause) or "no answer in time"


def raise_if_permanent(error: KafkaError) -> None:
    """Raise an error that waiting cannot cure as one that a person can act on; ignore others.

    Raises:
        BrokerError: it is permanent.
    """
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        raise BrokerError(
            f"a topic that we write to takes no batch of the size that we send: {error.str()}. "
            f"Give the topics of decisions and rejects a max.message.bytes of "
            f"{_LEAST_MESSAGE_BYTES:,} at least, which is Kafka's default (kafka-configs.sh "
            "--alter --entity-type topics --entity-name TOPIC --add-config "
            f"max.message.bytes={_LEAST_MESSAGE_BYTES}), and start again. Nothing is lost."
        )
    if error.code() in _PERMANENT:
        raise BrokerError(
            f"the broker denies access: {error.str()} ({error.name()}). Check the topic names, the "
            "credentials and the user's ACLs."
        )


def handle_consumer_error(
    consumer: Consumer, message: Message, *, to_go_on: str = "Begin again."
) -> None:
    """Handle an error that a consumer delivers among its messages.

    One that the client recovers from by itself is logged.

    Args:
        consumer: Who delivered it.
        message: What carries the error.
        to_go_on: What to do where messages are not there any more, a sentence.

    Raises:
        BrokerError: the broker refuses permanently, or does not hold the offset.
        KafkaException: this client cannot be used any more; a new one may work.
    """
    error = message.error()
    assert error is not None
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - its only name
        raise _not_there(consumer, message, error, to_go_on)
    raise_if_permanent(error)
    if error.fatal():
        raise KafkaException(error)
    _LOG.warning("broker: %s (%s); the client retries", error.str(), error.name())


def _not_there(
    consumer: Consumer, message: Message, error: KafkaError, to_go_on: str
) -> BrokerError:
    """What is said of an offset that the topic does not hold."""
    offset = message.offset()
    where = f"topic '{message.topic()}', partition {message.partition()}"
    try:
        place = TopicPartition(message.topic() or "", message.partition() or 0)
        low, high = consumer.get_watermark_offsets(place, timeout=_ANSWER_TIMEOUT_S)
    except KafkaException:
        return BrokerError(f"{where}: offset {offset} is not there: {error.str()}. {to_go_on}")
    if offset is not None and offset < low:
        return BrokerError(
            f"{where}: messages {offset} to {low - 1} were deleted before they were processed; it "
            f"holds offsets {low} to {high - 1}. Lengthen its retention, or start more "
            f"processes. To go on without them: {to_go_on}"
        )
    return BrokerError(
        f"{where} ends at offset {high}, and offset {offset} is to be read next: it was cut short, "
        "or deleted and made anew. Nothing that is in it was skipped. See 'A topic was deleted "
        f"and recreated' in docs/guides/operations.md; it ends with {to_go_on}"
    )


def wait_for_member(kafka: KafkaSettings, group: str, timeout_s: float) -> bool:
    """Wait until a consumer group has a member that owns a partition.

    Returns:
        Whether one did in time.
    """
    admin = AdminClient(client_config(kafka))
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            found = admin.describe_consumer_groups([group])[group].result(_ANSWER_TIMEOUT_S)
            if any(member.assignment.topic_partitions for member in found.members):
                return True
        except (KafkaException, TimeoutError) as error:
            _LOG.debug("group %s: %s", group, _reason(error))
        time.sleep(0.1)
    return False
