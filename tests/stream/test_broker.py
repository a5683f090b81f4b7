"""What is told of a broker."""

from __future__ import annotations

import logging
from contextlib import closing

import pytest
from tests.harness import Place

from fraudline.stream.broker import create_topics
from fraudline.stream.offset_lookup import OffsetLookup


def test_a_client_that_cannot_connect_is_told_of_once_in_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    noise = logging.getLogger("fraudline.kafka")
    for _ in range(20):
        noise.error("connection refused")
    assert caplog.text.count("connection refused") <= 1


def test_a_topic_that_was_created_can_be_written_to_at_once(here: Place) -> None:
    kafka = here.project.kafka
    for count in range(4):
        topics = [f"{kafka.topic_decisions}-{count}-{number}" for number in range(5)]
        assert create_topics(kafka, topics) == topics
        with closing(OffsetLookup(kafka)) as look:
            assert {topic for topic, _ in look.ends(topics)} == set(topics)
