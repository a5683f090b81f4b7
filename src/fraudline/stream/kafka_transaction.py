"""Kafka transactions: outcomes and consumer offsets, all or nothing.

A group member that was believed dead and comes back cannot commit: offsets carry the group
generation in which they were consumed, and the broker rejects an old one (KIP-447).
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config
from fraudline.stream.ending import end_client, in_thread
from fraudline.stream.intake import Partitions

_LOG = logging.getLogger(__name__)
_TIMEOUT_S = 30.0
# For offsets and commit together. The broker aborts transactions that have timed out, for
# which it looks every 10 s: after that there would be nothing left to commit.
_ANSWER_TIMEOUT_S = 15.0
_ABORT_TIMEOUT_S = 1.0
_SHORTEST_S = 0.1  # the client takes 0 for no limit at all

ANY_PARTITION = -1

ProducerRecord = tuple[str, int, bytes | None, bytes]
"""Topic, partition, key and value of a message to be produced."""


class TransactionalProducer:
    """A transactional producer.

    Args:
        kafka: Broker and credentials.
        purpose: Part of the transactional id, for people who look at the broker.
        is_sole: Whether there is only one such producer at a time. A new one fences the one
            before it, whose open transaction has ended when this constructor returns.

    Raises:
        KafkaException: the broker does not answer.
    """

    def __init__(self, kafka: KafkaSettings, purpose: str, *, is_sole: bool = False) -> None:
        name = f"{kafka.group}.{purpose}"
        self._producer = Producer(
            {
                **client_config(kafka),
                # A fresh id needs no coordination between machines. The broker aborts what a
                # killed process left open after transaction.timeout.ms.
                "transactional.id": name if is_sole else f"{name}.{uuid.uuid4()}",
                "transaction.timeout.ms": 6_000,
                # By default a client that has lost every broker forgets them all, and then
                # waits for a group coordinator that no longer exists (librdkafka issue 5511).
                "metadata.recovery.strategy": "none",
                # Each request costs the broker and us the same, full or not. A commit waits for
                # none of this: it sends what is there.
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 1_000_000,
                # The broker is busy with the last transaction's marker for a few milliseconds;
                # the default back-off of 100 ms would dominate the latency. It doubles with
                # each retry.
                "retry.backoff.ms": 1,
            }
        )
        self._producer.init_transactions(_TIMEOUT_S)
        self._is_open = False
        self._sending: Future[None] | None = None
        self._is_abandoned = False  # a call has not returned, and must find the client as it is
        self._deadline = 0.0  # of the offsets sent last and the commit, by `time.monotonic`

    def produce(self, records: Iterable[ProducerRecord]) -> None:
        """Produce records in the open transaction, or in a new one.

        They travel to the broker while the caller prepares the next ones.

        Raises:
            KafkaException: the transaction can only be aborted.
        """
        self._begin()
        self._wait_for_offsets()
        for topic, partition, key, value in records:
            while True:
                try:
                    self._producer.produce(topic, value, key, partition)
                    break
                except BufferError:  # the client's queue is full: let it drain
                    self._producer.poll(0.1)

    def send_offsets(self, offsets: Partitions, membership: bytes) -> None:
        """Begin to move the group's offsets in the open transaction, or in a new one.

        This continues while the caller works; `produce` and `commit` wait for it. Sending the
        offsets before the first record saves time: the broker is busy with the last
        transaction's marker for some milliseconds, and the client retries offsets after
        `retry.backoff.ms`, but records only after 20 ms (librdkafka 2.16).

        Args:
            offsets: The offset after the last message taken, of each partition. May be sent
                again with later ones.
            membership: `Intake.membership` of the consumer that took the messages.

        Raises:
            KafkaException: the transaction can only be aborted.
        """
        self._begin()
        self._wait_for_offsets()
        self._deadline = deadline = time.monotonic() + _ANSWER_TIMEOUT_S

        def send(left_s: float) -> None:
            self._producer.send_offsets_to_transaction(offsets, membership, left_s)

        self._sending = in_thread(lambda: _repeat(send, deadline), "send offsets")

    def commit(self) -> None:
        """Commit the offsets and all that was produced; must follow the offsets within 15 s.

        Raises:
            KafkaException: it failed, or its answer was lost. Either way the committed offsets
                say what is true: start again from them.
        """
        self._wait_for_offsets()
        self._commit(self._deadline)

    def commit_with_followups(
        self, messages: list[ProducerRecord], followups: Callable[[list[int]], list[ProducerRecord]]
    ) -> None:
        """Produce messages, and records made from their offsets, in one transaction.

        Args:
            messages: What to produce first.
            followups: Given the offset of each message in its partition, what to produce next.

        Raises:
            KafkaException: it failed, or its answer was lost.
        """
        self._begin()
        offsets = self._produce_and_flush(messages)
        self._produce_and_flush(followups(offsets))
        self._commit(time.monotonic() + _ANSWER_TIMEOUT_S)

    def _produce_and_flush(self, messages: list[ProducerRecord]) -> list[int]:
        """Produce messages and wait until the broker has them all."""
        offsets = [-1] * len(messages)
        failed: list[KafkaError] = []

        def delivered(index: int, error: KafkaError | None, message: Message) -> None:
            if error is None:
                offsets[index] = message.offset() or 0
            else:
                failed.append(error)

        for index, (topic, partition, key, value) in enumerate(messages):
            self._producer.produce(
                topic, value, key, partition, on_delivery=partial(delivered, index)
            )
        try:
            left = self._producer.flush(_TIMEOUT_S)
        except SystemError as error:
            # The client still calls `delivered` after it has raised its own fatal error.
            if isinstance(error.__cause__, KafkaException):
                raise error.__cause__ from None
            raise
        if left:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer in time"))  # noqa: SLF001 - its only name
        if failed:
            raise KafkaException(failed[0])
        return offsets

    def abort(self) -> None:
        """Abort the open transaction, if there is one.

        Raises:
            KafkaException: it could not be aborted; the broker will, once it has timed out.
        """
        if self._is_open:
            self._is_open = False
            try:
                self._wait_for_offsets()
            except KafkaException as error:
                _LOG.debug("offsets of an aborted transaction: %s", error.args[0])
            self._producer.abort_transaction(_ABORT_TIMEOUT_S)

    def close(self) -> None:
        """Leave no transaction open, so that readers need not wait for its time-out; end."""
        try:
            self.abort()
        except KafkaException as error:
            _LOG.debug("the open transaction is left to time out: %s", error.args[0])
        if not self._is_abandoned:
            # Its own `close` would try to abort once more, and warn.
            producer = [self._producer]
            del self._producer
            end_client(producer.clear, "transactions")

    def _begin(self) -> None:
        if not self._is_open:
            self._producer.begin_transaction()
            self._is_open = True

    def _wait_for_offsets(self) -> None:
        """Wait for the offsets that are being sent, if there are any."""
        sending, self._sending = self._sending, None
        if sending is not None:
            try:
                _await_offsets(sending, max(_SHORTEST_S, self._deadline - time.monotonic()))
            finally:
                self._is_abandoned = not sending.done()

    def _commit(self, deadline: float) -> None:
        def commit(left_s: float) -> None:  # an error keeps this alive, and not the client
            self._producer.commit_transaction(left_s)

        _repeat(commit, deadline)
        self._is_open = False


def _await_offsets(sending: Future[None], timeout_s: float) -> None:
    """Wait for the offsets to be sent, but not for ever.

    While the group coordinator is away, the client may block in `send_offsets_to_transaction`
    for ever, whatever time-out it is given (librdkafka 2.16, issue 5456). Such a producer is
    abandoned: nobody commits what it holds open, so the broker aborts it.

    Raises:
        KafkaException: the step failed, or did not end in time.
    """
    try:
        sending.result(timeout_s)
    except TimeoutError:
        raise KafkaException(
            KafkaError(KafkaError._TIMED_OUT, f"offsets got no answer in {timeout_s:.3g} s")  # noqa: SLF001 - its only name
        ) from None


def _repeat(step: Callable[[float], None], deadline: float) -> None:
    """Retry a step for as long as the client calls its error retriable and there is time.

    Args:
        step: Is given how long it may take, seconds.
        deadline: By `time.monotonic`.

    Raises:
        KafkaException: the step failed.
    """
    while True:
        try:
            return step(max(_SHORTEST_S, deadline - time.monotonic()))
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
