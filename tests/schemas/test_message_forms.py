"""Messages in another form are decoded as the same message in JSON is, to the last bit."""

from __future__ import annotations

import builtins
import json
import logging
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from pydantic import SecretStr
from tests.schemas.small_registry import SmallRegistry, small_registry
from tests.schemas.written import avro_messages, changed, json_messages
from tests.transactions import CARD_ROW, CREDITCARD, SHOP, SHOP_ROW, WALLET, WALLET_ROW, message

from fraudline.contract import Contract, Decoder, Messages, RejectReason
from fraudline.errors import SchemaRegistryError, SettingsError
from fraudline.schemas import MessageForms, schema_source
from fraudline.settings import SchemaRegistrySettings


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    with small_registry() as running:
        yield running


@pytest.fixture
def client(registry: SmallRegistry) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry.url})


@pytest.fixture
def forms(registry: SmallRegistry) -> MessageForms:
    return MessageForms(SchemaRegistrySettings(url=registry.url))


def batch(*values: bytes | None, partitions: list[int] | None = None) -> Messages:
    count = len(values)
    places = partitions or [0] * count
    return Messages("t", places, list(range(count)), [None] * count, values, [0] * count)


def decoded(forms: MessageForms, contract: Contract, *values: bytes | None) -> Any:
    decoder = Decoder(contract.transaction_columns, id_columns=contract.id_columns)
    return decoder.decode_rows(forms.translate(batch(*values)).values)


def only_reject(forms: MessageForms, contract: Contract, value: bytes | None) -> tuple[str, str]:
    rows, _, (reject,) = decoded(forms, contract, value)
    assert rows == []
    return reject.reason.value, reject.message


ROWS = [(CREDITCARD, CARD_ROW), (WALLET, WALLET_ROW), (SHOP, SHOP_ROW)]
EXACT = [0.1, 1e-300, 1234.567890123456789, 5e-324, 3.0]


@pytest.mark.parametrize("write", [avro_messages, json_messages])
@pytest.mark.parametrize(("contract", "row"), ROWS, ids=lambda each: getattr(each, "name", ""))
def test_each_row_is_the_one_that_json_gives(
    write: Callable[..., list[bytes]],
    contract: Contract,
    row: dict[str, Any],
    forms: MessageForms,
    client: SchemaRegistryClient,
) -> None:
    floats = [one.name for one in contract.transaction_columns if one.type == "float64"]
    rows = [row, *({**row, floats[1]: value} for value in EXACT)]
    sent = write(client, contract, rows)
    assert all(each[:1] == b"\0" for each in sent)
    found, accepted, rejects = decoded(forms, contract, *sent)
    expected, _, _ = Decoder(contract.transaction_columns).decode_rows(
        [message(each) for each in rows]
    )
    assert rejects == []
    assert repr(found) == repr(expected)
    assert accepted == list(range(len(rows)))


def test_a_fault_in_avro_is_the_fault_that_it_is_in_json(
    forms: MessageForms, client: SchemaRegistryClient
) -> None:
    faults = [
        {"amount_minor": -1},
        {"velocity": 1e39},
        {"payment_id": " "},
        {"payment_id": "p" * 65},
        {"merchant": "x" * 2000},
    ]
    rows = [{**WALLET_ROW, **fault} for fault in faults]
    _, _, rejects = decoded(forms, WALLET, *avro_messages(client, WALLET, rows))
    plain = Decoder(WALLET.transaction_columns, id_columns=WALLET.id_columns)
    _, _, expected = plain.decode_rows([message(row) for row in rows])
    assert rejects == expected
    assert len(rejects) == len(faults)


def test_what_json_has_no_number_for_is_a_wrong_type(
    forms: MessageForms, client: SchemaRegistryClient
) -> None:
    for value, shown in ((float("nan"), "NaN"), (float("inf"), "Infinity")):
        (sent,) = avro_messages(client, WALLET, [{**WALLET_ROW, "risk_note": value}])
        assert shown.encode() in (forms.translate(batch(sent)).values[0] or b"")
        reason, said = only_reject(forms, WALLET, sent)
        assert (reason, "risk_note" in said) == ("wrong_type", True)  # and no null


