"""Load jobs: CSV, Parquet and newline-delimited JSON, all of a file or nothing of it."""

import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound
from google.cloud import bigquery

F = bigquery.SchemaField
SCHEMA = [F("id", "STRING"), F("amount", "FLOAT64"), F("n", "INT64"), F("at", "TIMESTAMP")]


def load(client, target, content, **options):
    config = bigquery.LoadJobConfig(**{"source_format": "CSV", **options})
    data = content if isinstance(content, bytes) else content.encode()
    return client.load_table_from_file(io.BytesIO(data), target, job_config=config).result()


def rows(client, target):
    return [row.values() for row in client.list_rows(target)]


def test_a_csv_file_is_loaded_with_quotes_nulls_and_exponents(client, dataset):
    text = (
        'id,amount,n,at\n"a,""b""",1e+05,"7",2024-01-01 00:00:00 UTC\n,,,\n'
        '"",1.5,2,2024-01-02T03:04:05.000006Z\n'
    )
    job = load(client, f"{dataset}.t", text, schema=SCHEMA, skip_leading_rows=1)
    assert job.output_rows == 3
    got = rows(client, f"{dataset}.t")
    assert got[0][:3] == ('a,"b"', 100000.0, 7)
    assert got[1] == (None, None, None, None)
    assert got[2][0] == ""
    assert got[2][3].microsecond == 6


def test_a_null_marker_and_another_delimiter_are_heeded(client, dataset):
    load(
        client, f"{dataset}.t", "x;\\N\n", schema=[F("a", "STRING"), F("b", "INT64")],
        field_delimiter=";", null_marker="\\N",
    )  # fmt: skip
    assert rows(client, f"{dataset}.t") == [("x", None)]


@pytest.mark.parametrize(
    ("line", "wanted"),
    [("a,b,7,2024-01-01", "amount"), ("a,1,7.5,2024-01-01", "'n'"), ("a,1,7,soon", "'at'")],
)
def test_a_bad_csv_value_names_line_and_column_and_loads_nothing(client, dataset, line, wanted):
    good = "a,1,7,2024-01-01\n"
    load(client, f"{dataset}.t", good, schema=SCHEMA)
    with pytest.raises(BadRequest) as refusal:
        load(client, f"{dataset}.t", good * 3 + line + "\n", schema=SCHEMA)
    assert wanted in refusal.value.message
    assert "4" in refusal.value.message
    assert len(rows(client, f"{dataset}.t")) == 1


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("DATE", "2024/02/29"), ("DATE", "epoch"), ("TIME", "10:30:00.1234567"),
        ("DATETIME", "2024-01-01 10:00:00+02"), ("TIMESTAMP", "infinity"),
        ("NUMERIC", "1_000"), ("JSON", "NaN"),
    ],
)  # fmt: skip
def test_a_csv_value_that_only_duckdb_reads_is_told_with_its_line(client, dataset, kind, text):
    good = {"TIME": "10:30:00", "NUMERIC": "1000", "JSON": "[]"}.get(kind, "2024-02-29")
    schema = [F("a", "INT64"), F("v", kind)]
    with pytest.raises(BadRequest, match=f"line 3, column 'v': expected {kind}, found"):
        load(client, f"{dataset}.t", f"1,{good}\n2,\n3,{text}\n", schema=schema)


def test_dispositions_append_truncate_and_demand_an_empty_table(client, dataset):
    target, schema = f"{dataset}.t", [F("a", "INT64")]
    load(client, target, "1\n", schema=schema)
    load(client, target, "2\n", schema=schema, write_disposition="WRITE_APPEND")
    assert rows(client, target) == [(1,), (2,)]
    with pytest.raises(Conflict):
        load(client, target, "3\n", schema=schema, write_disposition="WRITE_EMPTY")
    load(client, target, "4\n", schema=schema, write_disposition="WRITE_TRUNCATE")
    assert rows(client, target) == [(4,)]
    with pytest.raises(NotFound):
        load(client, f"{dataset}.u", "1\n", schema=schema, create_disposition="CREATE_NEVER")


