"""A broker that all tests of one module share, and what they read and write in it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from fraudline import local
from fraudline.settings import BigQuerySettings, Settings

BROKER_ONLY = BigQuerySettings(project="a-google-project")


@dataclass
class Told:
    """Every line that a command said."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    def __str__(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture(scope="module")
def broker(tmp_path_factory) -> Iterator[Settings]:
    """Settings whose broker runs; a test that stops it starts it again."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), bigquery=BROKER_ONLY)
    with local.running(settings):
        yield settings


@pytest.fixture
def stopped(tmp_path) -> Iterator[Settings]:
    """Settings of a home in which nothing was started yet."""
    settings = Settings(home=tmp_path / "home", bigquery=BROKER_ONLY)
    yield settings
    if Path(settings.home).is_dir():
        local.down(settings, Told())


def write(bootstrap: str, topic: str, value: bytes) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    producer.produce(topic, value, partition=0)
    assert producer.flush(10) == 0


def read_first(bootstrap: str, topic: str) -> bytes:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(10)
        assert message is not None
        assert message.error() is None
        return message.value()
    finally:
        consumer.close()
