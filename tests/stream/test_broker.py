"""What is told of a broker."""

from __future__ import annotations

import logging
from unittest import mock

import pytest
from confluent_kafka import KafkaError

from fraudline.stream.broker import handle_consumer_error


def test_a_partition_that_stands_still_is_told_however_much_else_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    noise = logging.getLogger("fraudline.kafka")
    for _ in range(20):
        noise.error("connection refused")
    damaged = mock.Mock(error=lambda: KafkaError(KafkaError._BAD_COMPRESSION, "damaged"))
    for _ in range(2):
        handle_consumer_error(mock.Mock(), damaged)
    assert caplog.text.count("connection refused") <= 1
    assert caplog.text.count("a partition is stuck") == 2
