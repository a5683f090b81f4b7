"""An upgrade with scorers and sinks of two releases at once: nothing is lost and nothing rejected.

`tests/data/last_release` holds what the last release wrote. What the next one will write is
what this one writes and one column more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from tests.harness import Place, eventually, place
from tests.stream.test_repeat_restore import remembering
from tests.stream.test_score_loop import send
from tests.stream.test_sink_loop import LONG_MS, CrashError, crashing, run_sink
from tests.transactions import WALLET, WALLET_FILE

from fraudline import flows
from fraudline.contract import (
    DECISION_COLUMNS,
    REJECT_COLUMNS,
    Column,
    Decoder,
    RecordDecoder,
    RejectReason,
)
from fraudline.errors import NewerRecordError
from fraudline.scoring import Recall, RepeatMemory
from fraudline.settings import KafkaSettings
from fraudline.stream.broker import client_config
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.use_cases.handle_rejects import list_rejects
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_sink import SinkRun
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

RECORDED = Path(__file__).parents[1] / "data" / "last_release"
DECISIONS = RECORDED.joinpath("decisions.jsonl").read_bytes().splitlines()
REJECTS = RECORDED.joinpath("rejects.jsonl").read_bytes().splitlines()
ADDED = Column("note", "string", "Of the next release.", is_nullable=True)


@pytest.fixture
def wallet(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as made:
        yield made


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch, wallet: Place) -> Callable[[], Project]:
    """Makes this process one of the next release, and gives the same project as it sees it."""

    def upgrade() -> Project:
        columns = (*DECISION_COLUMNS, ADDED)
        monkeypatch.setattr("fraudline.contract.contract.DECISION_COLUMNS", columns)
        monkeypatch.setattr("fraudline.contract.REJECT_COLUMNS", (*REJECT_COLUMNS, ADDED))
        return Project(wallet.project.settings)

    return upgrade


def newer(record: bytes, note: str = "new") -> bytes:
    return record[:-1] + b',"note":' + msgspec.json.encode(note) + b"}"


def send_recorded(wallet: Place) -> None:
    kafka = wallet.project.kafka
    send_to(wallet, kafka.topic_decisions, 0, DECISIONS)
    send_to(wallet, kafka.topic_rejects, 0, REJECTS)


def send_to(wallet: Place, topic: str, partition: int, values: list[bytes]) -> None:
    producer = Producer(client_config(wallet.project.kafka))
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def read_lines(kafka: KafkaSettings, topic: str) -> list[bytes]:
    return [
        value or b""
        for partition, (start, stop) in offset_ranges(kafka, topic).items()
        for _, _, messages in read_range(kafka, topic, partition, start, stop, 1000)
        for value in messages.values
    ]


def rows(wallet: Place, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = query(
        wallet.project.warehouse,
        f"SELECT * FROM {table} ORDER BY source_partition, source_offset",
    ).to_pylist()
    return found


def store(project: Project, until: Callable[[], bool]) -> None:
    """Run a sink as the command does, until all is stored or it dies by itself."""
    stop = threading.Event()

    def watch() -> None:
        try:
            eventually(lambda: stop.is_set() or until())
        finally:
            stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        SinkRun(project).until(stop)
    finally:
        stop.set()
        watcher.join()


def is_all_stored(wallet: Place, more: int = 0) -> bool:
    return len(rows(wallet, "decisions")) >= len(DECISIONS) + more and len(
        rows(wallet, "rejects")
    ) >= len(REJECTS)


def test_records_of_the_last_release_are_stored_and_what_it_did_not_know_is_null(
    wallet: Place, upgraded: Callable[[], Project], caplog: pytest.LogCaptureFixture
) -> None:
    send_recorded(wallet)
    project = upgraded()
    store(project, lambda: is_all_stored(wallet))
    decisions, rejects = rows(wallet, "decisions"), rows(wallet, "rejects")
    assert len(decisions) == len(DECISIONS)
    assert len(rejects) == len(REJECTS)
    assert {row["note"] for row in [*decisions, *rejects]} == {None}
    recorded = {
        (row["source_partition"], row["source_offset"]): row
        for row in map(msgspec.json.decode, DECISIONS)
    }
    for row in decisions:
        sent = recorded[row["source_partition"], row["source_offset"]]
        for name in ("transaction_id", "score", "reasons", "repeat_of", "merchant", "risk_note"):
            assert row[name] == sent[name]
    told = [line for line in caplog.messages if "had no column note (STRING): added" in line]
    assert len(told) == 2  # one for each table, and no more at the next start
    SinkRun(project)
    assert [line for line in caplog.messages if "had no column" in line] == told


def test_setup_adds_what_a_table_lacks_and_a_sink_of_before_goes_on(
    wallet: Place, upgraded: Callable[[], Project]
) -> None:
    from fraudline.use_cases.set_up import set_up  # noqa: PLC0415 - named as the command

    before = routes(wallet.project)
    set_up(upgraded())
    send_recorded(wallet)
    run_sink(wallet, before, until=lambda: is_all_stored(wallet))
    assert {row["note"] for row in rows(wallet, "decisions")} == {None}


def test_a_record_of_the_next_release_stops_the_sink_and_the_upgraded_one_stores_it_once(
    wallet: Place, upgraded: Callable[[], Project]
) -> None:
    send_recorded(wallet)
    run_sink(wallet, routes(wallet.project), until=lambda: is_all_stored(wallet))
    topic = wallet.project.kafka.topic_decisions
    # Where rows of these positions are, there must be an offset.
    send_to(wallet, topic, 0, [newer(record) for record in DECISIONS])
    with pytest.raises(NewerRecordError, match=r"column 'note'.*Upgrade the sinks first"):
        store(wallet.project, lambda: False)
    answer = wallet.run_alone("sink")
    assert answer.code == 1
    assert "Upgrade the sinks first" in answer.said
    assert len(rows(wallet, "decisions")) == len(DECISIONS)
    assert len(rows(wallet, "rejects")) == len(REJECTS)
    store(upgraded(), lambda: is_all_stored(wallet, len(DECISIONS)))
    decisions = rows(wallet, "decisions")
    assert sorted(row["note"] or "" for row in decisions) == sorted(["", "new"] * len(DECISIONS))
    assert len(rows(wallet, "rejects")) == len(REJECTS)


def test_rows_of_a_sink_that_was_killed_in_the_upgrade_are_not_stored_again(
    wallet: Place, upgraded: Callable[[], Project]
) -> None:
    topic = wallet.project.kafka.topic_decisions
    send_to(wallet, topic, 0, DECISIONS)
    with pytest.raises(CrashError):
        run_sink(wallet, routes(wallet.project), commit_interval_ms=LONG_MS, progress=crashing())
    assert rows(wallet, "decisions")
    project = upgraded()
    send_to(wallet, topic, 0, [newer(DECISIONS[0])])
    store(project, lambda: len(rows(wallet, "decisions")) > len(DECISIONS))
    assert len(rows(wallet, "decisions")) == len(DECISIONS) + 1


def test_what_is_no_record_of_ours_is_rejected_and_stops_nothing(wallet: Place) -> None:
    topic = wallet.project.kafka.topic_decisions
    foreign = [b'{"note":1}', newer(DECISIONS[0]).replace(b'"score":', b'"points":'), b"{}"]
    send(wallet, [*foreign, *DECISIONS], topic)
    run_sink(
        wallet,
        routes(wallet.project),
        until=lambda: (
            len(rows(wallet, "decisions")) >= len(DECISIONS)
            and len(rows(wallet, "rejects")) >= len(foreign)
        ),
    )
    assert {row["reason"] for row in rows(wallet, "rejects")} == {
        "unknown_column",
        "missing_column",
    }


def test_rejects_and_markers_of_either_release_are_listed(wallet: Place) -> None:
    lines = [*REJECTS[:3], *(newer(record) for record in REJECTS[3:])]
    send(wallet, lines, wallet.project.kafka.topic_rejects)
    found = list_rejects(wallet.project, days=1)
    assert (found.survey.records, found.survey.unreadable) == (len(REJECTS), 0)
    assert found.pending.counts.total() == len(REJECTS) - 2  # a marker, and what it marks


RECORD = RecordDecoder(flows.DECISIONS.columns(WALLET), 100_000)


def without(record: bytes, column: str) -> bytes:
    values = msgspec.json.decode(record)
    del values[column]
    return msgspec.json.encode(values)


@pytest.mark.parametrize("column", ["merchant", "reasons", "repeat_of", "received_at"])
def test_a_nullable_column_that_a_record_of_ours_lacks_is_null(column: str) -> None:
    rows, accepted, rejects = RECORD.decode([b"x", without(DECISIONS[0], column), DECISIONS[0]])
    assert (accepted, [reject.index for reject in rejects]) == ([1, 2], [0])
    assert rows.column(column).to_pylist()[0] is None


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (without(DECISIONS[0], "score"), RejectReason.MISSING_COLUMN),
        (without(DECISIONS[0], "reasons")[:-1] + b',"score":0.5}', RejectReason.DUPLICATE_COLUMN),
        (
            without(DECISIONS[0], "reasons").replace(b'"p-4"', b"4"),
            RejectReason.WRONG_TYPE,
        ),
        (
            without(DECISIONS[0], "reasons").replace(
                b"2026-01-02T03:04:05.678901Z", b"0001-01-01T00:00:00+14:00"
            ),
            RejectReason.OUT_OF_RANGE,
        ),
    ],
)
def test_a_record_of_ours_is_otherwise_as_strict_as_a_message(
    record: bytes, reason: RejectReason
) -> None:
    rows, _, (reject,) = RECORD.decode([record])
    assert (rows.num_rows, reject.reason) == (0, reason)


def test_a_record_that_nests_without_end_is_no_record() -> None:
    deep = newer(DECISIONS[0]).replace(b'"new"', b"[" * 50_000)
    assert RECORD.newer_column(deep) is None
    patient = RecordDecoder(flows.DECISIONS.columns(WALLET), 1_000_000, is_patient=True)
    assert patient.decode([deep])[1] == []


def test_a_decoder_continues_those_that_knew_fewer_of_its_last_nullable_columns() -> None:
    columns = flows.DECISIONS.columns(WALLET)
    before = RecordDecoder(columns, 1000)
    after = RecordDecoder((*columns, ADDED), 1000)
    assert after.continues(before.fingerprint)
    assert not before.continues(after.fingerprint)
    assert after.continues(RecordDecoder(columns[:-1], 1000).fingerprint)
    needed = [name for name, each in enumerate(columns) if not each.is_nullable]
    assert not after.continues(Decoder(columns[: needed[-1]], 1000).fingerprint)


def payment_of(record: bytes) -> bytes:
    values = msgspec.json.decode(record)
    names = [column.name for column in WALLET.transaction_columns]
    return msgspec.json.encode({name: values[name] for name in names})


def test_what_is_sent_twice_is_decided_once_across_a_change_of_the_contract(
    wallet: Place, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = wallet.project.kafka
    with remembering(wallet) as scorer:
        for partition in range(4):
            send_to(wallet, kafka.topic_transactions, partition, [b"no payment"] * 3)
        eventually(lambda: scorer.done == 12)
    firsts = [record for record in DECISIONS if b'"repeat_of":null' in record]
    for record in firsts:
        other = record.replace(b'"velocity":', b'"speed":').replace(
            b'"source_topic":"transactions"',
            b'"source_topic":"%b"' % kafka.topic_transactions.encode(),
        )
        partition = msgspec.json.decode(record)["source_partition"]
        send_to(wallet, kafka.topic_decisions, partition, [other])
    send_to(wallet, kafka.topic_decisions, 0, [b"{"])
    with remembering(wallet) as scorer:
        for record in firsts:
            partition = msgspec.json.decode(record)["source_partition"]
            send_to(wallet, kafka.topic_transactions, partition, [payment_of(record)])
        eventually(lambda: scorer.done == len(firsts))
        recalled = scorer.progress.snapshot().recalled
    assert recalled == {"whole": 0, "by_id": len(firsts), "unreadable": 1}
    assert "known by their id alone" in caplog.text
    again = [line for line in read_lines(kafka, kafka.topic_decisions) if b'"velocity"' in line]
    assert len(again) == len(firsts)
    assert not [line for line in again if b'"repeat_of":null' in line]


def test_what_cannot_be_recalled_is_counted() -> None:
    memory = RepeatMemory(WALLET, 100)
    foreign = [record.replace(b'"velocity":', b'"speed":') for record in DECISIONS]
    found = memory.restore("transactions", 1, range(100), [*foreign, b"{", None, DECISIONS[0]])
    assert found == Recall(whole=1, by_id=len(DECISIONS), unreadable=2)


def test_a_decision_of_the_next_release_is_recalled_with_its_values() -> None:
    memory = RepeatMemory(WALLET, 100)
    found = memory.restore("transactions", 0, range(100), [newer(record) for record in DECISIONS])
    assert (found.whole, found.by_id, found.unreadable) == (len(DECISIONS), 0, 0)
    assert Progress(Task.SCORE).snapshot().recalled == {}
