"""The exactly-once loop from the topic of transactions to decisions and rejects.

One Kafka transaction holds the outcomes of a batch and the offsets after it. A process
that dies leaves a transaction that the broker aborts; readers of committed messages never
see it, and the next owner of the partition begins where the last whole batch ended.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable

from fraudline.contract import Messages
from fraudline.scoring import Outcome
from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Intake, columns_of, group_consumer, next_offsets
from fraudline.stream.progress import Progress
from fraudline.stream.session import persist
from fraudline.stream.transaction import Transactions

Decide = Callable[[Messages, dt.datetime], list[Outcome]]


def score_loop(
    kafka: KafkaSettings,
    decide: Decide,
    *,
    batch_rows: int,
    stop: threading.Event,
    progress: Progress,
) -> None:
    """Decide every transaction of the topic, exactly once, until told to stop.

    Args:
        kafka: Broker, topics and group. Several processes with the same settings share
            the partitions.
        decide: Messages and the time to outcomes, one for each message.
        batch_rows: Most messages in one Kafka transaction.
        stop: Set it to end the loop after the batch in hand.
        progress: Told of each step and of each batch, after it was committed.

    Raises:
        BrokerError: the broker refuses for good.
    """

    def session() -> None:
        consumer = group_consumer(kafka, f"{kafka.group}.score", **progress.consumer_options)
        transactions = None
        try:
            transactions = Transactions(kafka, "score")
            intake = Intake(consumer, [kafka.topic_transactions])
            while not stop.is_set():
                progress.step("take")
                taken = intake.take(batch_rows)
                if not taken:
                    progress.idle()
                    continue
                offsets = next_offsets(taken)
                progress.took(offsets, "decide")
                messages = columns_of(kafka.topic_transactions, taken)
                outcomes = decide(messages, dt.datetime.now(dt.UTC))
                progress.step("commit")
                transactions.commit(
                    (
                        (
                            kafka.topic_rejects if outcome.is_reject else kafka.topic_decisions,
                            outcome.key,
                            outcome.value,
                        )
                        for outcome in outcomes
                    ),
                    offsets,
                    intake.membership,
                )
                progress.batch(
                    offsets,
                    messages.sent_at_ms,
                    Counter(outcome.verdict for outcome in outcomes if not outcome.is_reject),
                    Counter(outcome.verdict for outcome in outcomes if outcome.is_reject),
                )
        finally:
            if transactions is not None:
                transactions.abort()
            consumer.close()

    persist(session, progress=progress, stop=stop)
