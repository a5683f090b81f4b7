"""Every message has exactly one outcome, and each outcome can be read by who comes next."""

import datetime as dt
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import manifest_for, tiny_bundle, write_tiny_files
from tests.transactions import CARD_ROW, CREDITCARD, WALLET, WALLET_ROW, message, raw

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import write_manifest
from fraudline.contract import (
    DECISION_COLUMNS,
    REJECT_COLUMNS,
    Column,
    Decision,
    Decoder,
    Messages,
    Outcome,
    RejectRecord,
    reject_record,
)
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES
from fraudline.scoring import Decider

NOW = dt.datetime(2026, 5, 4, 3, 2, 1, 123_456, tzinfo=dt.UTC)
SENT_MS = 1_767_323_045_678
SENT_AT = dt.datetime.fromtimestamp(SENT_MS / 1000, dt.UTC)


@pytest.fixture(scope="module")
def card(tmp_path_factory) -> Decider:
    return Decider(tiny_bundle(tmp_path_factory.mktemp("card"), CREDITCARD))


@pytest.fixture(scope="module")
def wallet(tmp_path_factory) -> Decider:
    return Decider(tiny_bundle(tmp_path_factory.mktemp("wallet"), WALLET))


def arrived(*values: bytes | None, key: bytes | None = None, sent_at_ms: int = SENT_MS) -> Messages:
    count = len(values)
    offsets = [1000 + index for index in range(count)]
    return Messages("in", [3] * count, offsets, [key] * count, values, [sent_at_ms] * count)


def decision(contract, outcome: Outcome) -> dict[str, object]:
    assert not outcome.is_reject, outcome.value
    rows, _, rejects = Decoder(contract.decision_columns, 10**6).decode([outcome.value])
    assert rejects == []
    return rows.to_pylist()[0]


def rejected(outcome: Outcome) -> dict[str, object]:
    assert outcome.is_reject, outcome.value
    rows, _, rejects = Decoder(REJECT_COLUMNS, 1_048_576).decode([outcome.value])
    assert rejects == []
    return rows.to_pylist()[0]


def test_the_record_that_is_encoded_has_the_columns_of_a_decision():
    fields = [field.name for field in msgspec.structs.fields(Decision)]
    assert fields == [column.name for column in DECISION_COLUMNS]


def test_the_record_of_a_reject_has_the_columns_of_a_reject():
    fields = [field.name for field in msgspec.structs.fields(RejectRecord)]
    assert fields == [column.name for column in REJECT_COLUMNS]


def test_a_decision_is_the_transaction_and_what_was_decided(card):
    (outcome,) = card.decide(arrived(message(CARD_ROW), key=b"card 7"), NOW)
    found = decision(CREDITCARD, outcome)
    assert outcome.key == b"card 7"
    assert {name: found[name] for name in CARD_ROW} == CARD_ROW
    assert found | CARD_ROW == {
        **CARD_ROW,
        "transaction_id": "in:3:1000",
        "source_topic": "in",
        "source_partition": 3,
        "source_offset": 1000,
        "score": found["score"],
        "decision": "block" if found["score"] >= 0.5 else "approve",
        "threshold": 0.5,
        "model_version": card.model_version,
        "reasons": found["reasons"],
        "repeat_of": None,
        "received_at": SENT_AT,
        "decided_at": NOW,
        "propensity": None,
        "challenger_scores": None,
    }


def test_a_reject_is_the_message_as_it_came_and_why(card):
    (outcome,) = card.decide(arrived(b'{"Time": \xff', key=b"card 7"), NOW)
    assert outcome.key is None
    assert rejected(outcome) == {
        "source_topic": "in",
        "source_partition": 3,
        "source_offset": 1000,
        "reason": "invalid_utf8",
        "message": "byte 9 is not valid UTF-8: invalid start byte",
        "original": b'{"Time": \xff',
        "original_size_bytes": 10,
        "original_key": b"card 7",
        "received_at": SENT_AT,
        "rejected_at": NOW,
    }


def test_a_transactions_own_bytes_are_passed_on_unchanged(card):
    value = message(CARD_ROW).replace(b"1.0", b"1.000e+00").replace(b",", b" ,\n\t")
    (outcome,) = card.decide(arrived(value), NOW)
    assert outcome.value.startswith(value[:-1] + b',"transaction_id":')


@pytest.mark.parametrize("tail", [b"\n", b"\r\n", b" \t \n"])
def test_white_space_after_or_within_the_object_does_no_harm(card, tail):
    value = message(CARD_ROW)
    outcomes = card.decide(arrived(value + tail, value[:-1] + tail + b"}"), NOW)
    assert [decision(CREDITCARD, outcome)["V1"] for outcome in outcomes] == [1.0, 1.0]


@pytest.mark.parametrize("text", ['"}', "}", "\\", '\\"}', "}\n", ',"score":0', "\x00", "🪪"])
def test_a_string_at_the_end_may_look_like_the_end_of_the_object(wallet, text):
    (outcome,) = wallet.decide(arrived(message(WALLET_ROW, merchant=text)), NOW)
    assert decision(WALLET, outcome)["merchant"] == text


def test_a_contracts_own_id_identifies_the_decision(wallet):
    (outcome,) = wallet.decide(arrived(message(WALLET_ROW, payment_id='a"b')), NOW)
    assert decision(WALLET, outcome)["transaction_id"] == 'a"b'