def test_a_load_keeps_layout_and_required_columns(client, dataset):
    load(
        client, f"{dataset}.t", "1,2024-01-01\n",
        schema=[F("a", "INT64", "REQUIRED"), F("d", "DATE")], clustering_fields=["a"],
        time_partitioning=bigquery.TimePartitioning(field="d"),
    )  # fmt: skip
    table = client.get_table(f"{dataset}.t")
    assert table.schema[0].mode == "REQUIRED"
    assert table.time_partitioning.field == "d"
    with pytest.raises(BadRequest, match="'a'"):
        load(client, f"{dataset}.t", ",2024-01-01\n", schema=table.schema)


def test_without_a_schema_the_table_or_the_file_tells_it(client, dataset):
    load(client, f"{dataset}.t", "a,b\n1,x\n", autodetect=True)
    assert [f.field_type for f in client.get_table(f"{dataset}.t").schema] == ["INTEGER", "STRING"]
    load(client, f"{dataset}.t", "2,y\n")
    assert rows(client, f"{dataset}.t") == [(1, "x"), (2, "y")]
    with pytest.raises(BadRequest, match="no schema"):
        load(client, f"{dataset}.u", "1\n")


def test_a_file_larger_than_one_piece_is_uploaded_in_pieces(client, dataset, monkeypatch):
    monkeypatch.setattr("google.cloud.bigquery.client._DEFAULT_CHUNKSIZE", 256 * 1024)
    text = "".join(f"{i},{'x' * 50}\n" for i in range(20_000))
    load(client, f"{dataset}.t", text, schema=[F("a", "INT64"), F("s", "STRING")])
    (row,) = client.query_and_wait(f"SELECT COUNT(*) AS n, SUM(a) AS s FROM {dataset}.t")
    assert row.values() == (20_000, sum(range(20_000)))


def test_who_asks_for_a_load_that_runs_is_told_once_it_has_ended(client, dataset):
    content = "".join(f"{number},{number / 7}\n" for number in range(200_000)).encode()
    config = bigquery.LoadJobConfig(
        schema=[F("n", "INT64"), F("x", "FLOAT64")], source_format="CSV"
    )
    job = client.load_table_from_file(io.BytesIO(content), f"{dataset}.t", job_config=config)
    asked = 0
    while job.state != "DONE":
        job.reload()
        asked += 1
    assert job.output_rows == 200_000
    assert 0 < asked < 20  # each is held a while; one that is not takes milliseconds


def test_an_empty_file_loads_no_rows(client, dataset):
    assert load(client, f"{dataset}.t", "", schema=[F("a", "INT64")]).output_rows == 0
    assert client.get_table(f"{dataset}.t").num_rows == 0


