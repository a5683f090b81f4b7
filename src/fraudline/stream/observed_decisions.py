"""Decisions as a consumer of their topic sees them, and how late it sees them."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec
import numpy as np

from fraudline import flows
from fraudline.contract import BLOCK, REVIEW, Messages
from fraudline.errors import BrokerError
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import watch_topic

_READY_TIMEOUT_S = 30.0
_LOG = logging.getLogger(__name__)


class _Decision(msgspec.Struct):
    """The fields of a decision that are needed here."""

    decision: str
    received_at: dt.datetime | None = None


@dataclass
class ObservedDecisions:
    """Decisions that a `read_committed` consumer has seen so far.

    Attributes:
        count: How many there were.
        blocked: How many of them block.
        reviewed: How many of them ask for a review.
        unreadable: Messages of the topic that are no decisions; they are not in `count`.
        latencies_ms: From the time stamp of the transaction's message to the moment the
            consumer had the decision, milliseconds; one entry for each that has a time stamp.
    """

    count: int = 0
    blocked: int = 0
    reviewed: int = 0
    unreadable: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    _first_sent_at_s: float = float("inf")
    _last_seen_at_s: float = 0.0

    def add(self, messages: Messages, seen_at_s: float) -> None:
        """Count decisions that arrived at `seen_at_s`, seconds since 1970 UTC."""
        decode = msgspec.json.Decoder(_Decision).decode
        for value in messages.values:
            try:
                decision = decode(value or b"")
            except (msgspec.DecodeError, UnicodeDecodeError):
                self.unreadable += 1
                if self.unreadable == 1:
                    _LOG.warning("topic '%s' has messages that are no decisions", messages.topic)
                continue
            self.count += 1
            self.blocked += decision.decision == BLOCK
            self.reviewed += decision.decision == REVIEW
            if decision.received_at is None:  # its transaction had no usable time stamp
                continue
            sent_at_s = decision.received_at.timestamp()
            self.latencies_ms.append((seen_at_s - sent_at_s) * 1000)
            self._first_sent_at_s = min(self._first_sent_at_s, sent_at_s)
        self._last_seen_at_s = seen_at_s

    @property
    def rate(self) -> float:
        """Decisions a second, from the first one sent to the last one seen."""
        return self.count / (self._last_seen_at_s - self._first_sent_at_s)

    def latency_ms(self, percentile: float) -> float:
        """A percentile of the latencies, milliseconds."""
        return float(np.percentile(self.latencies_ms, percentile))


@contextmanager
def observe_decisions(kafka: KafkaSettings) -> Iterator[ObservedDecisions]:
    """Observe the topic of decisions from now on, for as long as the block runs.

    Raises:
        BrokerError: the topic cannot be read.
    """
    seen, stop, ready = ObservedDecisions(), threading.Event(), threading.Event()
    failed: list[Exception] = []

    def run() -> None:
        try:
            watch_topic(
                kafka, kafka.topic(flows.DECISIONS), stop=stop, on_messages=seen.add, ready=ready
            )
        except Exception as error:  # noqa: BLE001 - raised again below, by the thread that waits
            failed.append(error)
            ready.set()

    watcher = threading.Thread(target=run, daemon=True)
    watcher.start()
    if not ready.wait(_READY_TIMEOUT_S):
        raise BrokerError(
            f"topic '{kafka.topic(flows.DECISIONS)}' could not be watched: no answer from the "
            "broker."
        )
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()
    if failed:
        raise failed[0]
