"""A transaction that is sent again is given its first decision, for as long as it is known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from tests.models import manifest_for, tiny_bundle, tiny_policy, write_tiny_files
from tests.transactions import ACQUIRER, ACQUIRER_ROW, WALLET, WALLET_ROW, message

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.bundle.bundle_files import write_manifest
from fraudline.contract import Decision, Messages, Outcome, RejectRecord
from fraudline.scoring import Decider, RepeatMemory

NOW = dt.datetime(2026, 5, 4, 3, 2, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(minutes=5)
WINDOW = 100
PAYMENT = message(WALLET_ROW)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("wallet"), WALLET)


@pytest.fixture
def memory() -> RepeatMemory:
    return RepeatMemory(WALLET, WINDOW)


@pytest.fixture
def decider(bundle: Bundle, memory: RepeatMemory) -> Decider:
    return Decider(bundle, memory)


def at(*offsets: int, values: list[bytes | None], partition: int = 0) -> Messages:
    count = len(values)
    return Messages("in", [partition] * count, offsets, [None] * count, values, [0] * count)


def decision(outcome: Outcome) -> Decision:
    assert not outcome.is_reject, outcome.value
    return msgspec.json.decode(outcome.value, type=Decision)


def test_a_transaction_that_is_sent_again_is_given_its_first_decision_and_marked(
    decider: Decider,
    bundle: Bundle,
    memory: RepeatMemory,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    first = decision(decider.decide(at(7, values=[PAYMENT]), NOW)[0])
    mended = Decider(
        tiny_bundle(tmp_path_factory.mktemp("other"), WALLET, policy=tiny_policy(0.0)),
        memory,
    )
    again = decision(mended.decide(at(9, values=[PAYMENT]), LATER)[0])
    assert first.repeat_of is None
    assert again.repeat_of == "in:0:7"
    assert (again.source_offset, again.decided_at) == (9, LATER)
    for name in ("transaction_id", "score", "decision", "threshold", "model_version", "reasons"):
        assert getattr(again, name) == getattr(first, name), name


def test_a_repeat_in_the_same_batch_is_seen(decider: Decider) -> None:
    outcomes = decider.decide(at(1, 2, 3, values=[PAYMENT] * 3), NOW)
    assert [decision(outcome).repeat_of for outcome in outcomes] == [None, "in:0:1", "in:0:1"]


def test_the_order_of_the_columns_and_the_spelling_of_a_number_do_not_matter(
    decider: Decider,
) -> None:
    other_way = msgspec.json.encode(dict(reversed(WALLET_ROW.items())))
    spelt = PAYMENT.replace(b'"velocity":1.5', b'"velocity":15e-1')
    assert spelt != PAYMENT
    outcomes = decider.decide(at(1, 2, 3, values=[PAYMENT, other_way, spelt]), NOW)
    assert [decision(outcome).repeat_of for outcome in outcomes] == [None, "in:0:1", "in:0:1"]


def test_an_id_that_comes_with_other_values_is_rejected(decider: Decider) -> None:
    """Else a large payment could borrow the approval of a small one."""
    large = message(WALLET_ROW, amount_minor=10**6)
    outcomes = decider.decide(at(1, 2, values=[PAYMENT, large]), NOW)
    assert [outcome.is_reject for outcome in outcomes] == [False, True]
    reject = msgspec.json.decode(outcomes[1].value, type=RejectRecord)
    assert (reject.reason, reject.source_offset, reject.original) == ("id_reused", 2, large)
    assert "'p-1' belongs to the transaction at in:0:1" in reject.message


def test_a_transaction_without_a_score_is_not_remembered(
    memory: RepeatMemory, tmp_path: Path
) -> None:
    write_tiny_files(tmp_path, WALLET, power=2)
    write_manifest(tmp_path, manifest_for(WALLET))
    decider = Decider(open_bundle(tmp_path, WALLET), memory)
    absurd = message(WALLET_ROW, amount_minor=1, distance_km=1e30, velocity=1e30)
    good = message(WALLET_ROW, velocity=0, distance_km=0)
    outcomes = decider.decide(at(1, 2, values=[absurd, good]), NOW)
    assert [outcome.reject_reason for outcome in outcomes[1:]] == ["not_scorable"]
    assert decision(outcomes[0]).repeat_of is None


def test_a_first_decision_is_known_for_exactly_the_window(decider: Decider) -> None:
    offsets = (0, WINDOW, WINDOW + 1, 2 * WINDOW + 2)
    outcomes = decider.decide(at(*offsets, values=[PAYMENT] * 4), NOW)
    # The third comes after the window, is a first one again, and the fourth likewise.
    assert [decision(outcome).repeat_of for outcome in outcomes] == [None, "in:0:0", None, None]


def test_memory_is_bounded_by_the_window(decider: Decider, memory: RepeatMemory) -> None:
    for start in range(0, 10 * WINDOW, WINDOW):
        offsets = range(start, start + WINDOW)
        values = [message(WALLET_ROW, payment_id=f"p-{offset}") for offset in offsets]
        decider.decide(at(*offsets, values=values), NOW)
    assert len(memory) == WINDOW + 1


def test_partitions_do_not_know_of_each_other(decider: Decider) -> None:
    decider.decide(at(1, values=[PAYMENT], partition=0), NOW)
    (outcome,) = decider.decide(at(1, values=[PAYMENT], partition=1), NOW)
    assert decision(outcome).repeat_of is None


def test_what_was_read_back_is_what_was_known(decider: Decider, bundle: Bundle) -> None:
    rows = [message(WALLET_ROW, payment_id=f"p-{number % 40}") for number in range(150)]
    made = decider.decide(at(*range(150), values=rows), NOW)
    other = RepeatMemory(WALLET, WINDOW)
    values = [outcome.value for outcome in made]
    assert other.restore("in", 0, range(150 - WINDOW, 150), values).older == 50
    assert other.restore("in", 1, range(150), values).older == 0
    fresh = Decider(bundle, other)
    again = at(*range(150, 190), values=rows[:40])
    assert [decision(outcome) for outcome in fresh.decide(again, LATER)] == [
        decision(outcome) for outcome in decider.decide(again, LATER)
    ]


def test_decisions_of_another_topic_or_of_later_messages_are_not_remembered(
    decider: Decider,
) -> None:
    values = [message(WALLET_ROW, payment_id=f"p-{number}") for number in range(10)]
    made = [outcome.value for outcome in decider.decide(at(*range(10), values=values), NOW)]
    for topic, window, known in (("in", range(10), 10), ("in", range(4), 4), ("old", range(10), 0)):
        memory = RepeatMemory(WALLET, WINDOW)
        assert memory.restore(topic, 0, window, made).older == 0
        assert len(memory) == known


def test_rejects_keep_the_order_of_their_messages_whatever_found_them(decider):
    other = message(WALLET_ROW, amount_minor=7)
    outcomes = decider.decide(at(1, 2, 3, 4, 5, values=[PAYMENT, None, other, b"", other]), NOW)
    rejects = [one for one in outcomes if one.is_reject]
    offsets = [msgspec.json.decode(one.value, type=RejectRecord).source_offset for one in rejects]
    assert offsets == [2, 3, 4, 5]


def test_an_id_of_two_columns_is_repeated_only_where_both_are(tmp_path: Path) -> None:
    decider = Decider(tiny_bundle(tmp_path, ACQUIRER), RepeatMemory(ACQUIRER, WINDOW))
    values = [
        message(ACQUIRER_ROW, acquirer=acquirer, rrn=rrn)
        for acquirer, rrn in (("a|1", 2), ("a", 2), ("a|1", 3), ("a|1", 2))
    ]
    found = [decision(each) for each in decider.decide(at(1, 2, 3, 4, values=values), NOW)]
    assert [each.transaction_id for each in found] == ["a\\|1|2", "a|2", "a\\|1|3", "a\\|1|2"]
    assert [each.repeat_of for each in found] == [None, None, None, "in:0:1"]
