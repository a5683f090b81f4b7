"""Where types meet: each value becomes the common type GoogleSQL documents, by its own digits.

The reference is a search through every type that is there, with Python's Decimal for the values.
"""

import datetime as dt
import random
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

BIG = "12345678901234567890.123456789"
EXACT = Context(prec=38, rounding=ROUND_HALF_UP)
UTC = dt.UTC


@dataclass(frozen=True)
class Value:
    sql: str
    type: str
    value: Any
    is_literal: bool = False


# An expression is what is no literal; `x` and so on are columns of VALUES.
POOL = [
    Value("i", "INT64", 9007199254740993),
    Value("7", "INT64", 7, is_literal=True),
    Value("-3", "INT64", -3, is_literal=True),
    Value("n", "NUMERIC", Decimal(BIG)),
    Value("NUMERIC '0.000000001'", "NUMERIC", Decimal("0.000000001")),
    Value("f", "FLOAT64", 2.5),
    Value("1.5", "FLOAT64", Decimal("1.5"), is_literal=True),
    Value("-12345678901234567.25", "FLOAT64", Decimal("-12345678901234567.25"), is_literal=True),
    Value("0.12345678949", "FLOAT64", Decimal("0.12345678949"), is_literal=True),
    Value("s", "STRING", "text"),
    Value("'2024-03-10'", "STRING", "2024-03-10", is_literal=True),
    Value("d", "DATE", dt.date(2024, 1, 2)),
    Value("DATETIME '2024-01-02 03:04:05'", "DATETIME", dt.datetime(2024, 1, 2, 3, 4, 5)),  # noqa: DTZ001  # has none
    Value("t", "TIMESTAMP", dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)),
    Value("b", "BOOL", True),
]  # fmt: skip
ROW = (
    f"(SELECT 9007199254740993 AS i, NUMERIC '{BIG}' AS n, 1.5 + 1 AS f, CONCAT('te', 'xt') AS s, "
    "DATE '2024-01-02' AS d, TIMESTAMP '2024-01-02 03:04:05+00' AS t, 1 = 1 AS b, true AS yes)"
)
ORDER = ["INT64", "NUMERIC", "FLOAT64", "BOOL", "DATE", "DATETIME", "TIMESTAMP", "STRING"]
BECOMES = {("INT64", "NUMERIC"), ("INT64", "FLOAT64"), ("NUMERIC", "FLOAT64"), ("DATE", "DATETIME")}
LITERAL_BECOMES = {
    ("FLOAT64", "NUMERIC"),
    *(("STRING", word) for word in ("DATE", "DATETIME", "TIMESTAMP")),
}
NAMES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


def common(values: list[Value]) -> str | None:
    """The first type that is there and that all the others become."""

    def becomes(one: Value, target: str) -> bool:
        pair = (one.type, target)
        return one.type == target or pair in BECOMES or (one.is_literal and pair in LITERAL_BECOMES)

    present = {one.type for one in values}
    for target in ORDER:
        if target in present and all(becomes(one, target) for one in values):
            return target
    return None


def as_type(one: Value, target: str) -> Any:
    value = one.value
    if target == "FLOAT64":
        return float(value)
    if target == "NUMERIC":
        return Decimal(value).quantize(Decimal("1e-9"), context=EXACT)
    if one.type == "STRING" and target != "STRING":
        value = dt.date.fromisoformat(value)
    if target in {"DATETIME", "TIMESTAMP"} and not isinstance(value, dt.datetime):
        zone = UTC if target == "TIMESTAMP" else None
        return dt.datetime(value.year, value.month, value.day, tzinfo=zone)
    return value


