"""A statement that takes too much memory or time is stopped in words, and so is the process."""

import gzip
import io
import signal

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from server_process import Process, most_held_mb

ENDLESS = (
    "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS x "
    "CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) AS y WHERE MOD(x * y, 7) = 3"
)
# A vector of rows is made at once, where DuckDB counts nothing and hears no interrupt.
LARGE = "SELECT SUM(LENGTH(REPEAT('x', 1000000 - x))) FROM UNNEST(GENERATE_ARRAY(1, 700)) AS x"
BOUNDED = ("sh", "-c", 'ulimit -v 6000000; exec "$@"', "bqlite")


@pytest.fixture
def start(tmp_path):
    started = []

    def start(*options):
        started.append(Process(tmp_path / "data", *options, prefix=BOUNDED))
        return started[-1]

    yield start
    for process in started:
        if process.popen.poll() is None:
            process.end(signal.SIGKILL)


@pytest.mark.timeout(180)  # it fills 700 MB
def test_a_statement_that_takes_too_much_memory_is_stopped_and_the_next_one_runs(start):
    limits = ("--memory-limit-mb", "100", "--process-limit-mb", "1500", "--job-timeout-s", "2")
    client = start(*limits).bq.client()
    patient = bigquery.QueryJobConfig(job_timeout_ms=150_000)
    client.query_and_wait("SELECT 1", job_config=patient)
    with pytest.raises(GoogleAPICallError, match=r"timed out after 2\.0 seconds"):
        client.query_and_wait(ENDLESS, retry=None, job_retry=None)
    with pytest.raises(BadRequest, match="a statement is stopped at 800 MB"):
        client.query_and_wait(LARGE, retry=None, job_retry=None, job_config=patient)
    assert [row[0] for row in client.query_and_wait("SELECT 1", job_config=patient)] == [1]


CONCATENATED = "".join(f", a{n + 1} AS (SELECT CONCAT(s, s) AS s FROM a{n})" for n in range(9))
DOUBLED = [
    f"WITH a0 AS (SELECT REPEAT('x', 1000000) AS s){CONCATENATED} SELECT LENGTH(s) FROM a9",
    "WITH RECURSIVE r AS (SELECT 'x' AS s, 1 AS n UNION ALL SELECT s || s, n + 1 FROM r "
    "WHERE n < 40) SELECT MAX(LENGTH(s)) FROM r",
]
RECURSIVE = (
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 1000000000) "
    "SELECT MAX(n) FROM r"
)


@pytest.mark.timeout(180)
def test_texts_that_double_and_recursion_without_end_leave_the_server_and_its_cancel_alive(start):
    client = start("--memory-limit-mb", "100").bq.client()
    for sql in DOUBLED:
        with pytest.raises(BadRequest, match="Resources exceeded"):
            client.query_and_wait(sql, retry=None, job_retry=None)
    jobs = [client.query(RECURSIVE, job_retry=None), client.query(ENDLESS, job_retry=None)]
    for job in jobs:
        assert client.cancel_job(job.job_id)
    for job in jobs:
        with pytest.raises(GoogleAPICallError, match="cancelled"):
            job.result(timeout=120, retry=None)
    assert [row[0] for row in client.query_and_wait("SELECT 1")] == [1]


def test_a_process_that_holds_more_than_its_ceiling_ends_with_one_line_and_its_code(start):
    process = start("--process-limit-mb", "50")
    code, message = process.refused()
    assert code == 3
    (line,) = [line for line in message.splitlines() if line.startswith("bqlite:")]
    assert "may hold 50 MB" in line
    assert "--process-limit-mb" in line


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("source_format", ["CSV", "NEWLINE_DELIMITED_JSON"])
def test_a_packed_file_of_600_mb_is_loaded_in_little_more_than_duckdbs_own_memory(
    start, source_format
):
    """Of lines of 60 KB, of which ten thousand would not fit."""
    text = "x" * 60_000
    line = f"{text}\n" if source_format == "CSV" else f'{{"s": "{text}"}}\n'
    packed = gzip.compress(line.encode() * 100) * 100  # as `cat` joins them
    process = start("--memory-limit-mb", "400")
    client = process.bq.client()
    client.create_dataset("d")
    config = bigquery.LoadJobConfig(
        source_format=source_format, schema=[bigquery.SchemaField("s", "STRING")]
    )
    client.load_table_from_file(io.BytesIO(packed), "d.t", job_config=config).result(timeout=250)
    sql = "SELECT COUNT(*) AS n, MIN(LENGTH(s)) AS least FROM d.t"
    assert [row.values() for row in client.query_and_wait(sql)] == [(10_000, 60_000)]
    assert most_held_mb(process.popen.pid) < 1100
