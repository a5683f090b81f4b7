"""What is mended or refused by its right name: partitions, decorators, comments, JSON, messages."""

import pytest
from google.api_core.exceptions import BadRequest


def test_a_comment_behind_the_last_semicolon_is_no_statement(client):
    for sql in ("SELECT 1; -- end", "SELECT 1;\n/* end */", "SELECT 1; ;"):
        assert [row[0] for row in client.query_and_wait(sql)] == [1]


def test_a_table_is_partitioned_by_a_column_that_is_named_like_a_unit(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (day DATE) PARTITION BY day")
    assert client.get_table(f"{dataset}.t").time_partitioning.field == "day"
    with pytest.raises(BadRequest, match="ingestion time"):
        client.query_and_wait(f"CREATE TABLE {dataset}.u (d DATE) PARTITION BY _PARTITIONDATE")


def test_a_table_that_demands_a_filter_on_its_partitions_is_not_read_without_one(client, dataset):
    table = f"{dataset}.t"
    client.query_and_wait(
        f"CREATE TABLE {table} (day DATE, x INT64) PARTITION BY day "
        "OPTIONS(require_partition_filter = true)"
    )
    assert client.get_table(table).require_partition_filter
    client.query_and_wait(f"INSERT {table} VALUES ('2024-01-01', 1)")
    for sql in (
        f"SELECT * FROM {table}",
        f"SELECT * FROM {table} WHERE x = 1",
        f"SELECT * FROM {table} WHERE x = 1 OR day = '2024-01-01'",
        f"SELECT (SELECT MAX(x) FROM {table})",
        f"UPDATE {table} SET x = 2 WHERE true",
        f"DELETE {table} WHERE x = 1",
        f"CREATE TABLE {dataset}.u AS SELECT * FROM {table}",
    ):
        with pytest.raises(BadRequest, match="without a filter over column"):
            client.query_and_wait(sql)
    for condition in (
        "day = '2024-01-01'",
        "day > '2023-01-01' AND x = 1",
        "day IN ('2024-01-01')",
    ):
        found = client.query_and_wait(f"SELECT x FROM {table} WHERE {condition}")
        assert [row.x for row in found] == [1]
    client.query_and_wait(f"UPDATE {table} SET x = 2 WHERE day = '2024-01-01'")
    found = client.query_and_wait(f"SELECT * FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS")
    assert [row.total_rows for row in found] == [1]


def test_a_new_column_has_no_name_that_bigquery_keeps_for_itself(client, dataset):
    for name in ("_PARTITIONTIME", "_partitiondate", "_TABLE_SUFFIX", "_file_name"):
        with pytest.raises(BadRequest, match="Invalid field name"):
            client.query_and_wait(f"CREATE TABLE {dataset}.t ({name} DATE)")
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64)")
    with pytest.raises(BadRequest, match="Invalid field name"):
        client.query_and_wait(f"ALTER TABLE {dataset}.t ADD COLUMN _PARTITIONTIME TIMESTAMP")


JSON = ["1.5", "-12.25e10", "9007199254740993", "-0.30000000000000004", "0.00012345678901234567"]


@pytest.mark.parametrize("text", JSON)
def test_a_json_number_that_round_trips_is_taken(client, text):
    (row,) = client.query_and_wait(f"SELECT TO_JSON_STRING(PARSE_JSON('[{text}]')) AS v")
    assert [float(one) for one in row.v.strip("[]").split(",")] == [float(text)]


