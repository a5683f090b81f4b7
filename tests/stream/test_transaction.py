"""What a transaction does when the client does not come back."""

from __future__ import annotations

import threading

import pytest
from confluent_kafka import KafkaError, KafkaException

from fraudline.stream.transaction import _returned


def test_a_client_that_never_returns_is_given_up() -> None:
    with pytest.raises(KafkaException, match="no answer") as raised:
        _returned(lambda: threading.Event().wait(), 0.05)
    assert raised.value.args[0].code() == KafkaError._TIMED_OUT


def test_what_the_client_raises_is_raised() -> None:
    def fail() -> None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID))

    with pytest.raises(KafkaException) as raised:
        _returned(fail, 5)
    assert raised.value.args[0].code() == KafkaError.UNKNOWN_MEMBER_ID