def test_json_and_other_forms_may_lie_in_one_topic_and_keep_their_places(
    forms: MessageForms, client: SchemaRegistryClient
) -> None:
    plain, broken = message(WALLET_ROW), b"{broken"
    (avro,) = avro_messages(client, WALLET, [WALLET_ROW])
    (other,) = json_messages(client, WALLET, [WALLET_ROW])
    values = [plain, avro, None, other, broken, b""]
    messages = forms.translate(batch(*values))
    rows, accepted, rejects = Decoder(WALLET.transaction_columns).decode_rows(messages.values)
    assert accepted == [0, 1, 3]
    assert rows[0] == rows[1] == rows[2]
    assert [(one.index, one.reason.value) for one in rejects] == [
        (2, "tombstone"),
        (4, "invalid_json"),
        (5, "empty"),
    ]
    assert [messages.original(index) for index in range(6)] == values
    assert messages.take([4, 1]).original(1) == avro


def test_json_alone_costs_no_copy_and_asks_nobody(
    forms: MessageForms, registry: SmallRegistry
) -> None:
    messages = batch(message(WALLET_ROW), None, b"")
    assert forms.translate(messages) is messages
    assert registry.asked == []


def test_a_schema_is_asked_for_once(
    forms: MessageForms, client: SchemaRegistryClient, registry: SmallRegistry
) -> None:
    sent = avro_messages(client, WALLET, [WALLET_ROW] * 3)
    registry.asked.clear()
    for _ in range(3):
        decoded(forms, WALLET, *sent)
    assert registry.asked == ["/schemas/ids/1"]


def test_a_newer_schema_with_one_field_more_is_an_unknown_column_as_in_json(
    forms: MessageForms, client: SchemaRegistryClient
) -> None:
    newer = changed(WALLET, more={"name": "device", "type": ["null", "string"], "default": None})
    old, new = (
        avro_messages(client, WALLET, [{**WALLET_ROW, **more}], schema=schema)[0]
        for schema, more in ((None, {}), (newer, {"device": "d-1"}))
    )
    assert old[:5] != new[:5]
    rows, accepted, (reject,) = decoded(forms, WALLET, old, new)
    assert (len(rows), accepted) == (1, [0])
    assert (reject.index, reject.reason) == (1, RejectReason.UNKNOWN_COLUMN)
    assert "column 'device' is unknown" in reject.message


def test_a_schema_without_a_column_of_the_contract_is_a_missing_column_as_in_json(
    forms: MessageForms, client: SchemaRegistryClient
) -> None:
    schema = changed(WALLET, without="distance_km")
    (sent,) = avro_messages(client, WALLET, [WALLET_ROW], schema=schema)
    reason, said = only_reject(forms, WALLET, sent)
    assert reason == "missing_column"
    assert "column 'distance_km' is missing" in said


def test_a_decimal_is_the_number_that_its_digits_are_in_json(
    forms: MessageForms, client: SchemaRegistryClient
) -> None:
    schema = json.loads(changed(WALLET))
    money = {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}
    for field in schema["fields"]:
        if field["name"] == "velocity":
            field["type"] = money
    row = {**WALLET_ROW, "velocity": Decimal("4503599627.37")}
    (sent,) = avro_messages(client, WALLET, [row], schema=json.dumps(schema))
    rows, _, _ = decoded(forms, WALLET, sent)
    assert 4503599627.37 in rows[0]