def constructs(values: list[Value], target: str) -> list[tuple[str, Any]]:
    """Each place where the values meet, with what it gives."""
    typed = [as_type(one, target) for one in values]
    first, second = values[:2]
    listed = ", ".join(one.sql for one in values)
    branches = " ".join(f"WHEN i = {n} THEN {one.sql}" for n, one in enumerate(values[1:]))
    array = f"[{listed}]"
    found = [
        (f"COALESCE({listed})", typed[0]),
        (f"IF(yes, {first.sql}, {second.sql})", as_type(first, common([first, second]) or target)),
        (f"CASE {branches} ELSE {first.sql} END", typed[0]),
        (f"{array}[OFFSET({len(values) - 1})]", typed[-1]),
        (f"GREATEST({listed})", max(typed)),
        (f"LEAST({listed})", min(typed)),
        (f"{values[-1].sql} IN ({listed})", True),
        (f"{first.sql} = {second.sql}", None),
        (f"LAG({first.sql}, 1, {second.sql}) OVER (ORDER BY i)", None),
        (f"(SELECT MAX(v) FROM (SELECT {first.sql} AS v UNION ALL SELECT {second.sql}))", None),
    ]
    pair = common([first, second])
    if pair is None:
        return [found[0], *found[2:7]]
    one, two = as_type(first, pair), as_type(second, pair)
    return [*found[:7], (found[7][0], one == two), (found[8][0], two), (found[9][0], max(one, two))]


@pytest.mark.parametrize("number", range(36))
def test_values_of_several_types_become_the_one_that_googlesql_documents(client, number):
    chosen = random.Random(number)
    values = chosen.sample(POOL[:9] if number % 3 else POOL, chosen.choice([2, 3]))
    target = common(values)
    if target is None:
        listed = ", ".join(one.sql for one in values)
        for sql in (f"COALESCE({listed})", f"[{listed}]", f"{values[0].sql} IN ({listed})"):
            with pytest.raises(BadRequest, match=r"common supertype|No matching signature"):
                client.query_and_wait(f"SELECT {sql} FROM {ROW}")
        return
    places = constructs(values, target)
    columns = ", ".join(f"{sql} AS v{n}" for n, (sql, _) in enumerate(places))
    result = client.query_and_wait(f"SELECT {columns} FROM {ROW}")
    (row,) = result
    assert result.schema[0].field_type == NAMES.get(target, target)
    for found, (sql, wanted) in zip(row.values(), places, strict=True):
        assert (found, type(found)) == (wanted, type(wanted)), sql


@pytest.mark.parametrize("word", ["+", "-"])
@pytest.mark.parametrize("right", ["1", "1.5", "i", "f", "NUMERIC '0.000000001'"])
def test_a_sum_of_numeric_is_exact_unless_a_float64_is_in_it(client, word, right):
    (row,) = client.query_and_wait(f"SELECT n {word} {right} AS v, {right} AS r FROM {ROW}")
    if right == "f":
        wanted = float(Decimal(BIG)) + (2.5 if word == "+" else -2.5)
    else:
        added = Decimal(str(row.r))
        wanted = EXACT.add(Decimal(BIG), added if word == "+" else -added)
    assert (row.v, type(row.v)) == (wanted, type(wanted))


def test_a_product_of_numeric_keeps_nine_digits_rounded_half_away_from_zero(client):
    (row,) = client.query_and_wait(
        f"SELECT n * 2 AS a, n * 1.5 AS b, NUMERIC '0.00001' * NUMERIC '0.00005' AS c, "
        f"NUMERIC '-0.00001' * NUMERIC '0.00005' AS d, NUMERIC '1.5' * 2 * f AS e FROM {ROW}"
    )
    assert row.a == EXACT.multiply(Decimal(BIG), 2)
    assert row.b == Decimal("18518518351851851835.185185184")  # 18518518351851851835.1851851835
    assert (row.c, row.d) == (Decimal("0.000000001"), Decimal("-0.000000001"))
    assert row.e == 7.5


