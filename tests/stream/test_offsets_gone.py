"""A group whose offsets are gone, or of no use: the loop stops, and a command sets the place."""

from __future__ import annotations

import msgspec
import pytest
from confluent_kafka import Producer, TopicPartition
from google.cloud import bigquery
from tests.harness import Place, eventually
from tests.stream import test_sink_loop
from tests.stream.test_bombs import send_bomb
from tests.stream.test_score_loop import committed
from tests.stream.test_topic_guard import (
    admin,
    offsets,
    recreate,
    scoring,
    send,
    set_offsets,
    sinking,
)

from fraudline import flows
from fraudline.contract import REPLAYED
from fraudline.stream import outcome_ends as outcome_ends_module
from fraudline.stream.outcome_ends import outcome_ends
from fraudline.stream.read_topic import offset_ranges
from fraudline.warehouse.query import change, query

pytestmark = pytest.mark.usefixtures("services_home")


def forget(here: Place, task: str) -> None:
    """As a broker does once nobody has used a group for long."""
    client = admin(here.project.kafka)
    group = f"{here.project.kafka.group}.{task}"

    def is_forgotten() -> bool:
        try:
            client.delete_consumer_groups([group])[group].result(10)
        except Exception:  # noqa: BLE001 - its member has just left
            return False
        return True

    eventually(is_forgotten)


def rows(here: Place, table: str) -> int:
    return int(query(here.project.warehouse, f"SELECT COUNT(*) AS n FROM {table}")["n"][0].as_py())


def test_a_scorer_whose_groups_offsets_are_gone_decides_nothing_twice(here: Place) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer:
        send(here, 100)
        eventually(lambda: scorer.done == 100)
    forget(here, "score")
    send(here, 30)
    with scoring(here) as scorer:
        said = scorer.message()
    assert (
        f"group '{kafka.group}.score' has no offset for topic '{kafka.topic_transactions}'" in said
    )
    assert "fraudline offsets set score --to stored" in said
    shown = here.run("offsets", "show")
    assert shown.code == 0
    assert shown.said.count("nothing committed") >= 4
    answer = here.run("offsets", "set", "score", "--to", "stored")
    assert answer.code == 0, answer.said
    assert "4 offsets of group 'score' are set" in answer.said
    with scoring(here) as scorer:
        eventually(lambda: scorer.done == 30)
    assert len(committed(here, kafka.topic_decisions)) == 130


def test_a_scorers_offset_that_another_program_set_back_decides_nothing_twice(here: Place) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer:
        send(here, 100)
        eventually(lambda: scorer.done == 100)
    (one, *_) = offsets(kafka, f"{kafka.group}.score", kafka.topic_transactions)
    set_offsets(kafka, f"{kafka.group}.score", [TopicPartition(one.topic, one.partition, 0)])
    with scoring(here) as scorer:
        assert f"has only offset 0 for topic '{one.topic}'" in scorer.message()
    assert len(committed(here, kafka.topic_decisions)) == 100


@pytest.mark.parametrize("first_kept", [0, 5], ids=["all rows", "rows that begin later"])
def test_a_sink_whose_groups_offsets_are_gone_stores_nothing_twice(
    here: Place, first_kept: int
) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer, sinking(here) as sink:
        send(here, 100)
        eventually(lambda: scorer.done == 100)
        eventually(lambda: sink.done == 100)
    forget(here, "sink")
    # As in a data set that took over from another one.
    change(here.project.warehouse, f"DELETE FROM decisions WHERE source_offset < {first_kept}")
    kept = rows(here, "decisions")
    assert (kept < 100) == (first_kept > 0)
    with scoring(here) as scorer:
        send(here, 30)
        eventually(lambda: scorer.done == 30)
    with sinking(here) as sink:
        said = sink.message()
    assert f"group '{kafka.group}.sink' has no offset for topic '{kafka.topic_decisions}'" in said
    assert f"fraudline offsets set sink --topic {kafka.topic_decisions} --to stored" in said
    answer = here.run("offsets", "set", "sink", "--topic", kafka.topic_decisions, "--to", "stored")
    assert answer.code == 0, answer.said
    with sinking(here) as sink:
        eventually(lambda: sink.done == 30)
    assert rows(here, "decisions") == kept + 30


def test_a_sink_does_not_store_predictions_twice_though_their_rows_tell_no_position(
    here: Place,
) -> None:
    topic = here.project.kafka.topic_predictions
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
    forget(here, "sink")
    with sinking(here) as sink:
        assert f"has no offset for topic '{topic}'" in sink.message()
    refused = here.run("offsets", "set", "sink", "--topic", topic, "--to", "stored")
    assert refused.code == 2
    assert "its rows do not tell their source" in refused.said
    assert here.run("offsets", "set", "sink", "--topic", topic, "--to", "end").code == 0
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 40, 40))
        eventually(lambda: sink.done == 40)
    assert test_sink_loop.stored(here) == [float(number) for number in range(80)]


