"""Statements that would take all memory or never end: each is refused by its name, at once."""

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError, InvalidArgument
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

SIZES = [
    ("SELECT COUNT(*) FROM UNNEST(GENERATE_ARRAY(1, 1000000000))", "1,048,575 elements"),
    ("SELECT GENERATE_ARRAY(1, x * 1000000000) FROM UNNEST([1, 2]) AS x", "1,048,575 elements"),
    ("SELECT GENERATE_DATE_ARRAY('0001-01-01', '9999-12-31')", "1,048,575 elements"),
    (
        "SELECT GENERATE_TIMESTAMP_ARRAY('2024-01-01', '2025-01-01', INTERVAL 1 MICROSECOND)",
        "1,048,575 elements",
    ),
    ("SELECT GENERATE_ARRAY(1, 2, 0)", "step cannot be 0"),
    ("SELECT REPEAT('x', 2000000000)", "1,048,576 characters"),
    ("SELECT REPEAT(REPEAT('x', 1000000), 1000000)", "1,048,576 characters"),
    ("SELECT LPAD('x', 2000000000)", "1,048,576 characters"),
    ("SELECT RPAD('x', 2000000000, 'ab')", "1,048,576 characters"),
    ("SELECT REPLACE(REPEAT('x', 2000), 'x', REPEAT('y', 1000))", "1,048,576 characters"),
    ("SELECT " + "REPLACE(" * 9 + "'xx'" + ", 'x', 'xxxxxxxxxxxx')" * 9, "1,048,576 characters"),
    ("SELECT REGEXP_REPLACE(REPEAT('x', 20000), 'x', REPEAT('y', 1000))", "16,777,216"),
    ("SELECT FORMAT('%2000000000d', 1)", "width"),
    ("SELECT FORMAT('%.2000000000f', 1.5)", "width"),
    ("SELECT " + "+".join(["1"] * 2000), "nests too deeply"),
    (
        "SELECT 1 FROM (SELECT true AS x) WHERE " + "(x AND (x OR " * 400 + "x" + "))" * 400,
        "nests too deeply",
    ),
    ("SELECT " + "(" * 3000 + "1" + ")" * 3000, "nests too deeply"),
    ("SELECT '" + "x" * 1_100_000 + "'", "1,024,000"),
    ("SELECT " + ", ".join(f"1 AS c{n}" for n in range(10_001)), "Too many columns"),
]


@pytest.mark.parametrize(("sql", "words"), SIZES, ids=[q[:60] for q, _ in SIZES])
def test_what_is_too_large_is_refused_by_its_size(client, sql, words):
    with pytest.raises(BadRequest) as refusal:
        client.query_and_wait(sql)
    assert words in refusal.value.message


@pytest.mark.parametrize("word", ["OR", "AND"])
def test_a_condition_of_thousands_of_terms_is_answered(client, word):
    terms = f" {word} ".join(f"x <> {n}" for n in range(2000))
    (row,) = client.query_and_wait(
        f"SELECT COUNTIF({terms}) AS n FROM UNNEST([1, 5000]) AS x", wait_timeout=120
    )
    assert row.n == (2 if word == "OR" else 1)


def test_a_table_of_more_columns_than_bigquery_takes_is_refused(client, dataset):
    columns = [bigquery.SchemaField(f"c{n}", "INT64") for n in range(10_001)]
    with pytest.raises(BadRequest, match="Too many columns"):
        client.create_table(bigquery.Table(f"local.{dataset}.t", columns))


def test_replacing_in_a_long_text_is_refused_for_what_it_becomes_only(client):
    (row,) = client.query_and_wait(
        "SELECT LENGTH(REPLACE(s, 'x', 'y')), LENGTH(REPLACE(s, 'z', REPEAT('y', 1000))), "
        "LENGTH(REGEXP_REPLACE(s, 'x', 'y')), LENGTH(REPLACE(REPEAT('x', 1000), 'x', "
        "REPEAT('y', 1000))), REPLACE('abc', '', 'xyz'), SAFE.REPLACE('aXb', 'X', '-') "
        "FROM (SELECT CONCAT(REPEAT('x', 1000000), REPEAT('x', 1000000)) AS s)"
    )
    assert row.values() == (2_000_000, 2_000_000, 2_000_000, 1_000_000, "abc", "a-b")


DEEP = [
    ("REPLACE(" * 20 + "'12'" + ", '2', '23')" * 20, "12" + "3" * 20),
    ("/".join(["x"] * 25), 1.0),
    ("SUBSTR(" * 20 + "'abcdefghijklmnopqrstuvwxyz'" + ", 2)" * 20, "uvwxyz"),
    ("GREATEST(" * 20 + "x" + ", 2)" * 20, 2),
    ("CAST(CAST(" * 10 + "'12'" + " AS INT64) AS STRING)" * 10, "12"),
    ("SAFE_DIVIDE(" * 12 + "x" + ", 1)" * 12, 1.0),
    ("COALESCE(" * 20 + "NULL" + ", x)" * 20, 1),
]


@pytest.mark.parametrize(("sql", "answer"), DEEP, ids=[q[:40] for q, _ in DEEP])
def test_functions_one_in_the_other_do_not_double_in_time(client, sql, answer):
    (row,) = client.query_and_wait(f"SELECT {sql} AS v FROM (SELECT 1 AS x)", wait_timeout=60)
    assert (row.v, type(row.v)) == (answer, type(answer))


def test_views_that_double_are_refused_before_they_are_written_out(client, dataset):
    def view(number, sql):
        client.query_and_wait(f"CREATE VIEW {dataset}.v{number} AS {sql}")

    def eightfold(number):
        return " UNION ALL ".join([f"SELECT x FROM {dataset}.v{number}"] * 8)

    view(0, "SELECT 1 AS x")
    for number in range(3):
        view(number + 1, eightfold(number))
    with pytest.raises(BadRequest, match="1,000 tables"):
        view(4, eightfold(3))


@pytest.mark.parametrize(
    "restriction",
    [
        "true LIMIT 1", "true UNION ALL SELECT 2", "true) OR (true", "id = 1 ORDER BY id",
        "id IN (SELECT 1)", "1 FROM t", "id, id", "true; SELECT 1", "COUNT(*) > 1", "id",
    ],
)  # fmt: skip
def test_a_row_restriction_is_one_condition_and_nothing_else(client, read_client, dataset, restriction):  # fmt: skip  # noqa: E501
    client.query_and_wait(f"CREATE TABLE {dataset}.t (id INT64)")
    session = types.ReadSession(
        table=f"projects/local/datasets/{dataset}/tables/t", data_format=types.DataFormat.ARROW
    )
    session.read_options.row_restriction = restriction
    with pytest.raises(GoogleAPICallError) as refusal:
        read_client.create_read_session(parent="projects/local", read_session=session)
    assert isinstance(refusal.value, InvalidArgument)
    session.read_options.row_restriction = "id > 1 OR id IS NULL -- a comment"
    read_client.create_read_session(parent="projects/local", read_session=session)