def test_each_value_of_an_insert_is_coerced_to_its_column(client, dataset):
    table = f"{dataset}.t"
    client.query_and_wait(
        f"CREATE TABLE {table} (id INT64, n NUMERIC, f FLOAT64, d DATE, ns ARRAY<NUMERIC>, "
        "r STRUCT<n NUMERIC, s STRING>)"
    )
    client.query_and_wait(
        f"INSERT {table} (id, n, f, d) VALUES (1, NUMERIC '{BIG}', 1, '2024-01-01'), "
        f"(2, 1.5, NUMERIC '0.5', DATE '2024-01-02'), (3, {BIG}, 1.5, NULL), (4, 7, -2, DEFAULT)"
    )
    client.query_and_wait(
        f"INSERT {table} (id, ns, r) VALUES (5, [NUMERIC '{BIG}', 1.5], (NUMERIC '{BIG}', 'a')), "
        "(6, [1.5], STRUCT(2.5, 'b')), (9007199254740993, [1], (1, 'c'))"
    )
    client.query_and_wait(f"INSERT {table} (id, n) SELECT 7, {BIG} UNION ALL SELECT 8, NUMERIC '2'")
    rows = {row.id: row for row in client.query_and_wait(f"SELECT * FROM {table} ORDER BY id")}
    big = Decimal(BIG)
    assert [rows[n].n for n in (1, 2, 3, 4, 7, 8)] == [big, Decimal("1.5"), big, 7, big, 2]
    assert [rows[n].f for n in (1, 2, 3, 4)] == [1.0, 0.5, 1.5, -2.0]
    assert [rows[n].d for n in (1, 2, 3, 4)] == [
        dt.date(2024, 1, 1),
        dt.date(2024, 1, 2),
        None,
        None,
    ]
    assert [rows[n].ns for n in (5, 6)] == [[big, Decimal("1.5")], [Decimal("1.5")]]
    assert [rows[n].r["n"] for n in (5, 6)] == [big, Decimal("2.5")]
    assert 9007199254740993 in rows


def test_update_and_merge_store_a_literal_by_its_own_digits(client, dataset):
    table = f"{dataset}.t"
    client.query_and_wait(f"CREATE TABLE {table} (id INT64, n NUMERIC)")
    client.query_and_wait(f"INSERT {table} VALUES (1, 0), (2, 0)")
    client.query_and_wait(f"UPDATE {table} SET n = {BIG} WHERE id = 1")
    client.query_and_wait(
        f"MERGE {table} t USING (SELECT 2 AS id UNION ALL SELECT 3) s ON t.id = s.id "
        f"WHEN MATCHED THEN UPDATE SET t.n = IF(s.id = 2, {BIG}, NUMERIC '0') "
        f"WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, -{BIG})"
    )
    found = client.query_and_wait(f"SELECT n FROM {table} ORDER BY id")
    assert [row.n for row in found] == [Decimal(BIG), Decimal(BIG), Decimal(f"-{BIG}")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("n", "f"), ("n", "CAST(1.5 AS FLOAT64)"), ("i", "1.5"), ("i", "f"), ("i", "n"),
        ("s", "1"), ("n", "'1'"), ("d", "s"), ("d", "TIMESTAMP '2024-01-01'"), ("y", "'a'"),
        ("b", "1"), ("i", "true"), ("j", "'1'"), ("ns", "[f]"), ("r", "STRUCT(f, 'a')"),
    ],
)  # fmt: skip
def test_a_value_googlesql_does_not_coerce_is_refused_wherever_it_is_stored(client, dataset, column, value):  # fmt: skip  # noqa: E501
    table = f"{dataset}.t"
    client.query_and_wait(
        f"CREATE TABLE {table} (i INT64, n NUMERIC, f FLOAT64, s STRING, d DATE, y BYTES, b BOOL, "
        "j JSON, ns ARRAY<NUMERIC>, r STRUCT<n NUMERIC, s STRING>)"
    )
    client.query_and_wait(f"INSERT {table} (i, f, s) VALUES (1, 2.5, '2024-01-01')")
    source = f"(SELECT i, n, f, s FROM {table})"
    for sql in (
        f"INSERT {table} ({column}) SELECT {value} FROM {source}",
        f"INSERT {table} ({column}) VALUES ((SELECT {value} FROM {source}))",
        f"UPDATE {table} SET {column} = {value} WHERE true",
        f"MERGE {table} t USING {source} AS q ON false WHEN NOT MATCHED THEN "
        f"INSERT ({column}) VALUES ({value})",
        f"INSERT {table} ({column}) SELECT v FROM (SELECT {value} AS v FROM {source})",
    ):
        with pytest.raises(BadRequest, match=r"which has type|cannot be assigned"):
            client.query_and_wait(sql)
    assert [row.c for row in client.query_and_wait(f"SELECT COUNT(*) AS c FROM {table}")] == [1]


