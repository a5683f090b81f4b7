"""Producing lines to a topic at a chosen rate, as any producer would."""

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
    failed: list[KafkaError] = []
    acknowledged = 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        nonlocal acknowledged
        if error is None:
            acknowledged += 1
        else:
            failed.append(error)

    producer = Producer(
        {
            **client_config(kafka),
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.timeout.ms": int(_FLUSH_TIMEOUT_S * 1000),
        }
    )
    begun_at = time.monotonic()
    sent = 0
    for line in lines:
        if sent == 1:
            # The first message opens the connection. The clock starts once it has arrived, or
            # the next ones would age while they wait for that.
            producer.flush(_FLUSH_TIMEOUT_S)
            begun_at = time.monotonic()
        while rate and sent >= (time.monotonic() - begun_at) * rate and not stop.is_set():
            producer.poll(_TICK_S)
        if stop.is_set() or failed:
            break
        _produce(producer, topic, key_of(line) if line else None, line, delivered)
        sent += 1
        if sent % 100 == 0:
            on_sent(sent)
    left = producer.flush(_FLUSH_TIMEOUT_S)
    on_sent(sent)
    if failed or left:
        reason = failed[0].str() if failed else f"{left} messages were not acknowledged in time"
        raise BrokerError(
            f"replay to topic '{topic}' at {kafka.bootstrap_servers}: {acknowledged} of {sent} "
            f"messages arrived, then: {reason}."
        )
    return acknowledged


def _produce(
    producer: Producer,
    topic: str,
    key: bytes | None,
    line: bytes | None,
    delivered: Callable[[KafkaError | None, Message], None],
) -> None:
    while True:
        try:
            producer.produce(topic, line, key, on_delivery=delivered)
            producer.poll(0)
            return
        except BufferError:  # the client's queue is full: let it drain
            producer.poll(0.1)
        except KafkaException as error:
            raise BrokerError(
                f"replay to topic '{topic}': a message of {len(line or b'')} bytes was refused: "
                f"{error.args[0].str()}."
            ) from None
