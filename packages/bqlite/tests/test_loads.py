"""Load jobs: CSV, Parquet and newline-delimited JSON, all of a file or nothing of it."""

import gzip
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from google.api_core.exceptions import BadRequest, Conflict, MethodNotImplemented, NotFound
from google.cloud import bigquery

from bqlite.loads import load as load_module

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
        ("NUMERIC", "1_000"), ("JSON", "NaN"), ("INT64", "0x10"), ("INT64", "7.5"),
        ("FLOAT64", "1e400"), ("FLOAT64", "-1e400"), ("FLOAT64", "1_0"),
        ("TIMESTAMP", "0001-01-01 00:00:00+05"), ("TIMESTAMP", "9999-12-31 23:59:59-01:00"),
    ],
)  # fmt: skip
def test_a_csv_value_that_only_duckdb_reads_is_told_with_its_line(client, dataset, kind, text):
    good = {
        "TIMESTAMP": "0001-01-01 00:00:00-05",
        "TIME": "10:30:00",
        "NUMERIC": "1000",
        "JSON": "[]",
        "INT64": "+7",
        "FLOAT64": "inf",
    }.get(kind, "2024-02-29")
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


def test_a_parquet_time_outside_the_years_1_to_9999_is_told(client, dataset):
    seconds = pa.array([0, 253_402_300_800], pa.timestamp("s", "UTC"))
    file = io.BytesIO()
    pq.write_table(pa.table({"at": seconds}), file)
    file.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    with pytest.raises(BadRequest, match="at"):
        client.load_table_from_file(file, f"local.{dataset}.t", job_config=config).result()


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


def load_lines(client, target, *lines, **options):
    return load(client, target, "\n".join(lines), source_format="NEWLINE_DELIMITED_JSON", **options)


def test_rows_whose_first_lacks_a_key_are_detected_whole(client, dataset):
    target = f"{dataset}.t"
    first, last = {"a": 1, "r": {"x": 1}}, {"a": 2.5, "b": "x", "r": {"y": [True]}}
    # More rows between than are read at a time.
    client.load_table_from_json([first, *[{"a": 1}] * 10_000, last], target).result()
    found = {one.name: (one.field_type, one.mode) for one in client.get_table(target).schema}
    assert found == {
        "a": ("FLOAT", "NULLABLE"), "r": ("RECORD", "NULLABLE"), "b": ("STRING", "NULLABLE"),
    }  # fmt: skip
    query = f"SELECT a, b, r.x, r.y FROM {target} WHERE a > 2 OR r.x = 1 ORDER BY a"
    assert [row.values() for row in client.query_and_wait(query)] == [
        (1.0, None, 1, []),
        (2.5, "x", None, [True]),
    ]


WIDE = "12345678901234567890.123456789"


def test_a_json_number_comes_into_numeric_and_json_as_it_is_written(bq, client, dataset):
    schema = [F("n", "NUMERIC"), F("j", "JSON"), F("s", "STRING"), F("x", "FLOAT64")]
    row = f'{{"n": {WIDE}, "j": [{WIDE}, 1.50, 9007199254740993], "s": {WIDE}, "x": {WIDE}}}'
    for target in ("loaded", "inserted"):
        client.create_table(bigquery.Table(f"local.{dataset}.{target}", schema=schema))
    load_lines(client, f"{dataset}.loaded", row, schema=schema)
    tables = f"{bq.rest}/bigquery/v2/projects/local/datasets/{dataset}/tables"
    answer = requests.post(
        f"{tables}/inserted/insertAll",
        data=f'{{"rows": [{{"json": {row}}}]}}',
        headers={"Content-Type": "application/json"},
        timeout=30,
    )
    assert "insertErrors" not in answer.json()
    for target in ("loaded", "inserted"):
        (found,) = requests.get(f"{tables}/{target}/data", timeout=30).json()["rows"]
        n, j, s, x = (cell["v"] for cell in found["f"])
        assert j == f"[{WIDE},1.5,9007199254740993]"
        assert (n, s, float(x)) == (WIDE, WIDE, float(WIDE))


