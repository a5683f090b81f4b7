"""Batches that nobody can read are set aside, and the partition goes on."""

from __future__ import annotations

import threading

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from tests.harness import Place, eventually
from tests.models import tiny_bundle
from tests.stream.test_score_loop import Scorer, committed, send, transactions
from tests.stream.test_sink_loop import predictions, run_sink, stored

from fraudline.errors import BrokerError
from fraudline.reconcile.reconcile import reconcile
from fraudline.scoring import Decider
from fraudline.stream.broker import client_config
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.score_loop import score_loop
from fraudline.use_cases.sink_routes import routes

BOMB = [bytes(24_000_000)] * 5  # 4 KB as zstd


def send_bomb(place: Place, topic: str) -> None:
    """Produce a batch to partition 0 that no client of default settings unpacks."""
    config = {"compression.type": "zstd", "message.max.bytes": 200_000_000, "linger.ms": 30_000,
              "batch.size": 200_000_000}  # fmt: skip
    producer = Producer({**client_config(place.project.kafka), **config})
    # Messages of a topic that the client does not know yet are handed on one by one once it does,
    # and while it flushes may leave as two batches, each of which can be unpacked.
    producer.list_topics(topic, timeout=30)
    for message in BOMB:
        producer.produce(topic, message, partition=0)
    assert producer.flush(60) == 0


def test_a_batch_that_cannot_be_unpacked_is_one_reject_told_once_and_the_partition_goes_on(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = here.project.kafka
    good = transactions(here, 4)
    producer = Producer(client_config(kafka))
    producer.produce(kafka.topic_transactions, good[0], partition=0)
    assert producer.flush(30) == 0
    send_bomb(here, kafka.topic_transactions)
    for message in good[1:]:
        producer.produce(kafka.topic_transactions, message, partition=0)
    assert producer.flush(30) == 0
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done >= 5)  # one before, one reject, three after
    (reject,) = committed(here, kafka.topic_rejects)
    assert (reject["reason"], reject["source_partition"], reject["source_offset"]) == (
        "unreadable",
        0,
        5,
    )
    assert "offsets 1 to 5 are one batch that cannot be read" in str(reject["message"])
    decided = [row["source_offset"] for row in committed(here, kafka.topic_decisions)]
    assert sorted(decided) == [0, 6, 7, 8]
    told = [line for line in caplog.messages if "cannot be read" in line]
    assert len(told) == 1
    with Scorer(here) as scorer:  # it is passed for good
        send(here, list(good[:2]))
        eventually(lambda: scorer.done == 2)
    run_sink(
        here,
        routes(here.project),
        until=lambda: reconcile(kafka, here.project.warehouse, here.project.contract).is_complete,
    )
    ledger = reconcile(kafka, here.project.warehouse, here.project.contract)
    assert ledger.is_exact, ledger.examples
    assert ledger.totals.rejects == 1


def test_a_batch_at_the_end_of_a_topic_that_a_sink_cannot_unpack_is_a_reject_too(
    here: Place,
) -> None:
    kafka = here.project.kafka
    send_bomb(here, kafka.topic_predictions)
    send(here, predictions(here, 0, 5), kafka.topic_predictions)
    run_sink(
        here,
        routes(here.project),
        until=lambda: len(stored(here)) >= 5 and bool(committed(here, kafka.topic_rejects)),
    )
    (reject,) = committed(here, kafka.topic_rejects)
    assert (reject["reason"], reject["source_topic"], reject["original"]) == (
        "unreadable",
        kafka.topic_predictions,
        "",
    )
    assert len(stored(here)) == 5


def test_a_topic_that_takes_no_record_of_ours_ends_the_loop_by_name(here: Place) -> None:
    kafka = here.project.kafka
    topic = ConfigResource(ConfigResource.Type.TOPIC, kafka.topic_rejects)
    topic.add_incremental_config(
        ConfigEntry("max.message.bytes", "1000", incremental_operation=AlterConfigOpType.SET)
    )
    admin = AdminClient(client_config(kafka))
    for future in admin.incremental_alter_configs([topic]).values():
        future.result(30)
    send(here, [b"x" * 5000])
    directory = here.project.settings.home / "tiny"
    decider = Decider(tiny_bundle(directory, here.project.contract))
    with pytest.raises(BrokerError, match=r"max\.message\.bytes of 1,048,588 at least"):
        score_loop(
            kafka,
            lambda: decider.decide,
            batch_rows=10,
            stop=threading.Event(),
            progress=Progress(Task.SCORE),
        )
