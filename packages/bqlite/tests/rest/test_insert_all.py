"""`tabledata.insertAll`: what is stored, what is stopped, and what is known to be a repeat."""

# ruff: noqa: DTZ001  # a DATETIME has no time zone

import datetime as dt
import gzip
import json
from decimal import Decimal

import pytest
import requests
from google.api_core import exceptions
from google.cloud import bigquery

from bqlite.relations import Table, TableName
from bqlite.rest import insert_ids

F = bigquery.SchemaField


@pytest.fixture
def table(client, dataset):
    return client.create_table(
        bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64", "REQUIRED"), F("s", "STRING")])
    )


def rows(client, table):
    return sorted(row.values() for row in client.list_rows(table))


def test_rows_are_stored_and_can_be_queried_at_once(client, table):
    assert client.insert_rows_json(table, [{"a": 1, "s": "x"}, {"a": 2}]) == []
    assert rows(client, table) == [(1, "x"), (2, None)]
    assert client.get_table(table).num_rows == 2


def test_every_type_comes_back_as_it_was_given(client, dataset):
    values = {
        "string": "ü", "bytes": b"\x00\xff", "int64": -(2**63), "float64": 0.1,
        "numeric": Decimal("-12345678901234567890123456789.123456789"), "bool": True,
        "timestamp": dt.datetime(2024, 2, 29, 1, 2, 3, 4, dt.UTC), "date": dt.date(1, 1, 1),
        "time": dt.time(23, 59, 59, 999999), "datetime": dt.datetime(9999, 12, 31, 1, 2, 3, 4),
        "json": {"a": [1, None, "x"]},
    }  # fmt: skip
    schema = [F(name, name.upper()) for name in values]
    schema += [F(f"many_{name}", name.upper(), "REPEATED") for name in values]
    schema += [F("place", "RECORD", fields=[F("zip", "INT64"), F("at", "TIMESTAMP", "REPEATED")])]
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=schema))
    row = {
        **values,
        **{f"many_{name}": [value, value] for name, value in values.items()},
        "place": {"zip": 7, "at": [values["timestamp"]]},
    }
    assert client.insert_rows(table, [row, {}]) == []
    full, empty = client.list_rows(table)
    assert dict(full.items()) == row
    repeated = [one.name for one in schema if one.mode == "REPEATED"]
    assert dict(empty.items()) == {
        **dict.fromkeys(row), **{name: [] for name in repeated}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "given", "stored"),
    [
        ("INT64", "12", 12),
        ("INT64", 3.0, 3),
        ("FLOAT64", "-Infinity", float("-inf")),
        ("FLOAT64", 7, 7.0),
        ("STRING", 1.5, "1.5"),
        ("STRING", True, "true"),
        ("BOOL", "FALSE", False),
        ("NUMERIC", 0.1, Decimal("0.1")),
        ("TIMESTAMP", 1.5, dt.datetime(1970, 1, 1, 0, 0, 1, 500000, dt.UTC)),
        ("TIMESTAMP", "2024-01-01 00:00:00+02:00", dt.datetime(2023, 12, 31, 22, 0, 0, 0, dt.UTC)),
        ("TIMESTAMP", "2024-01-01 00:00:00 UTC", dt.datetime(2024, 1, 1, 0, 0, 0, 0, dt.UTC)),
        ("JSON", '{"a": 1}', {"a": 1}),
    ],
)
def test_a_value_is_taken_in_googles_other_spellings(client, dataset, kind, given, stored):
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("v", kind)]))
    assert client.insert_rows_json(table, [{"V": given}]) == []
    assert rows(client, table) == [(stored,)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("INT64", "x"), ("INT64", 1.5), ("INT64", 2**63), ("INT64", True), ("INT64", "1_0"),
        ("INT64", [1]), ("FLOAT64", "x"), ("FLOAT64", False), ("STRING", {"a": 1}),
        ("BOOL", "perhaps"), ("BOOL", 1), ("NUMERIC", "0.1234567891"), ("NUMERIC", "1e30"),
        ("BYTES", "no base64!"), ("DATE", "2024-13-01"), ("DATE", 5), ("TIME", "25:00:00"),
        ("DATETIME", "2024-01-01T00:00:00Z"), ("TIMESTAMP", "yesterday"),
        ("TIMESTAMP", 1_700_000_000_000), ("JSON", "{oops"), ("JSON", "NaN"),
        ("DATE", "20240229"), ("DATE", "2024-W09-4"), ("TIME", "1030"), ("TIME", "T10:30:00"),
        ("TIME", "10:30:00,5"), ("TIME", "10:30:00.1234567"), ("NUMERIC", "1_000"),
        ("DATETIME", "2024-01-01x10:00:00"), ("TIMESTAMP", "20240101T100000"),
        ("TIMESTAMP", "2024-01-01 10:00:00.1234567+00"), ("NUMERIC", "١٢"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_invalid_and_stops_the_other_rows(
    client, dataset, kind, value
):
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("v", kind)]))
    good = {"v": None}
    errors = client.insert_rows_json(table, [good, {"v": value}, good])
    assert [(one["index"], one["errors"][0]["reason"]) for one in errors] == [
        (0, "stopped"),
        (1, "invalid"),
        (2, "stopped"),
    ]
    assert errors[1]["errors"][0]["location"] == "v"
    assert rows(client, table) == []


