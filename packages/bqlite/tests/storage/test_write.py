"""Storage Write: offsets, what is refused and how, and every type bit for bit."""

# ruff: noqa: DTZ001  # a DATETIME has no time zone

import datetime as dt
import time
from decimal import Decimal

import grpc
import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import code_pb2

import appends
from appends import Connection, arrow_request, committed

F = bigquery.SchemaField
Codes = types.StorageError.StorageErrorCode


@pytest.fixture
def table(client, dataset):
    """A table of a REQUIRED INT64 and a STRING, and its name as the Storage API writes it."""
    client.create_table(
        bigquery.Table(f"local.{dataset}.t", schema=[F("a", "INT64", "REQUIRED"), F("s", "STRING")])
    )
    return f"projects/local/datasets/{dataset}/tables/t"


def rows(client, table):
    _, _, _, dataset, _, name = table.split("/")
    return sorted(row.values() for row in client.list_rows(f"{dataset}.{name}"))


def some(*numbers):
    return pa.table({"a": pa.array(numbers, pa.int64()), "s": [str(n) for n in numbers]})


@pytest.mark.parametrize("suffix", ["/streams/_default", "/_default"])
def test_the_default_stream_takes_rows_by_both_its_names(client, write_client, table, suffix):
    with Connection(write_client) as connection:
        answer = connection.send(arrow_request(some(1), stream=table + suffix))
        assert not answer.error.code
        assert connection.send(arrow_request(some(2), with_schema=False)).write_stream
    assert rows(client, table) == [(1, "1"), (2, "2")]


def test_a_committed_stream_takes_rows_at_its_end_and_says_where(client, write_client, table):
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        first = connection.send(arrow_request(some(1, 2), stream=stream, offset=0))
        second = connection.send(arrow_request(some(3), offset=2, with_schema=False))
        third = connection.send(arrow_request(some(4), with_schema=False))
    assert [a.append_result.offset for a in (first, second, third)] == [0, 2, 3]
    assert first.write_stream == stream
    assert rows(client, table) == [(n, str(n)) for n in (1, 2, 3, 4)]


def test_an_append_repeated_at_the_same_offset_is_told_already_exists(client, write_client, table):
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        connection.send(arrow_request(some(1, 2), stream=stream, offset=0))
        answer = connection.send(arrow_request(some(1, 2), offset=0, with_schema=False))
        assert answer.error.code == code_pb2.ALREADY_EXISTS
        assert "expected offset 2, received 0 Entity: projects" in answer.error.message
        error = appends.storage_error(answer.error)
        assert (error.code, error.entity) == (Codes.OFFSET_ALREADY_EXISTS, stream)
        # The connection lives on.
        assert not connection.send(arrow_request(some(3), offset=2, with_schema=False)).error.code
    assert len(rows(client, table)) == 3


def test_an_offset_beyond_the_end_is_out_of_range(client, write_client, table):
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        answer = connection.send(arrow_request(some(1), stream=stream, offset=5))
    assert answer.error.code == code_pb2.OUT_OF_RANGE
    assert appends.storage_error(answer.error).code == Codes.OFFSET_OUT_OF_RANGE
    assert rows(client, table) == []


def test_a_finalized_stream_takes_no_more_rows_and_keeps_its_count(write_client, table):
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        connection.send(arrow_request(some(1, 2), stream=stream, offset=0))
        for _ in range(2):
            assert write_client.finalize_write_stream(name=stream).row_count == 2
        with pytest.raises(exceptions.InvalidArgument) as refusal:
            connection.send(arrow_request(some(3), offset=2, with_schema=False))
    error = appends.storage_error(refusal.value)
    assert (error.code, error.entity) == (Codes.STREAM_FINALIZED, stream)


