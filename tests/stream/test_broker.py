"""What is told of a broker."""

from __future__ import annotations

import logging

import pytest


def test_a_client_that_cannot_connect_is_told_of_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    noise = logging.getLogger("fraudline.kafka")
    for _ in range(20):
        noise.error("connection refused")
    assert caplog.text.count("connection refused") <= 1
