"""Only a member that owns a partition can commit for it."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer, KafkaException
from tests.conftest import Place, eventually
from tests.stream.test_score_loop import committed, send, transactions

from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Intake, group_consumer, next_offsets
from fraudline.stream.transaction import Transactions

SHORT = {"session.timeout.ms": 6000, "max.poll.interval.ms": 6000}


def member(kafka: KafkaSettings) -> tuple[Consumer, Intake]:
    consumer = group_consumer(kafka, f"{kafka.group}.score", **SHORT)
    return consumer, Intake(consumer, [kafka.topic_transactions])


def test_who_was_thrown_out_of_the_group_cannot_commit_what_it_holds(here: Place) -> None:
    kafka = here.project.kafka
    send(here, list(transactions(here, 20)))
    slow_consumer, slow = member(kafka)
    taken = []
    eventually(lambda: bool(taken.extend(slow.take(100)) or taken))
    transaction = Transactions(kafka, "test")
    time.sleep(SHORT["max.poll.interval.ms"] / 1000 + 1)  # too long without taking anything
    other_consumer, other = member(kafka)
    retaken = []
    eventually(lambda: bool(retaken.extend(other.take(100)) or retaken))
    assert not slow_consumer.memberid()  # the client knows, though nobody has told us

    with pytest.raises(KafkaException):
        transaction.commit(
            [(kafka.topic_decisions, None, b"{}")], next_offsets(taken), slow.membership
        )
    transaction.abort()
    assert committed(here, kafka.topic_decisions) == []
    slow_consumer.close()
    other_consumer.close()