WRONG = [
    ("SELECT PARSE_JSON('NaN')", "not JSON"),
    ("SELECT PARSE_JSON('[1, -Infinity]')", "not JSON"),
    ("SELECT PARSE_JSON('1.2345678901234567890123')", "round-trip"),
    ("SELECT PARSE_JSON('{\"a\": 123456789012345678901}')", "round-trip"),
    ("SELECT PARSE_JSON('[1e400]')", "round-trip"),
    ("SELECT 1 LIKE 'x'", "No matching signature for operator LIKE for argument types: INT64, "),
    ("SELECT 1 NOT LIKE 'x'", "No matching signature for operator LIKE for argument types: INT64"),
    ("SELECT 'a' & 'b'", "No matching signature for operator & for argument types: STRING, STRING"),
    ("SELECT CAST(JSON '1' AS NUMERIC)", "Invalid cast from JSON to NUMERIC"),
    ("SELECT CAST(true AS FLOAT64)", "Invalid cast from BOOL to FLOAT64"),
    ("SELECT CAST(DATE '2024-01-01' AS INT64)", "Invalid cast from DATE to INT64"),
    ("SELECT * FROM `d.t$20240101`", "the partition decorator in 't$20240101'"),
    ("SELECT * FROM `d.t@-3600`", "the snapshot decorator in 't@-3600'"),
    ("SELECT * FROM `region-us`.INFORMATION_SCHEMA.JOBS", "INFORMATION_SCHEMA.JOBS of a region"),
    ("SELECT * FROM `p.region-eu.INFORMATION_SCHEMA.JOBS_BY_USER`", "JOBS_BY_USER of a region"),
]


@pytest.mark.parametrize(("sql", "message"), WRONG, ids=[q for q, _ in WRONG])
def test_what_is_wrong_or_refused_is_named(client, sql, message):
    with pytest.raises(BadRequest) as refusal:
        client.query_and_wait(sql)
    assert message in refusal.value.message


LEAKS = [
    "UPDATE {t} AS q SET q.nope = 1 WHERE true",
    "UPDATE {t} SET r.a = 1 WHERE true",
    "MERGE {t} q USING (SELECT 1 AS n) s ON q.n = s.n WHEN MATCHED THEN UPDATE SET nope = 1",
    "MERGE {t} q USING (SELECT 1 AS n) s ON q.n = s.n WHEN MATCHED THEN UPDATE SET q.n = 1, n = 2",
    "MERGE {t} q USING (SELECT 1 AS n) s ON q.n = s.n WHEN NOT MATCHED THEN INSERT (o) VALUES (1)",
    "INSERT {t} (n, n) VALUES (1, 2)",
    "SELECT UPPER(5)",
    "SELECT SUM('a')",
    "SELECT EXTRACT(YEAR FROM '2024-01-01')",
    "SELECT 5 LIKE '5'",
    "SELECT n.a FROM {t}",
    "SELECT [1, 2].a",
    "SELECT ARRAY_LENGTH('abc')",
    "SELECT nope.n FROM {t}",
    "SELECT n, COUNT(*) FROM {t}",
    "SELECT CAST('abc' AS NUMERIC)",
    "SELECT 9223372036854775808",
    "SELECT n * n FROM (SELECT NUMERIC '12345678901234567890' AS n)",
    "SELECT (SELECT x FROM UNNEST([1, 2]) AS x)",
    "SELECT DATE_ADD(DATE '9999-12-31', INTERVAL 9999999999 DAY)",
]
DUCKDB = (
    "duckdb", "varchar", "bigint", "hugeint", "int128", "double", "decimal(", "binder", "error:",
    "set max", "try_cast", "might want", "candidate functions", "not supported!", "line 1",
    "_literal", "best candidate", "might need", "geometry", "list_value",
)  # fmt: skip


@pytest.mark.parametrize("sql", LEAKS)
def test_no_message_speaks_of_what_only_duckdb_has(client, dataset, sql):
    table = f"{dataset}.t"
    client.query_and_wait(f"CREATE TABLE {table} (n INT64, r STRUCT<a INT64>)")
    with pytest.raises(BadRequest) as refusal:
        client.query_and_wait(sql.format(t=table))
    words = refusal.value.message.partition("prettyPrint=false: ")[2].lower()
    assert words
    assert not [one for one in DUCKDB if one in words], words
