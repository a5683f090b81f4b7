"""BigQuery fails in every way it can; the sink keeps its place and stores each row once."""

from __future__ import annotations

import logging
import threading
import time
from typing import Self

import pytest
from confluent_kafka.admin import AdminClient
from tests.faulty_bigquery import WRITE_CALLS, FaultyBigQuery
from tests.harness import Place, eventually
from tests.stream.test_sink_loop import predictions, send

from fraudline.errors import WarehouseError
from fraudline.stream import backoff, fetch_watch, sink_store
from fraudline.stream import sink_loop as sink_module
from fraudline.stream.counts import Task
from fraudline.stream.health import assess_health
from fraudline.stream.progress import Progress
from fraudline.stream.sink_loop import sink_loop
from fraudline.use_cases.set_up import set_up
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse import append
from fraudline.warehouse.query import query

BATCH_ROWS = 50


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "_LONGEST_PAUSE_S", 1.0)


@pytest.fixture
def there(here: Place, faulty: FaultyBigQuery) -> Place:
    """A project whose data set is in the BigQuery that fails on request."""
    here.project.warehouse = faulty.warehouse(here.project.settings.bigquery)
    set_up(here.project)
    return here


class Sink(threading.Thread):
    """A sink in a thread of the test; what it dies of is raised at the block's end."""

    def __init__(self, place: Place) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._stop_event = threading.Event()
        self.progress = Progress(Task.SINK)
        self.died_of: Exception | None = None

    def run(self) -> None:
        try:
            sink_loop(
                self._place.project.kafka,
                routes(self._place.project),
                batch_rows=BATCH_ROWS,
                commit_interval_ms=50,
                stop=self._stop_event,
                progress=self.progress,
            )
        except Exception as error:  # noqa: BLE001  # shown by the block's end
            self.died_of = error

    @property
    def is_healthy(self) -> bool:
        """Whether it is, and will be: a wait that is never over is judged only after a while."""
        state = self.progress.snapshot()
        is_healthy = assess_health(state, time.monotonic(), stalled_after_s=5).is_healthy
        return is_healthy and state.waits_for is None

    @property
    def waits_for(self) -> str:
        return self.progress.snapshot().waits_for or ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_event.set()
        self.join(30)
        assert not self.is_alive()
        if self.died_of is not None:
            raise self.died_of


def count(place: Place, table: str = "predictions") -> int:
    return int(query(place.project.warehouse, f"SELECT COUNT(*) AS n FROM {table}")["n"][0])


def is_stored(place: Place, rows: int) -> bool:
    """Whether the rows of the numbers from 0 on are there, and none of them twice."""
    found = query(
        place.project.warehouse,
        "SELECT COUNT(*) AS n, COUNT(DISTINCT Time) AS different, MAX(Time) AS last "
        "FROM predictions",
    ).to_pylist()[0]
    assert found["n"] == found["different"]
    return bool(found["n"] == rows and found["last"] == rows - 1)


def members(place: Place) -> set[str]:
    kafka = place.project.kafka
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    group = f"{kafka.group}.sink"
    found = admin.describe_consumer_groups([group])[group].result(10)
    return {member.member_id for member in found.members if member.assignment.topic_partitions}


@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "lose_answer"},
        # The row is not there then, which is the lesser half of what a lost answer leaves open.
        pytest.param({"effect": "drop"}, marks=pytest.mark.slow),
        *(
            pytest.param({"effect": "error", "code": code}, marks=pytest.mark.slow)
            for code in ("INTERNAL", "RESOURCE_EXHAUSTED")
        ),
    ],
    ids=lambda fault: fault.get("code", fault["effect"]),
)
def test_calls_that_fail_now_and_then_cost_no_row_and_double_none(
    there: Place, faulty: FaultyBigQuery, fault: dict[str, str]
) -> None:
    for number, call in enumerate(WRITE_CALLS):
        faulty.arm(call, probability=0.3, seed=number, times=6, **fault)
    for first in range(0, 300, 100):
        send(there, predictions(there, first, 100))
        with Sink(there):  # each of them begins after the last one, and takes over its streams
            eventually(lambda done=first + 100: is_stored(there, done))
    assert faulty.fired("AppendRows") > 0


