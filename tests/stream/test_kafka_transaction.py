"""What a transaction does when the client does not come back."""

from __future__ import annotations

import threading
import time

import pytest
from confluent_kafka import KafkaError, KafkaException

from fraudline.stream import ending
from fraudline.stream.ending import end_client, in_thread
from fraudline.stream.kafka_transaction import _await_offsets, _repeat


def test_a_client_that_never_returns_is_given_up() -> None:
    with pytest.raises(KafkaException, match="no answer") as raised:
        _await_offsets(in_thread(lambda: threading.Event().wait(), "test"), 0.05)
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT


def test_what_the_client_raises_is_raised() -> None:
    def fail() -> None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))

    with pytest.raises(KafkaException) as raised:
        _await_offsets(in_thread(fail, "test"), 5)
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


def test_a_client_that_does_not_end_is_left_alone_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ending, "_TIMEOUT_S", 0.05)
    end_client(lambda: threading.Event().wait(), "sink's group")
    assert "the sink's group did not end" in caplog.text
