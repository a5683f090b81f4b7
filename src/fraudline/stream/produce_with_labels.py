"""Producing transactions and their late labels by event time, faster than they happened."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import Message

from fraudline.settings import KafkaSettings
from fraudline.stream.produce_lines import LineProducer

_LONGEST_WAIT_S = 0.05


@dataclass(frozen=True)
class TimedTransaction:
    """A transaction, when it is sent, and when its label is.

    Attributes:
        due_s: When, seconds since the begin.
        line: The message.
        key: Its key, if it has one.
        label_due_s: When its label is, likewise; None: it has none. Never before the transaction.
    """

    due_s: float
    line: bytes
    key: bytes | None = None
    label_due_s: float | None = None


@dataclass(frozen=True)
class Delivery:
    """Where the broker put a transaction.

    Attributes:
        position: `topic:partition:offset`.
        sent_at_ms: Its time stamp, milliseconds since 1970 UTC; negative if it has none.
    """

    position: str
    sent_at_ms: int


@dataclass
class ProducedWithLabels:
    """What was sent.

    Attributes:
        transactions: How many transactions,
        labels: and how many labels.
        late_s: By how long the one that was latest was later than its time.
    """

    transactions: int = 0
    labels: int = 0
    late_s: float = 0.0


def produce_with_labels(
    kafka: KafkaSettings,
    topics: tuple[str, str],
    transactions: Sequence[TimedTransaction],
    label_of: Callable[[int, Delivery], tuple[bytes, bytes]],
    *,
    stop: threading.Event,
    on_sent: Callable[[ProducedWithLabels], None],
) -> ProducedWithLabels:
    """Produce each transaction at its time, and its label at the label's own.

    A label is sent once its transaction is delivered, and never before its delay has passed since
    that was sent.

    Args:
        kafka: Broker and credentials.
        topics: That of transactions, and that of labels.
        transactions: In the order of their times.
        label_of: Gives the key and the message of a label: for the place of its transaction in
            `transactions`, and where that was delivered.
        stop: Ends early when set.
        on_sent: Called with how many have been sent so far.

    Raises:
        BrokerError: the broker did not accept a message.
    """
    done = ProducedWithLabels()
    producer = LineProducer(kafka)
    places: dict[int, Delivery] = {}
    labels: list[tuple[float, int]] = []  # a heap
    begun_at = time.monotonic()
    place = 0
    while (place < len(transactions) or labels) and not stop.is_set() and not producer.has_failed:
        next_due = transactions[place].due_s if place < len(transactions) else float("inf")
        is_label = bool(labels) and labels[0][0] < next_due
        due_s = labels[0][0] if is_label else next_due
        early_s = due_s - (time.monotonic() - begun_at)
        if early_s > 0:
            producer.wait(min(early_s, _LONGEST_WAIT_S))
            continue
        done.late_s = max(done.late_s, -early_s)
        if is_label:
            number = labels[0][1]
            if number not in places:
                producer.wait(_LONGEST_WAIT_S)  # its transaction is on its way
                continue
            heapq.heappop(labels)
            key, line = label_of(number, places.pop(number))
            producer.produce(topics[1], line, key)
            done.labels += 1
        else:
            one = transactions[place]
            _produce(producer, topics[0], one, place, places)
            if one.label_due_s is not None:
                heapq.heappush(labels, (one.label_due_s - early_s, place))  # as late as this is
            place += 1
            done.transactions += 1
        if producer.sent % 100 == 0:
            on_sent(done)
    producer.finish(" and ".join(topics))
    on_sent(done)
    return done


def _produce(
    producer: LineProducer,
    topic: str,
    one: TimedTransaction,
    number: int,
    places: dict[int, Delivery],
) -> None:
    def delivered(message: Message) -> None:
        at = f"{message.topic()}:{message.partition()}:{message.offset()}"
        places[number] = Delivery(at, message.timestamp()[1])

    if one.label_due_s is None:
        producer.produce(topic, one.line, one.key)
    else:
        producer.produce(topic, one.line, one.key, delivered)