def test_what_is_missing_or_unknown_is_named_where_it_stands(client, dataset):
    place = F("place", "RECORD", fields=[F("zip", "INT64")])
    schema = [F("a", "INT64", "REQUIRED"), F("b", "INT64", "REPEATED"), place]
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=schema))
    bad = [
        {},
        {"a": None},
        {"a": 1, "z": 1},
        {"a": 1, "b": 1},
        {"a": 1, "b": [None]},
        {"a": 1, "place": {"zap": 1}},
        {"a": 1, "place": 1},
    ]
    errors = client.insert_rows_json(table, bad)
    assert [one["errors"][0]["location"] for one in errors] == [
        "a", "a", "z", "b", "b", "place.zap", "place"
    ]  # fmt: skip
    messages = [one["errors"][0]["message"] for one in errors]
    assert messages[0] == "Missing required field: a."
    assert messages[2] == "no such field: z."


def test_invalid_rows_are_skipped_and_unknown_values_ignored_on_request(client, table):
    given = [{"a": 1, "z": 9}, {"a": "x"}, {"a": 2}]
    errors = client.insert_rows_json(
        table, given, skip_invalid_rows=True, ignore_unknown_values=True
    )
    assert [(one["index"], one["errors"][0]["reason"]) for one in errors] == [(1, "invalid")]
    assert rows(client, table) == [(1, None), (2, None)]


def test_a_row_sent_again_under_its_insert_id_is_stored_once(client, table):
    for _ in range(2):
        assert client.insert_rows_json(table, [{"a": 1}, {"a": 2}], row_ids=["x", "y"]) == []
    assert client.insert_rows_json(table, [{"a": 3}, {"a": 3}], row_ids=["z", "z"]) == []
    assert client.insert_rows_json(table, [{"a": 4}, {"a": 4}], row_ids=[None, None]) == []
    assert rows(client, table) == [(n, None) for n in (1, 2, 3, 4, 4)]


def test_an_insert_id_of_a_row_that_was_not_stored_is_not_remembered(client, table):
    assert client.insert_rows_json(table, [{"a": 1}, {"a": "x"}], row_ids=["x", "y"])
    assert client.insert_rows_json(table, [{"a": 1}, {"a": 2}], row_ids=["x", "y"]) == []
    assert rows(client, table) == [(1, None), (2, None)]


def test_insert_ids_belong_to_one_table_and_end_with_it(client, dataset, table):
    other = client.create_table(bigquery.Table(f"local.{dataset}.u", schema=table.schema))
    for one in (table, other):
        client.insert_rows_json(one, [{"a": 1}], row_ids=["x"])
        assert rows(client, one) == [(1, None)]
    client.delete_table(other)
    other = client.create_table(bigquery.Table(f"local.{dataset}.u", schema=table.schema))
    client.insert_rows_json(other, [{"a": 1}], row_ids=["x"])
    assert rows(client, other) == [(1, None)]


