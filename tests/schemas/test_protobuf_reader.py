"""Protobuf is read by the descriptors of its schema, whether a registry keeps text or base64."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from tests.schemas.small_registry import SmallRegistry, small_registry
from tests.schemas.test_message_forms import ROWS, batch, decoded, only_reject
from tests.schemas.written import protobuf_messages, protobuf_of, protobuf_type
from tests.transactions import WALLET, WALLET_ROW, message

from fraudline.contract import Contract, Decoder
from fraudline.schemas import MessageForms
from fraudline.schemas.plain_values import MalformedError, UnusableSchemaError, encode
from fraudline.schemas.protobuf_reader import protobuf_reader
from fraudline.settings import SchemaRegistrySettings

TEXT = """
syntax = "proto3";
package bank;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
message Payment {
  message Card { optional string token = 1; repeated int32 pins = 2; }
  enum Kind { DEBIT = 0; CREDIT = 1; }
  double amount = 1;
  optional double fee = 2;
  google.protobuf.Timestamp at = 3;
  google.protobuf.DoubleValue speed = 4;
  Kind kind = 5;
  Card card = 6;
  map<string, int64> counts = 7;
  bytes raw = 8;
  uint64 large = 9;
  Payment before = 10;
  repeated Card cards = 11;
}
message Other { bool yes = 1; }
"""


@pytest.fixture(scope="module")
def payment() -> Any:
    return protobuf_type(TEXT, "bank_payment")


@pytest.fixture(scope="module")
def read() -> Any:
    return protobuf_reader(TEXT, {})


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    with small_registry() as running:
        yield running


@pytest.mark.parametrize(("contract", "row"), ROWS, ids=lambda each: getattr(each, "name", ""))
def test_what_others_write_by_the_exported_schema_is_the_row_that_json_gives(
    contract: Contract, row: dict[str, Any], registry: SmallRegistry
) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    kind = protobuf_of(contract)
    forms = MessageForms(SchemaRegistrySettings(url=registry.url))
    rows, _, rejects = decoded(forms, contract, *protobuf_messages(client, kind, [row, row]))
    expected, _, _ = Decoder(contract.transaction_columns).decode_rows([message(row)] * 2)
    assert (repr(rows), rejects) == (repr(expected), [])


def test_a_field_that_is_not_set_is_a_null_and_no_zero(registry: SmallRegistry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    kind = protobuf_of(WALLET)
    forms = MessageForms(SchemaRegistrySettings(url=registry.url))
    (sent,) = protobuf_messages(client, kind, [{**WALLET_ROW, "velocity": None}])
    reason, said = only_reject(forms, WALLET, sent)
    assert (reason, "velocity" in said) == ("wrong_type", True)


def test_each_kind_of_value_is_in_json_what_it_means(payment: Any, read: Any) -> None:
    sent = payment(amount=0.1, kind=1, raw=b"\xff", large=2**64 - 1, counts={"a": 2})
    sent.at.FromJsonString("2026-01-02T03:04:05.678901999Z")
    sent.speed.value = 1.5
    sent.card.pins.extend([1, 2])
    assert json.loads(encode(read(b"\0" + sent.SerializeToString(), 0))) == {
        "amount": 0.1,
        "fee": None,
        "at": "2026-01-02T03:04:05.678901Z",
        "speed": 1.5,
        "kind": "CREDIT",
        "card": {"token": None, "pins": [1, 2]},
        "counts": {"a": 2},
        "raw": {"bytes": "/w=="},
        "large": 2**64 - 1,
        "before": None,
        "cards": [],
    }
    sent = payment(amount=math.nan, kind=7)
    found = json.loads(encode(read(b"\0" + sent.SerializeToString(), 0)))
    assert (found["amount"], found["kind"]) == ("NaN", 7)
    assert (found["at"], found["speed"], found["card"]) == (None, None, None)


def test_a_message_says_which_type_of_its_schema_it_is_of(read: Any) -> None:
    assert read(b"\x02\x02\x08\x01", 0) == {"yes": True}
    assert read(b"\x04\x00\x00\x0a\x01x", 0) == {"token": "x", "pins": []}


def nested(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        size, header = len(inner), b""
        while size > 0x7F:
            header += bytes([size & 0x7F | 0x80])
            size >>= 7
        inner = b"\x52" + header + bytes([size]) + inner
    return inner


BROKEN = {
    "nothing": (b"", "it ends before it says which type"),
    "a type that is not there": (b"\x02\x08", "no type at the place"),
    "a type before the first": (b"\x02\x01", "no type at the place"),
    "minus one places": (b"\x01", "no type at the place"),
    "as many places as there are bytes": (b"\xfe\xff\x07", "it ends before it says which type"),
    "half a double": (b"\0\x09\0\0", "it is no 'bank.Payment'"),
    "a text that is not UTF-8": (b"\0\x32\x03\x0a\x01\xff", "it is no 'bank.Payment'"),
    "a field that the schema lacks": (b"\0\xf8\x07\x01", "has a field 127, which its schema lacks"),
    "very deep": (b"\0" + nested(5_000), "it is no 'bank.Payment'"),
    "many empty messages": (b"\0" + b"\x5a\0" * 30_000, "more than 5,000 values"),
    "a long list": (b"\0\x32\x84\x9c\x01\x12\x80\x9c\x01" + bytes(19_968), "more than 5,000"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bytes_that_do_not_fit_their_schema_are_told_apart(name: str, read: Any) -> None:
    sent, said = BROKEN[name]
    with pytest.raises(MalformedError, match=said):
        read(sent, 0)


@pytest.mark.parametrize(
    ("text", "references", "said"),
    [
        ("syntax = 'proto3'; message A { int32 a = 1; int32 b = 1; }", {}, "no Protobuf schema"),
        ("nonsense", {}, "no Protobuf schema"),
        ('syntax = "proto3"; import "other.proto"; message A {}', {}, "no Protobuf schema"),
        ("syntax = 'proto3';", {"../up.proto": ""}, "no name of a file"),
        ("syntax = 'proto3';", {"/etc/passwd": ""}, "no name of a file"),
        (" " * 1_100_000, {}, "more than 1,048,576 characters"),
    ],
)
def test_a_schema_that_is_none_is_refused_whole(
    text: str, references: dict[str, str], said: str
) -> None:
    with pytest.raises(UnusableSchemaError, match=said):
        protobuf_reader(text, references)


def test_imports_are_looked_up_as_text_and_as_base64(registry: SmallRegistry) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    place = "syntax = 'proto3'; package o; message Place { optional string city = 1; }"
    trip = "syntax = 'proto3'; import 'place.proto'; message Trip { o.Place to = 1; }"
    sent = b"\0\x0a\x03\x0a\x01X"
    client.register_schema("place", Schema(place, "PROTOBUF"))
    refers = [SchemaReference("place.proto", "place", 1)]
    number = client.register_schema("trip", Schema(trip, "PROTOBUF", refers))
    forms = MessageForms(SchemaRegistrySettings(url=registry.url))
    value = b"\0" + number.to_bytes(4) + sent
    assert forms.translate(batch(value)).values == [b'{"to":{"city":"X"}}']

    kind = protobuf_type(place, "place")
    described = base64.b64encode(kind.DESCRIPTOR.file.serialized_pb).decode()
    with pytest.raises(UnusableSchemaError, match="no Protobuf schema"):
        protobuf_reader(trip, {"place.proto": described})  # one in each form is nothing
    importing = base64.b64decode(described).replace(b"place.proto", b"other.proto")
    importing += b"\x1a\x08os/x.pro"  # a dependency that nobody has
    with pytest.raises(UnusableSchemaError, match=r"imports 'os/x\.pro', which is not there"):
        protobuf_reader(base64.b64encode(importing).decode(), {})
