"""Going back past calibrations: what scores, what is judged beside it, and whose word it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.use_cases.test_gate_anew import calibration_of
from tests.use_cases.test_gate_periods import FRAUDS, SQUARES, Arena
from tests.warehouse.test_counting_labels import HOUR

from fraudline.errors import InputError
from fraudline.registry import Signature
from fraudline.use_cases.champion import challenge, promote, roll_back, same_network_words
from fraudline.use_cases.line_rows import rows_of_line
from fraudline.use_cases.promote_winner import LEARN


def promoted_by_itself(arena: Arena) -> str:
    """Let a line win, and a calibration of the version that it promoted be promoted after it."""
    better = arena.learn(arena.champion, SQUARES)
    arena.flow(3, negative_is_fraud=True)
    arena.gate()
    assert arena.registry.champion() == better
    arena.now += HOUR
    calibrated = calibration_of(arena, better, SQUARES)
    arena.registry.promote(calibrated, Signature.of_this_process(LEARN))
    return calibrated


def test_after_going_back_past_a_calibration_the_old_network_is_calibrated_judged_and_guards(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "back", monkeypatch)
    registry, project = arena.registry, arena.project
    calibrated = promoted_by_itself(arena)
    first = registry.networks.of(calibrated)
    arena.now += HOUR
    back = roll_back(project, reason="only its calibration")
    assert (back.before, back.version) == (calibrated, first)
    told = same_network_words(project, back)
    assert told is not None
    assert f"{first} has the same network as {calibrated}, calibrated otherwise" in told
    assert f"once more goes back to {arena.champion}" in told
    arena.now += HOUR
    further = roll_back(project, reason="the network, too")
    assert further.version == arena.champion
    assert same_network_words(project, further) is None
    since = registry.networks.since()
    assert since == arena.now, "a new line begins where a person went back to"
    arena.now += HOUR
    old = calibration_of(arena, arena.champion)
    registry.promote(old, Signature.of_this_process(LEARN))
    assert registry.networks.since() == since, "the network is the one of before"
    assert registry.networks.earlier_champion() is None, "what was rolled back is not gone back to"
    assert rows_of_line(project) == [], "what was found of the line before counts for nothing"
    second = arena.learn(arena.champion, SQUARES)
    arena.flow(3, negative_is_fraud=True)
    arena.gate()
    rows = [row for row in arena.rows() if row["champion"] == old]
    assert rows[-1]["frauds"] <= FRAUDS * len(rows), "one bet, from its beginning"
    assert (registry.champion(), registry.changes()[-2].before) == (second, old)
    (guard,) = [each for each in registry.challengers() if each.ended is None]
    assert guard.version == old, "what was beaten is the calibration, by its ranking"
    arena.flow(6, negative_is_fraud=False)
    arena.gate()
    assert registry.champion() == old
    assert roll_back(project).version == arena.champion
    with pytest.raises(InputError, match="no version was the champion before"):
        roll_back(project)


def test_a_network_that_a_person_put_back_is_not_taken_for_one_that_was_promoted_by_itself(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "put_back", monkeypatch)
    calibrated = promoted_by_itself(arena)
    for _ in range(2):
        arena.now += HOUR
        roll_back(arena.project)
    arena.now += HOUR
    promote(arena.project, calibrated, by="anna", reason="I know better")
    challenge(arena.project, arena.champion, by="anna")
    arena.flow(6, negative_is_fraud=False)
    arena.gate()
    assert arena.registry.champion() == arena.champion
    assert arena.changes()[-2:] == [
        ("promoted", arena.champion, LEARN),
        ("challenged", calibrated, LEARN),
    ], "and what a person chose guards it"
