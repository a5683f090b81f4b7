"""Appending at explicit offsets: what fails is repeated, and nothing is stored twice."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Literal

import pyarrow as pa
import pytest
from tests.faulty_bigquery import FaultyBigQuery

from fraudline.contract.columns import EARLIEST, LATEST, Column, arrow_schema
from fraudline.errors import (
    StreamFinalizedError,
    StreamForgottenError,
    WarehouseAwayError,
    WarehouseError,
)
from fraudline.settings import BigQuerySettings
from fraudline.warehouse import append
from fraudline.warehouse.append import CommittedStream, finalize
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

SCHEMA = pa.schema([pa.field("number", pa.int64(), nullable=False)])


@pytest.fixture
def warehouse(faulty: FaultyBigQuery) -> Warehouse:
    made = faulty.warehouse(BigQuerySettings(dataset="appends"))
    made.client.create_dataset("appends", exists_ok=True)
    query(made, "CREATE OR REPLACE TABLE numbers (number INT64 NOT NULL)")
    return made


@pytest.fixture
def stream(warehouse: Warehouse) -> Iterator[CommittedStream]:
    made = CommittedStream(warehouse, "numbers", SCHEMA)
    yield made
    made.close()


def rows(*numbers: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(numbers, pa.int64())], schema=SCHEMA)


def stored(warehouse: Warehouse) -> list[int]:
    return query(warehouse, "SELECT number FROM numbers ORDER BY number")["number"].to_pylist()


def persevere(stream: CommittedStream) -> int:
    """Wait as the sink does, again and again; how often it was told to wait longer."""
    for tries in range(100):
        try:
            stream.wait(2.0)
        except WarehouseAwayError:
            time.sleep(0.02)
        else:
            return tries
    raise AssertionError("not stored after 100 tries")


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "drop"},
        {"effect": "lose_answer"},
        {"effect": "error", "code": "UNAVAILABLE"},
        {"effect": "error", "code": "INTERNAL"},
        {"effect": "error", "code": "RESOURCE_EXHAUSTED"},
    ],
    ids=lambda fault: fault.get("code", fault["effect"]),
)
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_what_failed_is_repeated_at_its_offset_and_stored_once(
    faulty: FaultyBigQuery,
    warehouse: Warehouse,
    stream: CommittedStream,
    fault: dict[str, str],
    nth: int,
) -> None:
    faulty.watch("CreateWriteStream")
    faulty.arm("AppendRows", nth=nth, times=2, **fault)
    for first in (0, 10, 20):  # all are on their way before the first answer is looked at
        stream.send(rows(*range(first, first + 10)))
    assert persevere(stream) >= 1
    assert stream.acknowledged == stream.sent == 30
    assert stored(warehouse) == list(range(30))
    assert faulty.fired("AppendRows") == 2
    assert faulty.seen("CreateWriteStream") == 0


def test_an_answer_that_is_late_is_waited_for_and_asked_for_again_after_a_silence(
    faulty: FaultyBigQuery,
    warehouse: Warehouse,
    stream: CommittedStream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    faulty.arm("AppendRows", "hold_answer")
    stream.send(rows(1, 2))
    with pytest.raises(WarehouseAwayError, match="has not answered for 0 s"):
        stream.wait(0.1)
    assert stream.acknowledged == 0
    monkeypatch.setattr(append, "_SILENCE_S", 0.1)
    with pytest.raises(WarehouseAwayError):
        stream.wait(0.2)
    monkeypatch.undo()
    assert persevere(stream) == 0  # over another connection, while the first one hangs
    assert stream.acknowledged == 2
    assert stored(warehouse) == [1, 2]


def test_a_connection_that_ended_while_nothing_was_to_be_done_is_replaced_unnoticed(
    warehouse: Warehouse, stream: CommittedStream
) -> None:
    stream.send(rows(1))
    stream.wait(10)
    assert stream._connection is not None
    stream._connection._call.cancel()  # as a server does with idle connections
    while not stream._connection.has_news:
        time.sleep(0.01)
    stream.send(rows(2))
    stream.wait(10)
    assert stored(warehouse) == [1, 2]


def test_a_column_added_to_the_table_while_appending_changes_nothing(
    warehouse: Warehouse, stream: CommittedStream
) -> None:
    stream.send(rows(1))
    stream.wait(10)
    query(warehouse, "ALTER TABLE numbers ADD COLUMN remark STRING")
    stream.send(rows(2))
    stream.send(rows(3))
    stream.wait(10)
    found = query(warehouse, "SELECT number, remark FROM numbers ORDER BY number").to_pylist()
    assert found == [{"number": number, "remark": None} for number in (1, 2, 3)]


def test_a_stream_forgotten_with_nothing_unanswered_says_what_it_held(
    faulty: FaultyBigQuery, warehouse: Warehouse, stream: CommittedStream
) -> None:
    stream.send(rows(1, 2))
    stream.wait(10)
    faulty.arm("AppendRows", "expire_stream")
    stream.send(rows(3))
    with pytest.raises(StreamForgottenError):
        stream.wait(10)
    assert stream.acknowledged == 2
    assert stored(warehouse) == [1, 2]


def test_a_stream_forgotten_with_an_answer_lost_stops_for_what_cannot_be_known(
    faulty: FaultyBigQuery, stream: CommittedStream
) -> None:
    faulty.arm("AppendRows", "lose_answer")
    faulty.arm("AppendRows", "expire_stream")
    stream.send(rows(1, 2))
    with pytest.raises(WarehouseAwayError):
        stream.wait(10)
    with pytest.raises(WarehouseError, match="rows 0 to 1 is unknown") as caught:
        stream.wait(10)
    assert not isinstance(caught.value, WarehouseAwayError)


def test_a_forgotten_stream_cannot_be_finalized(
    faulty: FaultyBigQuery, warehouse: Warehouse, stream: CommittedStream
) -> None:
    faulty.arm("FinalizeWriteStream", "expire_stream")
    with pytest.raises(WarehouseError, match=r"it is unknown how many.*operations\.md") as caught:
        finalize(warehouse, stream.name)
    assert not isinstance(caught.value, WarehouseAwayError)


def test_a_writer_whose_stream_was_finalized_is_told_that_it_was_replaced(
    warehouse: Warehouse, stream: CommittedStream
) -> None:
    assert finalize(warehouse, stream.name) == 0
    stream.send(rows(1))
    with pytest.raises(StreamFinalizedError):
        stream.wait(10)
    assert stored(warehouse) == []


@pytest.mark.parametrize("sent", [0, 1, 3])
def test_a_stream_that_does_not_end_where_it_must_stops_the_writer(
    warehouse: Warehouse, stream: CommittedStream, sent: int
) -> None:
    stream.send(rows(1, 2))
    stream.wait(10)
    stream.sent = sent  # as if the stream had fewer or more rows than were acknowledged
    stream.send(rows(3))
    with pytest.raises(WarehouseError, match="does not end after the 2 rows") as caught:
        stream.wait(10)
    assert not isinstance(caught.value, WarehouseAwayError)
    assert stored(warehouse) == [1, 2]


@pytest.mark.parametrize("road", ["arrow", "protobuf"])
def test_dates_and_times_are_stored_as_they_are_by_either_road(
    faulty: FaultyBigQuery, road: Literal["arrow", "protobuf"]
) -> None:
    columns = [Column("at", "timestamp", is_nullable=True), Column("day", "date", is_nullable=True)]
    days = [dt.date.min, dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date.max, None]
    times = [EARLIEST, dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, dt.UTC), None, LATEST, None]
    sent = pa.RecordBatch.from_arrays(
        [pa.array(times, columns[0].arrow_type), pa.array(days, columns[1].arrow_type)],
        schema=arrow_schema(columns),
    )
    made = faulty.warehouse(BigQuerySettings(dataset="appends", append_format=road))
    made.client.create_dataset("appends", exists_ok=True)
    query(made, "CREATE OR REPLACE TABLE days (at TIMESTAMP, day DATE)")
    opened = CommittedStream(made, "days", sent.schema)
    opened.send(sent)
    opened.wait(30.0)
    opened.close()
    found = query(made, "SELECT at, day FROM days")
    assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, sent.to_pylist()))
