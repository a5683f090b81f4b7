"""The gate is killed at any moment, cannot judge, or a person comes between: nothing is lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.transactions import CREDITCARD
from tests.use_cases.test_gate_periods import MATURITY, SQUARES, SUM, Arena
from tests.use_cases.versions import add_version

from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.registry.champions import Champions
from fraudline.use_cases import promote_winner
from fraudline.use_cases.champion import Promoted, challenge, roll_out
from fraudline.use_cases.project import Project
from fraudline.use_cases.promote_winner import LEARN

CHALLENGE = dt.timedelta(days=28) + MATURITY


class KilledError(BaseException):
    """What no code of ours catches."""


def die(*_: object, **__: object) -> None:
    raise KilledError


def write_and_die(self: Champions, *arguments: object) -> None:
    write(self, *arguments)
    raise KilledError


write: Callable[..., bool] = Champions.write
KILLS = {
    "between its row and the change": (promote_winner, "promote", die),
    "between the change and the champion's file": (Champions, "write", die),
    "between the champion's file and the guard": (Champions, "write", write_and_die),
}


@pytest.mark.parametrize("kill", KILLS)
def test_a_period_that_wins_is_written_before_it_promotes_and_whoever_is_killed_goes_on(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch, kill: str
) -> None:
    arena = Arena(faulty, home, f"kill_{list(KILLS).index(kill)}", monkeypatch)
    version = arena.learn(arena.champion, SQUARES)
    arena.flow(4, negative_is_fraud=True)  # the first one began before there was a line
    with monkeypatch.context() as patch:
        patch.setattr(*KILLS[kill])
        with pytest.raises(KilledError):
            arena.gate()
    won = arena.rows()[-1]
    assert (won["is_won"], won["newest"]) == (True, version), "it was judged, whatever followed"
    arena.flow(1, negative_is_fraud=True)
    arena.gate()
    assert arena.registry.champion() == version
    done = [each for each in arena.registry.changes()[1:] if each.is_done]
    assert [(each.change, each.version) for each in done if each.signature.by == LEARN] == [
        ("promoted", version),
        ("challenged", arena.champion),
    ]
    starts = [row["period_start"] for row in arena.rows()]
    assert starts == sorted(set(starts)), "each period once"
    (guard,) = arena.registry.challengers()
    assert guard.ended is None
    assert abs(guard.until - dt.datetime.now(dt.UTC) - CHALLENGE) < dt.timedelta(minutes=5)


def test_a_challenge_lasts_four_weeks_after_what_is_decided_today_is_mature(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label that takes long to come must not let it expire before it is judged."""
    arena = Arena(faulty, home, "lasts", monkeypatch)
    other = add_version(arena.registry, CREDITCARD, SQUARES)
    begun = dt.datetime.now(dt.UTC)
    for maturity_days in (0.5, 120.0):
        arena.project.contract.__dict__["maturity_days"] = maturity_days
        lasts = challenge(arena.project, other).until - begun
        wanted = dt.timedelta(days=28 + maturity_days)
        assert abs(lasts - wanted) < dt.timedelta(minutes=5), maturity_days


def test_a_period_that_cannot_be_judged_holds_up_those_after_it_until_it_can(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All periods are one bet, so none of them may be left out."""
    arena = Arena(faulty, home, "waits", monkeypatch, promotes=False)
    first = arena.learn(arena.champion, SQUARES)
    arena.flow(2, negative_is_fraud=True)  # the first one began before there was a line
    second = arena.learn(first, SQUARES)
    arena.flow(2, negative_is_fraud=True)
    graph = arena.registry.path(first) / GRAPH_FILE
    whole = graph.read_bytes()
    graph.write_bytes(b"altered")
    said = arena.gate()
    assert "LOOK: nothing was judged" in said[0]
    assert f"{GRAPH_FILE} has sha256" in said[0]
    assert len(said) == 3
    assert all("waits for the period of" in each for each in said[1:])
    assert arena.rows() == []
    graph.write_bytes(whole)
    arena.gate()
    rows = arena.rows()
    assert [row["version"] for row in rows] == [first, second, second]
    assert [row["frauds"] for row in rows] == [10, 20, 30], "none was left out"


def test_a_share_that_a_person_gives_while_the_gate_looks_is_left_alone(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open both versions takes seconds, in which somebody may act."""
    arena = Arena(faulty, home, "share", monkeypatch)
    version = arena.learn(arena.champion, SQUARES)
    persons = add_version(arena.registry, CREDITCARD, 3.0)
    arena.flow(3, negative_is_fraud=True)
    promote = promote_winner.promote

    def promote_later(project: Project, *arguments: object, **options: object) -> Promoted:
        roll_out(project, persons, 0.05)
        return promote(project, *arguments, **options)

    monkeypatch.setattr(promote_winner, "promote", promote_later)
    said = arena.gate()
    assert f"LOOK: not promoted: {persons} decides 5 % of the transactions" in said[-1]
    assert arena.registry.champion() == arena.champion
    assert [each.version for each in arena.registry.all_rollouts()] == [persons]
    assert version in arena.rows()[-1]["newest"]


def test_what_a_change_of_the_champion_ends_is_told() -> None:
    done = Promoted("new", "old", None, None, overtaken=("third", "fourth"), ended="fifth")
    told = promote_winner.told_beside(done)
    assert "LOOK: no challengers any more: third, fourth" in told
    assert "LOOK: fifth decided a share of the transactions until then" in told


def test_challengers_are_judged_once_for_all_periods_that_are_due(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "once", monkeypatch, promotes=False)
    other = add_version(arena.registry, CREDITCARD, SUM, 0.6)
    challenge(arena.project, other, days=1000)
    arena.flow(4, negative_is_fraud=True)
    said = arena.gate()
    assert [other in each for each in said] == [False, False, True]
    assert len(arena.registry.verdicts(other)) == 1


def test_a_challenger_that_is_broken_keeps_no_other_from_being_judged(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "broken_one", monkeypatch, promotes=False)
    broken, whole = (add_version(arena.registry, CREDITCARD, SUM, by) for by in (0.6, 0.7))
    for each in (broken, whole):
        challenge(arena.project, each, days=1000)
    (arena.registry.path(broken) / GRAPH_FILE).write_bytes(b"altered")
    arena.flow(2, negative_is_fraud=True)
    said = arena.gate()[-1]
    assert f"LOOK: {broken} was not judged: " in said
    assert f"{whole}: wealth" in said
    assert [len(arena.registry.verdicts(each)) for each in (broken, whole)] == [0, 1]
