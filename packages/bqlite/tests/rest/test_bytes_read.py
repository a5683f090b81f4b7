"""The bytes that a job says it read are those that BigQuery would read."""

import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery
from google.cloud.bigquery import QueryJobConfig as Config

# Ten rows a day for ten days, in four blocks of a source each: 8 bytes a column and row.
ROWS = """
SELECT TIMESTAMP_ADD(TIMESTAMP '2026-01-01 00:30:00', INTERVAL d DAY) AS at,
  DIV(i, 5) AS source, d * 10 + i AS place, 1.5 AS amount
FROM UNNEST(GENERATE_ARRAY(0, 9)) AS d, UNNEST(GENERATE_ARRAY(0, 9)) AS i
"""


@pytest.fixture
def table(client, dataset):
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t PARTITION BY TIMESTAMP_TRUNC(at, DAY) "
        f"CLUSTER BY source, place AS {ROWS}"
    )
    return f"{dataset}.t"


def processed(client, sql, **parameters):
    config = Config(
        query_parameters=[
            bigquery.ScalarQueryParameter(name, kind, value)
            for name, (kind, value) in parameters.items()
        ]
    )
    job = client.query(sql, job_config=config)
    job.result()
    return job.total_bytes_processed


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ("TRUE", 100),
        ("at >= TIMESTAMP '2026-01-09 23:00:00'", 20),  # the whole day, whatever the hour
        ("at < TIMESTAMP '2026-01-02 00:00:00'", 10),
        ("at <= TIMESTAMP '2026-01-02 00:00:00'", 20),
        ("at BETWEEN TIMESTAMP '2026-01-03' AND TIMESTAMP '2026-01-04 12:00:00'", 20),
        ("TIMESTAMP '2026-01-09' <= at AND amount > 5", 20),
        ("at >= @since", 20),
        ("at >= TIMESTAMP_SUB(TIMESTAMP '2026-01-10', INTERVAL 1 DAY)", 20),
        ("source = 1", 50),
        ("source = 1 AND place >= 90", 5),
        ("source >= 1 AND place >= 90", 50),  # blocks are sorted by source first
        ("place >= 90", 100),
        ("source = 1 OR at >= TIMESTAMP '2026-01-09'", 100),
        ("at >= (SELECT MAX(at) FROM {t})", 100),
        ("at >= TIMESTAMP '2026-01-09' AND source = 0 AND place = 95", 0),
    ],
)
def test_rows_that_constant_conditions_exclude_are_not_read(client, table, where, rows):
    sql = f"SELECT amount, at, source, place FROM {table} WHERE {where.format(t=table)}"
    since = ("TIMESTAMP", "2026-01-09T01:00:00Z")
    assert processed(client, sql, since=since) == rows * 4 * 8


def test_a_count_of_all_rows_reads_nothing_and_bills_nothing(client, table):
    for sql in ("SELECT COUNT(*) FROM {}", "SELECT COUNT(*) AS amount FROM {}"):
        job = client.query(sql.format(table))
        job.result()
        assert (job.total_bytes_processed, job.total_bytes_billed) == (0, 0)


def test_each_place_that_reads_a_table_counts_and_a_column_at_most_once(client, table):
    last = f"SELECT COUNT(*) FROM {table} WHERE at >= TIMESTAMP '2026-01-10'"
    assert processed(client, f"SELECT (SELECT COUNT(*) FROM {table}) - ({last}) AS n") == 10 * 8
    assert processed(client, f"SELECT ({last}) + ({last}) AS n") == 20 * 8
    every = f"SELECT amount FROM {table}"
    assert processed(client, f"{every} UNION ALL {every}") == 100 * 8


def test_a_view_is_read_as_its_query_says(client, dataset, table):
    client.query_and_wait(
        f"CREATE VIEW {dataset}.v AS SELECT at, amount * 2 AS twice FROM {table} "
        "WHERE at >= TIMESTAMP '2026-01-10'"
    )
    assert processed(client, f"SELECT twice FROM {dataset}.v") == 10 * 2 * 8


def test_ten_megabytes_a_table_are_billed_at_least(client, table):
    job = client.query(f"SELECT amount FROM {table}")
    job.result()
    assert job.total_bytes_billed == 10 * 2**20
    with pytest.raises(BadRequest, match=r"billed: 10485759\. 10485760 or higher required"):
        client.query_and_wait(
            f"SELECT amount FROM {table}", job_config=Config(maximum_bytes_billed=10 * 2**20 - 1)
        )
    nothing = Config(maximum_bytes_billed=1)
    client.query_and_wait(f"SELECT COUNT(*) FROM {table}", job_config=nothing)
