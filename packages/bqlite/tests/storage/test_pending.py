"""PENDING streams: rows that wait, and become visible all at once or not at all."""

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from google.rpc import code_pb2

import bqlite
from appends import Connection, arrow_request, committed

Codes = types.StorageError.StorageErrorCode


@pytest.fixture
def table(client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (n INT64 NOT NULL)")
    return f"projects/local/datasets/{dataset}/tables/t"


def pending(client, parent):
    stream = types.WriteStream(type_=types.WriteStream.Type.PENDING)
    return client.create_write_stream(parent=parent, write_stream=stream).name


def numbers(client, table):
    name = ".".join(table.split("/")[3::2])
    return sorted(row.n for row in client.query_and_wait(f"SELECT n FROM {name}"))


def append(client, stream, *values, offset=0):
    with Connection(client) as connection:
        rows = pa.table({"n": values})
        return connection.send(arrow_request(rows, stream=stream, offset=offset))


def commit(client, parent, *streams):
    request = types.BatchCommitWriteStreamsRequest(parent=parent, write_streams=streams)
    return client.batch_commit_write_streams(request=request)


def test_rows_wait_until_their_streams_are_committed_together(client, write_client, table):
    first, second = pending(write_client, table), pending(write_client, table)
    assert append(write_client, first, 1, 2).append_result.offset == 0
    assert append(write_client, first, 3, offset=2).append_result.offset == 2
    assert append(write_client, second, 10).append_result.offset == 0
    for stream, count in ((first, 3), (second, 1)):
        assert write_client.finalize_write_stream(name=stream).row_count == count
    assert numbers(client, table) == []
    assert client.get_table(".".join(table.split("/")[1::2])).num_rows == 0
    answer = commit(write_client, table, first, second)
    assert not answer.stream_errors
    assert numbers(client, table) == [1, 2, 3, 10]
    described = write_client.get_write_stream(name=first)
    assert described.type_ == types.WriteStream.Type.PENDING
    assert described.commit_time == answer.commit_time


def test_no_stream_is_committed_if_one_of_them_cannot_be(client, write_client, table):
    good, open_, done = (pending(write_client, table) for _ in range(3))
    other = committed(write_client, table)
    for number, stream in enumerate((good, open_, done, other)):
        append(write_client, stream, number)
    for stream in (good, done, other):
        write_client.finalize_write_stream(name=stream)
    assert not commit(write_client, table, done).stream_errors
    answer = commit(write_client, table, good, open_, done, other, f"{table}/streams/x")
    assert "commit_time" not in answer
    assert [(one.entity, one.code) for one in answer.stream_errors] == [
        (open_, Codes.INVALID_STREAM_STATE),
        (done, Codes.STREAM_ALREADY_COMMITTED),
        (other, Codes.INVALID_STREAM_TYPE),
        (f"{table}/streams/x", Codes.STREAM_NOT_FOUND),
    ]
    assert numbers(client, table) == [2, 3]
    with pytest.raises(exceptions.InvalidArgument, match="does not belong"):
        commit(write_client, table + "x", good)


def test_offsets_and_bad_rows_are_told_as_in_a_committed_stream(client, write_client, table):
    stream = pending(write_client, table)
    append(write_client, stream, 1)
    assert append(write_client, stream, 1).error.code == code_pb2.ALREADY_EXISTS
    assert append(write_client, stream, 1, offset=2).error.code == code_pb2.OUT_OF_RANGE
    bad = append(write_client, stream, None, offset=1)
    assert [one.index for one in bad.row_errors] == [0]
    write_client.finalize_write_stream(name=stream)
    with pytest.raises(exceptions.InvalidArgument, match="finalized"):
        append(write_client, stream, 2, offset=1)
    commit(write_client, table, stream)
    assert numbers(client, table) == [1]


def test_a_column_added_while_rows_wait_is_null_in_them(client, write_client, table):
    name = ".".join(table.split("/")[3::2])
    stream = pending(write_client, table)
    append(write_client, stream, 1)
    client.query_and_wait(f"ALTER TABLE {name} ADD COLUMN s STRING")
    with Connection(write_client) as connection:
        rows = pa.table({"n": [2], "s": ["x"]})
        assert not connection.send(arrow_request(rows, stream=stream, offset=1)).error.code
    write_client.finalize_write_stream(name=stream)
    commit(write_client, table, stream)
    found = client.query_and_wait(f"SELECT n, s FROM {name} ORDER BY n")
    assert [row.values() for row in found] == [(1, None), (2, "x")]


def test_a_dropped_table_takes_the_waiting_rows_with_it(client, write_client, table):
    name = ".".join(table.split("/")[3::2])
    stream = pending(write_client, table)
    append(write_client, stream, 1)
    client.query_and_wait(f"DROP TABLE {name}")
    client.query_and_wait(f"CREATE TABLE {name} (n INT64 NOT NULL)")
    with pytest.raises(exceptions.NotFound):
        append(write_client, stream, 2, offset=1)
    assert numbers(client, table) == []


def test_waiting_rows_survive_a_restart_and_expire_with_their_stream(tmp_path):
    with bqlite.serve(tmp_path) as bq:
        client, writer = bq.client(), bq.write_client()
        client.create_dataset("d")
        client.create_table(bigquery.Table("local.d.t", [bigquery.SchemaField("n", "INT64")]))
        parent = "projects/local/datasets/d/tables/t"
        kept, expired = pending(writer, parent), pending(writer, parent)
        for stream in (kept, expired):
            append(writer, stream, 1, 2)
    with bqlite.serve(tmp_path, faults=True) as bq:
        client, writer = bq.client(), bq.write_client()
        assert append(writer, kept, 3, offset=2).append_result.offset == 2
        assert writer.finalize_write_stream(name=kept).row_count == 3
        arm = {"call": "GetWriteStream", "effect": "expire_stream"}
        client._connection.http.post(f"{bq.rest}/bqlite/faults", json=arm)
        with pytest.raises(exceptions.NotFound):
            writer.get_write_stream(name=expired)
        commit(writer, parent, kept)
        assert numbers(client, parent) == [1, 2, 3]


@pytest.mark.parametrize("is_loaded", [True, False])
def test_new_columns_of_a_table_end_its_streams_with_rows_of_the_old_ones(
    client, write_client, dataset, is_loaded
):
    target = f"local.{dataset}.t"
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64, b INT64)")
    table = f"projects/local/datasets/{dataset}/tables/t"
    stream, rows = pending(write_client, table), pa.table({"a": [1], "b": [2]})
    with Connection(write_client) as connection:
        connection.send(arrow_request(rows, stream=stream, offset=0))
        if is_loaded:
            columns = [bigquery.SchemaField(name, "INT64") for name in "ba"]
            load = bigquery.LoadJobConfig(schema=columns, write_disposition="WRITE_TRUNCATE")
            client.load_table_from_json([{"a": 1, "b": 2}], target, job_config=load).result()
        else:
            query = bigquery.QueryJobConfig(destination=target, write_disposition="WRITE_TRUNCATE")
            client.query_and_wait("SELECT 2 AS b, 1 AS a", job_config=query)
        with pytest.raises(exceptions.NotFound):
            connection.send(arrow_request(rows, offset=1, with_schema=False))
    (error,) = commit(write_client, table, stream).stream_errors
    assert error.code == Codes.STREAM_NOT_FOUND
    assert [dict(row) for row in client.list_rows(target)] == [{"b": 2, "a": 1}]
