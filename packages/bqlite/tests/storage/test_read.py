"""Storage Read: snapshots, columns, restrictions, streams and offsets."""

import pyarrow as pa
import pytest
from google.api_core import exceptions
from google.cloud.bigquery_storage_v1 import types


@pytest.fixture
def numbers(client, dataset):
    """A table of 50,000 numbers in order, and its name as the Storage API writes it."""
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t AS SELECT x, CAST(x AS STRING) AS s, x / 4 AS f "
        "FROM UNNEST(GENERATE_ARRAY(0, 49999)) AS x ORDER BY x"
    )
    return f"projects/local/datasets/{dataset}/tables/t"


def session(read_client, table, streams=1, **options):
    asked = types.ReadSession(
        table=table,
        data_format=types.DataFormat.ARROW,
        read_options=types.ReadSession.TableReadOptions(**options),
    )
    return read_client.create_read_session(
        parent="projects/local", read_session=asked, max_stream_count=streams
    )


def read(read_client, stream, offset=0):
    return pa.concat_tables(
        pa.Table.from_batches([page.to_arrow()])
        for page in read_client.read_rows(stream.name, offset).rows().pages
    )


def test_a_session_sends_the_columns_asked_for_in_the_tables_order(read_client, numbers):
    got = session(read_client, numbers, selected_fields=["s", "x"])
    table = read(read_client, got.streams[0])
    assert table.schema.names == ["x", "s"]
    assert table["x"].to_pylist() == list(range(50_000))
    assert got.estimated_row_count == 50_000


def test_a_restriction_is_bigquery_sql(read_client, numbers):
    got = session(read_client, numbers, row_restriction="x / 2 > 24998 AND s LIKE '4%9'")
    assert read(read_client, got.streams[0])["x"].to_pylist() == [49_999]
    with pytest.raises(exceptions.InvalidArgument, match="nope"):
        session(read_client, numbers, row_restriction="nope = 1")
    with pytest.raises(exceptions.InvalidArgument):
        session(read_client, numbers, row_restriction="true) UNION ALL SELECT (1")


def test_several_streams_hold_every_row_once(read_client, numbers):
    got = session(read_client, numbers, streams=4)
    assert len(got.streams) == 4
    found = [x for s in got.streams for x in read(read_client, s)["x"].to_pylist()]
    assert sorted(found) == list(range(50_000))


def test_reading_resumes_at_an_offset(read_client, numbers):
    got = session(read_client, numbers)
    rest = read(read_client, got.streams[0], 49_990)
    assert rest["x"].to_pylist() == list(range(49_990, 50_000))
    with pytest.raises(exceptions.InvalidArgument, match="offset"):
        list(read_client.read_rows(got.streams[0].name, 50_001))


def test_a_session_is_a_snapshot(client, read_client, numbers):
    got = session(read_client, numbers)
    client.query_and_wait(f"DELETE FROM {numbers.split('/')[3]}.t WHERE x < 40000")
    client.delete_table(".".join(numbers.split("/")[1::2]))
    assert read(read_client, got.streams[0]).num_rows == 50_000


def test_an_empty_table_has_a_session_without_streams(client, read_client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t (a INT64)")
    got = session(read_client, f"projects/local/datasets/{dataset}/tables/t")
    assert len(got.streams) == 0
    assert client.list_rows(f"{dataset}.t").to_arrow(bqstorage_client=read_client).num_rows == 0


def test_long_values_are_split_so_that_any_client_takes_them(client, bq, dataset):
    client.query_and_wait(
        f"CREATE TABLE {dataset}.t AS SELECT x, REPEAT('y', 100000) AS s "
        "FROM UNNEST(GENERATE_ARRAY(1, 200)) AS x"
    )
    reader = bq.read_client()
    got = session(reader, f"projects/local/datasets/{dataset}/tables/t")
    sizes = [m._pb.ByteSize() for m in reader.read_rows(got.streams[0].name)]
    assert max(sizes) < 4 << 20
    assert len(sizes) > 1


def test_what_reading_has_not_is_refused_by_name(client, read_client, numbers, dataset):
    asked = types.ReadSession(table=numbers, data_format=types.DataFormat.AVRO)
    with pytest.raises(exceptions.MethodNotImplemented, match="ARROW"):
        read_client.create_read_session(parent="projects/local", read_session=asked)
    with pytest.raises(exceptions.MethodNotImplemented, match="sample_percentage"):
        session(read_client, numbers, sample_percentage=5.0)
    with pytest.raises(exceptions.InvalidArgument, match="'nope'"):
        session(read_client, numbers, selected_fields=["nope"])
    with pytest.raises(exceptions.NotFound):
        session(read_client, numbers + "x")
    with pytest.raises(exceptions.NotFound):
        list(read_client.read_rows("projects/local/locations/us/sessions/x/streams/0", 0))
    client.query_and_wait(f"CREATE VIEW {dataset}.v AS SELECT 1 AS a")
    with pytest.raises(exceptions.InvalidArgument, match="view"):
        session(read_client, f"projects/local/datasets/{dataset}/tables/v")


def test_a_column_that_hides_the_place_of_a_row_is_refused_by_name(client, read_client, dataset):
    client.query_and_wait(f"CREATE TABLE {dataset}.t AS SELECT 7 AS RowId")
    assert [row.values() for row in client.list_rows(f"{dataset}.t")] == [(7,)]
    with pytest.raises(exceptions.MethodNotImplemented, match="rowid"):
        session(read_client, f"projects/local/datasets/{dataset}/tables/t")


@pytest.mark.parametrize("number", ["²", "1", "-1", "x", ""])
def test_a_stream_a_session_has_not_is_not_found(read_client, numbers, number):
    name = session(read_client, numbers).streams[0].name
    with pytest.raises(exceptions.NotFound):
        next(iter(read_client.read_rows(name[:-1] + number)))
