"""A challenger's scores stand beside the champion's decision, and never harm it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.models import manifest_for, tiny_bundle, write_tiny_files
from tests.scoring.test_decider import arrived, decision
from tests.transactions import CARD_ROW, CREDITCARD, WALLET, WALLET_ROW, message

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.bundle.bundle_files import write_manifest
from fraudline.contract import Contract
from fraudline.scoring import Decider, LiveChallenger, RepeatMemory

NOW = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)
LINES = [message(CARD_ROW, V1=number / 7) for number in range(9)]


def with_power(directory: Path, power: float, contract: Contract = CREDITCARD) -> Bundle:
    directory.mkdir(parents=True)
    write_tiny_files(directory, contract, power)
    write_manifest(directory, manifest_for(contract))
    return open_bundle(directory, contract)


@dataclass
class Failing:
    """A bundle that scores a few times, and then no more."""

    bundle: Bundle
    left: int

    @property
    def manifest(self) -> object:
        return self.bundle.manifest

    def score(self, features: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("the graph is gone")
        return self.bundle.score(features)


@pytest.fixture
def champion(tmp_path: Path) -> Bundle:
    return tiny_bundle(tmp_path / "champion", CREDITCARD)


def test_a_decision_carries_the_scores_of_each_challenger_to_the_last_bit(
    champion: Bundle, tmp_path: Path
) -> None:
    others = [with_power(tmp_path / name, power) for name, power in (("a", 2.0), ("b", 3.0))]
    decider = Decider(champion, None, [LiveChallenger(each) for each in others])
    broken = b'{"Time": 1'
    outcomes = decider.decide(arrived(LINES[0], broken, *LINES[1:]), NOW)
    alone = Decider(champion).decide(arrived(LINES[0], broken, *LINES[1:]), NOW)
    for number, (outcome, without) in enumerate(zip(outcomes[:-1], alone[:-1], strict=True)):
        said = decision(CREDITCARD, outcome)
        rows = np.array([[1.0] * len(CREDITCARD.features)], np.float32)
        rows[0, CREDITCARD.features.index("V1")] = np.float32(number / 7)
        expected = {each.manifest.version: float(each.score(rows)[0]) for each in others}
        assert msgspec.json.decode(said["challenger_scores"]) == expected
        assert list(expected) == [each.manifest.version for each in others]
        assert said | {"challenger_scores": None} == decision(CREDITCARD, without)
    assert outcomes[-1].is_reject


def test_a_challenger_that_fails_is_left_out_from_then_on_and_the_decision_is_the_same(
    champion: Bundle, tmp_path: Path
) -> None:
    sound = LiveChallenger(with_power(tmp_path / "sound", 2.0))
    failing = LiveChallenger(Failing(with_power(tmp_path / "failing", 3.0), 1))  # type: ignore[arg-type]
    both, one = Decider(champion, None, [failing, sound]), Decider(champion, None, [failing])
    alone = Decider(champion)
    (first,) = both.decide(arrived(LINES[0]), NOW)
    assert set(told(first)) == {failing.version, sound.version}
    assert failing.fault is None
    (second,) = both.decide(arrived(LINES[0]), NOW)
    assert set(told(second)) == {sound.version}
    assert failing.fault == "the graph is gone"
    assert one.decide(arrived(*LINES), NOW) == alone.decide(arrived(*LINES), NOW)


def told(outcome: object) -> dict[str, float | None]:
    said = decision(CREDITCARD, outcome)["challenger_scores"]  # type: ignore[arg-type]
    scores: dict[str, float | None] = msgspec.json.decode(str(said))
    return scores


def test_a_score_that_is_no_number_is_null_and_a_message_without_a_decision_takes_none(
    tmp_path: Path,
) -> None:
    steep = with_power(tmp_path / "steep", 2.0, WALLET)
    champion = tiny_bundle(tmp_path / "champion", WALLET)
    poison = message(WALLET_ROW, payment_id="x", amount_minor=1, distance_km=1e30, velocity=1e30)
    good = message(WALLET_ROW)
    outcomes = Decider(champion, None, [LiveChallenger(steep)]).decide(arrived(poison, good), NOW)
    scores = [msgspec.json.decode(decision(WALLET, each)["challenger_scores"]) for each in outcomes]
    assert scores[0] == {steep.manifest.version: None}
    assert scores[1][steep.manifest.version] is not None
    outcomes = Decider(steep, None, [LiveChallenger(champion)]).decide(arrived(poison, good), NOW)
    assert [each.is_reject for each in outcomes] == [False, True]
    (score,) = msgspec.json.decode(decision(WALLET, outcomes[0])["challenger_scores"]).values()
    assert score == scores_of(champion, good)


def scores_of(bundle: Bundle, line: bytes) -> float:
    (outcome,) = Decider(bundle).decide(arrived(line), NOW)
    return float(str(decision(bundle.contract, outcome)["score"]))


def test_a_repeat_and_a_batch_of_rejects_have_no_scores_of_challengers(tmp_path: Path) -> None:
    champion = tiny_bundle(tmp_path / "champion", WALLET)
    challenger = LiveChallenger(with_power(tmp_path / "other", 3.0, WALLET))
    decider = Decider(champion, RepeatMemory(WALLET, 100), [challenger])
    assert decider.decide(arrived(), NOW) == []
    assert decider.decide(arrived(b"{"), NOW)[0].is_reject
    line, reused = message(WALLET_ROW), message(WALLET_ROW, velocity=2.5)
    other = message(WALLET_ROW, payment_id="p-2")
    outcomes = decider.decide(arrived(line, line, reused, other), NOW)
    found = [decision(WALLET, each) for each in outcomes[:3]]
    assert [each["repeat_of"] is None for each in found] == [True, False, True]
    assert [each["challenger_scores"] is None for each in found] == [False, True, False]
    assert outcomes[3].is_reject
