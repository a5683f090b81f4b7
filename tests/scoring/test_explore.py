"""A share of what would be blocked is reviewed: the same payments, wherever they are judged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from tests.models import manifest_for, tiny_bundle, tiny_policy, write_tiny_files
from tests.scoring.test_repeats import at
from tests.transactions import CARD_ROW, CREDITCARD, WALLET, WALLET_ROW, message

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.bundle.bundle_files import write_manifest
from fraudline.contract import Contract, Decision, Decoder, json_lines
from fraudline.errors import InputError
from fraudline.scoring import Decider, Judge, RepeatMemory, Verdict, assess

SHARE, COUNT = 0.25, 400
NOW = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
LINES = {
    CREDITCARD.name: [message(CARD_ROW, V14=number / 700, V28=3.0) for number in range(COUNT)],
    WALLET.name: [
        message(
            WALLET_ROW,
            payment_id=f"p-{number}",
            paid_at="2026-01-02T02:00:01.123456789+02:00" if number % 2 else "2026-01-02T00:00:00Z",
            velocity=number % 7,
            distance_km=3000.0,
            merchant=None if number % 3 else 'a "Café"',
        )
        for number in range(COUNT)
    ],
}


@pytest.fixture(scope="module", params=[CREDITCARD, WALLET], ids=["card", "wallet"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return exploring(tmp_path_factory.mktemp("exploring"), request.param)


def exploring(directory: Path, contract: Contract, share: float = SHARE) -> Bundle:
    return tiny_bundle(directory, contract, policy=tiny_policy(explore_share=share))


def verdicts(bundle: Bundle, lines: list[bytes]) -> list[Verdict]:
    found = Judge(bundle).judge(lines)
    assert all(isinstance(each, Verdict) for each in found)
    return found  # type: ignore[return-value] # see above


def explored(bundle: Bundle, lines: list[bytes]) -> list[bool]:
    return [each.propensity is not None for each in verdicts(bundle, lines)]


def test_a_share_of_what_would_be_blocked_is_reviewed_and_says_with_which_probability(
    bundle: Bundle, tmp_path: Path
) -> None:
    lines = LINES[bundle.contract.name]
    plain = tiny_bundle(tmp_path, bundle.contract)
    assert {each.decision for each in verdicts(plain, lines)} == {"block"}
    found = verdicts(bundle, lines)
    shown = [each for each in found if each.propensity is not None]
    assert {(each.decision, each.propensity) for each in shown} == {("review", SHARE)}
    assert {each.decision for each in found if each.propensity is None} == {"block"}
    assert abs(len(shown) - SHARE * COUNT) < 4 * np.sqrt(COUNT * SHARE * (1 - SHARE))
    assert all(each.reasons for each in shown)


def test_what_is_not_to_be_blocked_is_left_alone(tmp_path: Path) -> None:
    policy = tiny_policy(review_from=0.2, block_from=1.0, explore_share=1.0)
    bundle = tiny_bundle(tmp_path, CREDITCARD, policy=policy)
    found = verdicts(bundle, [message(CARD_ROW, V28=value) for value in (-40.0, 0.0, 40.0)])
    assert {each.decision for each in found} == {"approve", "review"}
    assert {each.propensity for each in found} == {None}


def test_a_message_a_file_a_stored_row_and_a_message_alone_are_explored_alike(
    bundle: Bundle,
) -> None:
    lines = LINES[bundle.contract.name]
    expected = explored(bundle, lines)
    assert [explored(bundle, [line])[0] for line in lines[:40]] == expected[:40]
    rows, _, _ = Decoder(bundle.contract.transaction_columns).decode(lines)
    for table in (rows, pa.Table.from_batches([rows])):
        assessment = assess(table, bundle)
        assert assessment.propensities is not None
        assert (~np.isnan(assessment.propensities)).tolist() == expected
        assert [each == "review" for each in assessment.decisions] == expected
    assert explored(bundle, json_lines(rows)) == expected


def test_who_is_explored_depends_on_the_graph_and_stays_when_the_policy_changes(
    bundle: Bundle, tmp_path: Path
) -> None:
    lines = LINES[bundle.contract.name]
    fewer, more = explored(bundle, lines), explored(
        exploring(tmp_path / "more", bundle.contract, 2 * SHARE), lines
    )  # fmt: skip
    assert sum(fewer) < sum(more)
    assert all(later for now, later in zip(fewer, more, strict=True) if now)
    other = tmp_path / "other"
    other.mkdir()
    write_tiny_files(other, bundle.contract, 3.0)
    policy = tiny_policy(explore_share=SHARE)
    write_manifest(other, manifest_for(bundle.contract, policy=policy))
    assert explored(open_bundle(other, bundle.contract), lines) != fewer


def test_a_payment_that_is_sent_again_has_its_first_propensity_whoever_decides(
    tmp_path: Path,
) -> None:
    memory = RepeatMemory(WALLET, 1000)
    first, second = (
        Decider(exploring(tmp_path / name, WALLET, share), memory)
        for name, share in (("first", SHARE), ("second", 0.5))
    )
    lines = LINES[WALLET.name][:40]

    def decided(decider: Decider, start: int) -> list[Decision]:
        outcomes = decider.decide(at(*range(start, start + 40), values=lines), NOW)
        return [msgspec.json.decode(outcome.value, type=Decision) for outcome in outcomes]

    once, again = decided(first, 0), decided(second, 40)
    assert {each.propensity for each in once} == {None, SHARE}
    assert [each.propensity for each in again] == [each.propensity for each in once]
    restored = RepeatMemory(WALLET, 1000)
    outcomes = Decider(first_bundle := exploring(tmp_path / "third", WALLET)).decide(
        at(*range(40), values=lines), NOW
    )
    restored.restore("in", 0, range(1000), [outcome.value for outcome in outcomes])
    later = decided(Decider(first_bundle, restored), 40)
    assert all(each.repeat_of for each in later)
    assert [each.propensity for each in later] == [each.propensity for each in once]


def test_rows_without_all_columns_are_refused_only_where_that_would_decide(tmp_path: Path) -> None:
    rows, _, _ = Decoder(WALLET.transaction_columns).decode(LINES[WALLET.name][:3])
    needed = {*WALLET.features, WALLET.amount}
    some = rows.select([name for name in rows.schema.names if name in needed])
    assert assess(some, tiny_bundle(tmp_path / "plain", WALLET)).decisions == ["block"] * 3
    with pytest.raises(InputError, match=r"follows from all .*no payment_id, risk_note, merchant"):
        assess(some, exploring(tmp_path / "exploring", WALLET))


def test_a_version_that_does_not_explore_says_nothing_of_it(tmp_path: Path) -> None:
    tiny_bundle(tmp_path, CREDITCARD)
    assert b"explore_share" not in (tmp_path / "bundle.json").read_bytes()