def make_anew(here: Place, table: str) -> None:
    """As somebody does who is not `setup`."""
    client, name = here.project.warehouse.client, here.project.warehouse.table(table)
    schema = client.get_table(name).schema
    client.delete_table(name)
    client.create_table(bigquery.Table(name, schema))


def test_a_table_made_anew_by_somebody_else_stops_its_sinks_until_the_place_is_set(
    here: Place,
) -> None:
    topic = here.project.kafka.topic_predictions
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
    make_anew(here, "predictions")
    test_sink_loop.send(here, test_sink_loop.predictions(here, 40, 40))
    with sinking(here) as sink:
        eventually(lambda: sink.error is not None)
    assert "was dropped and made anew" in str(sink.error)
    assert f"`fraudline offsets set sink --topic {topic} --to start`" in str(sink.error)
    assert test_sink_loop.stored(here) == []
    shown = " ".join(here.run("offsets", "show", "--topic", topic).said.split())
    assert "stored in a table that was dropped" in shown
    assert "learn" not in shown  # it has no place in a topic
    assert here.run("offsets", "set", "sink", "--topic", topic, "--to", "start").code == 0
    with sinking(here) as sink:
        eventually(lambda: sink.done == 80)
    assert test_sink_loop.stored(here) == [float(number) for number in range(80)]


def test_a_table_made_anew_under_a_running_sink_takes_no_row_until_the_place_is_set(
    here: Place,
) -> None:
    topic = here.project.kafka.topic_predictions
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
        make_anew(here, "predictions")
        test_sink_loop.send(here, test_sink_loop.predictions(here, 40, 40))
        eventually(lambda: sink.error is not None)
    assert "was dropped and made anew" in str(sink.error)
    assert test_sink_loop.stored(here) == []
    done = here.run("offsets", "set", "sink", "--topic", topic, "--to", "committed")
    assert "what was stored before is not in this table" in " ".join(done.said.split())
    with sinking(here) as sink:
        eventually(lambda: sink.done == 40)
    assert test_sink_loop.stored(here) == [float(number) for number in range(40, 80)]


def test_a_table_that_setup_made_anew_is_stored_from_the_place_that_is_set(here: Place) -> None:
    """The sink leaves in order, so no stream is asked for that went with the table."""
    topic = here.project.kafka.topic_predictions
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
        here.project.warehouse.client.delete_table(here.project.warehouse.table("predictions"))
        test_sink_loop.send(here, test_sink_loop.predictions(here, 40, 40))
        eventually(lambda: sink.error is not None)
    assert "LOOK" in here.run("setup").said
    with sinking(here) as sink:
        eventually(lambda: sink.error is not None)
    again = here.run("offsets", "set", "sink", "--topic", topic, "--to", "start")
    assert again.code == 0, again.said
    with sinking(here) as sink:
        eventually(lambda: sink.done == 80)
    assert test_sink_loop.stored(here) == [float(number) for number in range(80)]


def test_a_stream_that_went_with_its_table_is_got_over_by_the_command(here: Place) -> None:
    kafka = here.project.kafka
    topic = kafka.topic_predictions
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 0, 40))
        eventually(lambda: sink.done == 40)
    gone = "projects/local/datasets/x/tables/predictions/streams/gone"
    set_offsets(
        kafka,
        f"{kafka.group}.sink",
        [
            TopicPartition(topic, one.partition, one.offset, f"7 {gone} 43552bf1c8cc")
            for one in offsets(kafka, f"{kafka.group}.sink", topic)
        ],
    )
    with sinking(here) as sink:
        eventually(lambda: sink.error is not None)
        assert "fraudline offsets set sink" in str(sink.error)
    answer = here.run("offsets", "set", "sink", "--topic", topic, "--to", "committed")
    assert answer.code == 0, answer.said
    assert "its stream is forgotten" in " ".join(answer.said.split())
    with sinking(here) as sink:
        test_sink_loop.send(here, test_sink_loop.predictions(here, 40, 40))
        eventually(lambda: sink.done == 40)
    assert test_sink_loop.stored(here) == [float(number) for number in range(80)]


