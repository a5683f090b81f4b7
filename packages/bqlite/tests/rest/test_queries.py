"""Query jobs: parameters, paging, dry runs, destinations, DML, DDL, cancelling."""

# ruff: noqa: DTZ001  # a DATETIME has no time zone

import datetime as dt
import threading
from decimal import Decimal

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
)
from google.cloud import bigquery

Config = bigquery.QueryJobConfig
Scalar = bigquery.ScalarQueryParameter

VALUES = [
    ("INT64", 2**62),
    ("FLOAT64", 0.1),
    ("FLOAT64", 1.7976931348623157e308),
    ("BOOL", True),
    ("STRING", 'it\'s \\ "ü" 😀\nnew'),
    ("BYTES", b"\x00\xff'"),
    ("NUMERIC", Decimal("12345678901234567890.123456789")),
    ("DATE", dt.date(1, 1, 1)),
    ("TIME", dt.time(23, 59, 59, 999999)),
    ("DATETIME", dt.datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("TIMESTAMP", dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.UTC)),
    ("STRING", None),
]


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_parameter_comes_back_bit_for_bit(client, kind, value):
    config = Config(query_parameters=[Scalar("p", kind, value)])
    (row,) = client.query_and_wait("SELECT @p AS v", job_config=config)
    assert row.v == value
    config = Config(query_parameters=[Scalar(None, kind, value)])
    (row,) = client.query_and_wait("SELECT ? AS v", job_config=config)
    assert row.v == value


def test_array_and_struct_parameters_are_typed(client):
    config = Config(
        query_parameters=[
            bigquery.ArrayQueryParameter("a", "INT64", [1, 2]),
            bigquery.ArrayQueryParameter("none", "STRING", []),
            bigquery.StructQueryParameter("s", Scalar("x", "INT64", 1), Scalar("y", "STRING", "z")),
        ]
    )
    (row,) = client.query_and_wait(
        "SELECT 2 IN UNNEST(@a) AS i, ARRAY_LENGTH(@none) AS n, @s AS s", job_config=config
    )
    assert row.values() == (True, 0, {"x": 1, "y": "z"})


def test_a_parameter_is_a_value_and_never_sql(client):
    evil = "'; DROP TABLE x; --"
    config = Config(query_parameters=[Scalar("p", "STRING", evil)])
    (row,) = client.query_and_wait("SELECT @p AS v", job_config=config)
    assert row.v == evil


def test_results_are_paged_over_rest_and_counted(client):
    rows = client.query("SELECT x FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS x ORDER BY x").result(
        page_size=300
    )
    assert rows.total_rows == 1000
    assert [row.x for row in rows] == list(range(1, 1001))


def test_results_are_read_alike_over_rest_and_storage(client, read_client):
    sql = (
        "SELECT x, x / 3 AS f, CAST(x AS STRING) AS s, NUMERIC '1.5' AS n, [x, x + 1] AS a, "
        "STRUCT(x AS i, 'y' AS j) AS r, TIMESTAMP_SECONDS(x) AS t, DATE '2024-01-01' AS d, "
        "TIME '01:02:03.000004' AS c, DATETIME '2024-01-01 01:02:03' AS dt, b'z' AS b, "
        "IF(x > 5, NULL, x) AS maybe FROM UNNEST(GENERATE_ARRAY(1, 10)) AS x ORDER BY x"
    )
    job = client.query(sql)
    by_storage = job.to_arrow(bqstorage_client=read_client)
    by_rest = job.to_arrow(create_bqstorage_client=False)
    assert by_storage.to_pylist() == by_rest.to_pylist()
    assert by_storage.num_rows == 10


def test_json_text_is_kept_as_it_was_written(client, read_client):
    table = client.query("SELECT JSON '{\"a\":  1}' AS j").to_arrow(bqstorage_client=read_client)
    assert table["j"].to_pylist() == ['{"a":  1}']


def test_the_result_is_a_table_of_its_own_that_expires(client):
    job = client.query("SELECT 1 AS x")
    job.result()
    table = client.get_table(job.destination)
    assert table.num_rows == 1
    assert table.expires > dt.datetime.now(dt.UTC)
    assert [row.x for row in client.list_rows(table)] == [1]


def test_a_dry_run_tells_schema_and_bytes_and_runs_nothing(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64, s STRING)")
    client.query_and_wait(f"INSERT {dataset}.t VALUES (1, 'abc'), (2, 'de')")
    config = Config(dry_run=True)
    job = client.query(f"SELECT a FROM {dataset}.t", job_config=config)
    assert (job.total_bytes_processed, job.schema[0].name) == (16, "a")
    job = client.query(f"SELECT * FROM {dataset}.t", job_config=config)
    assert job.total_bytes_processed == 16 + 4 + 5
    with pytest.raises(NotFound):
        client.query(f"SELECT * FROM {dataset}.nope", job_config=config)
    client.query(f"DELETE FROM {dataset}.t WHERE true", job_config=config)
    assert client.get_table(f"{dataset}.t").num_rows == 2