@pytest.mark.parametrize(
    ("kind", "text"),
    [("INT64", "1e999999999"), ("INT64", "1.5"), ("FLOAT64", "1e400"), ("TIMESTAMP", "1e999999999"),
     ("NUMERIC", "0.1234567891"), ("NUMERIC", "1e999999999"), ("FLOAT64", "NaN")],
)  # fmt: skip
def test_a_json_number_that_no_column_holds_is_told_with_its_line(client, dataset, kind, text):
    with pytest.raises(BadRequest, match="line 3"):
        load_lines(client, f"{dataset}.t", '{"v": 1}', "", f'{{"v": {text}}}',
                   schema=[F("v", kind)])  # fmt: skip


@pytest.mark.parametrize(
    ("source_format", "text"),
    [
        ("CSV", "a,b\n1,2\n3,9223372036854775808\n"),
        ("CSV", "a,b\n1,2\n3," + "9" * 5000 + "\n"),
        ("NEWLINE_DELIMITED_JSON", '{"a": 1}\n{"b": [9223372036854775808]}'),
        ("NEWLINE_DELIMITED_JSON", '{"a": 1}\n{"b": {"c": ' + "9" * 4000 + "}}"),
    ],
)
def test_a_whole_number_beyond_int64_is_not_detected_but_told(client, dataset, source_format, text):
    options = {"source_format": source_format, "autodetect": True}
    with pytest.raises(BadRequest, match=r"'b'.*: 9.*give one, with NUMERIC"):
        load(client, f"{dataset}.t", text, **options)


PACKED = [
    ("CSV", b"1,x\n2,y\n"),
    ("NEWLINE_DELIMITED_JSON", b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}'),
]


@pytest.mark.parametrize(("source_format", "content"), PACKED)
def test_a_file_packed_by_gzip_is_unpacked(client, dataset, source_format, content):
    schema, target = [F("a", "INT64"), F("b", "STRING")], f"{dataset}.t"
    twice = gzip.compress(content[:3]) + gzip.compress(content[3:])  # as `cat` joins two
    for packed in (gzip.compress(content), twice):
        load(client, target, packed, source_format=source_format, schema=schema)
    assert rows(client, target) == [(1, "x"), (2, "y")] * 2
    detected = load(client, f"{dataset}.u", gzip.compress(content), source_format=source_format,
                    autodetect=True)  # fmt: skip
    assert detected.output_rows == {"CSV": 1}.get(source_format, 2)  # the first line names columns


@pytest.mark.parametrize(("source_format", "content"), PACKED)
def test_gzip_that_is_cut_or_broken_loads_nothing_and_says_so(
    client, dataset, source_format, content
):
    whole = gzip.compress((content + b"\n") * 1000)
    for packed in (whole[:-12], whole[:-4], whole[:-8] + bytes(4) + whole[-4:], b"\x1f\x8bno"):
        with pytest.raises(BadRequest, match="gzip"):
            load(client, f"{dataset}.t", packed, source_format=source_format,
                 schema=[F("a", "INT64"), F("b", "STRING")])  # fmt: skip
    with pytest.raises(NotFound):
        client.get_table(f"{dataset}.t")


def test_a_packed_file_that_unpacks_to_more_than_the_limit_loads_nothing_and_is_told(
    client, dataset, monkeypatch
):
    monkeypatch.setattr(load_module, "MAX_UNPACKED_BYTES", 1_000_000)
    schema = [F("a", "STRING")]
    packed = gzip.compress(b"x\n" * 600_000)
    with pytest.raises(BadRequest, match="more than 1,000,000 bytes once it is unpacked"):
        load(client, f"{dataset}.t", packed, schema=schema)
    with pytest.raises(NotFound):
        client.get_table(f"{dataset}.t")
    load(client, f"{dataset}.t", gzip.compress(b"x\n" * 400_000), schema=schema)
    assert client.get_table(f"{dataset}.t").num_rows == 400_000


def test_a_request_that_nests_too_deep_is_wrong_and_no_failure_of_bqlite(bq, dataset):
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    headers = {"Content-Type": "application/json"}
    for path in ("queries", "jobs", "datasets", f"datasets/{dataset}/tables"):
        url = f"{bq.rest}/bigquery/v2/projects/local/{path}"
        assert requests.post(url, data=deep, headers=headers, timeout=30).status_code == 400
    url = f"{bq.rest}/upload/bigquery/v2/projects/local/jobs?uploadType="
    assert requests.post(f"{url}resumable", deep, headers=headers, timeout=30).status_code == 400
    parts = f"--b\r\ncontent-type: application/json\r\n\r\n{deep}\r\n--b\r\n\r\n1\r\n--b--"
    headers = {"Content-Type": "multipart/related; boundary=b"}
    assert requests.post(f"{url}multipart", parts, headers=headers, timeout=30).status_code == 400


