"""Avro is read as others write it, and no further than a message has bytes."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraudline.schemas.avro_reader import avro_reader
from fraudline.schemas.plain_values import MalformedError, UnusableSchemaError, encode

LONG_TIME = {"type": "long", "logicalType": "timestamp-micros"}


def record(*kinds: Any) -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
    return {"type": "record", "name": "Pay", "namespace": "bank.pay", "fields": fields}


def written(schema: dict[str, Any], *values: Any) -> bytes:
    with io.BytesIO() as out:
        row = {f"f{number}": value for number, value in enumerate(values)}
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), row)
        return out.getvalue()


def read(schema: dict[str, Any], message: bytes) -> dict[str, Any]:
    found: dict[str, Any] = avro_reader(json.dumps(schema))(message, 0)
    return found


NESTED = record(
    {
        "type": "record",
        "name": "Card",
        "fields": [
            {"name": "token", "type": ["null", "string"]},
            {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["DEBIT", "X"]}},
        ],
    },
    ["null", "Card"],
    {"type": "array", "items": "Card"},
    {"type": "map", "values": ["null", "double"]},
    "Kind",
)
_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_CARDS = st.fixed_dictionaries(
    {"token": st.none() | st.text(max_size=9), "kind": st.sampled_from(["DEBIT", "X"])}
)


@given(
    card=_CARDS,
    other=st.none() | _CARDS,
    cards=st.lists(_CARDS, max_size=3),
    by_name=st.dictionaries(st.text(max_size=3), st.none() | _FINITE, max_size=3),
    numbers=st.tuples(_FINITE, st.integers(-(2**63), 2**63 - 1), st.booleans(), _FINITE, _FINITE),
)
@settings(max_examples=60, deadline=None)
def test_what_others_write_is_read_back_value_by_value(
    card: Any, other: Any, cards: Any, by_name: Any, numbers: Any
) -> None:
    values = (card, other, cards, by_name, card["kind"])
    found = read(NESTED, written(NESTED, *values))
    assert tuple(found.values()) == values
    schema = record("double", "long", "boolean", "double", ["null", "double"])
    found = read(schema, written(schema, *numbers))
    assert tuple(found.values()) == numbers


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (
            LONG_TIME,
            dt.datetime(2026, 1, 2, 3, 4, 5, 678901, dt.UTC),
            '"2026-01-02T03:04:05.678901Z"',
        ),
        (
            {**LONG_TIME, "logicalType": "timestamp-millis"},
            1_767_323_045_678,
            '"2026-01-02T03:04:05.678000Z"',
        ),
        ({**LONG_TIME, "logicalType": "timestamp-nanos"}, -1, '"1969-12-31T23:59:59.999999Z"'),
        (
            {**LONG_TIME, "logicalType": "local-timestamp-micros"},
            1_000_001,
            '"1970-01-01T00:00:01.000001"',
        ),
        (LONG_TIME, 2**62, '"4611686018427387904 / 1000000 s after 1970"'),
        ({"type": "int", "logicalType": "date"}, 19_000, '"2022-01-08"'),
        ({"type": "int", "logicalType": "time-millis"}, 1500, '"00:00:01.500000"'),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 2},
            Decimal("-12.50"),
            "-12.50",
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 30, "scale": 0},
            Decimal(10**29),
            "1" + "0" * 29,
        ),
        ({"type": "string", "logicalType": "uuid"}, str(UUID(int=7)), f'"{UUID(int=7)}"'),
        ("float", 0.1, "0.10000000149011612"),
        ("double", math.nan, '"NaN"'),
        ("double", -math.inf, '"-Infinity"'),
        (["null", "double"], math.inf, '"Infinity"'),
        ("bytes", b"\xff", '{"bytes":"/w=="}'),
        ({"type": "fixed", "name": "Two", "size": 2}, b"ab", '{"bytes":"YWI="}'),
    ],
    ids=str,
)
def test_a_value_is_in_json_what_it_means(kind: Any, value: Any, text: str) -> None:
    schema = record(kind)
    assert encode(read(schema, written(schema, value))) == b'{"f0":' + text.encode() + b"}"


def test_large_floats_are_no_infinities_though_their_sum_is_one() -> None:
    schema = record("double", "double")
    assert read(schema, written(schema, 1.7e308, 1.7e308)) == {"f0": 1.7e308, "f1": 1.7e308}


BROKEN: dict[str, tuple[Any, bytes, str]] = {
    "nothing": ("long", b"", "it ends before its last field"),
    "half a double": ("double", b"1234", "it ends before its last field"),
    "a text that is cut": ("string", b"\x14abc", "of length 10 end behind the message"),
    "a text of length -1": ("string", b"\x01abc", "of length -1"),
    "a text of 2^62": ("string", b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7fabc", "end behind"),
    "a text that is not UTF-8": ("string", b"\x02\xff", "not valid UTF-8"),
    "a boolean of 2": ("boolean", b"\x02", "byte 2, expected 0 or 1"),
    "an int of 64 bits": ("int", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "32 bits"),
    "a number without end": ("long", b"\xff" * 30 + b"\x01", "more than 64 bits"),
    "an enum of -1": (
        {"type": "enum", "name": "e", "symbols": ["A", "B"]},
        b"\x01",
        "number -1, expected 0 to 1",
    ),
    "a branch of -1": (["null", "string"], b"\x01\x02a", "branch is -1, expected 0 to 1"),
    "a branch too far": (["null", "string"], b"\x08\x02a", "branch is 4"),
    "bytes behind the last field": ("boolean", b"\x01\x00\x00", "2 bytes are left"),
    "a decimal that is too long": (
        {"type": "bytes", "logicalType": "decimal", "precision": 2},
        b"\x04\x04\xe2",
        "more than 2 digits",
    ),
    "a list of 2^62": (
        {"type": "array", "items": "boolean"},
        b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
        "more than 5,000 values",
    ),
    "lists of lists": (
        {"type": "array", "items": {"type": "array", "items": "boolean"}},
        b"\x90\x4e" + b"\x02\x01\x00" * 5_000 + b"\x00",
        "more than 5,000 values",
    ),
    "a fixed that is cut": ({"type": "fixed", "name": "f", "size": 4}, b"ab", "ends before"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bytes_that_do_not_fit_their_schema_are_told_apart(name: str) -> None:
    kind, message, said = BROKEN[name]
    with pytest.raises(MalformedError, match=said.replace("^", r"\^")):
        read(record(kind), message)


CHAIN = {"type": "record", "name": "A", "fields": [{"name": "next", "type": ["null", "A"]}]}
WIDE = record(*(["boolean"] * 6_000))


def doubling() -> dict[str, Any]:
    """Each record has two of the one before: some lines of a schema are 2^30 values."""
    inner: Any = record("boolean")
    for level in range(20):
        inner = {
            "type": "record",
            "name": f"Level{level}",
            "fields": [
                {"name": "a", "type": inner},
                {"name": "b", "type": inner["name"] if level else "bank.pay.Pay"},
            ],
        }
    return inner  # type: ignore[no-any-return]


UNUSABLE: dict[str, tuple[Any, str]] = {
    "a type that holds itself": (CHAIN, "holds itself"),
    "a list of nulls": (record({"type": "array", "items": "null"}), "takes no byte"),
    "a field of nothing but null": (record("null"), "takes no byte"),
    "a list of empty records": (
        record({"type": "array", "items": {"type": "record", "name": "E", "fields": []}}),
        "has no field",
    ),
    "a fixed of no bytes": (record({"type": "fixed", "name": "f", "size": 0}), "has 0 bytes"),
    "no record": ("string", "it is of no record"),
    "6,000 fields": (WIDE, "more than 5,000 values"),
    "records that double": (doubling(), "more than 5,000 values"),
    "no schema": ({"type": "nonsense"}, "it is no Avro schema"),
    "a type that nobody knows": (record("Unknown"), "it is no Avro schema"),
    "a field twice": (
        {"type": "record", "name": "A", "fields": [{"name": "a", "type": "int"}] * 2},
        "more than once",
    ),
    "a decimal of 500 digits": (
        record({"type": "bytes", "logicalType": "decimal", "precision": 500, "scale": 2}),
        "precision 500",
    ),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_schema_that_asks_for_more_than_a_payment_is_refused_whole(name: str) -> None:
    schema, said = UNUSABLE[name]
    with pytest.raises(UnusableSchemaError, match=said):
        avro_reader(json.dumps(schema))


def test_a_schema_that_is_no_json_or_very_deep_is_refused() -> None:
    with pytest.raises(UnusableSchemaError, match="no Avro schema"):
        avro_reader("{")
    deep = '{"type":"array","items":' * 40 + '"int"' + "}" * 40
    with pytest.raises(UnusableSchemaError, match="nested more than 24 levels"):
        avro_reader(json.dumps(record(json.loads(deep))))
    with pytest.raises(UnusableSchemaError, match="nested too deeply"):
        avro_reader('{"type":"array","items":' * 5_000 + '"int"' + "}" * 5_000)
    with pytest.raises(UnusableSchemaError, match="at most 1,048,576 are read"):
        avro_reader(" " * 1_048_577)


@given(message=st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_a_record_or_malformed(message: bytes) -> None:
    try:
        found = read(NESTED, message)
    except MalformedError:
        return
    msgspec.json.decode(encode(found))