def test_a_type_of_another_subject_is_looked_up_by_its_reference(
    forms: MessageForms, client: SchemaRegistryClient, registry: SmallRegistry
) -> None:
    card = {"type": "record", "name": "bank.Card", "fields": [{"name": "token", "type": "string"}]}
    client.register_schema("card", Schema(json.dumps(card), "AVRO"))
    pay = {"type": "record", "name": "bank.Pay", "fields": [{"name": "card", "type": "bank.Card"}]}
    refers = [SchemaReference("bank.Card", "card", 1)]
    number = client.register_schema("pay", Schema(json.dumps(pay), "AVRO", refers))
    sent = b"\0" + number.to_bytes(4) + b"\x06abc"
    assert forms.translate(batch(sent)).values == [b'{"card":{"token":"abc"}}']
    assert registry.asked[-2:] == [
        f"/schemas/ids/{number}",
        "/subjects/card/versions/1?deleted=true",
    ]


def test_an_id_that_the_registry_does_not_know_is_a_reject_that_a_replay_may_send_again(
    forms: MessageForms,
    client: SchemaRegistryClient,
    registry: SmallRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schema_source, "_ASK_AGAIN_S", 0.01)
    monkeypatch.setattr(schema_source, "_REMEMBERED_S", 0.2)
    (sent,) = avro_messages(client, WALLET, [WALLET_ROW])
    unknown = b"\0" + (77).to_bytes(4) + sent[5:]
    rows, _, (reject,) = decoded(forms, WALLET, sent, unknown)
    assert len(rows) == 1
    assert reject.reason is RejectReason.UNKNOWN_SCHEMA
    assert not reject.reason.is_in_message
    assert f"the registry at {registry.url} has no schema 77" in reject.message
    assert registry.asked.count("/schemas/ids/77") == 2  # it may have heard of it a moment later
    decoded(forms, WALLET, unknown)
    assert registry.asked.count("/schemas/ids/77") == 2
    registry.add(77, changed(WALLET))
    time.sleep(0.25)
    rows, _, _ = decoded(forms, WALLET, unknown)
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (b"\0\0\0", "invalid_encoding", "begins with byte 0 and ends after 3"),
        (b"\x01" + bytes(30), "invalid_encoding", "begins with byte 1, before a schema's GUID"),
        (b"\0\0\0\0\x01", "invalid_encoding", "does not fit its schema 1: it ends before"),
        (b"\0\0\0\0\x01" + b"\xff" * 40, "invalid_encoding", "does not fit its schema 1"),
        (b"\0\0\0\0\x01" + bytes(70_000), "too_large", "70,005 bytes"),
        (b"\x02\0\0\0\x01", "invalid_json", ""),
        (b"Obj\x01", "invalid_json", ""),
    ],
    ids=lambda each: str(each)[:20],
)
def test_bytes_that_no_serialiser_wrote_are_rejects_with_a_reason(
    value: bytes, reason: str, said: str, forms: MessageForms, registry: SmallRegistry
) -> None:
    registry.add(1, changed(WALLET))
    found, message_said = only_reject(forms, WALLET, value)
    assert found == reason
    assert said in message_said


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('{"type":"array","items":"null"}', "AVRO", "takes no byte"),
        ("{", "AVRO", "it is no Avro schema"),
        ("x", "THRIFT", "it is of type THRIFT"),
    ],
)
def test_a_schema_that_cannot_be_used_rejects_its_messages_and_no_others(
    text: str, kind: str, said: str, forms: MessageForms, registry: SmallRegistry
) -> None:
    registry.add(5, text, kind)
    rows, _, (reject,) = decoded(forms, WALLET, message(WALLET_ROW), b"\0\0\0\0\x05abc")
    assert len(rows) == 1
    assert reject.reason is RejectReason.UNUSABLE_SCHEMA
    assert reject.message.startswith("schema 5 cannot be used: ")
    assert said in reject.message