def test_a_quota_that_is_used_up_costs_no_further_stream(
    there: Place, faulty: FaultyBigQuery
) -> None:
    faulty.watch("CreateWriteStream")
    with Sink(there):
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        faulty.arm("AppendRows", "error", code="RESOURCE_EXHAUSTED", times=6)
        send(there, predictions(there, 100, 100))
        eventually(lambda: is_stored(there, 200))
    assert faulty.fired("AppendRows") == 6
    assert faulty.seen("CreateWriteStream") <= there.project.kafka.partitions


def test_a_sink_keeps_its_membership_while_bigquery_is_away_and_holds_few_rows(
    there: Place, faulty: FaultyBigQuery, caplog: pytest.LogCaptureFixture
) -> None:
    kafka = there.project.kafka

    def told() -> list[logging.LogRecord]:  # a broker that has just started lets its client log
        return [one for one in caplog.records if one.name.startswith("fraudline.stream")]

    with Sink(there), caplog.at_level(logging.WARNING, logger="fraudline.stream"):
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        before = members(there)
        faulty.go_away()
        send(there, predictions(there, 100, 2000))
        eventually(lambda: len(told()) >= 2, 30)
        for record in told():
            assert f"'{kafka.topic_predictions}' has not been stored since" in record.getMessage()
        assert "About 2,00" in told()[-1].getMessage()
        assert told()[-1].created - told()[-2].created > 4.5
        assert members(there) == before
        assert count(there) == 100
        faulty.clear()
        eventually(lambda: is_stored(there, 2100))
        assert members(there) == before
    assert "is being stored again" in told()[-1].getMessage()


def test_a_sink_that_takes_nothing_while_bigquery_is_away_does_not_take_its_broker_for_lost(
    there: Place, faulty: FaultyBigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_watch, "_LONGEST_SILENCE_S", 3.0)
    with Sink(there) as sink:
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        failures = sink.progress.snapshot().failures.total
        faulty.go_away()
        send(there, predictions(there, 100, 100))
        eventually(lambda: sink.waits_for)
        time.sleep(8)
        assert sink.waits_for
        assert sink.progress.snapshot().failures.total == failures
        faulty.clear()
        eventually(lambda: is_stored(there, 200))


def test_partitions_change_hands_while_bigquery_is_away(
    there: Place, faulty: FaultyBigQuery
) -> None:
    send(there, predictions(there, 0, 100))
    with Sink(there) as first:
        eventually(lambda: is_stored(there, 100))
        faulty.go_away()
        send(there, predictions(there, 100, 200))
        faulty.arm("AppendRows", "drop", times=None)
        with Sink(there) as second:
            eventually(lambda: len(members(there)) == 2)
            with Sink(there):
                eventually(lambda: len(members(there)) == 3)
            send(there, predictions(there, 300, 100))
            eventually(lambda: len(members(there)) == 2)
            faulty.clear()
            eventually(lambda: is_stored(there, 400))
            eventually(lambda: first.is_healthy and second.is_healthy)


