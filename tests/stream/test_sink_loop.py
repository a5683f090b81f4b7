"""The loop from topics to BigQuery: whatever happens, each message is one row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import msgspec
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, TopicPartition
from tests.harness import Place, eventually
from tests.stream import test_score_loop

from fraudline.contract import Decoder
from fraudline.errors import WarehouseAwayError, WarehouseError
from fraudline.settings import BigQuerySettings
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.sink_loop import sink_loop
from fraudline.stream.sink_partition import AppendStream, Route
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.append import CommittedStream, finalize
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.query import query

ROWS = 200
LONG_MS = 60_000


class CrashError(Exception):
    """Stands for the death of a process: nothing in the loop handles it."""


def predictions(place: Place, first: int, count: int) -> list[bytes | None]:
    contract = place.project.contract
    return [
        msgspec.json.encode(
            {
                column.name: 0 if column.name == contract.label else float(number)
                for column in contract.columns
            }
        )
        for number in range(first, first + count)
    ]


def send(place: Place, lines: list[bytes | None]) -> None:
    test_score_loop.send(place, lines, place.project.kafka.topic_predictions)


def stored(place: Place) -> list[float]:
    rows = query(place.project.warehouse, "SELECT Time FROM predictions ORDER BY Time")
    return rows.column("Time").to_pylist()


def run_sink(
    place: Place,
    sources: list[Route],
    *,
    until: Callable[[], bool] | None = None,
    commit_interval_ms: int = 50,
    progress: Progress | None = None,
) -> None:
    """Run the loop here until a condition holds, or until it dies by itself."""
    stop = threading.Event()
    watcher = None
    if until is not None:

        def watch() -> None:
            try:
                eventually(until)
            finally:
                stop.set()

        watcher = threading.Thread(target=watch)
        watcher.start()
    try:
        sink_loop(
            place.project.kafka,
            sources,
            batch_rows=50,
            commit_interval_ms=commit_interval_ms,
            stop=stop,
            progress=progress or Progress(Task.SINK),
        )
    finally:
        if watcher is not None:
            watcher.join()


class Crashing(Progress):
    """A loop that dies after it has stored something and before it commits that."""

    def record_done(self, *_: object, stored: Mapping[str, int], **__: object) -> None:
        if any(stored.values()):
            raise CrashError


def crashing() -> Crashing:
    return Crashing(Task.SINK)


def test_each_message_of_each_topic_is_one_row(here: Place) -> None:
    send(here, predictions(here, 0, ROWS))
    run_sink(here, routes(here.project), until=lambda: len(stored(here)) >= ROWS)
    assert stored(here) == [float(number) for number in range(ROWS)]


def test_rows_stored_but_not_committed_are_skipped_by_the_next_owner(here: Place) -> None:
    send(here, predictions(here, 0, ROWS))
    with pytest.raises(CrashError):
        run_sink(here, routes(here.project), commit_interval_ms=LONG_MS, progress=crashing())
    before = len(stored(here))
    assert before > 0
    with pytest.raises(CrashError):  # and once more, while some are still to be skipped
        run_sink(here, routes(here.project), commit_interval_ms=LONG_MS, progress=crashing())
    run_sink(here, routes(here.project), until=lambda: len(stored(here)) >= ROWS)
    assert stored(here) == [float(number) for number in range(ROWS)]


def test_rows_stored_under_another_contract_are_never_skipped_by_counting(here: Place) -> None:
    project, wide = here.project, routes(here.project)
    columns = [
        replace(column, min=1) if column.name == "Time" else column
        for column in project.contract.columns
    ]
    strict = [
        replace(route, decoder=Decoder(columns)) if route.table == "predictions" else route
        for route in wide
    ]
    send(here, predictions(here, 0, ROWS))
    with pytest.raises(CrashError):
        run_sink(here, strict, commit_interval_ms=LONG_MS, progress=crashing())
    with pytest.raises(WarehouseError, match=r"under another contract.*stop it in order"):
        run_sink(here, wide, commit_interval_ms=LONG_MS, progress=crashing())
    run_sink(here, strict, until=lambda: len(stored(here)) >= ROWS - 1)
    send(here, predictions(here, ROWS, ROWS))
    run_sink(here, wide, until=lambda: len(stored(here)) >= 2 * ROWS - 1)  # left in order: fine
    assert stored(here) == [float(number) for number in range(1, 2 * ROWS)]


class Faulty:
    """A stream to BigQuery that fails once, before or after its rows were stored."""

    def __init__(self, stream: AppendStream, fails: list[str], error: Exception) -> None:
        self._stream, self._fails, self._error = stream, fails, error

    @property
    def name(self) -> str:
        return self._stream.name

    def send(self, rows: pa.RecordBatch) -> None:
        self._fail("send")
        self._stream.send(rows)

    @property
    def sent(self) -> int:
        return self._stream.sent

    @property
    def acknowledged(self) -> int:
        return self._stream.acknowledged

    def wait(self, timeout_s: float) -> None:
        self._stream.wait(timeout_s)
        self._fail("answer")

    def close(self) -> None:
        self._stream.close()

    def _fail(self, when: str) -> None:
        if when in self._fails:
            self._fails.remove(when)
            raise self._error


@pytest.mark.parametrize("when", ["send", "answer"])
def test_a_lost_append_and_a_lost_answer_both_end_in_one_row_each(here: Place, when: str) -> None:
    send(here, predictions(here, 0, ROWS))
    fails = [when]

    def faulty(route: Route) -> Route:
        return replace(
            route,
            open_stream=lambda: Faulty(route.open_stream(), fails, WarehouseAwayError("gone")),
        )

    sources = [faulty(route) for route in routes(here.project)]
    run_sink(here, sources, until=lambda: len(stored(here)) >= ROWS)
    assert fails == []
    assert stored(here) == [float(number) for number in range(ROWS)]


def test_a_sink_whose_stream_was_taken_over_begins_anew(here: Place) -> None:
    send(here, predictions(here, 0, ROWS))
    taken_over = []

    class TakenOver(Faulty):
        def send(self, rows: pa.RecordBatch) -> None:
            if not taken_over:  # as the next owner of the partition would
                taken_over.append(finalize(here.project.warehouse, self.name))
            super().send(rows)

    def watched(route: Route) -> Route:
        return replace(route, open_stream=lambda: TakenOver(route.open_stream(), [], CrashError()))

    sources = [watched(route) for route in routes(here.project)]
    run_sink(here, sources, until=lambda: len(stored(here)) >= ROWS)
    assert taken_over == [0]
    assert stored(here) == [float(number) for number in range(ROWS)]


def test_a_writer_that_was_replaced_cannot_append_any_more(here: Place) -> None:
    project = here.project
    schema = project.contract.history_schema
    stream = CommittedStream(project.warehouse, project.settings.bigquery.table_predictions, schema)
    rows = pa.RecordBatch.from_pylist(
        [dict.fromkeys(schema.names, 0)], schema=schema
    )  # fmt: skip
    stream.send(rows)
    stream.wait(10)
    assert finalize(project.warehouse, stream.name) == 1
    assert finalize(project.warehouse, stream.name) == 1  # asking again changes nothing
    stream.send(rows)
    with pytest.raises(WarehouseError):
        stream.wait(10)
    stream.close()
    assert stored(here) == [0.0]


def test_a_message_that_no_table_can_hold_becomes_one_reject_even_after_a_crash(
    here: Place,
) -> None:
    send(here, [*predictions(here, 0, 10), b"broken", *predictions(here, 10, 10)])
    with pytest.raises(CrashError):
        run_sink(here, routes(here.project), commit_interval_ms=LONG_MS, progress=crashing())

    def rejects() -> list[dict[str, object]]:
        return query(
            here.project.warehouse, "SELECT source_topic, reason, original FROM rejects"
        ).to_pylist()

    run_sink(here, routes(here.project), until=lambda: len(rejects()) >= 1)
    assert rejects() == [
        {
            "source_topic": here.project.kafka.topic_predictions,
            "reason": "invalid_json",
            "original": b"broken",
        }
    ]
    assert stored(here) == [float(number) for number in range(20)]


def test_rows_arrive_as_protobuf_as_they_do_as_arrow(here: Place) -> None:
    project = here.project
    settings = project.settings.bigquery
    by_protobuf = Warehouse(
        BigQuerySettings(**{**settings.model_dump(), "append_format": "protobuf"}),
        project.warehouse._endpoint,
    )
    schema = project.contract.history_schema
    rows = pa.RecordBatch.from_pylist(
        [
            {name: number * 0.1 if name != "Class" else number % 2 for name in schema.names}
            for number in range(3)
        ],
        schema=schema,
    )
    for warehouse in (project.warehouse, by_protobuf):
        stream = CommittedStream(warehouse, settings.table_predictions, schema)
        stream.send(rows)
        stream.wait(10)
        stream.close()
    found = query(project.warehouse, "SELECT DISTINCT * FROM predictions ORDER BY Time")
    assert found.to_pylist() == rows.to_pylist()
    assert len(stored(here)) == 6


def test_offsets_that_another_program_commits_are_not_taken_for_ours(here: Place) -> None:
    kafka = here.project.kafka
    send(here, predictions(here, 0, 10))
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": f"{kafka.group}.sink"}
    )
    consumer.commit(
        offsets=[
            TopicPartition(kafka.topic_predictions, partition, 0, "theirs")
            for partition in range(kafka.partitions)
        ],
        asynchronous=False,
    )
    consumer.close()
    with pytest.raises(WarehouseError, match=r"'theirs'.*kafka\.group"):
        run_sink(here, routes(here.project))