FAULTS = {
    "an answer of 500": (500, '{"error_code": 50001, "message": "store timed out"}'),
    "a page of somebody else": (404, "<html>not found</html>"),
    "no JSON": (200, "<html>log in</html>"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_registry_that_does_not_answer_makes_its_messages_wait_and_rejects_none(
    name: str, forms: MessageForms, client: SchemaRegistryClient, registry: SmallRegistry
) -> None:
    known, *later = avro_messages(client, WALLET, [WALLET_ROW] * 3)
    decoded(forms, WALLET, known)
    registry.fault = FAULTS[name]
    unknown = b"\0\0\0\0\x09" + known[5:]
    sent = batch(known, unknown, *later, message(WALLET_ROW), partitions=[0, 1, 0, 1, 2])
    readable, awaited = forms.translate_known(sent)
    assert readable.offsets == [0, 2, 4]  # what is behind it in its partition waits, too
    assert {key: (one.offset, one.schema_id) for key, one in awaited.items()} == {1: (1, 9)}
    assert registry.url in forms.fault
    assert not forms.is_answered(9)
    registry.add(9, changed(WALLET))
    registry.fault = None
    deadline = time.monotonic() + 10
    while not forms.is_answered(9):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert forms.fault == ""
    readable, awaited = forms.translate_known(sent)
    assert (len(readable), awaited) == (5, {})


def test_who_cannot_wait_is_told_by_name_and_exit_code(
    registry: SmallRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_source, "_PATIENCE_S", 0.3)
    registry.stop()
    forms = MessageForms(SchemaRegistrySettings(url=registry.url))
    with pytest.raises(SchemaRegistryError, match="schema 9 of 1 could not be asked for") as told:
        forms.translate(batch(b"\0\0\0\0\x09abc"))
    assert f"the schema registry at {registry.url} does not answer" in str(told.value)


def test_the_password_is_sent_and_never_said(
    registry: SmallRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    registry.add(1, changed(WALLET))
    registry.login = ("fraudline", "s3cret")
    right, wrong = (
        SchemaRegistrySettings(url=registry.url, username="fraudline", password=SecretStr(password))
        for password in ("s3cret", "wr0ng")
    )
    sent = b"\0\0\0\0\x01"
    assert only_reject(MessageForms(right), WALLET, sent)[0] == "invalid_encoding"
    refused = MessageForms(wrong)
    _, awaited = refused.translate_known(batch(sent))
    assert list(awaited) == [0]
    assert "refuses the user of schema_registry (401)" in refused.fault
    for said in (refused.fault, caplog.text, repr(right), repr(wrong)):
        assert "s3cret" not in said
        assert "wr0ng" not in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "registry:8081"}, r"expected http\(s\)://host:port/path without '@'"),
        ({"url": "http://user:secret@registry"}, "without '@'"),
        ({"url": "http://a,ftp://b"}, "expected http"),
        ({"password": "s3cret"}, "there is a password, but username is empty"),
    ],
    ids=str,
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SchemaRegistrySettings(**given)


def test_without_the_extra_the_setting_is_refused_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def missing(name: str, *arguments: Any) -> Any:
        if name == "fastavro":
            raise ImportError(name=name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SettingsError, match=r"pip install 'fraudline\[schemas\]'"):
        MessageForms(SchemaRegistrySettings(url="http://127.0.0.1:1"))


def test_made_up_ids_are_not_kept_for_ever(
    forms: MessageForms,
    client: SchemaRegistryClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in (("_MOST_ANSWERS", 20), ("_REMEMBERED_S", 1.0), ("_ASK_AGAIN_S", 0.01)):
        monkeypatch.setattr(schema_source, name, value)
    (sent,) = avro_messages(client, WALLET, [WALLET_ROW])
    made_up = [b"\0" + number.to_bytes(4) + b"x" for number in range(1000, 1031)]
    rows, _, rejects = decoded(forms, WALLET, sent, *made_up[:-1])
    assert (len(rows), len(rejects)) == (1, 30)
    time.sleep(1.0)
    decoded(forms, WALLET, sent, made_up[-1])
    assert len(forms._source._answers) == 2
