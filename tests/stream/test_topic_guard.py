"""A topic that is not the one it was, or not as wide: a loop stops or goes on, and never skips."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from tests.harness import Place, eventually, place
from tests.models import tiny_bundle, tiny_policy
from tests.stream import test_score_loop, test_sink_loop
from tests.stream.test_repeat_restore import PAYMENTS
from tests.stream.test_score_loop import committed, transactions
from tests.transactions import WALLET_FILE

from fraudline.bundle.bundle import open_bundle
from fraudline.errors import BrokerError
from fraudline.scoring import Decider, RepeatMemory
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import create_topics
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.repeat_restore import RepeatRestore
from fraudline.stream.score_checkpoint import ScoreCheckpoint
from fraudline.stream.score_loop import score_loop
from fraudline.stream.sink_checkpoint import SinkCheckpoint
from fraudline.stream.sink_loop import sink_loop
from fraudline.stream.topic_lookup import TopicLookup
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.tables import table_made_at

pytestmark = pytest.mark.usefixtures("services_home")


class Running:
    """A loop in a thread, and what it ended with."""

    def __init__(self, task: Task) -> None:
        self.progress = Progress(task)
        self.stop = threading.Event()
        self.error: Exception | None = None
        self._thread: threading.Thread

    def begin(self, target, *arguments, **options) -> None:
        def run() -> None:
            try:
                target(*arguments, stop=self.stop, progress=self.progress, **options)
            except Exception as error:  # noqa: BLE001 - looked at by the test
                self.error = error

        self._thread = threading.Thread(target=run)
        self._thread.start()

    @property
    def done(self) -> int:
        """Messages of which the outcome is committed."""
        assert self.error is None, self.error
        state = self.progress.snapshot()
        return state.done + state.rejected.total()

    def end(self) -> None:
        self.stop.set()
        self._thread.join()

    def message(self) -> str:
        """What it stopped with, once it has stopped."""
        eventually(lambda: self.error is not None)
        self.end()
        assert isinstance(self.error, BrokerError), self.error
        return str(self.error)


@contextmanager
def scoring(here: Place, *, with_memory: bool = False) -> Iterator[Running]:
    project = here.project
    directory = project.settings.home / "tiny"
    if not directory.exists():
        tiny_bundle(directory, project.contract, policy=tiny_policy())
    memory = RepeatMemory(project.contract, 1000) if with_memory else None
    decider = Decider(open_bundle(directory, project.contract), memory)
    running = Running(Task.SCORE)
    running.begin(
        score_loop,
        project.kafka,
        lambda: decider.decide,
        batch_rows=50,
        restore=RepeatRestore(project.kafka, memory) if memory is not None else None,
    )
    try:
        yield running
    finally:
        running.end()


@contextmanager
def sinking(here: Place) -> Iterator[Running]:
    running = Running(Task.SINK)
    running.begin(
        sink_loop, here.project.kafka, routes(here.project), batch_rows=50, commit_interval_ms=50
    )
    try:
        yield running
    finally:
        running.end()


def send(here: Place, count: int, topic: str | None = None) -> None:
    # To all partitions, by key.
    test_score_loop.send(here, list(transactions(here, count)), topic, key_of=lambda line: line)


def admin(kafka: KafkaSettings) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka.bootstrap_servers})


def delete(kafka: KafkaSettings, topic: str) -> None:
    client = admin(kafka)
    for future in client.delete_topics([topic]).values():
        future.result(30)


def recreate(kafka: KafkaSettings, topic: str) -> None:
    before = id_of(kafka, topic)
    delete(kafka, topic)
    eventually(lambda: create_topics(kafka, [topic]) == [topic])
    eventually(lambda: id_of(kafka, topic) not in {before, None})


def id_of(kafka: KafkaSettings, topic: str) -> str | None:
    lookup = TopicLookup(kafka)
    try:
        return lookup.ask([topic]).answer()[topic].id
    except Exception:  # noqa: BLE001 - not known everywhere yet
        return None


def widen(kafka: KafkaSettings, topic: str, count: int) -> None:
    client = admin(kafka)
    for future in client.create_partitions([NewPartitions(topic, count)]).values():
        future.result(30)
    lookup = TopicLookup(kafka)
    eventually(lambda: lookup.ask([topic]).answer()[topic].partitions == count)


def offsets(kafka: KafkaSettings, group: str, topic: str) -> list[TopicPartition]:
    asked = ConsumerGroupTopicPartitions(
        group, [TopicPartition(topic, number) for number in range(kafka.partitions)]
    )
    client = admin(kafka)
    found = client.list_consumer_group_offsets([asked])[group].result(10)
    return [one for one in found.topic_partitions if one.offset >= 0]


def set_offsets(kafka: KafkaSettings, group: str, places: list[TopicPartition]) -> None:
    client = admin(kafka)

    def is_set() -> bool:
        asked = ConsumerGroupTopicPartitions(group, places)
        done = client.alter_consumer_group_offsets([asked])[group].result(10)
        return all(one.error is None for one in done.topic_partitions)

    eventually(is_set)


def test_of_a_topic_made_anew_under_a_scorer_nothing_is_decided_and_nothing_skipped(
    here: Place,
) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer:
        send(here, 200)
        eventually(lambda: scorer.done == 200)
        before = id_of(kafka, kafka.topic_transactions)
        recreate(kafka, kafka.topic_transactions)
        send(here, 2000)  # longer than the old one was
        said = scorer.message()
    assert f"topic '{kafka.topic_transactions}' was deleted and made anew" in said
    assert str(before) in said
    assert "fraudline offsets set" in said
    assert len(committed(here, kafka.topic_decisions)) == 200
    assert offsets(kafka, f"{kafka.group}.score", kafka.topic_transactions) == []


def test_of_a_topic_made_anew_while_no_scorer_runs_nothing_is_decided(here: Place) -> None:
    kafka = here.project.kafka
    group, inputs = f"{kafka.group}.score", kafka.topic_transactions
    with scoring(here) as scorer:
        send(here, 40)
        eventually(lambda: scorer.done == 40)
    left = offsets(kafka, group, inputs)
    recreate(kafka, inputs)
    send(here, 2000)
    with scoring(here) as scorer:  # a broker deletes the group's offsets with the topic
        assert "has no offset for topic" in scorer.message()
    set_offsets(kafka, group, left)  # or it does not
    with scoring(here) as scorer:
        assert "was deleted and made anew" in scorer.message()
    assert len(committed(here, kafka.topic_decisions)) == 40


@pytest.mark.parametrize("flow", ["transactions", "decisions", "rejects"])
def test_a_topic_made_anew_is_noticed_though_no_message_comes(here: Place, flow: str) -> None:
    kafka = here.project.kafka
    topic = getattr(kafka, f"topic_{flow}")
    with scoring(here) as scorer:
        send(here, 20)
        eventually(lambda: scorer.done == 20)
        recreate(kafka, topic)
        assert f"topic '{topic}' was deleted and made anew" in scorer.message()


def test_a_topic_that_is_deleted_ends_the_loops_which_say_so(here: Place) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer, sinking(here) as sink:
        send(here, 20)
        eventually(lambda: scorer.done == 20)
        delete(kafka, kafka.topic_decisions)
        for running in (scorer, sink):
            assert f"there is no topic '{kafka.topic_decisions}'" in running.message()


def test_of_a_topic_made_anew_under_a_sink_nothing_is_stored_and_nothing_skipped(
    here: Place,
) -> None:
    kafka = here.project.kafka
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
        recreate(kafka, kafka.topic_predictions)
        test_sink_loop.send(here, test_sink_loop.predictions(here, 1000, 1000))
        said = sink.message()
    assert f"topic '{kafka.topic_predictions}' was deleted and made anew" in said
    assert test_sink_loop.stored(here) == [float(number) for number in range(40)]


def test_what_the_last_release_committed_is_taken_up_and_told_once(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """Its scorer commits no metadata, its sink three words."""
    kafka = here.project.kafka
    group = f"{kafka.group}.score"
    with scoring(here) as scorer:
        send(here, 100)
        eventually(lambda: scorer.done == 100)
    old = offsets(kafka, group, kafka.topic_transactions)
    set_offsets(kafka, group, [TopicPartition(one.topic, one.partition, one.offset) for one in old])
    with scoring(here) as scorer:
        send(here, 100)
        eventually(lambda: scorer.done == 100)
    assert caplog.text.count("do not say which topic they are of") == 1
    new = offsets(kafka, group, kafka.topic_transactions)
    ids = [
        str(id_of(kafka, topic))
        for topic in (kafka.topic_transactions, kafka.topic_decisions, kafka.topic_rejects)
    ]
    assert {one.metadata for one in new} == {str(ScoreCheckpoint(*ids))}
    assert len(committed(here, kafka.topic_decisions)) == 200


def test_a_sink_reads_what_the_last_release_committed_and_adds_topic_and_table(
    here: Place,
) -> None:
    kafka = here.project.kafka
    group, topic = f"{kafka.group}.sink", kafka.topic_predictions
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
    old = [(one, SinkCheckpoint.parse(one.metadata)) for one in offsets(kafka, group, topic)]
    assert {checkpoint.topic_id for _, checkpoint in old} == {id_of(kafka, topic)}
    set_offsets(
        kafka,
        group,
        [
            TopicPartition(topic, one.partition, one.offset, str(SinkCheckpoint(*checkpoint[:3])))
            for one, checkpoint in old
        ],
    )
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 40, 40))
        eventually(lambda: sink.done == 40)
    new = [SinkCheckpoint.parse(one.metadata) for one in offsets(kafka, group, topic)]
    assert id_of(kafka, topic) in {checkpoint.topic_id for checkpoint in new}
    made_at = table_made_at(here.project.warehouse, "predictions")
    assert {one.table_made_at for _, one in old} == {made_at}
    assert made_at in {checkpoint.table_made_at for checkpoint in new}
    assert test_sink_loop.stored(here) == [float(number) for number in range(80)]


def test_where_the_broker_gives_no_ids_that_is_told_once_and_a_shorter_topic_is_noticed(
    here: Place, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraudline.stream.topic_lookup._ZERO_ID", "")
    monkeypatch.setattr("fraudline.stream.topic_lookup.str", lambda _: "", raising=False)
    kafka = here.project.kafka
    with scoring(here) as scorer:
        send(here, 200)
        eventually(lambda: scorer.done == 200)
        delete(kafka, kafka.topic_transactions)
        eventually(lambda: create_topics(kafka, [kafka.topic_transactions]) != [])
        send(here, 4)
        said = scorer.message()
    assert caplog.text.count(f"gives topic '{kafka.topic_transactions}' no id") == 1
    # In the same session by its end, in the next one by what was decided.
    assert "cut short, or deleted and made anew" in said or "has no offset for topic" in said
    assert f"topic '{kafka.topic_transactions}', partition " in said
    assert len(committed(here, kafka.topic_decisions)) == 200


def test_messages_that_were_deleted_before_they_were_decided_are_named(here: Place) -> None:
    kafka = here.project.kafka
    topic = kafka.topic_transactions
    with scoring(here) as scorer:
        send(here, 200)
        eventually(lambda: scorer.done == 200)
    (first, *_) = offsets(kafka, f"{kafka.group}.score", topic)
    send(here, 4000)
    until = first.offset + 20
    client = admin(kafka)
    for future in client.delete_records([TopicPartition(topic, first.partition, until)]).values():
        future.result(30)
    with scoring(here) as scorer:
        said = scorer.message()
    assert (
        f"partition {first.partition}: messages {first.offset} to {until - 1} were deleted" in said
    )
    assert f"holds offsets {until} to " in said


@pytest.fixture
def wallet(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    """A project whose contract has an id."""
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as made:
        yield made


def test_partitions_that_decisions_has_not_are_refused_within_seconds(wallet: Place) -> None:
    kafka = wallet.project.kafka
    with scoring(wallet, with_memory=True) as scorer:
        eventually(lambda: scorer.progress.snapshot().statistics is not None)
        widen(kafka, kafka.topic_transactions, 6)
        said = scorer.message()
    assert (
        f"'{kafka.topic_transactions}' has 6 partitions and topic '{kafka.topic_decisions}' has 4"
    ) in said
    with scoring(wallet, with_memory=True) as scorer:  # the same rule
        assert scorer.message() == said


def test_partitions_that_decisions_has_too_are_taken_up_within_seconds(
    wallet: Place, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = wallet.project.kafka
    with scoring(wallet, with_memory=True) as scorer:
        eventually(lambda: scorer.progress.snapshot().statistics is not None)
        widen(kafka, kafka.topic_decisions, 6)
        widen(kafka, kafka.topic_transactions, 6)
        begun_at = time.monotonic()
        # To all of them, by key.
        test_score_loop.send(wallet, PAYMENTS, key_of=wallet.project.contract.key_of)
        eventually(lambda: scorer.done == len(PAYMENTS))
        assert time.monotonic() - begun_at < 60  # five minutes is when a client looks by itself
        assert scorer.progress.snapshot().failures.total == 0
    rows = committed(wallet, kafka.topic_decisions)
    assert len(rows) == len(PAYMENTS)
    assert {row["source_partition"] for row in rows} == set(range(6))
    assert "has 6 partitions now, 4 before" in caplog.text


def test_a_sink_takes_partitions_that_are_added_within_seconds(here: Place) -> None:
    kafka = here.project.kafka
    with sinking(here) as sink:
        eventually(lambda: sink.progress.snapshot().statistics is not None)
        widen(kafka, kafka.topic_predictions, 8)
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 200))
        eventually(lambda: sink.done == 200)
    assert test_sink_loop.stored(here) == [float(number) for number in range(200)]