def test_a_struct_written_with_other_names_is_stored_by_position(client, dataset):
    table, other = f"{dataset}.t", "STRUCT(1 AS b, 2 AS a)"
    client.query_and_wait(
        f"CREATE TABLE {table} (id INT64, m STRUCT<a INT64, b INT64>, ms ARRAY<STRUCT<a INT64, "
        "b INT64>>, o STRUCT<i STRUCT<a INT64, b INT64>, c INT64>)"
    )
    client.query_and_wait(
        f"INSERT {table} VALUES (1, {other}, [{other}, STRUCT(1, 2), (1, 2)], STRUCT({other}, 3))"
    )
    client.query_and_wait(f"INSERT {table} SELECT 2, {other}, [{other}], STRUCT({other} AS q, 3)")
    client.query_and_wait(f"INSERT {table} VALUES (3, NULL, [STRUCT(1, 2)], ((1, 2), 3))")
    client.query_and_wait(f"INSERT {table} VALUES (4, (1, 2), [(1, 2), (1, 2)], ((1, 2), 3))")
    client.query_and_wait(f"INSERT {table} SELECT 5, (1, 2), [(1, 2)], ((1, 2), 3)")
    client.query_and_wait(f"UPDATE {table} SET m = {other} WHERE id = 3")
    for row in client.query_and_wait(f"SELECT m, ms, o FROM {table}"):
        assert row.m == {"a": 1, "b": 2}
        assert all(one == {"a": 1, "b": 2} for one in row.ms)
        assert row.o == {"i": {"a": 1, "b": 2}, "c": 3}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s FROM (SELECT {0} AS s UNION ALL SELECT {1})",
        "SELECT IF(x > 1, {0}, {1}) AS s FROM UNNEST([1, 2]) AS x",
        "SELECT CASE WHEN x > 1 THEN {0} ELSE {1} END AS s FROM UNNEST([1, 2]) AS x",
        "SELECT COALESCE(IF(x > 1, {0}, NULL), {1}) AS s FROM UNNEST([1, 2]) AS x",
        "SELECT s FROM UNNEST(ARRAY_CONCAT([{0}], [{1}])) AS s",
        "SELECT s FROM UNNEST([{0}, {1}]) AS s",
    ],
)
@pytest.mark.parametrize("second", ["STRUCT(1 AS b, 2 AS a)", "STRUCT(1, 2)"])
def test_structs_meet_by_position(client, sql, second):
    found = client.query_and_wait(sql.format("STRUCT(1 AS a, 2 AS b)", second))
    assert [row.s for row in found] == [{"a": 1, "b": 2}] * 2


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT {T} (m) SELECT s FROM {S}", "INSERT {T} (m) SELECT * FROM {S}",
        "INSERT {T} (ms) SELECT [s] FROM {S}",
        "INSERT {T} (ms) SELECT * FROM (SELECT [s] FROM {S})",
        "INSERT {T} (ms) SELECT ARRAY_AGG(s) FROM {S}",
        "UPDATE {T} SET m = (SELECT s FROM {S}) WHERE true",
        "MERGE {T} t USING {S} AS q ON false WHEN NOT MATCHED THEN INSERT (m) VALUES (q.s)",
        "SELECT m FROM {T} UNION ALL SELECT s FROM {S}",
        "SELECT * FROM {S} UNION ALL SELECT m FROM {T}",
        "SELECT COALESCE(m, s) FROM {T} CROSS JOIN {S}",
    ],
)  # fmt: skip
def test_a_struct_of_other_names_that_is_not_written_out_is_refused(client, dataset, sql):
    table = f"{dataset}.t"
    client.query_and_wait(
        f"CREATE TABLE {table} (m STRUCT<a INT64, b INT64>, ms ARRAY<STRUCT<a INT64, b INT64>>)"
    )
    source = "(SELECT STRUCT(1 AS b, 2 AS a) AS s)"
    with pytest.raises(GoogleAPICallError, match=r"the same names|without the names"):
        client.query_and_wait(sql.replace("{T}", table).replace("{S}", source))


