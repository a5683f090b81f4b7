"""A step of `reconcile --follow`, with more and more rows stored beside the new ones.

Each step proves the same number of new messages and counts again. What it reads is told by the jobs
themselves, as bqlite counts it: as if each value of a clustering column had a block of its own.
"""

from __future__ import annotations

import datetime as dt
import time

from benchmarks.measure import median, spread, table
from benchmarks.place import Place

from fraudline import flows
from fraudline.reconcile.incremental_proof import IncrementalProof
from fraudline.scoring import Decider
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.warehouse.append import CommittedStream
from fraudline.warehouse.query import query

TITLE = "A step of the live ledger"
NEW, STEPS = 1_000, 3
SCALES = (1, 10, 100)
_BEGUN_WITH = 5_000


def measure(place: Place) -> list[str]:
    """Bytes, queries and time of a step at 1, 10 and 100 times the rows."""
    decider = Decider(place.train("default"))
    kafka, warehouse = place.kafka, place.project.warehouse
    proof = IncrementalProof(kafka, warehouse, place.project.contract)
    _step(place, proof)
    _add(place, decider, _BEGUN_WITH)
    _step(place, proof)
    rows = []
    for scale in SCALES:
        _fill_up(place, _BEGUN_WITH * scale)
        _add(place, decider, NEW)
        _step(place, proof)  # meets rows that it did not expect, and counts by position
        steps = []
        for _ in range(STEPS):
            _add(place, decider, NEW)
            steps.append(_step(place, proof))
        stored, before = _stored(place), _as_before(place)
        if proof.state.summary:
            raise RuntimeError(f"the proof found {proof.state.summary}")
        read = [step[0] for step in steps]
        rows.append(
            (
                f"{stored:,}",
                spread(read),
                spread([step[1] for step in steps]),
                spread([step[2] for step in steps], 2),
                f"{before:,}",
                f"{before / median(read):,.1f}",
            )
        )
    return [
        f"{NEW:,} new messages a step. 'As before' is a count without bounds and clusters, which "
        "earlier releases made at each step beside the queries of the windows.",
        table(
            ("rows stored", "bytes read", "queries", "s", "bytes as before", "times as many"), rows
        ),
    ]


def _add(place: Place, decider: Decider, count: int) -> None:
    """Send messages and store their decisions, without a scorer and a sink."""
    kafka, contract = place.kafka, place.project.contract
    topic = kafka.topic_transactions
    began = offset_ranges(kafka, topic)
    place.fill(topic, place.lines(), count)
    columns = flows.DECISIONS.decoder(contract)
    warehouse = place.project.warehouse
    for partition, (_, end) in offset_ranges(kafka, topic).items():
        for _, _, messages in read_range(kafka, topic, partition, began[partition][1], end, NEW):
            outcomes = decider.decide(messages, dt.datetime.now(dt.UTC))
            rows, _, rejected = columns.decode([one.value for one in outcomes])
            if rejected:
                raise RuntimeError(f"a decision of ours is rejected: {rejected[0].message}")
            if rows.num_rows:
                stream = CommittedStream(
                    warehouse, warehouse.settings.table(flows.DECISIONS), rows.schema
                )
                stream.send(rows)
                stream.wait(60)
                stream.close()


def _fill_up(place: Place, rows: int) -> None:
    """Store rows of another topic beside ours, half of them of earlier days."""
    more = rows - _stored(place)
    if more > 0:
        place.project.warehouse.client.query_and_wait(
            "INSERT INTO decisions SELECT * EXCEPT (n) REPLACE ('elsewhere' AS source_topic, "
            "TIMESTAMP_SUB(decided_at, INTERVAL MOD(n, 2) * n DAY) AS decided_at) "
            f"FROM decisions, UNNEST(GENERATE_ARRAY(1, {SCALES[-1]})) AS n LIMIT {more}"
        )


def _stored(place: Place) -> int:
    rows = query(place.project.warehouse, "SELECT COUNT(*) AS rows_stored FROM decisions")
    stored: int = rows["rows_stored"][0].as_py()
    return stored


def _as_before(place: Place) -> int:
    """Bytes of the count that an earlier release made at each step."""
    sql = (
        "SELECT COUNT(*) FROM decisions WHERE (source_topic = 'x' AND source_offset >= 0) OR "
        "(source_topic = 'y' AND source_partition >= 0)"  # no bound that BigQuery can use
    )
    job = place.project.warehouse.client.query(sql)
    job.result()
    read: int = job.total_bytes_processed
    return read


def _step(place: Place, proof: IncrementalProof) -> tuple[int, int, float]:
    """Prove what is new and count again; bytes, queries and seconds."""
    began_at, started = dt.datetime.now(dt.UTC), time.monotonic()
    kafka = place.kafka
    for partition, (_, end) in offset_ranges(kafka, kafka.topic_transactions).items():
        proof.advance(partition, end)
    proof.count_again()
    took_s = time.monotonic() - started
    dataset = f"`local.{place.project.settings.bigquery.dataset}."
    jobs = [
        job
        for job in place.project.warehouse.client.list_jobs(min_creation_time=began_at)
        if dataset in job.query
    ]
    return sum(job.total_bytes_processed for job in jobs), len(jobs), took_s
