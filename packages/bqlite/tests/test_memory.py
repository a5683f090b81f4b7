"""A statement that takes too much memory or time is stopped in words, and so is the process."""

import signal

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from server_process import Process

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
    limits = ("--memory-limit-mb", "100", "--process-limit-mb", "1500", "--job-timeout-s", "6")
    client = start(*limits).bq.client()
    patient = bigquery.QueryJobConfig(job_timeout_ms=150_000)
    client.query_and_wait("SELECT 1", job_config=patient)
    with pytest.raises(GoogleAPICallError, match=r"timed out after 6\.0 seconds"):
        client.query_and_wait(ENDLESS, retry=None, job_retry=None)
    with pytest.raises(BadRequest, match="a statement is stopped at 800 MB"):
        client.query_and_wait(LARGE, retry=None, job_retry=None, job_config=patient)
    assert [row[0] for row in client.query_and_wait("SELECT 1", job_config=patient)] == [1]


def test_a_process_that_holds_more_than_its_ceiling_ends_with_one_line_and_its_code(start):
    process = start("--process-limit-mb", "50")
    code, message = process.refused()
    assert code == 3
    (line,) = [line for line in message.splitlines() if line.startswith("bqlite:")]
    assert "may hold 50 MB" in line
    assert "--process-limit-mb" in line
