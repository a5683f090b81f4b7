"""Random tables come back bit for bit, whichever way they went in and out."""

import io
import math
import struct

import pyarrow as pa
import pytest
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from appends import Connection, arrow_request

US = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
KINDS = {
    "STRING": (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20)),
    "BYTES": (pa.binary(), st.binary(max_size=20)),
    "INTEGER": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "FLOAT": (pa.float64(), st.floats()),
    "NUMERIC": (pa.decimal128(38, 9), st.decimals(-(10**28), 10**28, places=9, allow_nan=False)),
    "BOOLEAN": (pa.bool_(), st.booleans()),
    "TIMESTAMP": (pa.timestamp("us", "UTC"), US),
    "DATETIME": (pa.timestamp("us"), US),
    "DATE": (pa.date32(), st.integers(-719_162, 2_932_896)),
    "TIME": (pa.time64("us"), st.integers(0, 86_399_999_999)),
}


def bits(column):
    """Values that compare equal only if they are the same bits; every NaN is one value."""
    if pa.types.is_floating(column.type):
        return [
            None if v is None else "nan" if math.isnan(v) else struct.pack("d", v)
            for v in column.to_pylist()
        ]
    if pa.types.is_timestamp(column.type) or pa.types.is_time(column.type):
        return column.cast(pa.int64()).to_pylist()
    if pa.types.is_struct(column.type):
        return [bits(part) for part in column.flatten()]
    if pa.types.is_date(column.type):
        return column.cast(pa.int32()).to_pylist()
    return column.to_pylist()


@st.composite
def tables(draw):
    count = draw(st.integers(1, 8))
    columns = {}
    for kind, (arrow, values) in KINDS.items():
        column = draw(st.lists(st.none() | values, min_size=count, max_size=count))
        plain = {"TIMESTAMP": pa.int64(), "DATETIME": pa.int64(), "TIME": pa.int64()}
        stored = pa.array(column, {**plain, "DATE": pa.int32()}.get(kind, arrow))
        columns[kind.lower()] = stored.cast(arrow)
        if kind != "TIMESTAMP":
            continue
        lists = draw(st.lists(st.lists(US, max_size=3), min_size=count, max_size=count))
        columns["many"] = pa.array(lists, pa.list_(pa.int64()))
    zips = draw(st.lists(st.none() | KINDS["INTEGER"][1], min_size=count, max_size=count))
    columns["place"] = pa.StructArray.from_arrays(
        [pa.array(zips, pa.int64()), columns["timestamp"]], names=["zip", "at"]
    )
    columns["row_number"] = pa.array(range(count))
    return pa.table(columns)


@pytest.fixture(scope="module")
def target(client):
    client.create_dataset("round_trip")
    schema = [bigquery.SchemaField(kind.lower(), kind) for kind in KINDS]
    schema.append(bigquery.SchemaField("many", "INT64", "REPEATED"))
    place = [bigquery.SchemaField("zip", "INT64"), bigquery.SchemaField("at", "TIMESTAMP")]
    schema.append(bigquery.SchemaField("place", "RECORD", fields=place))
    schema.append(bigquery.SchemaField("row_number", "INT64"))
    client.create_table(bigquery.Table("local.round_trip.t", schema=schema))
    return "projects/local/datasets/round_trip/tables/t"


def append(bq, target, table):
    with Connection(bq.write_client()) as connection:
        answer = connection.send(arrow_request(table, stream=f"{target}/streams/_default"))
    assert not answer.error.code, answer


def load(bq, _, table):
    file = io.BytesIO()
    parquet.write_table(table, file)
    file.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET")
    bq.client().load_table_from_file(file, "round_trip.t", job_config=config).result()


@pytest.mark.parametrize("put", [append, load])
def test_any_table_comes_back_bit_for_bit(bq, client, read_client, target, put):
    @settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(table=tables())
    def check(table):
        client.query_and_wait("DELETE FROM round_trip.t WHERE true")
        put(bq, target, table)
        asked = types.ReadSession(table=target, data_format=types.DataFormat.ARROW)
        session = read_client.create_read_session(parent="projects/local", read_session=asked)
        stored = read_client.read_rows(session.streams[0].name).to_arrow()
        queried = client.query("SELECT * FROM round_trip.t ORDER BY row_number").to_arrow(
            bqstorage_client=read_client
        )
        for back in (stored, queried):
            for name in table.schema.names:
                assert bits(back[name].combine_chunks()) == bits(table[name].combine_chunks()), name
        over_rest = list(client.list_rows("round_trip.t"))
        assert [row["integer"] for row in over_rest] == table["integer"].to_pylist()
        assert [row["string"] for row in over_rest] == table["string"].to_pylist()
        assert [repr(row["float"]) for row in over_rest] == [
            repr(v) for v in table["float"].to_pylist()
        ]

    check()
