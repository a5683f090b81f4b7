"""Faults by design, for what random rounds meet too seldom."""

from __future__ import annotations

import time
import uuid

import pytest
from google.cloud import bigquery
from tests.faults.faults import BESIDE, SESSION_TIMEOUT_S, Fault, injected
from tests.faults.outage import outage
from tests.faults.trial import Trial
from tests.faults.upheavals import UPHEAVALS, Upheaval
from tests.faults.worker import WORKERS
from tests.harness import eventually

from fraudline.cli.standstill import LIMIT_S

# A group that lost a member, or its broker, may need a minute to settle.
pytestmark = pytest.mark.timeout(300)
BEYOND_SESSION_S = SESSION_TIMEOUT_S + 2
BEYOND_TRANSACTION_S = 7.0  # it times out after 6 s
BEYOND_STEP_S = LIMIT_S + 15  # a process that stands in one step for so long ends


def test_an_exhausted_quota_delays_rows_and_ends_no_sink(ready: Trial) -> None:
    pids = ready.pipeline.pids
    order = {"call": "AppendRows", "effect": "error", "code": "RESOURCE_EXHAUSTED", "times": None}
    with injected(ready.pipeline, **order) as fired:
        ready.traffic.begin()
        eventually(lambda: fired() >= 5)
    ready.prove()
    assert ready.pipeline.pids == pids


@pytest.mark.slow
def test_a_stream_that_bigquery_forgets_under_a_live_sink_costs_nothing(ready: Trial) -> None:
    pids = ready.pipeline.pids
    order = {"call": "AppendRows", "effect": "expire_stream", "entity": "tables/decisions/"}
    with injected(ready.pipeline, **order) as fired:
        ready.traffic.begin()
        eventually(lambda: fired() == 1)
    ready.prove()
    assert ready.pipeline.pids == pids


@pytest.mark.slow
def test_a_takeover_goes_through_though_bigquery_loses_its_answers(ready: Trial) -> None:
    for call in ("FinalizeWriteStream", "CreateWriteStream"):
        order = {"call": call, "effect": "lose_answer", "times": 3}
        ready.traffic.begin()
        time.sleep(1)
        with injected(ready.pipeline, **order) as fired:
            ready.pipeline.kill("sink1")
            eventually(lambda: fired() == 3)
        ready.pipeline.start("sink1")
        ready.prove()


@pytest.mark.slow
def test_a_column_added_to_the_table_disturbs_no_sink(ready: Trial) -> None:
    pids = ready.pipeline.pids
    warehouse = ready.pipeline.project.warehouse
    ready.traffic.begin()
    table = warehouse.client.get_table(warehouse.table("decisions"))
    table.schema = [*table.schema, bigquery.SchemaField(f"note_{uuid.uuid4().hex}", "STRING")]
    warehouse.client.update_table(table, ["schema"])
    time.sleep(2)
    ready.prove()
    assert ready.pipeline.pids == pids
    for name in ("sink1", "sink2"):  # nor one that begins only now
        ready.pipeline.stop(name)
        ready.pipeline.start(name)
    ready.traffic.burst(500)
    ready.prove()


@pytest.mark.slow
@pytest.mark.timeout(BEYOND_STEP_S + 300)
def test_sinks_keep_their_place_and_their_size_while_bigquery_is_away(ready: Trial) -> None:
    outage(ready, BEYOND_STEP_S)


def test_all_workers_killed_at_once_lose_and_double_nothing(ready: Trial) -> None:
    ready.traffic.begin()
    time.sleep(1)
    for name in WORKERS:
        ready.pipeline.kill(name)
    for name in WORKERS:
        ready.pipeline.start(name)
    ready.prove()


@pytest.mark.slow
def test_workers_that_sleep_past_their_session_do_no_harm_when_they_wake(ready: Trial) -> None:
    ready.traffic.begin()
    time.sleep(1)
    for name in ("scorer1", "sink1"):
        ready.pipeline.pause(name)
    time.sleep(BEYOND_SESSION_S)
    for name in ("scorer1", "sink1"):
        ready.pipeline.resume(name)
    ready.prove()


def silence_the_broker(ready: Trial, for_s: float) -> None:
    """Swallow its answers to all workers for a while; none may end, and all must arrive."""
    pids = ready.pipeline.pids
    links = [worker.links["kafka"] for worker in ready.pipeline.workers.values()]
    ready.traffic.begin()
    time.sleep(1)
    for link in links:
        link.is_swallowing = True
    time.sleep(for_s)
    for link in links:
        link.heal()
    ready.prove()
    assert ready.pipeline.pids == pids


@pytest.mark.slow
def test_workers_whose_broker_fell_silent_beyond_their_session_come_back(ready: Trial) -> None:
    silence_the_broker(ready, BEYOND_SESSION_S)


@pytest.mark.slow
@pytest.mark.timeout(BEYOND_STEP_S + 300)
def test_a_broker_that_is_silent_for_longer_than_a_step_may_take_ends_no_worker(
    ready: Trial,
) -> None:
    silence_the_broker(ready, BEYOND_STEP_S)


@pytest.mark.slow
def test_a_broker_that_is_restarted_is_waited_for(ready: Trial) -> None:
    pids = ready.pipeline.pids
    ready.traffic.begin()
    ready.pipeline.stop("kafka")
    ready.pipeline.start("kafka")
    ready.prove()
    assert ready.pipeline.pids == pids


@pytest.mark.slow
def test_what_was_open_when_the_broker_was_killed_is_ended_after_its_restart(ready: Trial) -> None:
    ready.traffic.begin()
    time.sleep(1)
    for name in ("kafka", "scorer1"):
        ready.pipeline.kill(name)
    time.sleep(BEYOND_TRANSACTION_S)  # so that it is overdue while the broker still starts
    for name in ("kafka", "scorer1"):
        ready.pipeline.start(name)
    ready.prove()


@pytest.mark.slow
def test_workers_are_replaced_one_after_the_other_in_passing(ready: Trial) -> None:
    ready.traffic.begin()
    for name in WORKERS:
        ready.pipeline.stop(name)
        ready.pipeline.start(name)
    ready.prove()


@pytest.mark.slow
@pytest.mark.parametrize("kind", UPHEAVALS)
def test_an_upheaval_is_got_over_by_what_the_workers_say(ready: Trial, kind: str) -> None:
    ready.traffic.begin()
    time.sleep(1)
    ready.prove()
    Upheaval(kind).strike(ready)
    ready.prove()


@pytest.mark.slow
@pytest.mark.parametrize("kind", BESIDE)
def test_what_strikes_beside_the_workers_does_no_harm_and_scoring_does_not_notice(
    ready: Trial, kind: str
) -> None:
    pids = ready.pipeline.pids
    ready.traffic.begin()
    for for_s in (1.0, 2.0, 4.0):
        Fault(kind, BESIDE[kind][1], 0.2, for_s).strike(ready.pipeline)
    if kind == "learn and kill":  # at least once not before it has begun
        ready.pipeline.start_learner()
        ready.pipeline.await_learner()
        ready.pipeline.kill_learner()
    ready.prove()
    assert ready.pipeline.pids == pids