def test_a_query_over_its_bytes_limit_does_not_run(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a")
    config = Config(maximum_bytes_billed=1)
    with pytest.raises(BadRequest, match="limit for bytes billed"):
        client.query_and_wait(f"SELECT a FROM {dataset}.t", job_config=config)


def test_the_default_data_set_completes_names(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a")
    config = Config(default_dataset=f"local.{dataset}")
    assert next(iter(client.query_and_wait("SELECT t.a FROM t", job_config=config))).a == 1


def test_a_destination_table_takes_the_rows_as_its_disposition_says(client, dataset):
    target = f"local.{dataset}.t"

    def write(sql, disposition):
        config = Config(destination=target, write_disposition=disposition)
        return client.query(sql, job_config=config).result()

    write("SELECT 1 AS a", "WRITE_EMPTY")
    with pytest.raises(Conflict):
        write("SELECT 2 AS a", "WRITE_EMPTY")
    write("SELECT 2 AS a", "WRITE_APPEND")
    with pytest.raises(BadRequest, match="has changed type"):
        write("SELECT 'x' AS a", "WRITE_APPEND")
    assert sorted(row.a for row in client.list_rows(target)) == [1, 2]
    write(f"SELECT a + 10 AS a FROM {dataset}.t", "WRITE_TRUNCATE")
    assert sorted(row.a for row in client.list_rows(target)) == [11, 12]


def test_a_job_id_is_used_once(client):
    client.query("SELECT 1", job_id="once-only", job_retry=None).result()
    with pytest.raises(Conflict):
        client.query("SELECT 1", job_id="once-only", job_retry=None)


def test_a_failed_job_keeps_its_reason(client):
    job = client.query("SELECT nope")
    with pytest.raises(BadRequest):
        job.result()
    assert client.get_job(job.job_id).error_result["reason"] == "invalidQuery"
    with pytest.raises(NotFound):
        client.get_job("no-such-job")
    assert job.job_id in [one.job_id for one in client.list_jobs()]


def test_a_query_that_takes_longer_than_it_may_is_stopped(client):
    endless = (
        "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a "
        "CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE MOD(a * b, 7) = 3"
    )
    config = bigquery.QueryJobConfig(job_timeout_ms=200)
    with pytest.raises(GoogleAPICallError, match=r"timed out after 0\.2 seconds"):
        client.query(endless, job_config=config, job_retry=None, retry=None).result(retry=None)
    assert [row.v for row in client.query_and_wait("SELECT 1 AS v", job_config=config)] == [1]


def test_a_running_query_can_be_cancelled(client):
    job = client.query(
        "SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) a "
        "CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) b WHERE MOD(a * b, 7) = 3"
    )
    assert job.state != "DONE"
    client.cancel_job(job.job_id)
    with pytest.raises(GoogleAPICallError, match="cancelled"):
        job.result(timeout=60)


def test_dml_counts_the_rows_it_changed(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64 NOT NULL, b STRING)")

    def run(sql):
        return client.query(sql.format(T=f"{dataset}.t")).result().num_dml_affected_rows

    assert run("INSERT {T} (a, b) VALUES (1, 'x'), (2, 'y')") == 2
    assert run("INSERT INTO {T} (a) SELECT a + 10 FROM {T}") == 2
    assert run("UPDATE {T} SET b = 'z' WHERE a > 10") == 2
    assert run("DELETE FROM {T} WHERE a = 1") == 1
    assert (
        run(
            "MERGE {T} t USING (SELECT 2 AS a UNION ALL SELECT 99) s ON t.a = s.a "
            "WHEN MATCHED THEN UPDATE SET b = 'merged' WHEN NOT MATCHED THEN INSERT (a) VALUES (a)"
        )
        == 2
    )
    rows = client.query_and_wait(f"SELECT a, b FROM {dataset}.t ORDER BY a")
    assert [row.values() for row in rows] == [(2, "merged"), (11, "z"), (12, "z"), (99, None)]
    with pytest.raises(BadRequest, match="WHERE"):
        run("DELETE FROM {T}")
    with pytest.raises(BadRequest, match="NOT NULL"):
        run("INSERT {T} (b) VALUES ('no a')")


def test_a_failed_statement_changes_nothing(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a")
    with pytest.raises(BadRequest, match="mine"):
        client.query_and_wait(
            f"INSERT {dataset}.t SELECT IF(x = 3, ERROR('mine'), x) FROM UNNEST([1, 2, 3]) AS x"
        )
    with pytest.raises(BadRequest):
        client.query_and_wait(f"CREATE OR REPLACE TABLE {dataset}.t AS SELECT 1 / 0 AS b")
    assert [row.a for row in client.list_rows(f"{dataset}.t")] == [1]


def test_an_insert_of_the_wrong_type_is_refused_not_rounded(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64, s STRING)")
    with pytest.raises(BadRequest, match="FLOAT64"):
        client.query_and_wait(f"INSERT {dataset}.t (a) VALUES (1.5)")
    with pytest.raises(BadRequest, match="INT64"):
        client.query_and_wait(f"INSERT {dataset}.t (s) SELECT 1")


def test_ddl_defines_what_rest_shows(client, dataset):
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t (a INT64 NOT NULL OPTIONS(description='key'), b ARRAY<STRING>, "
        "c STRUCT<x INT64, y STRING>, at TIMESTAMP) PARTITION BY DATE(at) CLUSTER BY a "
        "OPTIONS(description='made by SQL', labels=[('k', 'v')])"
    )
    table = client.get_table(f"{dataset}.t")
    assert [(f.name, f.field_type, f.mode) for f in table.schema] == [
        ("a", "INTEGER", "REQUIRED"),
        ("b", "STRING", "REPEATED"),
        ("c", "RECORD", "NULLABLE"),
        ("at", "TIMESTAMP", "NULLABLE"),
    ]
    assert table.schema[0].description == "key"
    assert table.time_partitioning.field == "at"
    assert table.clustering_fields == ["a"]
    assert (table.description, table.labels) == ("made by SQL", {"k": "v"})
    client.query_and_wait(f"ALTER TABLE {dataset}.t ADD COLUMN d FLOAT64")
    assert client.get_table(f"{dataset}.t").schema[-1].name == "d"
    client.query_and_wait(f"DROP TABLE {dataset}.t")
    client.query_and_wait(f"DROP TABLE IF EXISTS {dataset}.t")
    with pytest.raises(NotFound):
        client.query_and_wait(f"DROP TABLE {dataset}.t")


def test_create_or_replace_may_read_what_it_replaces(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a")
    client.query_and_wait(
        f"CREATE OR REPLACE TABLE {dataset}.t AS SELECT a, 'x' AS b FROM {dataset}.t"
    )
    assert [row.values() for row in client.list_rows(f"{dataset}.t")] == [(1, "x")]
    client.query_and_wait(f"CREATE TABLE IF NOT EXISTS {dataset}.t AS SELECT 2 AS a")
    with pytest.raises(Conflict):
        client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 2 AS a")
    client.query_and_wait(f"CREATE OR REPLACE VIEW {dataset}.v AS SELECT a FROM {dataset}.t")
    client.query_and_wait(
        f"CREATE OR REPLACE VIEW {dataset}.v AS SELECT a + 1 AS a FROM {dataset}.t"
    )
    assert [row.a for row in client.query_and_wait(f"SELECT a FROM {dataset}.v")] == [2]
    client.query_and_wait(f"DROP VIEW {dataset}.v")
    client.query_and_wait(f"TRUNCATE TABLE {dataset}.t")
    assert client.get_table(f"{dataset}.t").num_rows == 0


def test_schemas_are_created_and_dropped_by_sql(client):
    client.query_and_wait("CREATE SCHEMA made_by_sql")
    client.query_and_wait("CREATE SCHEMA IF NOT EXISTS made_by_sql")
    assert client.get_dataset("made_by_sql")
    client.query_and_wait("DROP SCHEMA made_by_sql")
    with pytest.raises(NotFound):
        client.get_dataset("made_by_sql")


def test_queries_see_whole_statements_while_others_write(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 0 AS a")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            client.query_and_wait(
                f"INSERT {dataset}.t SELECT x FROM UNNEST(GENERATE_ARRAY(1, 9)) AS x"
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [
            next(iter(client.query_and_wait(f"SELECT COUNT(*) AS n FROM {dataset}.t"))).n
            for _ in range(20)
        ]
    finally:
        stop.set()
        writer.join()
    assert all(count % 9 == 1 for count in counts)
    assert counts == sorted(counts)


def test_options_that_would_change_the_answer_are_refused_by_name(client):
    with pytest.raises(MethodNotImplemented, match="legacy"):
        client.query("SELECT 1", job_config=Config(use_legacy_sql=True)).result()
    config = Config(time_partitioning=bigquery.TimePartitioning())
    with pytest.raises(MethodNotImplemented, match="timePartitioning"):
        client.query("SELECT 1", job_config=config).result()
    with pytest.raises(MethodNotImplemented, match="extract"):
        client.extract_table("local.x.y", "gs://bucket/file")
