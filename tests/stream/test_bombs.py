"""A message that grows beyond all measure when it is unpacked."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer
from tests.harness import Place, eventually
from tests.stream.test_score_loop import Scorer, transactions

from fraudline.stream.broker import client_config


def test_what_cannot_be_unpacked_is_told_and_stops_its_own_partition_only(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = here.project.kafka
    config = {"compression.type": "zstd", "message.max.bytes": 200_000_000}
    producer = Producer({**client_config(kafka), **config})
    (good,) = transactions(here, 1)
    producer.produce(kafka.topic_transactions, bytes(120_000_000), partition=0)
    producer.produce(kafka.topic_transactions, good, partition=1)
    assert producer.flush(60) == 0
    with Scorer(here) as scorer:
        eventually(lambda: scorer.done == 1)
        eventually(lambda: "a partition is stuck, the others continue" in caplog.text)
    assert scorer.done == 1
