"""Only a member that owns a partition can commit for it."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaException
from tests.conftest import Place, eventually
from tests.stream.test_score_loop import committed, send, transactions

from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Intake, group_consumer, next_offsets, position_of
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

    transaction.produce([(kafka.topic_decisions, 0, None, b"{}")])
    with pytest.raises(KafkaException):
        transaction.commit(next_offsets(taken), slow.membership)
    transaction.close()
    assert committed(here, kafka.topic_decisions) == []
    slow_consumer.close()
    other_consumer.close()


def test_a_new_owner_waits_for_the_transaction_of_the_last_one(here: Place) -> None:
    kafka = here.project.kafka
    send(here, list(transactions(here, 100)))
    first_consumer, first = member(kafka)
    done = []
    eventually(lambda: bool(done.extend(first.take(10)) or done))
    transaction = Transactions(kafka, "test")
    producer = transaction._producer
    producer.begin_transaction()
    producer.produce(kafka.topic_decisions, value=b"{}")
    producer.send_offsets_to_transaction(next_offsets(done), first.membership, 10)
    first_consumer.close()  # as if it had died, with the outcome of its transaction open

    ends = threading.Timer(3.0, producer.commit_transaction, [10])
    ends.start()
    second_consumer, second = member(kafka)
    taken = []
    eventually(lambda: bool(taken.extend(second.take(1000)) or len(taken) >= 100 - len(done)))
    ends.join()
    positions = [position_of(message) for message in [*done, *taken]]
    assert len(positions) == len(set(positions)) == 100
    second_consumer.close()
