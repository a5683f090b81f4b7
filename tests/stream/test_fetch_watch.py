"""A Kafka client that has lost its brokers for good is noticed, and another takes its place."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

import pytest
from tests.harness import Place, eventually
from tests.models import tiny_bundle, tiny_policy
from tests.stream import test_score_loop, test_sink_loop
from tests.stream.kafka_way import KafkaWay
from tests.stream.test_topic_guard import Running

from fraudline.bundle.bundle import open_bundle
from fraudline.scoring import Decider
from fraudline.stream import fetch_watch, topic_guard
from fraudline.stream.counts import OF_TOPICS, Task
from fraudline.stream.score_loop import score_loop
from fraudline.stream.sink_loop import sink_loop
from fraudline.use_cases.sink_routes import routes

LIMIT_S = 3.0


@pytest.fixture
def way(here: Place) -> Iterator[KafkaWay]:
    """A way to the broker."""
    made = KafkaWay(int(here.project.kafka.bootstrap_servers.rpartition(":")[2]))
    yield made
    made.close()


@contextmanager
def running(here: Place, way: KafkaWay, task: Task) -> Iterator[Running]:
    """A loop that reaches the broker by the way; all else reaches it directly."""
    kafka = here.project.kafka.model_copy(update={"bootstrap_servers": way.address})
    loop = Running(task)
    if task is Task.SINK:
        loop.begin(sink_loop, kafka, routes(here.project), batch_rows=50, commit_interval_ms=50)
    else:
        directory = here.project.settings.home / "tiny"
        tiny_bundle(directory, here.project.contract, policy=tiny_policy())
        decider = Decider(open_bundle(directory, here.project.contract), None)
        loop.begin(score_loop, kafka, lambda: decider.decide, batch_rows=50)
    try:
        yield loop
    finally:
        loop.end()


def send(here: Place, task: Task, first: int, count: int) -> None:
    if task is Task.SINK:
        test_sink_loop.send(here, test_sink_loop.predictions(here, first, count))
    else:
        test_score_loop.send(here, list(test_score_loop.transactions(here, count)))


@dataclass(frozen=True)
class Silence:
    """What nobody answers any more, and what is said of it.

    Attributes:
        limits: How long each may last, by module and name.
        said: By the loop, before a new client takes the place of the one that waits.
    """

    limits: tuple[tuple[ModuleType, str], ...]
    said: str


SILENCES = {
    # The consumer asks every five seconds which brokers there are.
    "messages": Silence(
        ((fetch_watch, "_LONGEST_SILENCE_S"), (fetch_watch, "_LONGEST_JOIN_S")),
        "no message and no answer of the broker came",
    ),
    # Who asks for the topics' ids asks every second.
    "topics": Silence(((topic_guard, "_LONGEST_SILENCE_S"),), "no progress, failure 1 in a row"),
}


# Both loops wait in one way: each of them and each silence once, and what is left where time is.
OFTEN = {(Task.SCORE, "messages"), (Task.SINK, "topics")}
EACH_ONCE = [
    pytest.param(
        task,
        silence,
        id=f"{task}-{name}",
        marks=() if (task, name) in OFTEN else pytest.mark.slow,
    )
    for task in OF_TOPICS
    for name, silence in SILENCES.items()
]


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("task", "silence"), EACH_ONCE)
def test_a_loop_whose_client_lost_its_brokers_says_so_and_goes_on_with_a_new_one(
    here: Place,
    way: KafkaWay,
    task: Task,
    silence: Silence,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for module, name in silence.limits:
        monkeypatch.setattr(module, name, LIMIT_S)
    with (
        caplog.at_level(logging.WARNING, logger="fraudline.stream"),
        running(here, way, task) as it,
    ):
        send(here, task, 0, 20)
        eventually(lambda: it.done == 20)
        way.forgets = True
        eventually(lambda: silence.said in caplog.text)
        way.forgets = False
        send(here, task, 20, 20)
        eventually(lambda: it.done == 40)