def test_a_sink_is_healthy_again_if_bigquery_comes_back_while_partitions_change_hands(
    there: Place, faulty: FaultyBigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Sink(there) as first:
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        for pause in ("_FIRST_PAUSE_S", "_LONGEST_PAUSE_S"):  # what it holds is not tried again
            monkeypatch.setattr(backoff, pause, 600.0)
        faulty.go_away()
        send(there, predictions(there, 100, 100))
        eventually(lambda: first.waits_for != "")
        faulty.clear()
        with Sink(there) as second:
            eventually(lambda: is_stored(there, 200))
            eventually(lambda: first.is_healthy and second.is_healthy)


def test_what_a_sink_waits_for_is_told_as_it_is_now(there: Place, faulty: FaultyBigQuery) -> None:
    with Sink(there) as sink:
        faulty.go_away()
        send(there, predictions(there, 0, 100))
        eventually(lambda: "UNAVAILABLE: " in sink.waits_for)
        faulty.clear()
        for call in WRITE_CALLS:
            faulty.arm(call, "error", code="RESOURCE_EXHAUSTED", times=None)
        eventually(lambda: "RESOURCE_EXHAUSTED: " in sink.waits_for)


def test_one_table_that_fails_does_not_hold_up_another(
    there: Place, faulty: FaultyBigQuery
) -> None:
    rejected = [b"broken"] * 5
    with Sink(there):
        send(there, [*predictions(there, 0, 100), *rejected])
        eventually(lambda: is_stored(there, 100) and count(there, "rejects") == 5)
        for call in WRITE_CALLS:
            faulty.arm(call, "drop", entity="/tables/rejects", times=None)
        send(there, [*predictions(there, 100, 100), *rejected])
        eventually(lambda: sum(map(faulty.fired, WRITE_CALLS)) >= 2)
        send(there, predictions(there, 200, 100))
        eventually(lambda: is_stored(there, 300))
        assert count(there, "rejects") == 5
        faulty.clear()
        eventually(lambda: count(there, "rejects") == 10)


@pytest.mark.parametrize("effect", ["hold_answer", "delay"])
def test_one_table_that_hangs_is_never_waited_for_by_another_before_its_own_turn(
    there: Place,
    faulty: FaultyBigQuery,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    effect: str,
) -> None:
    monkeypatch.setattr(append, "CALL_TIMEOUT_S", 1.5)
    monkeypatch.setattr(sink_store, "_LONGEST_ROUND_S", 1.0)  # one call that hangs is all of it
    faulty.arm("CreateWriteStream", effect, entity="/tables/rejects", times=None, delay_s=60)
    kafka = there.project.kafka
    with caplog.at_level(logging.WARNING, logger="fraudline.stream"), Sink(there) as sink:
        send(there, [b"broken"])
        eventually(lambda: ".rejects: BigQuery does not answer" in sink.waits_for)
        hung = faulty.fired("CreateWriteStream")
        send(there, predictions(there, 0, 300))
        eventually(lambda: is_stored(there, 300))
        eventually(lambda: faulty.fired("CreateWriteStream") > hung + 1)
        assert count(there, "rejects") == 0
        faulty.clear()
        eventually(lambda: count(there, "rejects") == 1)
    held = [record.getMessage() for record in caplog.records]
    assert any(f"'{kafka.topic_rejects}'" in line for line in held)
    assert not any(f"'{kafka.topic_predictions}'" in line for line in held)


def test_a_stream_forgotten_under_a_live_sink_is_followed_by_another(
    there: Place, faulty: FaultyBigQuery
) -> None:
    with Sink(there):
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        faulty.arm("AppendRows", "expire_stream", entity="/tables/predictions")
        send(there, predictions(there, 100, 200))
        eventually(lambda: is_stored(there, 300))
        assert faulty.fired("AppendRows") == 1


def test_a_new_owner_that_cannot_count_the_rows_stops_and_says_so(
    there: Place, faulty: FaultyBigQuery
) -> None:
    faulty.arm("AppendRows", "lose_answer", times=None)
    send(there, predictions(there, 0, 10))
    with Sink(there):
        eventually(lambda: count(there) == 10)
    faulty.clear()
    faulty.arm("FinalizeWriteStream", "expire_stream", times=None)
    with pytest.raises(WarehouseError, match="it is unknown how many rows"), Sink(there) as sink:
        sink.join(30)


def test_a_sink_stops_at_once_while_bigquery_is_away_and_the_next_one_goes_on(
    there: Place, faulty: FaultyBigQuery
) -> None:
    with Sink(there):
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        faulty.arm("AppendRows", "hold_answer", times=None)
        send(there, predictions(there, 100, 100))
        eventually(lambda: count(there) > 100)
    faulty.clear()
    with Sink(there):
        eventually(lambda: is_stored(there, 200))


def test_streams_are_left_when_nothing_comes_so_that_no_offset_names_one(
    there: Place, faulty: FaultyBigQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_module, "_IDLE_S", 0.2)
    faulty.watch("FinalizeWriteStream")
    with Sink(there):
        send(there, predictions(there, 0, 100))
        eventually(lambda: is_stored(there, 100))
        send(there, predictions(there, 100, 100))
        eventually(lambda: is_stored(there, 200))
    with Sink(there):
        send(there, predictions(there, 200, 100))
        eventually(lambda: is_stored(there, 300))
    assert faulty.seen("FinalizeWriteStream") == 0
