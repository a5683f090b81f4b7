"""What a step of the live ledger reads depends on what is new, and every query has its limit."""

from __future__ import annotations

import datetime as dt

from google.cloud import bigquery
from tests.harness import Place, eventually
from tests.reconcile.test_reconcile import count, run
from tests.stream.test_score_loop import Scorer, send, transactions
from tests.stream.test_sink_loop import run_sink

from fraudline.reconcile.incremental_proof import IncrementalProof
from fraudline.stream.read_topic import offset_ranges
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes

LIMIT = 20 * 2**20


def store(place: Place, messages: int, stored: int) -> None:
    """Send so many more, and wait until so many are stored in all."""
    send(place, list(transactions(place, messages)), key_of=lambda _: b"of one partition")
    with Scorer(place) as scorer:
        eventually(lambda: scorer.done >= messages)
    run_sink(place, routes(place.project), until=lambda: count(place) >= stored)


def step(place: Place, proof: IncrementalProof) -> list[bigquery.QueryJob]:
    """Prove and count what is new; the jobs that it took."""
    began_at = dt.datetime.now(dt.UTC)
    kafka = place.project.kafka
    for partition, (_, end) in offset_ranges(kafka, kafka.topic_transactions).items():
        proof.advance(partition, end)
    proof._counted_at = float("-inf")  # as if half a minute had passed
    proof.count_again()
    assert proof.state.summary == ""
    dataset = f"`local.{place.project.settings.bigquery.dataset}."
    jobs = place.project.warehouse.client.list_jobs(min_creation_time=began_at)
    return [job for job in jobs if dataset in job.query]


def read(jobs: list[bigquery.QueryJob]) -> int:
    return sum(job.total_bytes_processed for job in jobs)


def test_a_step_costs_what_is_new_however_many_rows_are_stored(here: Place) -> None:
    project = here.project
    limited = project.settings.bigquery.model_copy(update={"maximum_bytes_billed": LIMIT})
    warehouse = Project(project.settings.model_copy(update={"bigquery": limited})).warehouse
    store(here, 20, stored=20)
    proof = IncrementalProof(project.kafka, warehouse, project.contract)
    step(here, proof)  # which begins here
    store(here, 40, stored=60)
    step(here, proof)
    store(here, 10, stored=70)
    few = step(here, proof)

    # A hundred times as many: earlier rows of the topic, of other days; and of another topic.
    for changes, those in (
        ("TIMESTAMP_SUB(decided_at, INTERVAL n + 1 DAY) AS decided_at", "source_offset < 20"),
        ("'elsewhere' AS source_topic", "source_offset >= 20"),
    ):
        run(
            here,
            f"INSERT INTO decisions SELECT * EXCEPT (n) REPLACE ({changes}) "
            f"FROM decisions, UNNEST(GENERATE_ARRAY(1, 100)) AS n WHERE {those}",
        )
    step(here, proof)  # which meets rows that it did not expect, and counts by position
    stored = count(here)
    assert stored == 70 * 101
    store(here, 10, stored=stored + 10)
    many = step(here, proof)

    assert proof.state.proved == 60
    assert 0 < read(many) <= 1.05 * read(few)  # rows are not all of one size
    assert len(many) == len(few) <= 4
    for job in [*few, *many]:
        assert job.maximum_bytes_billed == LIMIT
        assert job.total_bytes_billed <= LIMIT


def test_a_query_above_the_limit_is_refused_and_the_setting_is_named(here: Place) -> None:
    run(here, "CREATE TABLE numbers AS SELECT 1 AS n")
    limit = {"FRAUDLINE_BIGQUERY__MAXIMUM_BYTES_BILLED": "1000"}
    assert here.run("query", "SELECT COUNT(*) AS n FROM numbers", **limit).code == 0
    done = here.run("query", "SELECT n FROM numbers", **limit)
    assert done.code != 0
    assert "Query exceeded limit for bytes billed: 1000. 10485760 or higher" in done.said
    assert "raise bigquery.maximum_bytes_billed" in done.said
    limit["FRAUDLINE_BIGQUERY__MAXIMUM_BYTES_BILLED"] = "0"
    assert here.run("query", "SELECT n FROM numbers", **limit).code == 0
