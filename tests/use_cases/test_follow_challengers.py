"""Live challengers begin and end while a scorer runs; one that cannot score harms nothing."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from tests.scoring.test_decider import arrived
from tests.transactions import CARD_ROW, CREDITCARD, message
from tests.use_cases.following import NOW
from tests.use_cases.test_follow_champion import Followed, harmed
from tests.use_cases.test_follow_champion import followed as followed  # noqa: PLC0414 - a fixture
from tests.use_cases.versions import add_version

from fraudline.registry import Registry
from fraudline.use_cases import follow_beside

LATER = dt.timedelta(days=1)


def challenge(followed: Followed, version: str, lasts: dt.timedelta = LATER) -> None:
    followed.registry.challenge(version, dt.datetime.now(dt.UTC) + lasts, is_live=True)


def scored_by(followed: Followed) -> list[str]:
    """The challengers whose scores a decision carries now."""
    (outcome,) = followed.follower.decider()(arrived(message(CARD_ROW)), NOW)
    said = json.loads(outcome.value)
    assert said["model_version"] == followed.model.version
    return sorted(json.loads(said["challenger_scores"] or "{}"))


def test_a_live_challenger_begins_ends_with_a_promotion_and_is_told(followed: Followed) -> None:
    first, second = followed.first, followed.second
    third = add_version(followed.registry, CREDITCARD, 2.0)
    followed.registry.challenge(third, dt.datetime.now(dt.UTC) + LATER)  # not live
    followed.look()
    assert scored_by(followed) == []
    challenge(followed, third)
    challenge(followed, second)
    followed.look()
    assert scored_by(followed) == sorted([second, third])
    assert set(followed.model.challengers) == {second, third}
    assert f"challenger {second} scores beside the champion from now on" in followed.told[1]
    followed.registry.promote(second)
    followed.look()
    assert scored_by(followed) == []
    assert followed.model.challengers == ()
    assert followed.decided_by() == second != first


def test_a_challenge_that_is_made_anew_without_live_or_expires_ends_the_scores(
    followed: Followed,
) -> None:
    challenge(followed, followed.second)
    followed.look()
    assert scored_by(followed) == [followed.second]
    followed.registry.challenge(followed.second, dt.datetime.now(dt.UTC) + LATER)
    followed.look()
    assert scored_by(followed) == []
    challenge(followed, followed.second, dt.timedelta(seconds=0.3))
    followed.look()
    while followed.model.challengers:
        followed.look()
    assert scored_by(followed) == []


def test_a_challenger_that_cannot_be_opened_is_told_once_and_scores_once_it_is_mended(
    followed: Followed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_beside, "_FIRST_PAUSE_S", 0.0)
    challenge(followed, followed.second)
    with harmed(followed.registry.directory / followed.second):
        for _ in range(4):
            followed.look()
            assert scored_by(followed) == []
        assert "was altered: graph.onnx" in followed.model.challenger_faults[followed.second]
        assert followed.model.fault == f"no live scores of {followed.second}"
        assert followed.model.refused is None
    assert caplog.text.count(f"no scores of {followed.second}") == 1
    followed.look()
    assert scored_by(followed) == [followed.second]
    assert (followed.model.challenger_faults, followed.model.fault) == ({}, None)


def test_a_challenger_whose_scores_fail_is_told_and_opened_anew(
    followed: Followed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_beside, "_FIRST_PAUSE_S", 0.0)
    challenge(followed, followed.second)
    for _ in range(3):
        followed.look()
        assert scored_by(followed) == [followed.second]
        (live,) = followed.follower._beside.challengers
        live.fault = "the graph is gone"
        assert scored_by(followed) == []
        followed.look()
        assert followed.model.fault == f"no live scores of {followed.second}"
    assert caplog.text.count("its scores cannot be computed: the graph is gone") == 1


def test_where_it_cannot_be_read_who_challenges_those_that_score_go_on_and_it_is_told(
    followed: Followed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge(followed, followed.second)
    followed.look()

    def fails(_: Registry) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as context:
        context.setattr(Registry, "changes_text", fails)
        for _ in range(3):
            followed.look()
    assert scored_by(followed) == [followed.second]
    assert followed.model.fault == "no live scores of newer challengers"
    assert caplog.text.count("no scores of newer challengers") == 1
    followed.look()
    assert scored_by(followed) == [followed.second]
    assert followed.model.fault is None