def test_a_stream_that_does_not_exist_is_not_found(client, write_client, table):
    for call in (
        lambda: Connection(write_client).send(arrow_request(some(1), stream=f"{table}/streams/x")),
        lambda: Connection(write_client).send(arrow_request(some(1), stream=f"{table}x/_default")),
        lambda: write_client.finalize_write_stream(name=f"{table}/streams/x"),
        lambda: write_client.get_write_stream(name=f"{table}/streams/x"),
    ):
        with pytest.raises(exceptions.NotFound) as refusal:
            call()
        assert appends.storage_error(refusal.value).code == Codes.STREAM_NOT_FOUND


def test_a_dropped_table_ends_its_streams(client, write_client, table):
    stream = committed(write_client, table)
    connection = Connection(write_client)
    connection.send(arrow_request(some(1), stream=stream, offset=0))
    client.delete_table(".".join(table.split("/")[1::2]))
    with pytest.raises(exceptions.NotFound):
        connection.send(arrow_request(some(2), offset=1, with_schema=False))


def test_get_write_stream_tells_the_schema_in_the_full_view(write_client, table):
    stream = committed(write_client, table)
    for name in (stream, f"{table}/streams/_default", f"{table}/_default"):
        request = types.GetWriteStreamRequest(name=name, view=types.WriteStreamView.FULL)
        got = write_client.get_write_stream(request=request)
        assert [(f.name, f.type_.name, f.mode.name) for f in got.table_schema.fields] == [
            ("a", "INT64", "REQUIRED"),
            ("s", "STRING", "NULLABLE"),
        ]
        assert got.type_ == types.WriteStream.Type.COMMITTED
    assert not write_client.get_write_stream(name=stream).table_schema.fields


def test_bad_rows_are_named_and_no_row_of_the_request_is_stored(client, write_client, table):
    stream = committed(write_client, table)
    bad = pa.table({"a": pa.array([1, None, 3, None], pa.int64())})
    with Connection(write_client) as connection:
        answer = connection.send(arrow_request(bad, stream=stream, offset=0))
        assert answer.error.code == code_pb2.INVALID_ARGUMENT
        assert [(e.index, e.code.name) for e in answer.row_errors] == [
            (1, "FIELDS_ERROR"),
            (3, "FIELDS_ERROR"),
        ]
        assert "a is REQUIRED" in answer.row_errors[0].message
        good = pa.table({"a": pa.array([1], pa.int64())})
        assert not connection.send(arrow_request(good, offset=0)).error.code
    assert rows(client, table) == [(1, None)]


def test_a_required_column_left_out_is_a_row_error(write_client, table):
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(pa.table({"s": ["x"]}), stream=f"{table}/streams/_default")
        )
    assert [e.index for e in answer.row_errors] == [0]


def test_an_unknown_column_is_told_as_extra_fields(client, write_client, table):
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(pa.table({"a": [1], "z": [2]}), stream=f"{table}/streams/_default")
        )
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    error = appends.storage_error(answer.error)
    assert error.code == Codes.SCHEMA_MISMATCH_EXTRA_FIELDS
    assert "'z'" in error.error_message
    assert rows(client, table) == []


@pytest.mark.parametrize(
    "column",
    [pa.array(["1"]), pa.array([1.0]), pa.array([True]), pa.array([[1]]), pa.array([b"1"])],
    ids=str,
)
def test_a_column_of_the_wrong_type_is_refused(client, write_client, table, column):
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(pa.table({"a": column}), stream=f"{table}/streams/_default")
        )
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    assert "'a': expected INT64" in answer.error.message
    assert rows(client, table) == []


def test_bytes_that_are_no_arrow_are_refused_and_the_server_lives(client, write_client, table):
    request = arrow_request(some(1, 2, 3), stream=f"{table}/streams/_default")
    whole = request.arrow_rows.rows.serialized_record_batch
    with Connection(write_client) as connection:
        for broken in (b"", b"garbage", whole[:-20], whole[:40] + bytes(64) + whole[104:]):
            request.arrow_rows.rows.serialized_record_batch = broken
            assert connection.send(request).error.code == code_pb2.INVALID_ARGUMENT
        request.arrow_rows.writer_schema.serialized_schema = b"nonsense"
        assert connection.send(request).error.code == code_pb2.INVALID_ARGUMENT
    assert rows(client, table) == []


