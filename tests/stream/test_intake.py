"""Only a member that owns a partition can commit for it."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from tests.harness import Place, eventually
from tests.stream.test_score_loop import committed, send, transactions

from fraudline.settings import KafkaSettings
from fraudline.stream.intake import Intake, Partitions, group_consumer, next_offsets, position_of
from fraudline.stream.kafka_transaction import TransactionalProducer

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
    transaction = TransactionalProducer(kafka, "test")
    time.sleep(SHORT["max.poll.interval.ms"] / 1000 + 1)  # too long without taking anything
    other_consumer, other = member(kafka)
    retaken = []
    eventually(lambda: bool(retaken.extend(other.take(100)) or retaken))
    assert not slow_consumer.memberid()  # the client knows, though nobody has told us

    transaction.produce([(kafka.topic_decisions, 0, None, b"{}")])
    transaction.send_offsets(next_offsets(taken), slow.membership)
    with pytest.raises(KafkaException):
        transaction.commit()
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
    transaction = TransactionalProducer(kafka, "test")
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


def test_messages_that_the_client_hands_over_again_are_left_out(here: Place) -> None:
    kafka = here.project.kafka
    send(here, list(transactions(here, 100)))
    consumer, intake = member(kafka)
    taken: list[Message] = []
    eventually(lambda: bool(taken.extend(intake.take(10)) or len(taken) >= 40))
    # As the client was seen to do by itself: it goes back, and nobody has told it to.
    consumer.assign(
        [TopicPartition(kafka.topic_transactions, n, 0) for n in range(kafka.partitions)]
    )
    eventually(lambda: bool(taken.extend(intake.take(10)) or len(taken) >= 100))
    assert sorted(map(position_of, taken)) == sorted(set(map(position_of, taken)))
    assert len(taken) == 100
    consumer.close()


def test_what_goes_wrong_in_a_rebalance_is_raised_by_take(here: Place) -> None:
    def fails(_: Partitions) -> None:
        raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))

    kafka = here.project.kafka
    consumer = group_consumer(kafka, f"{kafka.group}.score")
    intake = Intake(consumer, [kafka.topic_transactions], on_assign=fails)
    with pytest.raises(KafkaException):
        eventually(lambda: bool(intake.take(10)))
    consumer.close()