def test_an_insert_id_is_forgotten_after_a_minute(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(insert_ids.time, "monotonic", lambda: now[0])
    ids = insert_ids.InsertIds()
    table = Table(TableName("p", "d", "t"), (), {})
    ids.remember(table, ["a"])
    now[0] = 59.0
    assert ids.new(table, ["a", "b"]) == [1]
    now[0] = 60.0
    assert ids.new(table, ["a", "b"]) == [0, 1]


def test_a_column_added_between_two_inserts_is_filled(client, table):
    client.insert_rows_json(table, [{"a": 1}])
    table.schema = [*table.schema, F("x", "FLOAT64")]
    client.update_table(table, ["schema"])
    assert client.insert_rows_json(table, [{"a": 2, "x": 0.5}]) == []
    assert rows(client, table) == [(1, None, None), (2, None, 0.5)]


def test_a_whole_request_is_refused_where_google_refuses_it(bq, client, dataset, table):
    url = f"{bq.rest}/bigquery/v2/projects/local/datasets/{dataset}/tables"
    client.query_and_wait(f"CREATE VIEW {dataset}.v AS SELECT 1 AS a")
    row = {"json": {"a": 1}}
    for name, body, status in (
        ("t", {"rows": []}, 400),
        ("t", {"rows": [row] * 50_001}, 400),
        ("t", {"rows": [{**row, "insertId": "x" * 129}]}, 400),
        ("t", {"rows": [{"json": 1}]}, 400),
        ("t", {"rows": [row], "templateSuffix": "_x"}, 501),
        ("t", {"rows": [{"json": {"s": "x" * (10 << 20)}}]}, 413),
        ("v", {"rows": [row]}, 400),
        ("nothing", {"rows": [row]}, 404),
    ):
        assert requests.post(f"{url}/{name}/insertAll", json=body, timeout=30).status_code == status
    headers = {"Content-Type": "application/json"}
    broken = requests.post(
        f"{url}/t/insertAll", data=b'{"rows": [{"json"', headers=headers, timeout=30
    )
    assert broken.status_code == 400
    assert rows(client, table) == []
    with pytest.raises(exceptions.NotFound):
        client.insert_rows_json(f"{dataset}.nothing", [{"a": 1}], retry=None)


def test_a_packed_request_is_unpacked_as_googles_java_client_sends_it(bq, client, dataset, table):
    url = f"{bq.rest}/bigquery/v2/projects/local/datasets/{dataset}/tables/t/insertAll"
    body = gzip.compress(json.dumps({"rows": [{"json": {"a": 1}}]}).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    assert requests.post(url, data=body, headers=headers, timeout=30).json() == {
        "kind": "bigquery#tableDataInsertAllResponse"
    }
    assert rows(client, table) == [(1, None)]
    assert requests.post(url, data=b"no gzip", headers=headers, timeout=30).status_code == 400
    bomb = gzip.compress(b" " * (64 << 20))
    assert requests.post(url, data=bomb, headers=headers, timeout=30).status_code == 413


def test_json_however_deep_is_told_as_wrong(client, dataset):
    table = client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("j", "JSON")]))
    deep = "[" * 100_000 + "]" * 100_000
    (error,) = client.insert_rows_json(table, [{"j": "[]"}, {"j": deep}], skip_invalid_rows=True)
    assert (error["index"], error["errors"][0]["reason"]) == (1, "invalid")
    assert [row.j for row in client.list_rows(table)] == [[]]
    url = f"{client._connection.API_BASE_URL}/bigquery/v2{table.path}/insertAll"
    headers = {"Content-Type": "application/json"}
    body = f'{{"rows": [{{"json": {{"j": {deep}}}}}]}}'
    answer = requests.post(url, body, headers=headers, timeout=60)
    assert answer.status_code == 400