@pytest.mark.parametrize("sent_at_ms", [2**62, 2**63 - 1, -(2**63), -(2**62), 253_402_300_800_000])
def test_an_absurd_time_stamp_is_told_as_absent(card, sent_at_ms):
    outcomes = card.decide(arrived(message(CARD_ROW), None, sent_at_ms=sent_at_ms), NOW)
    assert decision(CREDITCARD, outcomes[0])["received_at"] is None
    assert rejected(outcomes[1])["received_at"] is None


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**14), 3 * 10**14))
def test_any_time_stamp_gives_a_decision_that_can_be_read(card, sent_at_ms):
    (outcome,) = card.decide(arrived(message(CARD_ROW), sent_at_ms=sent_at_ms), NOW)
    decision(CREDITCARD, outcome)


def test_a_key_as_long_as_a_message_is_dropped_and_a_short_one_kept(card):
    for key, kept in ((b"k" * 1024, b"k" * 1024), (b"k" * 1025, None), (b"", b""), (None, None)):
        decided, refused = card.decide(arrived(message(CARD_ROW), b"broken", key=key), NOW)
        assert decided.key == kept
        assert rejected(refused)["original_key"] == kept


def test_a_very_long_message_is_cut_in_its_reject_and_its_size_is_told(card):
    value = b"\xff" * (MAX_ORIGINAL_BYTES * 2)
    (outcome,) = card.decide(arrived(value), NOW)
    found = rejected(outcome)
    assert found["reason"] == "too_large"
    assert found["original"] == value[:MAX_ORIGINAL_BYTES]
    assert found["original_size_bytes"] == len(value)


def test_the_largest_reject_fits_in_a_message():
    columns = [Column(f"{'c' * 100}{index}", "float64") for index in range(200)]
    for value in (b'{"' + b"\\u0001" * 10_000 + b'":1}', b"{}"):
        _, _, (reject,) = Decoder(columns, 10**6).decode([value])
        record = reject_record(arrived(b"\xff" * 10**6), reject, NOW)
        assert len(record) < 1_000_000
        outcome = Outcome(
            decision=None, reject_reason=reject.reason, partition=0, key=None, value=record
        )
        assert len(rejected(outcome)["message"]) <= 4096


def test_a_tombstone_is_rejected_with_empty_bytes(card):
    (outcome,) = card.decide(arrived(None), NOW)
    found = rejected(outcome)
    assert (found["reason"], found["original"]) == ("tombstone", b"")


def test_no_messages_have_no_outcomes(card):
    assert card.decide(arrived(), NOW) == []


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                message(WALLET_ROW),
                message(WALLET_ROW, velocity=-1e30, amount_minor=2**63 - 1),
                raw(WALLET_ROW, "velocity", b"1e308"),
                message(WALLET_ROW, paid_at="0001-01-01T00:00:00+01:00"),
                None,
                b"",
            ]
        )
        | st.binary(max_size=32),
        max_size=12,
    )
)
def test_every_message_has_exactly_one_outcome_that_can_be_read(wallet, values):
    outcomes = wallet.decide(arrived(*values), NOW)
    offsets = [
        (rejected(outcome) if outcome.is_reject else decision(WALLET, outcome))["source_offset"]
        for outcome in outcomes
    ]
    assert sorted(offsets) == [1000 + index for index in range(len(values))]


def test_a_score_that_is_no_number_rejects_its_message_and_only_that_one(tmp_path):
    write_tiny_files(tmp_path, WALLET, power=2)
    write_manifest(tmp_path, manifest_for(WALLET))
    decider = Decider(open_bundle(tmp_path, WALLET))
    poison = message(WALLET_ROW, amount_minor=1, distance_km=1e30, velocity=1e30)
    good = message(WALLET_ROW, velocity=0, distance_km=0)
    outcomes = decider.decide(arrived(good, poison, good), NOW)
    assert [outcome.is_reject for outcome in outcomes] == [False, False, True]
    found = rejected(outcomes[2])
    assert (found["reason"], found["original"]) == ("not_scorable", poison)
    assert (found["source_offset"], found["message"]) == (
        1001,
        f"model {decider.model_version} gives nan, which is no probability, for these "
        "values; narrower limits in the contract would refuse them",
    )
    for outcome, offset in zip(outcomes[:2], (1000, 1002), strict=True):
        assert decision(WALLET, outcome)["source_offset"] == offset


def test_what_is_not_approved_carries_its_reasons_and_what_is_approved_none(card):
    suspicious = message(CARD_ROW, V28=40, V27=-2.5, Amount=1234.5)
    harmless = message(CARD_ROW, V28=-40)
    outcomes = card.decide(arrived(suspicious, harmless), NOW)
    blocked, approved = (decision(CREDITCARD, outcome) for outcome in outcomes)
    assert (approved["decision"], approved["reasons"]) == ("approve", None)
    reasons = msgspec.json.decode(blocked["reasons"])
    assert [reason["feature"] for reason in reasons[:2]] == ["Amount", "V28"]
    assert reasons[0]["value"] == 1234.5
    assert reasons[0]["sentence"].startswith("Amount is 1234 EUR; 99.9 % of legitimate payments")
    contributions = [reason["contribution"] for reason in reasons]
    assert contributions == sorted(contributions, reverse=True)
    assert len(contributions) == 4
    assert min(contributions) > 0


def test_values_whose_arithmetic_overflows_are_blocked_with_what_reasons_there_are(tmp_path):
    write_tiny_files(tmp_path, WALLET, power=3)
    write_manifest(tmp_path, manifest_for(WALLET))
    decider = Decider(open_bundle(tmp_path, WALLET))
    (outcome,) = decider.decide(arrived(message(WALLET_ROW, velocity=0, distance_km=1e30)), NOW)
    found = decision(WALLET, outcome)
    assert (found["score"], found["decision"]) == (math.nextafter(1.0, 0.0), "block")
    assert "distance_km" not in found["reasons"]
