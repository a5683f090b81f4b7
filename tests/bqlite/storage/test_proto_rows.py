"""Protobuf rows become what Google's own parser reads in them, or errors of their row."""

import pytest
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from bqlite.errors import BqliteError
from bqlite.storage.proto_rows import ProtoDecoder
from bqlite.types import Field

P = descriptor_pb2.FieldDescriptorProto
INT64S = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
PLACES = st.fixed_dictionaries({}, optional={"zip": INT64S, "names": st.lists(TEXTS, max_size=3)})
# Each field of the message: its protobuf type, its column's type, and its values.
FIELDS = {
    "int32": (P.TYPE_INT32, "INTEGER", st.integers(-(2**31), 2**31 - 1)),
    "sint64": (P.TYPE_SINT64, "INTEGER", INT64S),
    "fixed32": (P.TYPE_FIXED32, "INTEGER", st.integers(0, 2**32 - 1)),
    "uint64": (P.TYPE_UINT64, "INTEGER", st.integers(0, 2**63 - 1)),
    "double": (P.TYPE_DOUBLE, "FLOAT", st.floats(allow_nan=False)),
    "float": (P.TYPE_FLOAT, "FLOAT", st.floats(width=32, allow_nan=False)),
    "bool": (P.TYPE_BOOL, "BOOLEAN", st.booleans()),
    "text": (P.TYPE_STRING, "STRING", TEXTS),
    "data": (P.TYPE_BYTES, "BYTES", st.binary(max_size=200)),
}


def message_of(descriptor):
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto2")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    file.message_type.add().CopyFrom(descriptor)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Row"))


def all_kinds():
    """A message and a table with each kind once and repeated, and records in both forms."""
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    place = descriptor.nested_type.add(name="Place")
    place.field.add(name="zip", number=1, label=P.LABEL_OPTIONAL, type=P.TYPE_INT64)
    place.field.add(name="names", number=2, label=P.LABEL_REPEATED, type=P.TYPE_STRING)
    members = (Field("zip", "INTEGER"), Field("names", "STRING", "REPEATED"))
    kinds = [(name, kind, column, "") for name, (kind, column, _) in FIELDS.items()]
    kinds.append(("place", P.TYPE_MESSAGE, "RECORD", "Place"))
    fields = []
    for number, (name, kind, column, type_name) in enumerate(kinds, 1):
        inner = members if column == "RECORD" else ()
        for label, mode in ((P.LABEL_OPTIONAL, "NULLABLE"), (P.LABEL_REPEATED, "REPEATED")):
            at = number + 100 * (mode == "REPEATED")
            full = f"{name}s" if mode == "REPEATED" else name
            descriptor.field.add(
                name=full, number=at, label=label, type=kind, type_name=type_name or None
            )
            fields.append(Field(full, column, mode, inner))
    return descriptor, fields


DESCRIPTOR, COLUMNS = all_kinds()
ROW = message_of(DESCRIPTOR)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        **{name: values for name, (_, _, values) in FIELDS.items()},
        **{f"{name}s": st.lists(values, max_size=3) for name, (_, _, values) in FIELDS.items()},
        "place": PLACES,
        "places": st.lists(PLACES, max_size=3),
    },
)


def decoded(descriptor, columns, rows):
    request = types.AppendRowsRequest.pb(types.AppendRowsRequest())
    request.proto_rows.rows.serialized_rows.extend(rows)
    table = ProtoDecoder(descriptor).decode(request, columns, "p.d.t")
    table.validate(full=True)
    for one in columns:
        assert table.schema.field(one.name).type == one.arrow.type
    return table.to_pylist()


def google_reads(message):
    """What a message holds; None for what is not set."""
    found = {}
    for one in message.DESCRIPTOR.fields:
        value = getattr(message, one.name)
        is_message = one.message_type is not None
        if one.is_repeated:
            found[one.name] = [google_reads(item) if is_message else item for item in value]
        elif not message.HasField(one.name):
            found[one.name] = None
        else:
            found[one.name] = google_reads(value) if is_message else value
    return found


@given(st.lists(ROWS, max_size=8))
def test_random_rows_are_read_as_google_reads_them(rows):
    messages = [ROW(**row) for row in rows]
    data = [message.SerializeToString() for message in messages]
    assert decoded(DESCRIPTOR, COLUMNS, data) == [google_reads(message) for message in messages]


