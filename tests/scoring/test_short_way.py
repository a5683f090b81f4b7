"""A message alone is decided as in a batch, and a decision's bytes are those of its record."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import tiny_bundle, tiny_policy
from tests.transactions import CARD_ROW, CREDITCARD, SHOP, SHOP_ROW, WALLET, WALLET_ROW, message

from fraudline.bundle.bundle import Bundle
from fraudline.contract import Contract, Decision, Decoder, Messages, Outcome, Reject
from fraudline.contract.row_numbers import RowNumbers
from fraudline.scoring import Decider, Judge, RepeatMemory, Verdict, assess

NOW = dt.datetime(2026, 5, 4, 3, 2, 1, 123_456, tzinfo=dt.UTC)
offsets = st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
times = st.datetimes(timezones=st.just(dt.UTC) | offsets)
card_rows = st.fixed_dictionaries(
    {
        column.name: st.floats(column.min, column.max) | st.sampled_from([0.0, 0.1, 1e-45, 1.5])
        for column in CREDITCARD.transaction_columns
    }
)
wallet_rows = st.fixed_dictionaries(
    {
        **{name: st.just(value) for name, value in WALLET_ROW.items()},
        "payment_id": st.text(max_size=8) | st.sampled_from(["p-1", "p-2"]),
        "paid_at": times.map(dt.datetime.isoformat),
        "amount_minor": st.integers(0, 2**63 - 1) | st.integers(0, 10_000),
        "velocity": st.floats(-1e6, 1e6),
        "distance_km": st.floats(0, 1e5),
        "is_abroad": st.booleans(),
        "risk_note": st.none() | st.text(max_size=5),
        "merchant": st.text(max_size=12),
    }
)
shop_rows = st.fixed_dictionaries(
    {
        "order_id": st.text(max_size=8),
        "ordered_at": times.map(dt.datetime.isoformat),
        "amount": st.floats(0, 1e6),
        "items": st.none() | st.integers(-(2**63), 2**63 - 1),
        "amount_of_last_order": st.none() | st.floats(-1e6, 1e6),
        "is_known": st.none() | st.booleans(),
        "last_login_at": st.none() | times.map(dt.datetime.isoformat),
        "speed": st.floats(-1e6, 1e6),
        "country": st.none()
        | st.sampled_from(["", "AT", "at", "Österreich"])
        | st.text(max_size=12),
        "code": st.sampled_from([0, 5411, 7995]) | st.integers(0, 2**63 - 1),
        "is_gift": st.none() | st.booleans(),
        "merchant": st.text(max_size=20),
    }
)
ROWS = {"creditcard": card_rows, "wallet": wallet_rows, "shop": shop_rows}


def messages_of(
    rows: st.SearchStrategy[dict[str, object]],
) -> st.SearchStrategy[list[bytes | None]]:
    broken = st.none() | st.binary(max_size=16) | st.just(message(CARD_ROW, V1=None))
    sent = rows.map(msgspec.json.encode) | rows.map(lambda row: msgspec.json.encode(row) + b" \n")
    return st.lists(sent | sent | sent | broken, max_size=9)


@pytest.fixture(scope="module", params=[CREDITCARD, WALLET, SHOP], ids=ROWS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    costs = tiny_policy(review_from=None, block_from=None)  # so that some rows are alerts
    return tiny_bundle(tmp_path_factory.mktemp("tiny"), request.param, policy=costs)


def strategy(contract: Contract) -> st.SearchStrategy[list[bytes | None]]:
    return messages_of(ROWS[contract.name])


def arrived(values: list[bytes | None], first: int = 1000) -> Messages:
    count = len(values)
    offsets = list(range(first, first + count))
    keys = [None if offset % 2 else b"key %d" % offset for offset in offsets]
    return Messages("in%b", [3] * count, offsets, keys, values, [1_767_323_045_678] * count)


def in_order(outcomes: list[Outcome]) -> dict[int, Outcome]:
    return {msgspec.json.decode(one.value)["source_offset"]: one for one in outcomes}


@settings(deadline=None)
@given(st.data())
def test_a_message_alone_is_decided_as_in_a_batch_to_the_last_bit(bundle, data):
    values = data.draw(strategy(bundle.contract))
    decider = Decider(bundle)
    together = in_order(decider.decide(arrived(values), NOW))
    for place, value in enumerate(values):
        (alone,) = decider.decide(arrived([value], 1000 + place), NOW)
        assert alone == together[1000 + place]


@settings(deadline=None)
@given(st.data())
def test_plain_rows_give_the_numbers_of_the_arrow_way_bit_for_bit(bundle, data):
    contract = bundle.contract
    decoder = Decoder(contract.transaction_columns)
    values = data.draw(strategy(contract))
    rows, accepted, rejects = decoder.decode_rows(values)
    batch, *others = decoder.decode(values)
    assert others == [accepted, rejects]
    features, amounts = RowNumbers(contract).read(rows)
    assert features.tobytes() == contract.feature_matrix(batch).tobytes()
    assert amounts.tobytes() == contract.amounts(batch).tobytes()
    assert (features.dtype, features.shape) == (np.float32, (len(rows), len(contract.features)))


@settings(deadline=None)
@given(st.data())
def test_verdicts_are_what_is_decided_and_know_no_position(bundle, data):
    values = data.draw(strategy(bundle.contract))
    outcomes = in_order(Decider(bundle).decide(arrived(values), NOW))
    verdicts = Judge(bundle).judge(values)
    assert len(verdicts) == len(values)
    for place, verdict in enumerate(verdicts):
        outcome = outcomes[1000 + place]
        if isinstance(verdict, Reject):
            assert (verdict.index, verdict.reason) == (place, outcome.reject_reason)
            continue
        decision = msgspec.json.decode(outcome.value, type=Decision)
        reasons = verdict.reasons
        if reasons is not None:
            reasons = msgspec.json.encode(reasons).decode()
        said = (verdict.score, verdict.decision, verdict.threshold, verdict.model_version, reasons)
        assert said == (
            decision.score,
            decision.decision,
            decision.threshold,
            decision.model_version,
            decision.reasons,
        )


@settings(deadline=None)
@given(st.data())
def test_a_decisions_bytes_are_those_of_its_record_behind_the_transactions_own(bundle, data):
    values = data.draw(strategy(bundle.contract))
    memory = RepeatMemory(bundle.contract, 100) if bundle.contract.id is not None else None
    for outcome in Decider(bundle, memory).decide(arrived(values), NOW):
        if outcome.is_reject:
            continue
        decision = msgspec.json.decode(outcome.value, type=Decision)
        own = values[decision.source_offset - 1000].rstrip()[:-1]
        assert outcome.value == own + b"," + msgspec.json.encode(decision)[1:]
        assert outcome.key == (
            None if decision.source_offset % 2 else b"key %d" % decision.source_offset
        )


def test_an_arrow_batch_is_assessed_as_its_messages_are_judged(bundle):
    row = {"creditcard": CARD_ROW, "wallet": WALLET_ROW, "shop": SHOP_ROW}[bundle.contract.name]
    values = [message(row)] * 5
    batch, _, _ = Decoder(bundle.contract.transaction_columns).decode(values)
    assessment = assess(pa.Table.from_batches([batch]), bundle)
    for place, verdict in enumerate(Judge(bundle).judge(values)):
        assert isinstance(verdict, Verdict)
        assert verdict.score == assessment.scores[place]
        assert verdict.decision == assessment.decisions[place]
        assert verdict.threshold == assessment.thresholds[place]


def test_no_transactions_have_no_verdicts(bundle, tmp_path: Path):
    assert Judge(bundle).judge([]) == []
