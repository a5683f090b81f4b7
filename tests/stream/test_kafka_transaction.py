"""What a transaction does when the client does not come back."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import KafkaError, KafkaException

from fraudline.stream.kafka_transaction import _await_offsets, _in_thread, _repeat


def test_a_client_that_never_returns_is_given_up() -> None:
    with pytest.raises(KafkaException, match="no answer") as raised:
        _await_offsets(_in_thread(lambda: threading.Event().wait()), 0.05)
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT


def test_what_the_client_raises_is_raised() -> None:
    def fail() -> None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))

    with pytest.raises(KafkaException) as raised:
        _await_offsets(_in_thread(fail), 5)
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID


def test_a_step_is_repeated_within_one_time_out_not_given_it_each_time() -> None:
    allowed_s: list[float] = []

    def step(left_s: float) -> None:
        allowed_s.append(left_s)
        time.sleep(0.05)
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "slow", retriable=True))

    with pytest.raises(KafkaException, match="slow"):
        _repeat(step, time.monotonic() + 0.3)
    assert len(allowed_s) > 1
    assert max(allowed_s) <= 0.3
    assert allowed_s == sorted(allowed_s, reverse=True)
