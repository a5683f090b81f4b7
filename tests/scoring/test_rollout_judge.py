"""While a version takes over by share, each decision is wholly one version's, and stays with it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest
from tests.models import manifest_for, tiny_policy, write_tiny_files
from tests.scoring.test_repeats import at
from tests.transactions import (
    ACQUIRER,
    ACQUIRER_ROW,
    CARD_ROW,
    CREDITCARD,
    WALLET,
    WALLET_ROW,
    message,
)

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.bundle.bundle_files import write_manifest
from fraudline.contract import Contract, Decision, Outcome
from fraudline.scoring import Decider, LiveChallenger, RepeatMemory, RolloutJudge

NOW = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
COUNT, SHARE = 300, 0.25
POISON = dict.fromkeys(["distance_km", "velocity"], 1e30)
LINES = {
    CREDITCARD.name: [
        message(CARD_ROW, V1=number / 70, V28=number % 5) for number in range(COUNT)
    ],
    WALLET.name: [
        message(WALLET_ROW, payment_id=f"p-{number}", distance_km=number * 10.0)
        for number in range(COUNT)
    ],
}  # fmt: skip


@pytest.fixture(scope="module", params=[CREDITCARD, WALLET], ids=["card", "wallet"])
def bundles(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Bundle, Bundle]:
    home = tmp_path_factory.mktemp("rollout")
    return version(home / "first", request.param, 1.0), version(home / "second", request.param, 3.0)


def version(directory: Path, contract: Contract, power: float) -> Bundle:
    directory.mkdir()
    write_tiny_files(directory, contract, power)
    policy = tiny_policy(0.4 + power / 10, explore_share=0.5 / power)
    write_manifest(directory, manifest_for(contract, policy=policy))
    return open_bundle(directory, contract)


def rolling(bundles: tuple[Bundle, Bundle], share: float = SHARE) -> Decider:
    return Decider(bundles[0], rollout=RolloutJudge(*bundles, share))


def by_offset(outcomes: list[Outcome]) -> dict[int, Outcome]:
    return {msgspec.json.decode(each.value)["source_offset"]: each for each in outcomes}


def version_of(outcome: Outcome) -> str:
    return str(msgspec.json.decode(outcome.value)["model_version"])


def newer(bundles: tuple[Bundle, Bundle], share: float, first: int = 0) -> list[bool]:
    """Which of the lines the newer version decides, where they begin at an offset."""
    lines = LINES[bundles[0].contract.name]
    outcomes = rolling(bundles, share).decide(at(*range(first, first + COUNT), values=lines), NOW)
    return [version_of(each) == bundles[1].manifest.version for each in outcomes]


def test_each_decision_is_byte_for_byte_that_of_the_version_it_names_and_in_order(
    bundles: tuple[Bundle, Bundle],
) -> None:
    contract = bundles[0].contract
    lines: list[bytes | None] = [*LINES[contract.name]]
    lines[10:10] = [b"{", None, b'{"x": 1}']
    if contract is WALLET:
        lines[50:50] = [message(WALLET_ROW, payment_id=f"x-{n}", **POISON) for n in range(20)]
    messages = at(*range(len(lines)), values=lines)
    outcomes = rolling(bundles).decide(messages, NOW)
    alone = {
        each.manifest.version: by_offset(Decider(each).decide(messages, NOW)) for each in bundles
    }
    decided = [each for each in outcomes if not each.is_reject]
    assert {version_of(each) for each in decided} == alone.keys()
    offsets = list(by_offset(decided))
    assert offsets == sorted(offsets)
    for offset, outcome in by_offset(decided).items():
        assert outcome == alone[version_of(outcome)][offset]
    rejects = by_offset([each for each in outcomes if each.is_reject])
    assert sorted([*offsets, *rejects]) == list(range(len(lines)))
    assert list(rejects) == sorted(rejects)
    for offset, outcome in rejects.items():
        assert outcome in [each[offset] for each in alone.values()]


def test_the_share_is_kept_and_a_larger_one_has_all_of_a_smaller(
    bundles: tuple[Bundle, Bundle],
) -> None:
    few, more = newer(bundles, SHARE), newer(bundles, 2 * SHARE)
    assert abs(sum(few) - SHARE * COUNT) < 4 * (COUNT * SHARE * (1 - SHARE)) ** 0.5
    assert sum(few) < sum(more) < COUNT
    assert all(later for now, later in zip(few, more, strict=True) if now)


def test_the_id_decides_who_judges_and_the_position_where_there_is_none(
    bundles: tuple[Bundle, Bundle],
) -> None:
    elsewhere = newer(bundles, SHARE, first=1000)
    assert newer(bundles, SHARE) == newer(bundles, SHARE)
    assert (elsewhere == newer(bundles, SHARE)) == (bundles[0].contract is WALLET)
    one = rolling(bundles)
    lines = LINES[bundles[0].contract.name]
    alone = [one.decide(at(offset, values=[lines[offset]]), NOW)[0] for offset in range(40)]
    assert [version_of(each) == bundles[1].manifest.version for each in alone] == newer(
        bundles, SHARE
    )[:40]


def test_a_payment_that_is_sent_again_is_given_the_first_version_s_decision(
    tmp_path: Path,
) -> None:
    pair = version(tmp_path / "first", WALLET, 1.0), version(tmp_path / "second", WALLET, 3.0)
    memory = RepeatMemory(WALLET, 10_000)
    lines = LINES[WALLET.name]
    before, after = (
        Decider(pair[0], memory, rollout=RolloutJudge(*pair, share)) for share in (SHARE, 0.9)
    )

    def decided(decider: Decider, start: int) -> list[Decision]:
        outcomes = decider.decide(at(*range(start, start + COUNT), values=lines), NOW)
        return [msgspec.json.decode(each.value, type=Decision) for each in outcomes]

    once, again = decided(before, 0), decided(after, COUNT)
    assert len({each.model_version for each in once}) == 2
    for first, second in zip(once, again, strict=True):
        assert second.repeat_of == f"in:0:{first.source_offset}"
        for name in ("score", "decision", "threshold", "model_version", "reasons", "propensity"):
            assert getattr(first, name) == getattr(second, name)


def test_challengers_score_what_either_version_decides(
    bundles: tuple[Bundle, Bundle], tmp_path: Path
) -> None:
    third = version(tmp_path / "third", bundles[0].contract, 2.0)
    lines = LINES[bundles[0].contract.name][:20]
    messages = at(*range(20), values=lines)
    rollout = RolloutJudge(*bundles, 0.5)
    both = Decider(bundles[0], None, [LiveChallenger(third)], rollout).decide(messages, NOW)
    alone = Decider(third).decide(messages, NOW)
    for outcome, expected in zip(both, alone, strict=True):
        said = msgspec.json.decode(outcome.value)
        scores = msgspec.json.decode(said["challenger_scores"])
        assert scores == {third.manifest.version: msgspec.json.decode(expected.value)["score"]}


def test_a_batch_without_a_decision_has_none_of_either(bundles: tuple[Bundle, Bundle]) -> None:
    assert rolling(bundles).decide(at(values=[]), NOW) == []
    assert [each.is_reject for each in rolling(bundles).decide(at(1, values=[b"{"]), NOW)] == [True]


def test_a_payment_of_an_id_of_two_columns_meets_one_version_wherever_it_stands(
    tmp_path: Path,
) -> None:
    pair = version(tmp_path / "first", ACQUIRER, 1.0), version(tmp_path / "second", ACQUIRER, 3.0)
    lines = [message(ACQUIRER_ROW, acquirer=f"a{n % 5}", rrn=n // 5) for n in range(COUNT)]
    orders = lines, lines[::-1]
    found = [
        [version_of(each) for each in rolling(pair).decide(at(*range(COUNT), values=order), NOW)]
        for order in orders
    ]
    assert found[0] == found[1][::-1]
    assert len(set(found[0])) == 2