@given(ROWS, st.data())
def test_broken_bytes_are_read_as_google_reads_them_or_are_an_error_of_their_row(row, data):
    whole = bytearray(ROW(**row).SerializeToString() or b"\x00")
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(whole)))
        whole[start : start + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    good = ROW(text="good").SerializeToString()
    rows = [good, bytes(whole)]
    try:
        expected = str(google_reads(ROW.FromString(rows[1])))  # as text: a NaN is like another
    except DecodeError:
        expected = None
    try:
        found = decoded(DESCRIPTOR, COLUMNS, rows)
    except BqliteError as error:
        found, at_fault = [], [row for row, _ in error.row_errors]
    # Of fields the message does not have Google's parser is the stricter judge, of UTF-8 ours.
    assert not found or expected in {None, str(found[1])}
    assert found or at_fault == [1]


def test_a_value_that_does_not_fit_is_an_error_of_its_row_however_deep_it_lies():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    inner = descriptor.nested_type.add(name="In")
    inner.field.add(name="n", number=1, label=P.LABEL_REPEATED, type=P.TYPE_UINT64)
    inner.field.add(name="day", number=2, label=P.LABEL_OPTIONAL, type=P.TYPE_STRING)
    descriptor.field.add(
        name="r", number=1, label=P.LABEL_REPEATED, type=P.TYPE_MESSAGE, type_name="In"
    )
    members = (Field("n", "INTEGER", "REPEATED"), Field("day", "DATE"))
    columns = [Field("r", "RECORD", "REPEATED", members)]
    row = message_of(descriptor)
    rows = [
        row(r=[{"n": [1]}, {}]),
        row(r=[{}, {"n": [1, 2**64 - 1]}]),
        row(),
        row(r=[{"day": "2024-02-29"}, {"day": "2023-02-29"}]),
    ]
    with pytest.raises(BqliteError) as caught:
        decoded(descriptor, columns, [one.SerializeToString() for one in rows])
    assert [row for row, _ in caught.value.row_errors] == [1, 3]


def test_googles_wrappers_fill_columns_and_those_not_set_leave_null():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    kinds = {"Int64Value": "INTEGER", "StringValue": "STRING", "BoolValue": "BOOLEAN"}
    for number, name in enumerate(kinds, 1):
        descriptor.field.add(
            name=name, number=number, label=P.LABEL_OPTIONAL, type=P.TYPE_MESSAGE,
            type_name=f".google.protobuf.{name}",
        )  # fmt: skip
    row = message_of(descriptor)
    full = row(Int64Value={"value": 0}, StringValue={"value": "x"}, BoolValue={"value": True})
    columns = [Field(name, column) for name, column in kinds.items()]
    data = [full.SerializeToString(), row().SerializeToString()]
    assert decoded(descriptor, columns, data) == [
        {"Int64Value": 0, "StringValue": "x", "BoolValue": True},
        dict.fromkeys(kinds),
    ]


def test_a_field_of_a_form_that_bigquery_does_not_take_is_refused():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    descriptor.nested_type.add(name="G").field.add(
        name="x", number=1, label=P.LABEL_OPTIONAL, type=P.TYPE_INT64
    )
    descriptor.field.add(
        name="g", number=1, label=P.LABEL_OPTIONAL, type=P.TYPE_GROUP, type_name="G"
    )
    with pytest.raises(BqliteError, match="'g': STRUCT<x INT64> cannot be written from"):
        decoded(descriptor, [Field("g", "RECORD", fields=(Field("x", "INTEGER"),))], [b""])


def test_columns_that_the_writer_does_not_know_are_left_out():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    inner = descriptor.nested_type.add(name="In")
    inner.field.add(name="b", number=1, label=P.LABEL_OPTIONAL, type=P.TYPE_INT64)
    descriptor.field.add(
        name="r", number=1, label=P.LABEL_OPTIONAL, type=P.TYPE_MESSAGE, type_name="In"
    )
    columns = [Field("r", "RECORD", fields=(Field("a", "STRING"), Field("b", "INTEGER")))]
    row = message_of(descriptor)
    data = [row(r={"b": 1}).SerializeToString(), row().SerializeToString()]
    assert decoded(descriptor, columns, data) == [{"r": {"a": None, "b": 1}}, {"r": None}]