def test_offsets_are_set_only_while_nobody_uses_them_and_only_where_there_are_messages(
    here: Place,
) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer:
        send(here, 100)
        eventually(lambda: scorer.done == 100)
        used = here.run("offsets", "set", "score", "--to", "start")
        assert used.code == 1
        assert "has 1 members" in used.said
    eventually(lambda: here.run("offsets", "set", "score", "--to", "committed").code == 0)
    for to, told in (
        ("1000000", "is not there; it holds 0 to"),
        ("nowhere", "is neither an offset"),
    ):
        refused = here.run("offsets", "set", "score", "--to", to)
        assert (refused.code, told in refused.said) == (2, True), refused.said
    unknown = here.run("offsets", "set", "score", "--to", "start", "--topic", "decisions")
    assert unknown.code == 2
    assert f"but of {kafka.topic_transactions}" in unknown.said


def test_a_topic_made_anew_is_scored_once_the_command_says_that_it_is_meant(here: Place) -> None:
    kafka = here.project.kafka
    with scoring(here) as scorer:
        send(here, 40)
        eventually(lambda: scorer.done == 40)
        recreate(kafka, kafka.topic(flows.TRANSACTIONS))
        send(here, 400)
        scorer.message()
    stored = here.run("offsets", "set", "score", "--to", "start")
    assert stored.code == 0, stored.said
    with scoring(here) as scorer:
        eventually(lambda: scorer.done == 400)
    assert len(committed(here, kafka.topic_decisions)) == 440


def outcome(place: Place, partition: int, offset: int, reason: str = "wrong_type") -> bytes:
    return msgspec.json.encode(
        {
            "source_topic": place.project.kafka.topic_transactions,
            "source_partition": partition,
            "source_offset": offset,
            "reason": reason,
        }
    )


def produce(place: Place, topic: str, partition: int, values: list[bytes]) -> None:
    producer = Producer(
        {
            "bootstrap.servers": place.project.kafka.bootstrap_servers,
            "compression.type": "lz4",
            "enable.idempotence": True,  # else a batch that is sent again comes after later ones
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(60) == 0


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_how_much_is_read_to_find_where_outcomes_end_does_not_grow_with_the_topic(
    here: Place, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many outcomes there are of another partition that shares theirs."""
    kafka = here.project.kafka
    monkeypatch.setattr(outcome_ends_module, "_MOST_RECORDS", 400)
    read: list[int] = []
    parsed = outcome_ends_module._parsed
    monkeypatch.setattr(
        outcome_ends_module, "_parsed", lambda value: (read.append(len(value)), parsed(value))[1]
    )
    produce(here, kafka.topic_decisions, 1, [outcome(here, 1, each) for each in range(count)])
    shared = 1 + kafka.partitions
    ends = outcome_ends(kafka, [0, 1, shared])
    assert ends.known == {1: count}
    assert ends.unsure == {shared}
    assert len(read) == 20 + 320
    read.clear()
    assert outcome_ends(kafka, [0, 1]).unsure == set()
    assert len(read) == 20


def test_large_outcomes_are_not_read_beyond_a_bound_in_bytes(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = here.project.kafka
    monkeypatch.setattr(outcome_ends_module, "_MOST_BYTES", 16 * 20 * 1000)
    wide = outcome(here, 1, 7, "x" * 1000)
    produce(here, kafka.topic_rejects, 1, [wide] * 400)
    ends = outcome_ends(kafka, [1 + kafka.partitions])
    assert (ends.known, ends.unsure) == ({}, {1 + kafka.partitions})


def test_markers_without_number_hide_no_outcome_from_who_can_tell_only_that_they_are_there(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scorer whose group has lost all offsets does not begin anew on a guess."""
    kafka = here.project.kafka
    monkeypatch.setattr(outcome_ends_module, "_MOST_RECORDS", 400)
    send(here, 40)
    ends = offset_ranges(kafka, kafka.topic_transactions)
    partition = next(number for number, (low, high) in ends.items() if high > low)
    produce(
        here,
        kafka.topic_rejects,
        partition,
        [outcome(here, partition, 3), *[outcome(here, partition, 3, REPLAYED)] * 1000],
    )
    with scoring(here) as scorer:
        said = scorer.message()
    assert f"partitions {partition}: outcomes may lie further back" in said
    assert f"fraudline offsets set score --partition {partition} --to OFFSET" in said
    refused = here.run("offsets", "set", "score", "--to", "stored")
    assert refused.code == 2
    assert "may lie too far back" in " ".join(refused.said.split())
    assert here.run("offsets", "set", "score", "--to", "start").code == 0
    with scoring(here) as scorer:
        eventually(lambda: scorer.done == 40)


def test_a_batch_that_cannot_be_read_holds_up_nobody_who_looks_where_outcomes_end(
    here: Place,
) -> None:
    kafka = here.project.kafka
    produce(here, kafka.topic_decisions, 0, [outcome(here, 0, 5)])
    send_bomb(here, kafka.topic_decisions)
    produce(here, kafka.topic_decisions, 0, [outcome(here, 0, 6)])
    assert outcome_ends(kafka, [0]).known == {0: 7}
