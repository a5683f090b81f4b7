"""A loop is healthy only if each of its partitions surely moved, or had nothing to do, just now."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time

import pytest
from confluent_kafka import Producer, TopicPartition
from tests.harness import Place, eventually
from tests.models import tiny_bundle
from tests.stream.test_score_loop import Scorer, send, transactions

from fraudline import local
from fraudline.contract import Messages, Outcome
from fraudline.errors import RegistryError, StreamFinalizedError
from fraudline.scoring import Decider
from fraudline.settings import Settings
from fraudline.stream.counts import FailureCounts, Task
from fraudline.stream.health import Health, assess_health
from fraudline.stream.progress import Progress
from fraudline.stream.score_loop import score_loop
from fraudline.stream.supervise import supervise

PATIENCE_S = 2.0


def health(progress: Progress, later_s: float = 0) -> Health:
    return assess_health(progress.snapshot(), time.monotonic() + later_s, PATIENCE_S)


def done(progress: Progress, partition: int, offset: int) -> None:
    """Tell of a message that was taken and dealt with."""
    after = [TopicPartition("t", partition, offset + 1)]
    progress.record_taken(after, "decide")
    progress.record_done(after, [int(time.time() * 1000)], stored={"decisions": 1})


def test_a_loop_that_has_not_done_anything_is_not_healthy_yet():
    found = health(Progress(Task.SCORE))
    assert not found.is_healthy
    assert "starting" in found.reason


def test_a_proof_grows_old_by_itself():
    progress = Progress(Task.SCORE)
    done(progress, 0, 0)
    assert health(progress).is_healthy
    progress.begin_step("commit")
    hung = health(progress, later_s=60)
    assert not hung.is_healthy
    assert hung.reason == "has been in step 'commit' for 60 s"


def test_one_partition_that_moves_does_not_speak_for_one_that_does_not():
    progress = Progress(Task.SINK)
    done(progress, 0, 0)
    time.sleep(0.01)
    done(progress, 1, 0)
    state = progress.snapshot()
    stands_since = state.proved_at["t", 0]
    assert assess_health(state, stands_since + PATIENCE_S, PATIENCE_S).is_healthy
    assert not assess_health(state, stands_since + PATIENCE_S + 0.001, PATIENCE_S).is_healthy
    assert state.proved_at["t", 1] > stands_since


def test_a_loop_that_waits_says_for_what_even_while_it_gives_other_signs_of_life():
    progress = Progress(Task.SINK)
    done(progress, 0, 0)
    progress.begin_waiting("BigQuery does not answer")
    state = progress.snapshot()
    state.waits_since -= 60
    found = assess_health(state, time.monotonic(), PATIENCE_S)
    assert not found.is_healthy
    assert found.reason == "has been waiting for 60 s: BigQuery does not answer"
    progress.end_waiting()
    assert health(progress).is_healthy


def test_a_loop_to_which_nobody_says_any_more_which_topics_there_are_is_not_healthy():
    progress = Progress(Task.SINK)
    done(progress, 0, 0)
    progress.record_topics(time.monotonic())
    assert health(progress).is_healthy
    progress.record_topics(time.monotonic() - 60)
    assert not health(progress).is_healthy


def test_messages_that_a_held_topic_keeps_waiting_are_counted_until_it_is_over():
    progress = Progress(Task.SINK)
    done(progress, 0, 0)
    progress.begin_waiting("BigQuery does not answer")
    progress.record_held({("t", 0): 40, ("t", 1): 2})
    assert health(progress).waiting == 42
    progress.end_waiting()
    assert health(progress).waiting == 0


def test_sessions_that_fail_again_and_again_are_counted_and_told_with_their_reason():
    progress = Progress(Task.SINK)
    stop = threading.Event()
    tries = []

    def session() -> None:
        tries.append(1)
        if len(tries) == 2:
            stop.set()
        raise StreamFinalizedError("another sink has taken over")

    supervise(session, progress=progress, stop=stop)
    found = health(progress)
    assert not found.is_healthy
    assert found.reason == "retries after 2 failures: another sink has taken over"
    assert progress.snapshot().failures == FailureCounts(broker=0, warehouse=2)


def test_a_learner_waits_for_a_registry_that_is_away():
    progress = Progress(Task.LEARN)
    stop = threading.Event()

    def session() -> None:
        stop.set()
        raise RegistryError("the registry s3://b could not be read")

    supervise(session, progress=progress, stop=stop)
    assert progress.snapshot().failures == FailureCounts(registry=1)


def test_an_idle_loop_proves_that_nothing_waits(here: Place) -> None:
    with Scorer(here) as scorer:
        eventually(lambda: health(scorer.progress).is_healthy)
        first = scorer.progress.snapshot().proved_at
        eventually(lambda: min(scorer.progress.snapshot().proved_at.values()) > max(first.values()))
        send(here, list(transactions(here, 20)))
        eventually(lambda: scorer.done == 20)
        eventually(lambda: health(scorer.progress).waiting == 0)
        assert health(scorer.progress).is_healthy


def test_a_member_without_a_partition_is_healthy_while_it_is_in_its_group(here: Place) -> None:
    partitions = here.project.kafka.partitions
    scorers = [Scorer(here) for _ in range(partitions + 1)]
    for scorer in scorers:
        scorer.__enter__()
    try:
        eventually(lambda: all(health(scorer.progress).is_healthy for scorer in scorers))
        eventually(
            lambda: (
                sorted(
                    len(scorer.progress.snapshot().proved_at.keys() - {None}) for scorer in scorers
                )
                == [0, *[1] * partitions]
            )
        )
        assert all(health(scorer.progress).is_healthy for scorer in scorers)
    finally:
        for scorer in scorers:
            scorer.__exit__()


def test_messages_behind_an_open_transaction_of_their_producer_are_told(here: Place) -> None:
    kafka = here.project.kafka
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": kafka.group}
    )
    producer.init_transactions(30)
    with Scorer(here) as scorer:
        eventually(lambda: health(scorer.progress).is_healthy)
        producer.begin_transaction()
        producer.produce(kafka.topic_transactions, transactions(here, 1)[0], partition=0)
        producer.flush(30)
        told = (
            f"topic '{kafka.topic_transactions}', partition 0: an open transaction of its "
            "producer holds back 1 messages"
        )
        eventually(lambda: health(scorer.progress).reason.startswith(told))
        assert not health(scorer.progress).is_healthy
        producer.commit_transaction(30)
        eventually(lambda: scorer.done == 1)
        eventually(lambda: health(scorer.progress).is_healthy)


def test_a_loop_that_hangs_with_messages_in_hand_is_not_healthy(here: Place) -> None:
    send(here, list(transactions(here, 20)))
    progress, stop, go_on = Progress(Task.SCORE), threading.Event(), threading.Event()
    contract = here.project.contract
    decider = Decider(tiny_bundle(here.project.settings.home / "tiny", contract))

    def decide(messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
        go_on.wait()
        return decider.decide(messages, decided_at)

    thread = threading.Thread(
        target=score_loop,
        args=(here.project.kafka, lambda: decide),
        kwargs={"batch_rows": 10, "stop": stop, "progress": progress},
    )
    thread.start()
    try:
        eventually(lambda: "step 'decide'" in health(progress).reason)
        assert not health(progress).is_healthy
        go_on.set()
        eventually(lambda: health(progress).is_healthy)
    finally:
        go_on.set()
        stop.set()
        thread.join()


def test_a_broker_that_stops_answering_is_not_taken_for_an_empty_topic(
    here: Place, broker_pid: int
) -> None:
    with Scorer(here) as scorer:
        eventually(lambda: health(scorer.progress).is_healthy)
        os.kill(broker_pid, signal.SIGSTOP)
        try:
            eventually(lambda: "the broker does not answer" in health(scorer.progress).reason)
            assert not health(scorer.progress).is_healthy
        finally:
            os.kill(broker_pid, signal.SIGCONT)
        eventually(lambda: health(scorer.progress).is_healthy)


@pytest.fixture
def broker_pid(services_home) -> int:
    (pid,) = [
        service.pid
        for service in local.status(Settings(home=services_home))
        if service.name == "kafka"
    ]
    return pid


def test_a_partition_with_nothing_to_do_is_well_beside_one_that_catches_up(here: Place) -> None:
    kafka = here.project.kafka
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": kafka.group}
    )
    producer.init_transactions(30)

    def produce(partition: int, count: int) -> None:  # it will end with a mark
        producer.begin_transaction()
        for _ in range(count):
            producer.produce(kafka.topic_transactions, b"{}", partition=partition)
        producer.commit_transaction(30)

    produce(1, 1)
    progress, stop = Progress(Task.SCORE), threading.Event()

    def decide(messages: Messages, decided_at: dt.datetime) -> list[Outcome]:
        stop.wait(0.1)  # 10 s for all
        return []

    thread = threading.Thread(
        target=score_loop,
        args=(kafka, lambda: decide),
        kwargs={"batch_rows": 100, "stop": stop, "progress": progress},
    )
    thread.start()

    def is_well_while_messages_wait() -> bool:
        state = progress.snapshot()
        waiting = state.waiting_messages()
        busy = waiting.pop((kafka.topic_transactions, 0), 0)
        return (
            1000 < busy < 6000  # long after it began
            and set(waiting.values()) == {0}
            and assess_health(state, time.monotonic(), PATIENCE_S).is_healthy
        )

    try:
        eventually(lambda: set(progress.snapshot().waiting_messages().values()) == {0})
        produce(0, 10_000)
        eventually(is_well_while_messages_wait)
    finally:
        stop.set()
        thread.join()


def test_statistics_that_cannot_be_read_are_told_and_end_no_loop(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Another librdkafka may report other fields."""
    with Scorer(here) as scorer:
        report = scorer.progress.consumer_options["stats_cb"]

        def is_known() -> bool:
            report('{"brokers":{},"topics":{}}')
            return scorer.progress.snapshot().statistics_fault is not None

        eventually(is_known)
        send(here, list(transactions(here, 3)))
        eventually(lambda: scorer.done == 3)
        eventually(lambda: scorer.progress.snapshot().statistics is not None)
    assert "cannot be read" in caplog.text
    state = scorer.progress.snapshot()
    state.statistics_fault = "the statistics cannot be read"
    found = assess_health(state, time.monotonic() + 60, 60)
    assert not found.is_healthy
