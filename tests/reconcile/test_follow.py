"""The ledger that is kept while everything runs: green, moving, red, and never green too soon."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from tests.harness import Place, eventually
from tests.models import write_tiny_bundle
from tests.reconcile.test_reconcile import one_offset, run
from tests.stream.test_score_loop import Scorer, send, transactions

from fraudline.errors import BrokerError
from fraudline.reconcile import Colour, Follower
from fraudline.reconcile.follow import _RepeatedStep
from fraudline.reconcile.incremental_proof import IncrementalProof
from fraudline.reconcile.stages import StageTracker
from fraudline.stream.broker import create_topics
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.sink_loop import sink_loop
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

PATIENCE_S = 2.0


@contextmanager
def following(place: Place) -> Iterator[Follower]:
    project = place.project
    with Follower(project.kafka, project.warehouse, project.contract, PATIENCE_S) as follower:
        yield follower


@contextmanager
def sinking(place: Place) -> Iterator[None]:
    """A sink loop in a thread of the test."""
    stop = threading.Event()
    thread = threading.Thread(
        target=sink_loop,
        args=(place.project.kafka, routes(place.project)),
        kwargs={
            "batch_rows": 50,
            "commit_interval_ms": 50,
            "stop": stop,
            "progress": Progress(Task.SINK),
        },
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def reason(follower: Follower) -> str:
    return "; ".join(follower.status().reasons)


def test_it_is_green_once_all_is_scored_stored_and_proved_and_not_before(here: Place) -> None:
    with following(here) as follower:
        eventually(lambda: follower.status().colour is Colour.IDLE)
        with Scorer(here), sinking(here):
            send(here, [*transactions(here, 100), b"broken", None])
            eventually(
                lambda: follower.status().proved == 102 and follower.status().colour is Colour.GREEN
            )
        status = follower.status()
    assert status.total(lambda one: one.reach.end) == 102
    assert status.total(lambda one: one.reach.scored) == 102
    assert status.total(lambda one: one.reach.stored or 0) == 102
    assert status.total(lambda one: one.rejected) == 2
    assert status.total(lambda one: one.wrong) == 0


def test_each_stage_that_stands_still_is_named_until_it_moves_again(here: Place) -> None:
    with following(here) as follower:
        send(here, list(transactions(here, 50)))
        eventually(lambda: follower.status().colour is Colour.RED)
        eventually(lambda: reason(follower).startswith("scorer: no commit for "))
        assert "while 50 messages wait" in reason(follower)
        ages = [one.reach.scored_age_s for one in follower.status().partitions.values()]
        assert max(age for age in ages if age is not None) > PATIENCE_S / 2
        with Scorer(here):
            eventually(lambda: reason(follower).startswith("sink: no commit for "))
            assert "while 50 messages wait" in reason(follower)
            with sinking(here):
                eventually(lambda: follower.status().colour is Colour.GREEN)
        assert follower.status().proved == 50


def test_an_open_transaction_of_the_producer_is_not_blamed_on_the_scorer(here: Place) -> None:
    kafka = here.project.kafka
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": kafka.group}
    )
    producer.init_transactions(30)
    with following(here) as follower, Scorer(here), sinking(here):
        producer.begin_transaction()
        producer.produce(kafka.topic_transactions, transactions(here, 1)[0], partition=0)
        producer.flush(30)
        eventually(lambda: reason(follower).startswith("producer: an open transaction has held"))
        producer.commit_transaction(30)
        eventually(lambda: follower.status().colour is Colour.GREEN)
        assert follower.status().proved == 1


def proof_to_come(place: Place) -> tuple[IncrementalProof, dict[int, int]]:
    """Twenty stored messages, a proof that has seen none of them, and where they end."""
    project = place.project
    proof = IncrementalProof(project.kafka, project.warehouse, project.contract)
    for partition in range(project.kafka.partitions):
        proof.advance(partition, 0)
    send(place, list(transactions(place, 20)))
    with following(place) as follower, Scorer(place), sinking(place):
        eventually(lambda: follower.status().colour is Colour.GREEN)
        status = follower.status()
    return proof, {number: one.reach.end for number, one in status.partitions.items()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE decisions SET Amount = Amount + 1 WHERE {}", "differing 1"),
        ("INSERT INTO decisions SELECT * FROM decisions WHERE {}", "doubled 1"),
        ("DELETE FROM decisions WHERE {}", "missing 1"),
    ],
)
def test_what_was_altered_before_it_was_proved_is_red_for_good(
    here: Place, change: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraudline.reconcile.incremental_proof._MISSING_FOR_GOOD_S", 0.0)
    proof, ends = proof_to_come(here)
    run(here, change.format(one_offset(here, "decisions")))
    for partition, end in ends.items():
        proof.advance(partition, end)
    proof.count_again()
    assert proof.state.summary == told
    assert len(proof.state.examples) == 1
    proof.count_again()
    assert proof.state.summary == told


def test_a_row_that_is_added_to_what_was_proved_is_found_by_counting(here: Place) -> None:
    proof, ends = proof_to_come(here)
    for partition, end in ends.items():
        proof.advance(partition, end)
    proof.count_again()
    assert proof.state.summary == ""
    assert proof.state.proved == 20
    where = one_offset(here, "decisions")
    run(here, f"INSERT INTO decisions SELECT * FROM decisions WHERE {where}")
    proof._counted_at = float("-inf")  # as if half a minute had passed
    proof.count_again()
    assert proof.state.summary == "doubled 1"
    assert "stored more than once" in proof.state.examples[0]
    proof._counted_at = float("-inf")
    proof.count_again()
    assert proof.state.summary == "doubled 1"


def delete_messages(place: Place, ends: dict[int, int]) -> None:
    """All of them, as retention does."""
    kafka = place.project.kafka
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    gone = [TopicPartition(kafka.topic_transactions, key, end) for key, end in ends.items()]
    for deleted in admin.delete_records(gone).values():
        deleted.result(30)


def test_a_row_that_is_added_where_messages_are_deleted_is_told_by_number(here: Place) -> None:
    proof, ends = proof_to_come(here)
    for partition, end in ends.items():
        proof.advance(partition, end)
    proof.count_again()
    where = one_offset(here, "decisions")
    run(here, f"INSERT INTO decisions SELECT * FROM decisions WHERE {where}")
    delete_messages(here, ends)
    for _ in range(2):
        proof._counted_at = float("-inf")  # as if half a minute had passed
        proof.count_again()
        assert proof.state.summary == "doubled 1"
        assert "1 more rows than when they were proved" in proof.state.examples[0]


@pytest.mark.parametrize("messages", ["are there", "are deleted"])
def test_a_row_more_and_a_row_less_of_one_partition_do_not_cancel_in_a_recount(
    here: Place, messages: str
) -> None:
    proof, ends = proof_to_come(here)
    for partition, end in ends.items():
        proof.advance(partition, end)
    proof.count_again()
    partition, gone, doubled = (
        query(
            here.project.warehouse,
            "SELECT source_partition, MIN(source_offset) AS first, MAX(source_offset) AS last "
            "FROM decisions GROUP BY 1 ORDER BY COUNT(*) DESC LIMIT 1",
        )
        .to_pylist()[0]
        .values()
    )
    where = f"source_partition = {partition} AND source_offset = "
    run(here, f"DELETE FROM decisions WHERE {where}{gone}")
    run(here, f"INSERT INTO decisions SELECT * FROM decisions WHERE {where}{doubled}")
    if messages == "are deleted":
        delete_messages(here, ends)
    for _ in range(2):
        proof._recounted_rows = 0  # as if twice as much had been proved
        proof._counted_at = float("-inf")  # and half a minute had passed
        proof.count_again()
        assert proof.state.summary == "missing 1, doubled 1"
    if messages == "are deleted":
        assert "as many rows, but of 1 fewer messages" in proof.state.examples[0]


@pytest.mark.timeout(240)  # four processes start
def test_the_command_tells_lines_and_its_exit_code_tells_the_last_colour(here: Place) -> None:
    project = here.project
    directory = project.settings.home / "models" / "made"
    version = write_tiny_bundle(directory, project.contract).version
    directory.rename(directory.with_name(version))
    project.registry.promote(version)
    scorer = here.start("score")
    here.start("sink")
    follow = here.start("reconcile", "--follow")
    eventually(lambda: " idle: " in follow.said, 90)
    send(here, list(transactions(here, 30)))
    eventually(lambda: "30 messages were proved" in follow.said)
    follow.process.send_signal(signal.SIGINT)
    assert follow.process.wait(30) == 0, follow.said

    scorer.process.send_signal(signal.SIGSTOP)
    try:
        again = here.start("reconcile", "--follow")
        send(here, list(transactions(here, 10)))
        eventually(lambda: " red: " in again.said)
        again.process.send_signal(signal.SIGINT)
        assert again.process.wait(30) == 1
        assert "scorer: no commit for" in again.said
        assert "error: the ledger was not green at the end" in again.said
    finally:
        scorer.process.send_signal(signal.SIGCONT)


def test_a_topic_that_was_made_anew_is_not_green(here: Place) -> None:
    with following(here) as follower:
        eventually(lambda: follower.status().colour is Colour.IDLE)
        follower._stages._stored[0] = 5  # as of the topic of that name that was there before
        eventually(lambda: follower.status().colour is Colour.RED)
        assert "partitions 0 of the input end before what was stored" in reason(follower)


def test_a_forged_decision_at_the_head_of_the_topic_does_not_pass_for_stored_ones(
    here: Place,
) -> None:
    forged = b'{"source_topic":"%b","source_partition":0,"source_offset":9223372036854775807}'
    kafka = here.project.kafka
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for partition in range(kafka.partitions):
        value = (forged % kafka.topic_transactions.encode()).replace(b":0,", b":%d," % partition)
        producer.produce(kafka.topic_decisions, value, partition=partition)
    assert producer.flush(30) == 0
    with Scorer(here) as scorer:
        send(here, list(transactions(here, 20)))
        eventually(lambda: scorer.done == 20)
    stages = StageTracker(kafka)
    stages.look()
    stages.close()
    assert sum(one.scored for one in stages.reaches.values()) >= 20
    assert sum(one.stored or 0 for one in stages.reaches.values()) == 0


def test_decisions_with_fewer_partitions_than_the_input_cannot_be_followed(here: Place) -> None:
    kafka = here.project.kafka
    less = kafka.model_copy(
        update={
            "topic_decisions": f"less-{kafka.topic_decisions}",
            "partitions": kafka.partitions - 1,
        }
    )
    create_topics(less, [less.topic_decisions])
    stages = StageTracker(less)

    def is_refused() -> bool:
        try:
            stages.look()
        except BrokerError as error:  # a new topic is not known everywhere at once
            return f"has {less.partitions}. Which decisions are stored" in str(error)
        return False

    eventually(is_refused)
    stages.close()


def test_a_look_that_fails_in_any_way_is_told_and_taken_again() -> None:
    over, tries = threading.Event(), []

    def look() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise KafkaException("no leader")
        over.set()

    repeated = _RepeatedStep("proof", look, over, 0.1)
    repeated._well_at = time.monotonic() - 60
    repeated.start()
    eventually(lambda: len(tries) == 1)
    repeated.join(30)
    assert len(tries) == 2
    assert repeated.complaint(30) is None
