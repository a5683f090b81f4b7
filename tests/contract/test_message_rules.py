"""Messages that are not as the columns are: what a contract permits is read, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.transactions import SHOP, SHOP_ROW, message

from fraudline.contract import Contract, load_contract
from fraudline.contract.decoder import Decoder
from fraudline.contract.message_decoder import MessageDecoder
from fraudline.contract.rejects import RejectReason
from fraudline.errors import ContractError

AS_THEY_ARE = """
name = "as_they_are"

[roles]
label = "fraud"
amount = "amount"
event_time = "at"
id = "own_TRANSACTION_ID"

[messages]
unknown = "ignore"
null_as = ["", "NA"]

[columns]
own_TRANSACTION_ID = { type = "int64", from = "TRANSACTION_ID" }
at = { type = "timestamp" }
amount = { type = "float64", from = "payload.card.amount", lenient = true, min = 0, max = 1000 }
country = { type = "category", from = "payload.card.country", nullable = true }
age = { type = "int64", nullable = true, lenient = true }
is_new = { type = "bool", lenient = true }
speed = { type = "float64" }
fraud = { type = "bool", from = "isFraud" }
"""
SENT: dict[str, Any] = {
    "TRANSACTION_ID": 7,
    "at": "2026-01-02T03:04:05.678901Z",
    "payload": {"card": {"amount": "12.50", "country": "AT"}},
    "age": "41",
    "is_new": 1,
    "speed": 0.1,
}
ROW = {
    "own_TRANSACTION_ID": 7,
    "at": "2026-01-02T03:04:05.678901Z",
    "amount": 12.5,
    "country": "AT",
    "age": 41,
    "is_new": True,
    "speed": 0.1,
}
PLACE = "column 'amount' (from 'payload.card.amount')"


def contract_of(tmp_path: Path, old: str = "", new: str = "") -> Contract:
    assert old in AS_THEY_ARE
    path = tmp_path / "as_they_are.toml"
    path.write_text(AS_THEY_ARE.replace(old, new, 1))
    return load_contract(str(path))


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return contract_of(tmp_path)


def sent(**changes: Any) -> bytes:
    return json.dumps(SENT | changes).encode()


def card(**changes: Any) -> dict[str, Any]:
    return {"payload": {"card": {"amount": 1, "country": "AT", **changes}}}


def rows_of(contract: Contract, *messages: bytes) -> list[tuple[Any, ...]]:
    rows, _, rejects = contract.decoder().decode_rows(messages)
    assert rejects == []
    return rows


def refusal(contract: Contract, text: bytes | None) -> tuple[RejectReason, str]:
    rows, _, rejects = contract.decoder().decode_rows([sent(), text, sent()])
    assert [one.index for one in rejects] == [1]
    assert len(rows) == 2
    return rejects[0].reason, rejects[0].message


def test_a_message_is_read_from_where_the_contract_says_and_as_what_it_says(contract):
    (row,) = rows_of(contract, sent())
    assert row == Decoder(contract.transaction_columns).decode_rows([message(ROW)])[0][0]
    assert contract.key_of(sent()) == b"7"


@pytest.mark.parametrize(
    "text",
    [
        b"no JSON",
        b"\0\0\0\0\1ab",
        b"\xff",
        b'{"payload": 3}',
        b'{"a": ' + b"[" * 5000 + b"]" * 5000,
    ],
    ids=["no JSON", "framed", "no UTF-8", "no object", "deep"],
)
def test_a_message_that_cannot_be_read_has_no_key_and_stops_nobody_who_sends_it(contract, text):
    assert contract.key_of(text) is None


def test_what_no_column_names_is_left_alone_and_counted(contract):
    decoder = contract.decoder()
    foreign = card(network="visa", amount=1) | {"trace": {"id": [1, {"a": 1, "b": 2}]}}
    rows, accepted, rejects = decoder.decode_rows([sent(), sent(**foreign), sent(note="x")])
    assert (len(rows), accepted, rejects) == (3, [0, 1, 2], [])
    assert decoder.cut == {1, 2}
    for text in decoder.plain_texts.values():
        assert list(json.loads(text)) == [one.name for one in contract.transaction_columns]


def test_texts_for_null_are_null_where_a_column_may_be_and_nowhere_else(contract):
    (row,) = rows_of(contract, sent(age="NA", **card(country="")))
    assert (row[3], row[4]) == (None, None)
    (row,) = rows_of(contract, sent(age="NA").replace(b'"NA"', b'"\\u004eA"'))
    assert row[4] is None
    assert refusal(contract, sent(speed="")) == (
        RejectReason.WRONG_TYPE,
        "column 'speed': expected float, got str; lenient = true would allow numbers in quotes",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (card(amount="12,50"), f"{PLACE}: expected float, got str"),
        (card(amount="NaN"), f"{PLACE}: expected float, got str"),
        (card(amount="1e999"), f"{PLACE}: number out of range"),
        (card(amount="1001"), "expected float <= 1000.0; a higher max would allow it"),
        (card(amount=None), "expected float, got null; nullable = true would allow it"),
        ({"payload": {"card": 3}}, "column 'payload.card': expected object, got int"),
        ({"payload": {"card": None}}, f"{PLACE}: expected float, got null"),
        ({"payload": {"card": {"country": "AT"}}}, f"{PLACE} is missing"),
        ({"payload": {}}, "is missing; expected exactly: own_TRANSACTION_ID, at"),
        ({"age": "4.5"}, "column 'age': expected int | null, got float"),
        ({"is_new": 2}, "column 'is_new': expected bool, got int"),
        ({"is_new": "1"}, "column 'is_new': expected bool, got str"),
        ({"at": "2026-01-02"}, "column 'at':"),
    ],
)
def test_what_is_refused_names_column_place_and_key(contract, changes, words):
    assert words in refusal(contract, sent(**changes))[1]


def test_a_column_that_is_there_twice_is_refused_and_a_foreign_one_is_not(contract):
    twice = sent().replace(b'"country": "AT"', b'"country": "AT", "country": "DE"')
    assert refusal(contract, twice) == (
        RejectReason.DUPLICATE_COLUMN,
        "column 'payload.card.country' is there more than once",
    )
    escaped = sent().replace(b'"speed"', b'"\\u0073peed": 2, "speed"')
    assert refusal(contract, escaped)[0] == RejectReason.DUPLICATE_COLUMN
    foreign = sent(x={"speed": 1}).replace(b'"x"', b'"y": 1, "y": 2, "x"')
    assert rows_of(contract, foreign)[0][6] == 0.1


@pytest.mark.parametrize(
    "text", [None, b"", b"{", b"[]", b"\xff", b"{}{}", b"[" * 9999, b"x" * 70_000]
)
def test_what_is_no_message_is_refused_as_anywhere(contract, text):
    (plain,) = Decoder(contract.transaction_columns).decode_rows([text])[2]
    reason, told = refusal(contract, text)
    assert reason == plain.reason or text == b"{}{}"
    assert told == plain.message or reason is RejectReason.INVALID_JSON


def test_without_permission_nothing_is_permitted(tmp_path):
    strict = contract_of(tmp_path, 'unknown = "ignore"\nnull_as = ["", "NA"]', "")
    told = refusal(strict, sent(note=1))[1]
    assert told.startswith("column 'note' is unknown; expected exactly")
    assert told.endswith('[messages] unknown = "ignore" would allow it')
    assert "column 'payload.card.x' is unknown" in refusal(strict, sent(**card(x=1)))[1]
    assert "expected int | null, got str" in refusal(strict, sent(age="NA"))[1]
    assert type(SHOP.decoder()) is Decoder


def test_what_a_row_is_written_as_is_read_as_that_row(contract):
    rows, *_ = contract.decoder().decode([sent(), sent(age=None, **card(country=None))])
    lines = contract.message_lines(rows)
    assert json.loads(lines[0])["payload"]["card"] == {"amount": 12.5, "country": "AT"}
    assert contract.decoder().decode(lines)[0].equals(rows)


def test_models_stay_valid_whatever_messages_look_like(contract, tmp_path):
    plain = contract_of(tmp_path, '[messages]\nunknown = "ignore"\nnull_as = ["", "NA"]', "")
    assert plain.fingerprint == contract.fingerprint
    assert isinstance(contract.decoder(), MessageDecoder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"ignore"', '"drop"', "[messages]: unknown = 'drop', expected one of refuse, ignore"),
        ('["", "NA"]', '"NA"', "null_as = 'NA', expected list"),
        ('["", "NA"]', "[0]", "null_as = [0], expected at most 20 texts"),
        ("unknown =", "unkown =", "unknown key unkown"),
        ('"payload.card.country"', '"payload..country"', "column 'country': from = 'payload..cou"),
        ('"payload.card.country"', '"payload.card"', "needs a place of its own in a message"),
        ('"payload.card.country"', '"speed"', "it is read from 'speed', and column 'country' from"),
        ('"timestamp" }', '"timestamp", lenient = true }', "means nothing of a timestamp"),
        ("own_TRANSACTION_ID = {", "TRANSACTION_ID = {", 'own_TRANSACTION_ID = { from = "TRANSAC'),
    ],
)
def test_what_a_contract_cannot_mean_is_told(tmp_path, old, new, words):
    with pytest.raises(ContractError) as caught:
        contract_of(tmp_path, old, new)
    assert words in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "NA", "1", "x"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["card", "amount", "country", "z"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*SENT, "z"]), JSON), st.binary(max_size=4))
def test_whatever_is_sent_is_a_row_or_a_reject(tmp_path_factory, changes, noise):
    contract = contract_of(tmp_path_factory.mktemp("fuzz"))
    text = sent(**changes)
    texts = [text, text[:-3] + noise, noise, text + noise]
    rows, accepted, rejects = contract.decoder().decode_rows(texts)
    assert len(rows) == len(accepted)
    assert sorted([*accepted, *(one.index for one in rejects)]) == [0, 1, 2, 3]


def test_a_contract_without_rules_names_the_key_that_would_allow_a_value():
    wrong = [message(SHOP_ROW, amount=None), message(SHOP_ROW, z=1)]
    one, other = SHOP.decoder().decode_rows(wrong)[2]
    assert one.message == (
        "column 'amount': expected float, got null; nullable = true would allow it"
    )
    assert other.message.endswith('; [messages] unknown = "ignore" would allow it')