def test_a_request_over_ten_megabytes_is_refused_in_words(client, write_client, table):
    big = pa.table({"a": [1], "s": ["x" * (11 << 20)]})
    with Connection(write_client) as connection:
        answer = connection.send(arrow_request(big, stream=f"{table}/streams/_default"))
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    assert "append fewer rows" in answer.error.message
    assert rows(client, table) == []


def compressed(request, batch, codec):
    """The request with the batch as Arrow packs it."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    _, packed = pa.ipc.MessageReader.open_stream(sink.getvalue())
    request.arrow_rows.rows.serialized_record_batch = packed.serialize().to_pybytes()
    return request


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_compressed_batch_is_stored_as_any_other(client, write_client, table, codec):
    (batch,) = some(*range(1000)).to_batches()
    request = arrow_request(some(1), stream=f"{table}/streams/_default")
    with Connection(write_client) as connection:
        assert not connection.send(compressed(request, batch, codec)).error.code
    assert rows(client, table) == sorted((n, str(n)) for n in range(1000))


def nulls_in_an_array(count):
    return pa.ListArray.from_arrays(pa.array([0, count], pa.int32()), pa.nulls(count))


@pytest.mark.parametrize(
    "rows_of",
    [
        lambda: pa.table({"a": pa.nulls(50_000_000)}),
        lambda: pa.table({"tags": nulls_in_an_array(2_000_000_000)}),
        lambda: pa.table({"a": pa.nulls(4_000_000)}),  # three columns in all
    ],
    ids=["rows", "items", "columns left out"],
)
def test_a_few_bytes_that_mean_millions_of_nulls_are_refused(
    client, write_client, dataset, rows_of
):
    client.query_and_wait(f"CREATE TABLE {dataset}.n (a INT64, s STRING, tags ARRAY<STRING>)")
    request = arrow_request(
        rows_of(), stream=f"projects/local/datasets/{dataset}/tables/n/streams/_default"
    )
    assert len(request.arrow_rows.rows.serialized_record_batch) < 1000
    with Connection(write_client) as connection:
        answer = connection.send(request)
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    assert "append fewer rows at a time" in answer.error.message
    assert client.get_table(f"{dataset}.n").num_rows == 0


def test_a_batch_that_unpacks_to_hundreds_of_megabytes_is_refused(client, write_client, table):
    batch = pa.record_batch({"a": [1], "s": ["x" * (100 << 20)]})
    request = compressed(arrow_request(some(1), stream=f"{table}/streams/_default"), batch, "zstd")
    assert len(request.arrow_rows.rows.serialized_record_batch) < 100_000
    with Connection(write_client) as connection:
        answer = connection.send(request)
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    assert "bytes when unpacked" in answer.error.message
    assert rows(client, table) == []


def test_millions_of_empty_protobuf_rows_are_refused(client, write_client, dataset):
    columns = ", ".join(f"c{number} INT64" for number in range(20))
    client.query_and_wait(f"CREATE TABLE {dataset}.p ({columns})")
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    descriptor.field.add(name="c0", number=1, type=3, label=1)
    request = appends.proto_request(
        [b""] * 600_000,
        stream=f"projects/local/datasets/{dataset}/tables/p/streams/_default",
        descriptor=descriptor,
    )
    with Connection(write_client) as connection:
        answer = connection.send(request)
    assert answer.error.code == code_pb2.INVALID_ARGUMENT
    assert "600,000 rows and 12,000,000 values" in answer.error.message
    assert client.get_table(f"{dataset}.p").num_rows == 0


def test_a_column_added_under_a_live_stream_is_told_with_the_next_answer(
    client, write_client, table
):
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        first = connection.send(arrow_request(some(1), stream=stream, offset=0))
        assert not first.updated_schema.fields
        name = ".".join(table.split("/")[1::2])
        resource = client.get_table(name)
        resource.schema = [*resource.schema, F("x", "FLOAT64")]
        client.update_table(resource, ["schema"])
        second = connection.send(arrow_request(some(2), offset=1, with_schema=False))
        assert [f.name for f in second.updated_schema.fields] == ["a", "s", "x"]
        wider = pa.table({"a": [3], "x": [0.5]})
        third = connection.send(arrow_request(wider, offset=2))
        assert not third.error.code
        assert not third.updated_schema.fields
    assert rows(client, table) == [(1, "1", None), (2, "2", None), (3, None, 0.5)]


def test_a_first_request_without_schema_or_stream_is_refused(write_client, table):
    with Connection(write_client) as connection:
        request = arrow_request(some(1), stream=f"{table}/streams/_default", with_schema=False)
        assert "writer_schema" in connection.send(request).error.message
    with pytest.raises(exceptions.InvalidArgument, match="write_stream"):
        Connection(write_client).send(arrow_request(some(1)))


def test_one_connection_serves_the_default_streams_of_several_tables(client, write_client, table):
    client.query_and_wait(f"CREATE TABLE {table.split('/')[3]}.u (x FLOAT64)")
    other = table[:-1] + "u"
    doubles = pa.table({"x": [0.5]})
    with Connection(write_client) as connection:
        for _ in range(2):
            answer = connection.send(arrow_request(some(1), stream=f"{table}/_default"))
            assert not answer.error.code
            assert answer.write_stream == f"{table}/_default"
            answer = connection.send(arrow_request(doubles, stream=f"{other}/streams/_default"))
            assert not answer.error.code
            assert not answer.updated_schema.fields
        # From then on each request names its stream, and a new stream comes with its schema.
        nameless = connection.send(arrow_request(doubles, with_schema=False))
        assert "name one in each request" in nameless.error.message
        bare = arrow_request(some(1), stream=f"{table}/_default", with_schema=False)
        assert "no writer_schema" in connection.send(bare).error.message
    assert rows(client, table) == [(1, "1"), (1, "1")]
    assert rows(client, other) == [(0.5,), (0.5,)]


def test_a_connection_that_is_silent_but_for_pings_is_kept(bq, client, table):
    # As an idle writer that pings every 30 s, in less time: gRPC sends one a second at most, and a
    # server that minds them ends the connection at the third.
    channel = grpc.insecure_channel(
        bq.storage, [("grpc.keepalive_time_ms", 100), ("grpc.http2.max_pings_without_data", 0)]
    )
    write_client = BigQueryWriteClient(transport=BigQueryWriteGrpcTransport(channel=channel))
    with Connection(write_client) as connection:
        connection.send(arrow_request(some(1), stream=f"{table}/_default"))
        time.sleep(5)
        connection.send(arrow_request(some(2)))
    assert rows(client, table) == [(1, "1"), (2, "2")]


def test_a_connection_of_a_stream_of_ones_own_serves_no_other(client, write_client, table):
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        connection.send(arrow_request(some(1), stream=stream, offset=0))
        answer = connection.send(arrow_request(some(2), stream=f"{table}/_default"))
        assert "open another" in answer.error.message
        assert not connection.send(arrow_request(some(3), offset=1, with_schema=False)).error.code
    assert len(rows(client, table)) == 2


def test_the_default_stream_takes_no_offset(write_client, table):
    with Connection(write_client) as connection:
        request = arrow_request(some(1), stream=f"{table}/streams/_default", offset=0)
        assert connection.send(request).error.code == code_pb2.INVALID_ARGUMENT
    with pytest.raises(exceptions.InvalidArgument):
        write_client.finalize_write_stream(name=f"{table}/streams/_default")


def test_a_view_takes_no_rows(client, write_client, dataset):
    client.query_and_wait(f"CREATE VIEW {dataset}.v AS SELECT 1 AS a")
    with pytest.raises(exceptions.InvalidArgument):
        committed(write_client, f"projects/local/datasets/{dataset}/tables/v")


def test_a_stream_type_bqlite_has_not_is_refused_by_name(write_client, table):
    stream = types.WriteStream(type_=types.WriteStream.Type.BUFFERED)
    with pytest.raises(exceptions.MethodNotImplemented, match="BUFFERED"):
        write_client.create_write_stream(parent=table, write_stream=stream)


def test_a_method_bqlite_has_not_is_unimplemented_by_name(write_client, read_client, table):
    with pytest.raises(exceptions.MethodNotImplemented, match="FlushRows"):
        write_client.flush_rows(write_stream=f"{table}/streams/x")
    with pytest.raises(exceptions.MethodNotImplemented, match="SplitReadStream"):
        read_client.split_read_stream(request=types.SplitReadStreamRequest(name="x"))


# Protobuf ---------------------------------------------------------------------------------------

P = descriptor_pb2.FieldDescriptorProto


def message_class(*fields, nested=()):
    """A message type and its descriptor; fields are (name, type, label, type name)."""
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    descriptor.nested_type.extend(nested)
    for number, (name, kind, label, type_name) in enumerate(fields, 1):
        descriptor.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    file.message_type.add().CopyFrom(descriptor)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Row")), descriptor


def test_protobuf_rows_are_stored_with_the_schema_of_the_first_request(client, write_client, table):
    row_class, descriptor = message_class(
        ("a", P.TYPE_INT64, P.LABEL_OPTIONAL, None), ("s", P.TYPE_STRING, P.LABEL_OPTIONAL, None)
    )
    stream = committed(write_client, table)
    with Connection(write_client) as connection:
        first = [row_class(a=1, s="ü").SerializeToString(), row_class(a=2).SerializeToString()]
        answer = connection.send(
            appends.proto_request(first, stream=stream, offset=0, descriptor=descriptor)
        )
        assert not answer.error.code
        second = [row_class(a=-(2**63), s="").SerializeToString()]
        assert not connection.send(appends.proto_request(second, offset=2)).error.code
        bad = [
            row_class(a=4).SerializeToString(),
            row_class(s="no a").SerializeToString(),
            b"\xff\xff",
        ]
        answer = connection.send(appends.proto_request(bad, offset=3))
        assert [e.index for e in answer.row_errors] == [2]
        answer = connection.send(appends.proto_request(bad[:2], offset=3))
        assert [e.index for e in answer.row_errors] == [1]
    assert rows(client, table) == [(-(2**63), ""), (1, "ü"), (2, None)]


def test_protobuf_fields_fill_every_type_as_google_documents(client, write_client, dataset):
    kinds = ["BYTES", "FLOAT64", "BOOL", "TIMESTAMP", "DATE", "TIME", "DATETIME", "NUMERIC", "JSON"]
    schema = [F(kind.lower(), kind) for kind in kinds]
    schema += [F("tags", "STRING", "REPEATED"), F("place", "RECORD", fields=[F("zip", "INT64")])]
    schema += [F("numeric_bytes", "NUMERIC"), F("packed_time", "TIME"), F("packed_dt", "DATETIME")]
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=schema))
    o, r = P.LABEL_OPTIONAL, P.LABEL_REPEATED
    place = descriptor_pb2.DescriptorProto(name="Place")
    place.field.add(name="zip", number=1, type=P.TYPE_INT64, label=o)
    row_class, descriptor = message_class(
        ("bytes", P.TYPE_BYTES, o, None),
        ("float64", P.TYPE_DOUBLE, o, None),
        ("bool", P.TYPE_BOOL, o, None),
        ("timestamp", P.TYPE_INT64, o, None),
        ("date", P.TYPE_INT32, o, None),
        ("time", P.TYPE_STRING, o, None),
        ("datetime", P.TYPE_STRING, o, None),
        ("numeric", P.TYPE_STRING, o, None),
        ("json", P.TYPE_STRING, o, None),
        ("tags", P.TYPE_STRING, r, None),
        ("place", P.TYPE_MESSAGE, o, "Place"),
        ("numeric_bytes", P.TYPE_BYTES, o, None),
        ("packed_time", P.TYPE_INT64, o, None),
        ("packed_dt", P.TYPE_INT64, o, None),
        nested=[place],
    )
    packed_time = (12 << 32) | (34 << 26) | (56 << 20) | 789
    packed_day = (2024 << 46) | (2 << 42) | (29 << 37)
    row = row_class(
        bytes=b"\x00\xff", float64=0.1, bool=True, timestamp=-1, date=19_000,
        time="01:02:03.000004",
        datetime="2024-01-02 03:04:05", numeric="-1.000000001", json='{"a": 1}', tags=["x", ""],
        numeric_bytes=(1_500_000_000).to_bytes(4, "little", signed=True),
        packed_time=packed_time, packed_dt=packed_day | packed_time,
    )  # fmt: skip
    row.place.zip = 7
    with Connection(write_client) as connection:
        answer = connection.send(
            appends.proto_request(
                [row.SerializeToString(), row_class().SerializeToString()],
                stream=f"projects/local/datasets/{dataset}/tables/t/_default",
                descriptor=descriptor,
            )
        )
    assert not answer.error.code, answer
    first, second = (r.values() for r in client.list_rows(f"{dataset}.t"))
    assert first == (
        b"\x00\xff",
        0.1,
        True,
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.UTC),
        dt.date(2022, 1, 8),
        dt.time(1, 2, 3, 4),
        dt.datetime(2024, 1, 2, 3, 4, 5),
        Decimal("-1.000000001"),
        {"a": 1},
        ["x", ""],
        {"zip": 7},
        Decimal("1.5"),
        dt.time(12, 34, 56, 789),
        dt.datetime(2024, 2, 29, 12, 34, 56, 789),
    )
    assert second == (*[None] * 9, [], *[None] * 4)


def test_a_column_is_known_without_regard_to_case_as_the_java_client_writes_it(
    client, write_client, dataset
):
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("CardId", "INT64")]))
    row_class, descriptor = message_class(("cardid", P.TYPE_INT64, P.LABEL_OPTIONAL, None))
    stream = f"projects/local/datasets/{dataset}/tables/t/_default"
    with Connection(write_client) as connection:
        rows = [row_class(cardid=1).SerializeToString()]
        answer = connection.send(appends.proto_request(rows, stream=stream, descriptor=descriptor))
        assert not answer.error.code
        answer = connection.send(arrow_request(pa.table({"CARDID": [2]})))
        assert not answer.error.code
    assert sorted(row.CardId for row in client.list_rows(f"{dataset}.t")) == [1, 2]


def test_a_numeric_keeps_all_its_38_digits(client, write_client, dataset):
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("n", "NUMERIC")]))
    row_class, descriptor = message_class(("n", P.TYPE_STRING, P.LABEL_OPTIONAL, None))
    widest = "-99999999999999999999999999999.999999999"
    with Connection(write_client) as connection:
        rows = [row_class(n=text).SerializeToString() for text in (widest, "1e29", "1e-10")]
        stream = f"projects/local/datasets/{dataset}/tables/t/_default"
        answer = connection.send(appends.proto_request(rows, stream=stream, descriptor=descriptor))
        assert [e.index for e in answer.row_errors] == [1, 2]
        answer = connection.send(appends.proto_request(rows[:1]))
        assert not answer.error.code
    assert [row.n for row in client.list_rows(f"{dataset}.t")] == [Decimal(widest)]


def test_a_protobuf_field_of_the_wrong_type_is_refused(write_client, table):
    _, descriptor = message_class(("a", P.TYPE_STRING, P.LABEL_OPTIONAL, None))
    with Connection(write_client) as connection:
        answer = connection.send(
            appends.proto_request([b""], stream=f"{table}/_default", descriptor=descriptor)
        )
    assert "'a': INT64 cannot be written" in answer.error.message


def test_text_that_is_no_json_is_a_row_error(client, write_client, dataset):
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("j", "JSON")]))
    data = pa.table({"j": ['{"a": 1}', "{oops"]})
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(data, stream=f"projects/local/datasets/{dataset}/tables/t/_default")
        )
    assert [e.index for e in answer.row_errors] == [1]


DEEP = "[" * 20_000 + "]" * 20_000


@pytest.mark.parametrize(
    "text",
    ["NaN", '{"a": [-Infinity]}', "1e999", "[1,]", pytest.param(DEEP, id="20,000 deep")],
)
def test_text_that_only_duckdb_calls_json_is_a_row_error_wherever_it_stands(
    client, write_client, dataset, text
):
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t (j JSON, r STRUCT<k JSON>, many ARRAY<JSON>, s STRING)"
    )
    good = {"j": '{"a": 1}', "r": {"k": "[]"}, "many": ["1", "null"], "s": text}
    kinds = {"j": pa.string(), "many": pa.list_(pa.string()), "s": pa.string()}
    schema = pa.schema({**kinds, "r": pa.struct({"k": pa.string()})})
    bad = [{**good, **wrong} for wrong in ({"j": text}, {"r": {"k": text}}, {"many": ["1", text]})]
    stream = f"projects/local/datasets/{dataset}/tables/t/_default"
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(pa.Table.from_pylist([good, *bad], schema), stream=stream)
        )
        assert [one.index for one in answer.row_errors] == [1, 2, 3]
        assert "not JSON" in answer.row_errors[0].message
        answer = connection.send(arrow_request(pa.Table.from_pylist([good, {}], schema)))
        assert not answer.error.code
    assert client.get_table(f"{dataset}.t").num_rows == 2


def test_a_number_that_does_not_fit_is_a_row_error(client, write_client, dataset):
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=[F("n", "NUMERIC")]))
    values = [Decimal("1.5"), Decimal("1.0000000001")]
    data = pa.table({"n": pa.array(values, pa.decimal128(38, 10))})
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(data, stream=f"projects/local/datasets/{dataset}/tables/t/_default")
        )
    assert [e.index for e in answer.row_errors] == [1]


def test_an_error_is_told_however_long_the_name_it_is_about(write_client, table):
    long = f"{table[: -len('/t')]}/{'é' * 5000}/streams/_default"
    with (
        Connection(write_client) as connection,
        pytest.raises(exceptions.NotFound, match=r"Entity: .*é…"),
    ):
        connection.send(arrow_request(some(1), stream=long))


def test_a_schema_without_fields_is_refused_as_its_rows_would_be_lost(write_client, table):
    batch = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    with Connection(write_client) as connection:
        answer = connection.send(
            arrow_request(pa.Table.from_batches([batch]), stream=f"{table}/_default")
        )
    assert "no fields" in answer.error.message


def test_what_arrow_holds_and_bigquery_does_not_is_a_row_error(client, write_client, dataset):
    member = F("m", "RECORD", "REPEATED", fields=[F("at", "DATETIME", "REPEATED")])
    schema = [F("t", "TIMESTAMP"), F("d", "DATE"), F("r", "INT64", "REPEATED"), member]
    client.create_table(bigquery.Table(f"local.{dataset}.t", schema=schema))
    moment, late = pa.timestamp("us"), 2**62
    inner = pa.list_(pa.struct([("at", pa.list_(moment))]))
    rows = pa.table(
        {
            "t": pa.array([None, late, None, None, None], pa.timestamp("us", "UTC")),
            "d": pa.array([None, None, -719_163, None, None], pa.date32()),
            "r": pa.array([[1], [], [], [2, None], None], pa.list_(pa.int64())),
            "m": pa.array([[{"at": [0]}], [], [None], [], [{}, {"at": [0, late]}]], inner),
        }
    )
    stream = f"projects/local/datasets/{dataset}/tables/t/_default"
    with Connection(write_client) as connection:
        answer = connection.send(arrow_request(rows, stream=stream))
        assert [one.index for one in answer.row_errors] == [1, 2, 2, 3, 4]
        connection.send(arrow_request(rows.slice(0, 1), with_schema=False))
    assert [row.r for row in client.list_rows(f"{dataset}.t")] == [[1]]
