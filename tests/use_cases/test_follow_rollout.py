"""A version that decides a share begins, widens and ends while a scorer runs, and harms nothing."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from tests.harness import eventually
from tests.scoring.test_decider import arrived
from tests.transactions import CARD_ROW, CREDITCARD, message
from tests.use_cases.following import NOW
from tests.use_cases.test_follow_champion import Followed, harmed
from tests.use_cases.test_follow_champion import followed as followed  # noqa: PLC0414 - a fixture
from tests.use_cases.versions import add_version

from fraudline.bundle.bundle import Bundle
from fraudline.errors import InputError
from fraudline.metrics.collector import model_metrics
from fraudline.registry import Signature
from fraudline.use_cases import follow_beside, follow_champion
from fraudline.use_cases.follow_beside import Beside, BesideFollower
from fraudline.use_cases.project import Project

ME = Signature("anna", "anna")
COUNT = 200


def share_of(followed: Followed) -> float:
    """Which share of the messages the second version decides now."""
    lines = [message(CARD_ROW)] * COUNT
    outcomes = followed.follower.decider()(arrived(*lines), NOW)
    versions = [json.loads(each.value)["model_version"] for each in outcomes]
    assert set(versions) <= {followed.first, followed.second}
    return versions.count(followed.second) / COUNT


def test_a_rollout_begins_widens_and_ends_and_each_is_told(followed: Followed) -> None:
    first, second, rollouts = followed.first, followed.second, followed.registry.rollouts
    rollouts.begin(second, 0.1, ME)
    followed.look()
    assert 0 < share_of(followed) < 0.25
    assert (followed.model.rollout, followed.model.rollout_share) == (second, 0.1)
    rollouts.widen(second, 0.6, ME)
    followed.look()
    assert 0.4 < share_of(followed) < 0.8
    rollouts.end(second, ME)
    followed.look()
    assert share_of(followed) == 0
    assert followed.model.rollout is None
    assert followed.decided_by() == followed.model.version == first
    assert followed.told == [
        f"{second} decides 10 % of the transactions from now on, and the champion the others",
        f"{second} decides 60 % of the transactions from now on, and the champion the others",
        f"the rollout of {second} is over: the champion decides all that it did",
    ]


def test_a_promotion_gives_it_all_transactions(followed: Followed) -> None:
    followed.registry.rollouts.begin(followed.second, 0.5, ME)
    followed.look()
    followed.registry.promote(followed.second)
    followed.look()
    assert share_of(followed) == 1
    assert (followed.model.rollout, followed.model.version) == (None, followed.second)


def test_a_rollout_that_cannot_be_opened_leaves_all_to_the_champion_and_is_told_once(
    followed: Followed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_beside, "_FIRST_PAUSE_S", 0.0)
    with harmed(followed.registry.directory / followed.second):
        followed.registry.rollouts.begin(followed.second, 0.5, ME)
        for _ in range(3):
            followed.look()
            assert share_of(followed) == 0
        assert "was altered: graph.onnx" in str(followed.model.rollout_fault)
        assert followed.model.fault == (
            f"{followed.second} is refused, {followed.first} decides its share, too"
        )
    assert caplog.text.count(f"no scores of {followed.second}") == 1
    followed.look()
    assert 0.3 < share_of(followed) < 0.7
    assert followed.model.fault is None


def test_what_takes_long_to_open_beside_the_champion_holds_up_no_promotion(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    third = add_version(followed.registry, CREDITCARD, 2.0)
    is_asked, may_end = threading.Event(), threading.Event()

    def slowly(*_: object) -> None:
        is_asked.set()
        may_end.wait(60)
        raise InputError("it took too long.")

    monkeypatch.setattr(follow_beside, "open_version", slowly)
    with followed.follower.following(followed.told.append):
        followed.registry.rollouts.begin(third, 0.5, ME)
        assert is_asked.wait(60)
        followed.registry.promote(followed.second)
        eventually(lambda: followed.model.version == followed.second)
        may_end.set()
        eventually(lambda: followed.model.rollout is None)
    assert share_of(followed) == 1


def test_while_a_rollout_s_version_takes_over_the_share_stays_with_it(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed.registry.rollouts.begin(followed.second, 0.5, ME)
    followed.look()
    open_version, shares = follow_champion.open_version, []

    def open_while_looking(project: Project, version: str) -> Bundle:
        followed.follower.look_beside(followed.told.append)
        shares.append(share_of(followed))
        return open_version(project, version)

    monkeypatch.setattr(follow_champion, "open_version", open_while_looking)
    followed.registry.promote(followed.second)
    followed.look()
    assert 0.3 < shares[0] < 0.7
    assert share_of(followed) == 1
    assert len(followed.told) == 3
    assert "decides from now on, instead of" in followed.told[1], "nor was it told as over before"


def test_what_fails_beside_the_champion_is_told_once_and_looked_at_again(
    followed: Followed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, is_harmed = BesideFollower.look, threading.Event()
    monkeypatch.setattr(followed.follower, "_every_s", 0.01)
    looks = []

    def fail(follower: BesideFollower, *rest: Any) -> Beside:
        looks.append(0)
        if is_harmed.is_set():
            raise AttributeError("there is no judge.")
        return look(follower, *rest)

    monkeypatch.setattr(BesideFollower, "look", fail)
    is_harmed.set()
    fault = "the versions beside the champion cannot be followed: there is no judge."
    with followed.follower.following(followed.told.append):
        eventually(lambda: len(looks) > 3 and followed.model.following_fault == fault)
        assert followed.model.fault == f"{fault}, {followed.first} decides on"
        (value,) = [
            sample.value
            for metric in model_metrics("score", followed.model)
            for sample in metric.samples
            if sample.name == "fraudline_following_has_failed"
        ]
        assert value == 1
        is_harmed.clear()
        eventually(lambda: followed.model.fault is None)
    assert caplog.text.count("score: the versions beside the champion cannot be followed") == 1
    assert caplog.text.count("the versions beside the champion can be followed again") == 1


def test_a_version_that_fails_on_a_transaction_leaves_it_to_the_champion_and_is_told_once(
    followed: Followed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_beside, "_FIRST_PAUSE_S", 0.0)
    followed.registry.rollouts.begin(followed.second, 0.5, ME)

    def fails(*_: object) -> None:
        raise RuntimeError("the graph is gone")

    for _ in range(3):
        followed.look()
        judge = followed.follower._judge
        assert judge is not None
        monkeypatch.setattr(judge._newer, "judge_rows", fails)
        assert share_of(followed) == 0
        followed.look()
    assert caplog.text.count("it could not judge a transaction: the graph is gone") == 1
    assert 0.3 < share_of(followed) < 0.7
    assert followed.model.fault is None