# One list, whichever way a text comes: a CSV or JSON file, insertAll, a parameter or CAST.
FORMS = {
    "DATE": (
        ["2024-1-2", "2024-01-02", "2024-01-02 10:00:00", "2024-01-02T10:00:00+02", " 2024-01-02 "],
        ["2024-01-02t10:00:00", "2024-01-02 10", "2024/01/02", "20240102", "10000-01-01"],
    ),
    "TIME": (
        ["1:2:3", "10:30", "10:30:00.", "10:30:00.5", "10:30:00.123456", " 10:30:00 "],
        ["10", "24:00:00", "10:30:60", "10:30:00.1234567", "10:30:00Z"],
    ),
    "DATETIME": (
        ["2024-1-2", "2024-01-02 1:2:3", "2024-01-02T10:30", "2024-01-02T10:00:00.25"],
        ["2024-01-02t10:00:00", "2024-01-02 10", "2024-01-02  10:00:00", "2024-01-02 10:00:00Z"],
    ),
    "TIMESTAMP": (
        ["2024-1-2", "2024-01-02 1:2:3 UTC", "2024-01-02T10:00:00Z", "2024-01-02 10:00:00+02",
         "2024-01-02 10:00:00-0230", "2024-01-02 10:00:00-02:30", "2024-01-02 10:00:00 utc",
         "2024-07-02 10:00:00 America/New_York", "2024-01-02 10:00:00.000001"],
        ["2024-01-02+02", "2024-01-02 UTC", "2024-01-02 10:00:00z", "2024-01-02 10:00:00 +02:00",
         "1700000000", "2024-01-02 10:00:00+2", "2024-01-02 10:00:00 Nowhere/Land"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMS)
def test_a_text_means_the_same_moment_whichever_way_it_comes(client, dataset, kind):
    good, bad = FORMS[kind]
    schema = [F("i", "INT64"), F("v", kind)]
    lines = [{"i": i, "v": text} for i, text in enumerate(good)]
    table = client.create_table(bigquery.Table(f"local.{dataset}.inserted", schema=schema))
    assert client.insert_rows_json(table, lines) == []
    client.load_table_from_json(
        lines, f"{dataset}.json", job_config=bigquery.LoadJobConfig(schema=schema)
    ).result()
    load(client, f"{dataset}.csv", "".join(f'{i},"{t}"\n' for i, t in enumerate(good)),
         schema=schema)  # fmt: skip
    texts = bigquery.ArrayQueryParameter("texts", "STRING", good)
    config = bigquery.QueryJobConfig(query_parameters=[texts])
    cast = client.query_and_wait(
        f"SELECT i, CAST(t AS {kind}) AS v FROM UNNEST(@texts) AS t WITH OFFSET AS i",
        job_config=config,
    )
    wanted = sorted(row.values() for row in cast)
    for name in ("inserted", "json", "csv"):
        assert sorted(rows(client, f"{dataset}.{name}")) == wanted
    for text in bad:
        (error,) = client.insert_rows_json(table, [{"v": text}])
        assert error["errors"][0]["reason"] == "invalid"
        with pytest.raises(BadRequest, match="line 1"):
            load(client, f"{dataset}.csv", f'1,"{text}"\n', schema=schema)
        with pytest.raises(BadRequest):
            client.query_and_wait(f"SELECT CAST(t AS {kind}) AS v FROM UNNEST(['{text}']) AS t")


@pytest.mark.parametrize("text", ["1e-10", "1.0000000001", "123456789012345678901234567890", "nan"])
def test_a_csv_number_that_numeric_cannot_hold_is_told_and_not_rounded(client, dataset, text):
    schema = [F("v", "NUMERIC")]
    with pytest.raises(BadRequest, match="line 3, column 'v': expected NUMERIC, found"):
        load(client, f"{dataset}.t", f"1.123456789\n1.50e1\n{text}\n", schema=schema)