def test_whole_and_broken_literals_in_one_array_are_stored_in_a_numeric(client, dataset):
    table = f"{dataset}.t"
    client.query_and_wait(f"CREATE TABLE {table} (ns ARRAY<NUMERIC>, r STRUCT<n NUMERIC, d DATE>)")
    client.query_and_wait(
        f"INSERT {table} VALUES ([1.5, -9007199254740993, {BIG}], STRUCT({BIG}, DATE '2024-01-01'))"
    )
    (row,) = client.query_and_wait(f"SELECT * FROM {table}")
    assert row.ns == [Decimal("1.5"), Decimal(-9007199254740993), Decimal(BIG)]
    assert row.r == {"n": Decimal(BIG), "d": dt.date(2024, 1, 1)}


WRONG = [
    ("SELECT MOD('4', 3)", "function MOD for argument types: STRING, INT64"),
    ("SELECT DIV('4', 3)", "function DIV for argument types: STRING, INT64"),
    ("SELECT SAFE_ADD('4', 3)", "function SAFE_ADD for argument types: STRING, INT64"),
    ("SELECT TIMESTAMP_SECONDS(1.5)", "INT64, found FLOAT64"),
    ("SELECT TIMESTAMP_MICROS(NUMERIC '1')", "INT64, found NUMERIC"),
    ("SELECT 1 UNION ALL SELECT '2'", "Column 1 in UNION has incompatible types: INT64, STRING"),
    ("SELECT true UNION ALL SELECT 2", "incompatible types: BOOL, INT64"),
    ("SELECT 1 EXCEPT DISTINCT SELECT 'a'", "Column 1 in EXCEPT"),
    ("SELECT 1, 2 UNION ALL SELECT 1", "mismatched column count"),
    ("SELECT b'a' UNION ALL SELECT 'a'", "BYTES, STRING"),
    ("SELECT 1 = '1'", "operator = for argument types: INT64, STRING"),
    ("SELECT 1 IS DISTINCT FROM 'a'", "IS DISTINCT FROM"),
    ("SELECT DATE '2024-01-01' < TIMESTAMP '2024-01-01 12:00:00'", "DATE, TIMESTAMP"),
    ("SELECT JSON '1' = JSON '1'", "not defined for arguments of type JSON"),
    ("SELECT [1] = [1]", "not defined for arguments of type ARRAY<INT64>"),
    ("SELECT IF(1, 'a', 'b')", "should return type BOOL"),
    ("SELECT IF(true, 1, 'b')", "function IF"),
    ("SELECT CASE 1 WHEN 'a' THEN 1 END", "operator CASE"),
    ("SELECT CASE WHEN true THEN 1 ELSE 'x' END", "operator CASE"),
    ("SELECT NULLIF(1, 'x')", "NULLIF"),
    ("SELECT COALESCE(1, 'x')", "COALESCE"),
    ("SELECT IFNULL(TIMESTAMP '2024-01-01', DATE '2024-01-01')", "TIMESTAMP, DATE"),
    ("SELECT GREATEST(1, 'x')", "GREATEST"),
    ("SELECT [1, 'a']", "INT64, STRING"),
    ("SELECT 1 IN ('a')", "operator IN"),
    ("SELECT 'a' IN UNNEST([1])", "IN UNNEST"),
    ("SELECT 1 IN (SELECT 'a')", "operator IN"),
    ("SELECT 1 BETWEEN 0 AND 'a'", "BETWEEN"),
    ("SELECT 1 + 'a'", "operator +"),
    ("SELECT 'a' || 1", "operator ||"),
    ("SELECT 1 AND true", "BOOL"),
    ("SELECT 1 FROM (SELECT 1 AS x) WHERE x", "WHERE clause should return type BOOL"),
    ("SELECT LAG(x, 1, 'a') OVER (ORDER BY x) FROM UNNEST([1]) AS x", "LAG"),
    ("SELECT ARRAY_CONCAT([1], ['a'])", "ARRAY_CONCAT"),
    ("SELECT * FROM (SELECT 1 AS a) JOIN (SELECT 'x' AS a) USING (a)", "USING"),
    ("SELECT NUMERIC '1' / 3", "division of NUMERIC"),
    ("SELECT n / 1.5 FROM (SELECT NUMERIC '1' AS n)", "division of NUMERIC"),
]


