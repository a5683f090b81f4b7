"""Whatever a stranger sends is one reject with its reason, place and bytes, or one decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.harness import Place, eventually, place
from tests.stream.test_score_loop import Scorer
from tests.stream.test_sink_loop import run_sink
from tests.transactions import WALLET_FILE, WALLET_ROW, message, raw

from fraudline.contract.outcomes import MOST_KEY_BYTES
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES
from fraudline.reconcile import reconcile
from fraudline.stream.broker import client_config
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

MB = 1_000_000
MOST_BYTES = 90 * MB  # a batch of several of them
GOOD = message(WALLET_ROW)
SURROGATE = b'"\\ud800 \\"a\\" \\"b\\""'

REJECTED: dict[str, tuple[bytes | None, str]] = {
    "a tombstone": (None, "tombstone"),
    "nothing": (b"", "empty"),
    "white space": (b" \r\n\t ", "empty"),
    "NUL bytes": (b"\x00" * 64, "invalid_json"),
    "a NUL byte within": (GOOD.replace(b"p-1", b"p\x001"), "invalid_json"),
    "a NUL byte behind": (GOOD + b"\x00", "invalid_json"),
    "broken JSON": (GOOD[:-7], "invalid_json"),
    "trailing garbage": (GOOD + b"; DROP TABLE decisions", "invalid_json"),
    "two objects": (GOOD + GOOD, "invalid_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, "invalid_json"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "invalid_utf8"),
    "invalid UTF-8": (GOOD.replace(b"Zur Post", b"\xc0\xaf\xff"), "invalid_utf8"),
    "a lone surrogate": (raw(WALLET_ROW, "merchant", SURROGATE), "invalid_json"),
    "NaN": (raw(WALLET_ROW, "velocity", b"NaN"), "invalid_json"),
    "Infinity": (raw(WALLET_ROW, "velocity", b"-Infinity"), "invalid_json"),
    "an array": (b"[" + GOOD + b"]", "not_an_object"),
    "a bare string": (b'"approve"', "not_an_object"),
    "a bare number": (b"42", "not_an_object"),
    "null": (b"null", "not_an_object"),
    "100,000 brackets": (b"[" * 100_000, "too_large"),
    "60,000 brackets": (b"[" * 60_000, "not_an_object"),
    "60,000 brackets for a number": (raw(WALLET_ROW, "velocity", b"[" * 60_000), "wrong_type"),
    "30,000 brackets in an unknown column": (
        message({"x": None}).replace(b"null", b"[" * 30_000 + b"]" * 30_000),
        "unknown_column",
    ),
    "a missing column": (GOOD.replace(b'"velocity":1.5,', b""), "missing_column"),
    "an extra column": (message(WALLET_ROW, is_admin=True), "unknown_column"),
    "the label": (message(WALLET_ROW, is_fraud=False), "unknown_column"),
    "a very long name": (message(WALLET_ROW, **{"\x1b[2J\u202e" * 4_000: 1}), "unknown_column"),
    "a column twice": (GOOD[:-1] + b',"velocity":9e9}', "duplicate_column"),
    "a column twice, escaped": (GOOD[:-1] + b',"veloc\\u0069ty":9e9}', "duplicate_column"),
    "a wrong type": (message(WALLET_ROW, velocity="1.5"), "wrong_type"),
    "null in a column": (message(WALLET_ROW, velocity=None), "wrong_type"),
    "1e400": (raw(WALLET_ROW, "velocity", b"1e400"), "out_of_range"),
    "1e308 in a feature": (raw(WALLET_ROW, "velocity", b"1e308"), "out_of_range"),
    "1e308 in the amount": (raw(WALLET_ROW, "amount_minor", b"1e308"), "wrong_type"),
    "400 digits": (raw(WALLET_ROW, "amount_minor", b"9" * 400), "out_of_range"),
    "5,000 digits": (raw(WALLET_ROW, "amount_minor", b"9" * 5_000), "out_of_range"),
    "a time in the year 10000": (
        message(WALLET_ROW, paid_at="10000-01-01T00:00:00Z"),
        "wrong_type",
    ),
    "600 kB": (b"{" * (600 * 1000), "too_large"),
    "10 MB": (GOOD[:-1] + b" " * (10 * MB) + b"}", "too_large"),
    "10 MB of NUL bytes": (bytes(10 * MB), "too_large"),
}
DECIDED: dict[str, bytes] = {
    "as agreed": GOOD,
    "white space around": b" \n" + GOOD + b" \r\n",
    "an escaped NUL": message(WALLET_ROW, merchant="a\x00b"),
    "a pair of surrogates": raw(WALLET_ROW, "merchant", b'"\\ud83d\\ude00"'),
    "1e308 where no network sees it": raw(WALLET_ROW, "risk_note", b"1e308"),
    "what steers a terminal": message(WALLET_ROW, merchant="\x1b[2J\u202e\x07"),
}
KEYS: dict[str, bytes] = {
    "an array": b"card 7",
    "null": b"",
    "a tombstone": b"\x00\xff\x1b",
    "600 kB": b"k" * MOST_KEY_BYTES,
    "two objects": b"k" * (9 * MB),
    "as agreed": b"k" * (9 * MB),
}


Spot = tuple[int, int]
"""Partition and offset."""


@pytest.fixture(scope="module")
def flooded(
    services_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, dict[str, Spot]]]:
    """A project to which all of them were sent, after each was dealt with and stored."""
    home = tmp_path_factory.mktemp("flooded") / "home"
    with place(services_home, home, str(WALLET_FILE)) as smaller:
        made = with_large_messages(smaller)
        spots = send(made, {name: value for name, (value, _) in REJECTED.items()} | DECIDED)
        with Scorer(made) as scorer:
            eventually(lambda: scorer.done == len(spots))
        run_sink(made, routes(made.project), until=lambda: count(made) == len(spots))
        yield made, spots


def with_large_messages(made: Place) -> Place:
    """The same project with a topic that takes messages of 10 MB."""
    settings = made.project.settings
    topic = f"large-{settings.kafka.topic_transactions}"
    limit = {"max.message.bytes": str(MOST_BYTES)}
    admin = AdminClient(client_config(made.project.kafka))
    created = admin.create_topics([NewTopic(topic, num_partitions=4, config=limit)])
    created[topic].result(timeout=30)
    kafka = settings.kafka.model_copy(update={"topic_transactions": topic})
    return Place(Project(settings.model_copy(update={"kafka": kafka})))


def send(made: Place, values: dict[str, bytes | None]) -> dict[str, Spot]:
    """Send each message with its key; gives where each one is."""
    kafka = made.project.kafka
    producer = Producer({**client_config(kafka), "message.max.bytes": MOST_BYTES})
    spots: dict[str, Spot] = {}
    for name, value in values.items():

        def delivered(error: KafkaError | None, sent: Message, name: str = name) -> None:
            assert error is None, f"{name}: {error}"
            spots[name] = (sent.partition() or 0, sent.offset() or 0)

        producer.produce(kafka.topic_transactions, value, KEYS.get(name), on_delivery=delivered)
    assert producer.flush(60) == 0
    return spots


def rows(made: Place, columns: str, table: str) -> dict[Spot, dict[str, object]]:
    found = query(
        made.project.warehouse, f"SELECT source_partition, source_offset, {columns} FROM {table}"
    ).to_pylist()
    by_spot = {(row["source_partition"], row["source_offset"]): row for row in found}
    assert len(by_spot) == len(found)
    return by_spot


def count(made: Place) -> int:
    return len(rows(made, "1", "rejects")) + len(rows(made, "1", "decisions"))


def test_each_is_one_reject_with_its_reason_place_key_and_bytes(
    flooded: tuple[Place, dict[str, Spot]],
) -> None:
    made, spots = flooded
    stored = rows(made, "reason, message, original, original_size_bytes, original_key", "rejects")
    assert set(stored) == {spots[name] for name in REJECTED}
    for name, (value, reason) in REJECTED.items():
        row, sent, key = stored[spots[name]], value or b"", KEYS.get(name)
        assert row["reason"] == reason, f"{name}: {row['message']}"
        assert row["message"], name
        assert row["original"] == sent[:MAX_ORIGINAL_BYTES], name
        assert row["original_size_bytes"] == len(sent), name
        is_kept = key is not None and len(key) <= MOST_KEY_BYTES
        assert row["original_key"] == (key if is_kept else None), name


def test_what_only_looks_hostile_is_decided(flooded: tuple[Place, dict[str, Spot]]) -> None:
    made, spots = flooded
    stored = rows(made, "merchant, risk_note, decision", "decisions")
    assert set(stored) == {spots[name] for name in DECIDED}
    assert stored[spots["an escaped NUL"]]["merchant"] == "a\x00b"
    assert stored[spots["a pair of surrogates"]]["merchant"] == "\U0001f600"
    assert stored[spots["1e308 where no network sees it"]]["risk_note"] == 1e308


def test_the_proof_holds_for_them(flooded: tuple[Place, dict[str, Spot]]) -> None:
    made, spots = flooded
    project = made.project
    ledger = reconcile(project.kafka, project.warehouse, project.contract)
    assert ledger.is_exact, ledger.examples
    assert ledger.totals.inputs == len(spots)
    assert ledger.totals.rejects == len(REJECTED)


@pytest.mark.timeout(180)  # six commands, and megabytes to print
def test_what_a_person_sees_of_them_does_not_steer_the_terminal(
    flooded: tuple[Place, dict[str, Spot]],
) -> None:
    made, spots = flooded
    topic = made.project.kafka.topic_transactions
    commands = [
        ["rejects", "list", "--rows", "1000"],
        ["query", "SELECT merchant FROM decisions"],
        ["query", "SELECT message, original FROM rejects", "--rows", "1000"],
        *(
            ["rejects", "show", "{}:{}:{}".format(topic, *spots[name])]
            for name in ("a very long name", "a tombstone", "NUL bytes")
        ),
    ]
    for command in commands:
        done = made.run(*command)
        assert done.code == 0, done.said
        assert all(line.isprintable() for line in done.said.split("\n")), command


@pytest.mark.parametrize("name", ["invalid UTF-8", "NUL bytes", "a very long name", "10 MB"])
def test_the_original_bytes_can_be_written_to_a_file(
    flooded: tuple[Place, dict[str, Spot]], name: str
) -> None:
    made, spots = flooded
    # Once into a real pipe, through which bytes go that are no text.
    run = made.run_alone if name == "invalid UTF-8" else made.run
    spot = "{}:{}:{}".format(made.project.kafka.topic_transactions, *spots[name])
    done = run("rejects", "show", "--original", spot)
    assert done.code == 0, done.said
    value, _ = REJECTED[name]
    assert done.out == (value or b"")[:MAX_ORIGINAL_BYTES]


def test_what_stays_broken_is_not_sent_again(flooded: tuple[Place, dict[str, Spot]]) -> None:
    made, _ = flooded
    done = made.run("rejects", "replay")
    assert done.code == 0, done.said
    assert f"0 rejects were sent again in 0 transactions; {len(REJECTED)} stay." in done.said
    assert count(made) == len(REJECTED) + len(DECIDED)
