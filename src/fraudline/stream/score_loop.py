"""The exactly-once loop from the topic of transactions to decisions and rejects.

One Kafka transaction holds the outcomes of a batch and the offsets after it. A process
that dies leaves a transaction that the broker aborts; readers of committed messages never
see it, and the next owner of the partition begins where the last whole batch ended.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

from fraudline.contract import Messages
from fraudline.scoring import Outcome
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Intake, columns_of, group_consumer, next_offsets
from fraudline.stream.session import persist
from fraudline.stream.transaction import Transactions

Decide = Callable[[Messages, dt.datetime], list[Outcome]]


def score_loop(
    kafka: KafkaSettings,
    decide: Decide,
    *,
    batch_rows: int,
    stop: threading.Event,
    on_batch: Callable[[int, int], None],
) -> None:
    """Decide every transaction of the topic, exactly once, until told to stop.

    Args:
        kafka: Broker, topics and group. Several processes with the same settings share
            the partitions.
        decide: Messages and the time to outcomes, one for each message.
        batch_rows: Most messages in one Kafka transaction.
        stop: Set it to end the loop after the batch in hand.
        on_batch: Told decisions and rejects of each batch, after it was committed.

    Raises:
        BrokerError: the broker refuses for good.
    """

    def session() -> None:
        consumer = group_consumer(kafka, f"{kafka.group}.score")
        transactions = None
        try:
            transactions = Transactions(kafka, "score")
            intake = Intake(consumer, [kafka.topic_transactions])
            while not stop.is_set():
                taken = intake.take(batch_rows)
                if taken:
                    outcomes = decide(
                        columns_of(kafka.topic_transactions, taken), dt.datetime.now(dt.UTC)
                    )
                    transactions.commit(
                        (
                            (
                                kafka.topic_rejects if outcome.is_reject else kafka.topic_decisions,
                                outcome.key,
                                outcome.value,
                            )
                            for outcome in outcomes
                        ),
                        next_offsets(taken),
                        intake.membership,
                    )
                    rejects = sum(outcome.is_reject for outcome in outcomes)
                    on_batch(len(outcomes) - rejects, rejects)
        finally:
            if transactions is not None:
                transactions.abort()
            consumer.close()

    persist(session, name="score", stop=stop)
