"""Producing lines to a topic, as any producer would: at a chosen rate, or one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config

_TICK_S = 0.005
_FLUSH_TIMEOUT_S = 60.0


class LineProducer:
    """Produces lines, each as one message, and knows which of them the broker has.

    Args:
        kafka: Broker and credentials.

    Attributes:
        sent: How many lines were given to `produce`.
        acknowledged: How many of them the broker has.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._at = kafka.bootstrap_servers
        self._failed: list[tuple[str, KafkaError]] = []
        self.sent = 0
        self.acknowledged = 0
        self._producer = Producer(
            {
                **client_config(kafka),
                "enable.idempotence": True,
                "linger.ms": 1,
                "message.timeout.ms": int(_FLUSH_TIMEOUT_S * 1000),
            }
        )

    @property
    def has_failed(self) -> bool:
        """Whether the broker did not take a message: `finish` tells."""
        return bool(self._failed)

    def produce(
        self,
        topic: str,
        line: bytes | None,
        key: bytes | None,
        on_delivered: Callable[[Message], None] = lambda _: None,
    ) -> None:
        """Begin to send a line.

        Args:
            topic: Where to.
            line: Without a line end; None for a tombstone.
            key: Equal ones go to the same partition.
            on_delivered: Called, by a later call of this object, once the broker has it.

        Raises:
            BrokerError: it cannot be sent at all.
        """

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self.acknowledged += 1
                on_delivered(message)
            else:
                self._failed.append((topic, error))

        while True:
            try:
                self._producer.produce(topic, line, key, on_delivery=delivered)
                self._producer.poll(0)
                break
            except BufferError:  # the client's queue is full: let it drain
                self._producer.poll(0.1)
            except KafkaException as error:
                raise BrokerError(
                    f"replay to topic '{topic}': a message of {len(line or b'')} bytes was "
                    f"refused: {error.args[0].str()}."
                ) from None
        self.sent += 1

    def wait(self, timeout_s: float) -> None:
        """Wait a moment, or until something is delivered."""
        self._producer.poll(timeout_s)

    def flush(self) -> int:
        """Wait until the broker has all of it; how many messages it has not after a minute."""
        return self._producer.flush(_FLUSH_TIMEOUT_S)

    def finish(self, topics: str) -> int:
        """Wait until the broker has all of it.

        Args:
            topics: Where it was sent to, for people.

        Returns:
            How many messages the broker acknowledged.

        Raises:
            BrokerError: it does not have all of them.
        """
        left = self.flush()
        if self._failed or left:
            where, reason = topics, f"{left} messages were not acknowledged in time"
            if self._failed:
                where, error = self._failed[0]
                reason = error.str()
            raise BrokerError(
                f"replay to topic '{where}' at {self._at}: {self.acknowledged} of {self.sent} "
                f"messages arrived, then: {reason}."
            )
        return self.acknowledged


def produce_lines(
    kafka: KafkaSettings,
    topic: str,
    lines: Iterable[bytes | None],
    *,
    key_of: Callable[[bytes], bytes | None] = lambda _: None,
    rate: float,
    stop: threading.Event,
    on_sent: Callable[[int], None],
) -> int:
    """Produce each line as one message, and wait until the broker has all of them.

    Args:
        kafka: Broker and credentials.
        topic: Where to send them.
        lines: The messages, without line ends.
        key_of: Gives the key of a line; equal keys go to the same partition.
        rate: Messages a second; 0 is as fast as the broker accepts them.
        stop: Ends early when set.
        on_sent: Called with how many have been sent so far.

    Returns:
        How many messages the broker acknowledged.

    Raises:
        BrokerError: the broker did not accept a message.
    """
    producer = LineProducer(kafka)
    begun_at = time.monotonic()
    for line in lines:
        if producer.sent == 1:
            # The first message opens the connection. The clock starts once it has arrived, or
            # the next ones would age while they wait for that.
            producer.flush()
            begun_at = time.monotonic()
        while rate and producer.sent >= (time.monotonic() - begun_at) * rate and not stop.is_set():
            producer.wait(_TICK_S)
        if stop.is_set() or producer.has_failed:
            break
        producer.produce(topic, line, key_of(line) if line else None)
        if producer.sent % 100 == 0:
            on_sent(producer.sent)
    acknowledged = producer.finish(topic)
    on_sent(producer.sent)
    return acknowledged