def test_a_parquet_file_brings_its_own_schema(client, dataset):
    table = pa.table({"a": [1, None], "s": ["x", "y"], "l": [[1.5], []]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    load(client, f"{dataset}.t", sink.getvalue(), source_format="PARQUET")
    assert rows(client, f"{dataset}.t") == [(1, "x", [1.5]), (None, "y", [])]
    with pytest.raises(BadRequest, match="'s'"):
        load(
            client,
            f"{dataset}.u",
            sink.getvalue(),
            source_format="PARQUET",
            schema=[F("a", "INT64")],
        )
    with pytest.raises(BadRequest, match="Parquet"):
        load(client, f"{dataset}.u", b"not parquet", source_format="PARQUET")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::PendingDeprecationWarning")
def test_a_dataframe_is_loaded_and_read_back(client, read_client, dataset):
    frame = pd.DataFrame({"a": [1, 2], "x": [0.1, float("nan")], "s": ["ü", "b"]})
    client.load_table_from_dataframe(frame, f"{dataset}.t").result()
    back = client.list_rows(f"{dataset}.t").to_dataframe(bqstorage_client=read_client)
    assert back.a.tolist() == [1, 2]
    assert back.s.tolist() == ["ü", "b"]


def test_json_lines_are_loaded_with_records_and_arrays(client, dataset):
    schema = [
        F("a", "INT64"),
        F("r", "RECORD", fields=[F("x", "STRING"), F("y", "FLOAT64")]),
        F("l", "STRING", mode="REPEATED"),
        F("j", "JSON"),
        F("d", "NUMERIC"),
    ]
    line = {"a": "7", "r": {"x": "q", "y": 1}, "l": ["u", "v"], "j": {"k": [1]}, "d": "1.5"}
    text = json.dumps(line) + "\n\n" + json.dumps({"a": None}) + "\n"
    load(client, f"{dataset}.t", text, schema=schema, source_format="NEWLINE_DELIMITED_JSON")
    first, second = rows(client, f"{dataset}.t")
    assert first[:4] == (7, {"x": "q", "y": 1.0}, ["u", "v"], {"k": [1]})
    assert str(first[4]) == "1.500000000" or first[4] == 1.5
    assert second == (None, None, [], None, None)


def test_a_list_of_dicts_is_loaded_with_a_detected_schema(client, dataset):
    client.load_table_from_json([{"a": 1, "s": "x"}], f"{dataset}.t").result()
    assert rows(client, f"{dataset}.t") == [(1, "x")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": "x"}\n', "line 2, column 'a'"),
        ('{"a": 1}\n{"b": 1}\n', "line 2, column 'b': no such field: b"),
        ('{"a": 1}\nnot json\n', "line 2"),
        ('{"a": 1}\n[1]\n', "line 2"),
        ('{"a": 1.5}\n', "line 1, column 'a'"),
    ],
)
def test_a_bad_json_line_is_named_and_nothing_is_loaded(client, dataset, text, message):
    with pytest.raises(BadRequest) as refusal:
        load(
            client, f"{dataset}.t", text, schema=[F("a", "INT64")],
            source_format="NEWLINE_DELIMITED_JSON",
        )  # fmt: skip
    assert message in refusal.value.message
    with pytest.raises(NotFound):
        client.get_table(f"{dataset}.t")


def test_what_a_load_has_not_is_refused_by_name(client, dataset):
    with pytest.raises(MethodNotImplemented, match="AVRO"):
        load(client, f"{dataset}.t", "x", source_format="AVRO", autodetect=True)
    with pytest.raises(MethodNotImplemented, match="maxBadRecords"):
        load(client, f"{dataset}.t", "x", schema=[F("a", "INT64")], max_bad_records=3)
    with pytest.raises(MethodNotImplemented, match="load"):
        client.load_table_from_uri("gs://b/f", f"{dataset}.t").result()


def test_a_load_or_query_may_add_columns_where_it_says_so(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 1 AS a")
    allowed = {
        "write_disposition": "WRITE_APPEND",
        "schema_update_options": ["ALLOW_FIELD_ADDITION"],
    }
    with pytest.raises(BadRequest, match="Cannot add fields"):
        client.load_table_from_json(
            [{"a": 2, "b": "x"}], f"{dataset}.t",
            job_config=bigquery.LoadJobConfig(schema=[F("a", "INT64"), F("b", "STRING")]),
        ).result()  # fmt: skip
    client.load_table_from_json(
        [{"a": 2, "b": "x"}], f"{dataset}.t",
        job_config=bigquery.LoadJobConfig(autodetect=True, **allowed),
    ).result()  # fmt: skip
    client.query_and_wait(
        "SELECT 3 AS a, 0.5 AS c",
        job_config=bigquery.QueryJobConfig(destination=f"local.{dataset}.t", **allowed),
    )
    rows = client.query_and_wait(f"SELECT a, b, c FROM {dataset}.t ORDER BY a")
    assert [row.values() for row in rows] == [(1, None, None), (2, "x", None), (3, None, 0.5)]
    with pytest.raises(MethodNotImplemented, match="ALLOW_FIELD_RELAXATION"):
        client.load_table_from_json(
            [{"a": 2}], f"{dataset}.t",
            job_config=bigquery.LoadJobConfig(schema_update_options=["ALLOW_FIELD_RELAXATION"]),
        ).result()  # fmt: skip


def test_values_the_table_lacks_are_left_out_of_json_on_request(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64, r STRUCT<x INT64>)")
    client.load_table_from_json(
        [{"a": 1, "z": 2, "r": {"x": 3, "y": 4}}], f"{dataset}.t",
        job_config=bigquery.LoadJobConfig(
            ignore_unknown_values=True, write_disposition="WRITE_APPEND"
        ),
    ).result()  # fmt: skip
    assert [row.values() for row in client.list_rows(f"{dataset}.t")] == [(1, {"x": 3})]