@pytest.mark.parametrize(("sql", "message"), WRONG, ids=[q for q, _ in WRONG])
def test_types_without_a_common_one_are_refused_by_their_names(client, sql, message):
    with pytest.raises(BadRequest) as refusal:
        client.query_and_wait(sql)
    assert message in refusal.value.message


def test_using_columns_of_two_types_that_can_be_compared_is_refused_as_bqlites_own(client):
    with pytest.raises(GoogleAPICallError, match=r"not supported by bqlite: CAST one of them"):
        client.query_and_wait("SELECT a FROM (SELECT 1 AS a) JOIN (SELECT 1.5 AS A) USING (a)")


def test_a_float64_parameter_does_not_become_a_numeric_and_a_string_becomes_a_time(client):
    def ask(sql, kind, value):
        parameter = bigquery.ScalarQueryParameter("p", kind, value)
        config = bigquery.QueryJobConfig(query_parameters=[parameter])
        return client.query_and_wait(f"SELECT {sql} AS v", job_config=config)

    found = ask(f"COALESCE(NUMERIC '{BIG}', @p)", "FLOAT64", 1.5)
    assert found.schema[0].field_type == "FLOAT"
    found = ask(f"COALESCE(@p, NUMERIC '{BIG}')", "NUMERIC", Decimal(BIG))
    assert [row.v for row in found] == [Decimal(BIG)]
    found = ask("DATE '2024-01-01' = @p", "STRING", "2024-01-01")
    assert [row.v for row in found] == [True]
    with pytest.raises(BadRequest, match="operator ="):
        ask("1 = @p", "STRING", "1")


def test_branches_that_are_queries_of_their_own_are_coerced_too(client):
    table = f"(SELECT NUMERIC '{BIG}' AS n, 7 AS i)"
    found = client.query_and_wait(
        f"SELECT n FROM {table} UNION ALL (SELECT i FROM {table} ORDER BY 1) UNION ALL SELECT * "
        f"EXCEPT (n) FROM {table} UNION ALL SELECT 0.25 ORDER BY n DESC"
    )
    assert [row.n for row in found] == [Decimal(BIG), Decimal(7), Decimal(7), Decimal("0.25")]
    found = client.query_and_wait(
        f"SELECT i FROM {table} UNION ALL (SELECT f FROM (SELECT 1.5 AS f))"
    )
    assert [row.i for row in found] == [7.0, 1.5]
