"""A stream of transactions, bad ones among them, and of labels, and what the broker took of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import msgspec
import numpy as np
from confluent_kafka import KafkaError, Message, Producer
from tests.models import weights

from fraudline.contract import Contract, RejectReason
from fraudline.settings import KafkaSettings

_TICK_S = 0.01
_BAD_EVERY = 25
_LABEL_EVERY = 20
_PATIENCE_S = 300  # longer than any fault: what is sent arrives


@dataclass(frozen=True)
class Transaction:
    """The n-th message, and what must become of it.

    Attributes:
        names: The contract's columns of a transaction.
        number: Which one it is, from 0.
    """

    names: tuple[str, ...]
    number: int

    @property
    def is_bad(self) -> bool:
        """Whether it must be rejected."""
        return self.number % _BAD_EVERY == 0

    @property
    def row(self) -> tuple[float, ...]:
        """Its values, in the order of the columns; the first tells its number."""
        others = ((self.number + place) % 97 / 64 for place in range(len(self.names) - 1))
        return (self.number / 2**20, *others)

    @property
    def score(self) -> float:
        """What the tests' tiny model says of the row, worked out without it."""
        return float(1 / (1 + np.exp(-(np.array(self.row) @ weights(len(self.names)))[0])))

    @property
    def spoilt(self) -> tuple[RejectReason, bytes | None]:
        """Its bytes as they are sent if it is bad, each time in another way, and the fault."""
        good = self._json
        first, _, rest = good.partition(b",")
        kinds: tuple[tuple[RejectReason, bytes | None], ...] = (
            (RejectReason.TOMBSTONE, None),
            (RejectReason.EMPTY, b""),
            (RejectReason.INVALID_JSON, good[:-1]),
            (RejectReason.INVALID_UTF8, b"\xff" + good),
            (RejectReason.NOT_AN_OBJECT, b"[" + good + b"]"),
            (RejectReason.DUPLICATE_COLUMN, first + b"," + good[1:]),
            (RejectReason.MISSING_COLUMN, b"{" + rest),
            (RejectReason.UNKNOWN_COLUMN, good[:-1] + b',"more":1}'),
            (RejectReason.WRONG_TYPE, b'{"Time":"now",' + rest),
            (RejectReason.OUT_OF_RANGE, b'{"Time":-1,' + rest),
        )
        return kinds[self.number // _BAD_EVERY % len(kinds)]

    @property
    def value(self) -> bytes | None:
        """Its bytes as they are sent; None for a tombstone."""
        return self.spoilt[1] if self.is_bad else self._json

    @property
    def _json(self) -> bytes:
        return msgspec.json.encode(dict(zip(self.names, self.row, strict=True)))


def label(contract: Contract, number: int) -> bytes:
    """The n-th label as it is sent; its transaction's id tells its number."""
    return msgspec.json.encode(
        {
            "contract": contract.name,
            "transaction_id": f"label {number}",
            "label": "fraud",
            "source": "test",
            "known_at": "2026-01-02T03:04:05Z",
            "told_by": "traffic",
        }
    )


class Traffic:
    """Sends numbered messages at a steady rate, straight to the broker, until it is closed.

    Beside them, but not in a burst, a label for every `_LABEL_EVERY` of them.

    An idempotent producer repeats a message until the broker has it, once; the broker tells
    where. So the record is the truth, whatever happens to the broker in between.

    Args:
        kafka: The broker, not by way of a proxy.
        contract: What a transaction looks like.
        rate: Messages a second.

    Attributes:
        names: Columns of a transaction.
        sent: Number of each message that the broker took, by partition and offset.
        labels: How many labels it took.
        partitions: To how many partitions messages are sent.
        longest: How long the longest of them is.
    """

    def __init__(self, kafka: KafkaSettings, contract: Contract, rate: float) -> None:
        self.sent: dict[tuple[int, int], int] = {}
        self.labels = 0
        self._contract = contract
        self._topic, self.partitions, self._rate = kafka.topic_transactions, kafka.partitions, rate
        self.longest = 0
        self._kafka = kafka
        self.names = tuple(column.name for column in contract.transaction_columns)
        self._failed: list[KafkaError] = []
        self._number = 0
        self._producer = self._new_producer()
        self._flows, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _new_producer(self) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self._kafka.bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": _PATIENCE_S * 1000,
                "reconnect.backoff.max.ms": 500,
                "log_level": 0,
            }
        )

    def widen(self) -> None:
        """Send to one partition more, which was added."""
        while len(self._producer.list_topics(self._topic, 10).topics[self._topic].partitions) <= (
            self.partitions
        ):
            time.sleep(0.1)
        self.partitions += 1

    def begin_anew(self) -> None:
        """Send to a topic that was made anew; the stream is held, and all of it was proved."""
        assert not self.sent
        self._producer = self._new_producer()  # the one before still has the old topic in mind
        self.longest = 0

    def begin(self) -> None:
        """Let the stream flow."""
        self._flows.set()

    def end(self) -> None:
        """Hold the stream, and wait until the broker has all of it."""
        self._flows.clear()
        left = self._producer.flush(_PATIENCE_S)
        assert not self._failed, self._failed[0].str()
        assert left == 0, f"the broker did not take {left} messages"

    def burst(self, count: int) -> None:
        """Send so many messages at once, beside the stream's own."""
        for _ in range(count):
            self._send()

    def close(self) -> None:
        """Send nothing any more."""
        self._stop.set()
        self._flows.set()
        self._thread.join()

    def _run(self) -> None:
        while self._flows.wait() and not self._stop.is_set():
            begun_at, count = time.monotonic(), 0
            while self._flows.is_set() and not self._stop.is_set():
                while count < (time.monotonic() - begun_at) * self._rate:
                    self._send()
                    count += 1
                    if count % _LABEL_EVERY == 0:
                        self._send_label()
                self._producer.poll(_TICK_S)

    def _send_label(self) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.labels += 1
            else:
                self._failed.append(error)

        self._producer.produce(
            self._kafka.topic_labels,
            value=label(self._contract, self._number),
            on_delivery=delivered,
        )

    def _send(self) -> None:
        number = self._number
        self._number += 1

        def delivered(error: KafkaError | None, told: Message) -> None:
            if error is None:
                self.sent[told.partition(), told.offset()] = number
                self.longest = max(self.longest, told.offset() + 1)
            else:
                self._failed.append(error)

        self._producer.produce(
            self._topic,
            value=Transaction(self.names, number).value,
            partition=number % self.partitions,
            on_delivery=delivered,
        )
