"""Protobuf rows become what Google's own parser reads in them, or errors of their row."""

import datetime as dt
from decimal import Decimal

import pytest
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
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

# A machine with other work to do is no failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


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


@PATIENT
@given(st.lists(ROWS, max_size=8))
def test_random_rows_are_read_as_google_reads_them(rows):
    messages = [ROW(**row) for row in rows]
    data = [message.SerializeToString() for message in messages]
    assert decoded(DESCRIPTOR, COLUMNS, data) == [google_reads(message) for message in messages]


@PATIENT
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


def field(descriptor, name, kind, label=P.LABEL_OPTIONAL, **more):
    return descriptor.field.add(
        name=name, number=len(descriptor.field) + 1, label=label, type=kind, **more
    )


def test_what_a_row_says_twice_is_read_as_google_reads_it():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    descriptor.oneof_decl.add(name="one")
    inner = descriptor.nested_type.add(name="In")
    inner.oneof_decl.add(name="one")
    field(inner, "x", P.TYPE_INT64, oneof_index=0)
    field(inner, "y", P.TYPE_STRING, oneof_index=0)
    field(descriptor, "a", P.TYPE_INT64, oneof_index=0)
    field(descriptor, "b", P.TYPE_MESSAGE, type_name="In", oneof_index=0)
    field(descriptor, "c", P.TYPE_MESSAGE, type_name=".google.protobuf.Int64Value")
    members = (Field("x", "INTEGER"), Field("y", "STRING"))
    columns = [Field("a", "INTEGER"), Field("b", "RECORD", fields=members), Field("c", "INTEGER")]
    row = message_of(descriptor)
    parts = [row(a=1), row(b={"x": 2}), row(b={"y": "z"}), row(c={"value": 3}), row(c={})]
    data = b"".join(one.SerializeToString() for one in parts)
    assert decoded(descriptor, columns, [data]) == [{"a": None, "b": {"x": None, "y": "z"}, "c": 3}]


def test_an_enum_fills_a_string_with_its_name_and_an_integer_with_its_number():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    names = descriptor.enum_type.add(name="E")
    names.value.add(name="LOW", number=0)
    names.value.add(name="HIGH", number=-7)
    field(descriptor, "name", P.TYPE_ENUM, type_name="E")
    field(descriptor, "number", P.TYPE_ENUM, type_name="E")
    columns = [Field("name", "STRING"), Field("number", "INTEGER")]
    row = message_of(descriptor)
    unknown = b"\x08\x05\x10\x05"  # no enum's number 5 is to Google's parser an unknown field
    data = [row(name="HIGH", number="HIGH").SerializeToString(), unknown]
    assert decoded(descriptor, columns, data) == [
        {"name": "HIGH", "number": -7},
        {"name": None, "number": None},
    ]


@pytest.mark.parametrize(
    ("kind", "value", "column", "stored"),
    [
        (P.TYPE_BYTES, (10**37 + 1).to_bytes(16, "little"), "NUMERIC",
         Decimal("10000000000000000000000000000.000000001")),
        (P.TYPE_UINT64, 2**64 - 1, "NUMERIC", Decimal(2**64 - 1)),
        (P.TYPE_INT64, -(2**63), "NUMERIC", Decimal(-(2**63))),
        (P.TYPE_DOUBLE, 0.1, "NUMERIC", Decimal("0.1")),
        (P.TYPE_DOUBLE, -(2**-10), "NUMERIC", Decimal("-0.000976563")),
        (P.TYPE_FLOAT, 0.25, "NUMERIC", Decimal("0.25")),
        (P.TYPE_STRING, "é", "BYTES", "é".encode()),
        (P.TYPE_INT64, 23 << 32 | 59 << 26 | 58 << 20 | 999_999, "TIME",
         dt.time(23, 59, 58, 999_999)),
    ],
)  # fmt: skip
def test_a_value_of_another_protobuf_type_is_stored_exactly(kind, value, column, stored):
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    field(descriptor, "x", kind)
    data = message_of(descriptor)(x=value).SerializeToString()
    assert decoded(descriptor, [Field("x", column)], [data]) == [{"x": stored}]


@pytest.mark.parametrize(
    ("kind", "value", "column"),
    [
        (P.TYPE_INT64, 1 << 37, "TIME"),
        (P.TYPE_INT64, 1 << 62 | 2024 << 46 | 2 << 42 | 29 << 37, "DATETIME"),
        (P.TYPE_DOUBLE, float("nan"), "NUMERIC"),
        (P.TYPE_DOUBLE, 1.1e29, "NUMERIC"),
        (P.TYPE_BYTES, (10**38).to_bytes(17, "little"), "NUMERIC"),
    ],
)
def test_a_value_with_more_than_its_column_holds_is_an_error_of_its_row(kind, value, column):
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    field(descriptor, "x", kind)
    data = message_of(descriptor)(x=value).SerializeToString()
    with pytest.raises(BqliteError) as caught:
        decoded(descriptor, [Field("x", column)], [b"", data])
    assert [row for row, _ in caught.value.row_errors] == [1]


def test_groups_however_deep_are_an_error_of_their_row():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    field(descriptor, "x", P.TYPE_INT64)
    start, end, depth = b"\x13", b"\x14", 4_000_000
    with pytest.raises(BqliteError) as caught:
        decoded(descriptor, [Field("x", "INTEGER")], [b"", start * depth + end * depth])
    assert [row for row, _ in caught.value.row_errors] == [1]


def test_a_schema_that_the_decoder_panics_at_is_refused():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    field(descriptor, "x", P.TYPE_INT64).number = 19_000  # reserved by protobuf itself
    with pytest.raises(BqliteError, match=r"writer_schema is not valid: .*19000"):
        decoded(descriptor, [Field("x", "INTEGER")], [b""])


def test_a_schema_without_fields_is_refused_as_its_rows_would_be_lost():
    with pytest.raises(BqliteError, match="no fields"):
        decoded(descriptor_pb2.DescriptorProto(name="Row"), [Field("x", "INTEGER")], [b""])


def test_a_map_is_refused_by_name():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    entry = descriptor.nested_type.add(name="XEntry")
    entry.options.map_entry = True
    field(entry, "key", P.TYPE_STRING)
    field(entry, "value", P.TYPE_INT64)
    field(descriptor, "x", P.TYPE_MESSAGE, P.LABEL_REPEATED, type_name="XEntry")
    members = (Field("key", "STRING"), Field("value", "INTEGER"))
    with pytest.raises(BqliteError, match=r"cannot be written from .* a map"):
        decoded(descriptor, [Field("x", "RECORD", "REPEATED", members)], [b""])


def test_a_type_that_holds_itself_is_refused():
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    field(descriptor, "x", P.TYPE_MESSAGE, type_name="Row")
    one = Field("x", "RECORD", fields=(Field("x", "INTEGER"),))
    with pytest.raises(BqliteError, match="cannot be written from"):
        decoded(descriptor, [one], [b""])
