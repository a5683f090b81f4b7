"""What was won by learning in one way stands for no other way, and for no broken version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.models import manifest_for, tiny_policy, write_tiny_files
from tests.transactions import CREDITCARD
from tests.use_cases.test_gate_periods import FRAUDS, MATURITY, SQUARES, SUM, Arena
from tests.use_cases.test_run_learning import LENGTH
from tests.use_cases.versions import add_learned
from tests.warehouse.test_counting_labels import HOUR

from fraudline.bundle.bundle_files import write_manifest
from fraudline.bundle.manifest import Calibrated
from fraudline.cli.gate_words import line_facts
from fraudline.registry import Signature
from fraudline.use_cases import challenge_conditions
from fraudline.use_cases.gate_periods import last_gate
from fraudline.use_cases.learning_steps import WON_BEFORE
from fraudline.use_cases.promote_winner import LEARN

AS_SET, OTHERWISE = {"update_rate": 3e-4}, {"update_rate": 1e-3}


def calibration_of(arena: Arena, version: str, power: float = SUM) -> str:
    """A version that says to have another one's network, and another calibration."""
    candidate, at = arena.registry.new_directory(), arena.now
    write_tiny_files(candidate, CREDITCARD, power)
    (candidate / "report.html").write_text("<p>calibrated</p>")
    told = Calibrated(version, 1.0, 0.0, at, at, at, 100, 20, 0)
    write_manifest(candidate, manifest_for(CREDITCARD, policy=tiny_policy(0.5), calibrated=told))
    return arena.registry.add(candidate).version


def test_a_version_that_learned_by_other_settings_begins_a_bet_of_its_own(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "anew", monkeypatch, promotes=False)
    first = arena.learn(arena.champion, SQUARES, **AS_SET)
    arena.flow(3, negative_is_fraud=True)  # the first one began before there was a line
    second = arena.learn(first, SQUARES, **OTHERWISE)
    arena.flow(2, negative_is_fraud=True)
    third = arena.learn(second, SQUARES)  # as one of the last release, which does not say how
    arena.flow(1, negative_is_fraud=True)
    arena.gate()
    rows = arena.rows()
    assert [row["version"] for row in rows] == [first] * 2 + [second] * 2 + [third]
    assert [row["frauds"] // FRAUDS for row in rows] == [1, 2, 1, 2, 3]
    told = f"begins anew, at wealth 1 instead of {rows[1]['wealth']:,.2f}: it learned "
    assert rows[2]["told"].startswith(f"{told}update_rate 0.001 instead of 0.0003; wealth 6.00")
    assert [row["is_won"] for row in rows] == [False, True, False, True, True]


def test_what_won_is_promoted_and_not_a_younger_version_that_learned_otherwise(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "alike", monkeypatch)
    first = arena.learn(arena.champion, SQUARES, **AS_SET)
    arena.flow(2, negative_is_fraud=True)
    second = arena.learn(first, SQUARES, **AS_SET)
    arena.flow(1, negative_is_fraud=True)
    third = arena.learn(second, SQUARES, **OTHERWISE)
    said = arena.gate()
    assert arena.registry.champion() == second
    assert f"{third} is younger, and learned update_rate 0.001 instead of 0.0003" in said[-1]


def test_a_line_that_had_two_ends_never_promotes_what_is_older_than_what_was_judged(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where somebody set another rate between a version and its row: both have one parent."""
    arena = Arena(faulty, home, "ends", monkeypatch)
    first = arena.learn(arena.champion, SQUARES, **AS_SET)
    arena.now += HOUR
    judged = arena.learn(first, SQUARES, **AS_SET)
    arena.flow(3, negative_is_fraud=True)
    arena.learn(first, SQUARES, **OTHERWISE)
    arena.gate()
    assert arena.rows()[-1]["version"] == judged
    assert arena.registry.champion() == judged


def test_a_period_is_not_judged_by_an_older_version_where_the_one_of_its_time_was_removed(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "gone", monkeypatch)
    registry = arena.registry
    first = arena.learn(arena.champion, SQUARES)
    arena.now += HOUR
    second = arena.learn(first, SQUARES)
    arena.flow(2, negative_is_fraud=True)
    (manifest,) = [each for each in registry.versions() if each.version == second]
    registry.removals.remove(CREDITCARD.name, [manifest], Signature.of_this_process(LEARN))
    arena.gate()
    (*_, row) = arena.rows()
    assert (row["version"], row["frauds"]) == (arena.champion, 0)
    assert row["told"] == f"the version of that time, {second}, was removed, so nothing was judged"


def test_what_hangs_on_a_version_that_vanished_is_told_to_be_left_out(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed by hand, or broken: nobody wrote down where the line goes on."""
    arena = Arena(faulty, home, "vanished", monkeypatch)
    first = arena.learn(arena.champion, SQUARES)
    arena.now += HOUR
    second = arena.learn(first, SQUARES)
    shutil.rmtree(arena.registry.path(first))
    arena.flow(2, negative_is_fraud=True)
    said = arena.gate()
    told = (
        f"LOOK: {second} and what goes on from it are left out, as its parent {first} is broken "
        "or not in this registry, and was not removed by learn"
    )
    assert told in said[-1]
    last = last_gate(arena.project, arena.now)
    assert last is not None
    assert told in " ".join(text for _, text in line_facts(last))


def test_after_an_outage_what_won_is_asked_once_all_is_judged_and_the_newest_is_promoted(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "outage", monkeypatch)
    first = arena.learn(arena.champion, SQUARES)
    arena.flow(3, negative_is_fraud=True)
    arena.now += MATURITY  # the gate could not judge meanwhile, and learning went on
    second = arena.learn(first, SQUARES)
    arena.flow(1, negative_is_fraud=True)
    said = arena.gate()
    assert [row["is_won"] for row in arena.rows()] == [False, True, True]
    assert said[-2].endswith(WON_BEFORE)
    assert arena.registry.champion() == second


def test_periods_of_another_length_begin_a_bet_of_their_own_after_those_that_were_judged(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each payment counts in one bet: two looks at the same ones would be two chances."""
    arena = Arena(faulty, home, "length", monkeypatch, promotes=False)
    arena.learn(arena.champion, SQUARES)
    arena.flow(3, negative_is_fraud=True)
    arena.gate()
    before = arena.rows()
    arena.set(period_s=LENGTH.total_seconds() / 2)
    arena.flow(1, negative_is_fraud=True)
    arena.gate()
    rows = arena.rows()[len(before) :]
    assert {row["period_end"] - row["period_start"] for row in rows} == {LENGTH / 2}
    assert rows[0]["period_start"] >= before[-1]["period_end"]
    assert "begins anew" in rows[0]["told"]
    assert ": periods of 3:00:00 instead of 6:00:00" in rows[0]["told"]
    assert rows[0]["frauds"] <= FRAUDS


def test_a_newest_version_that_ranks_well_and_costs_more_is_not_promoted(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "newest", monkeypatch)
    first = arena.learn(arena.champion, SQUARES)
    arena.flow(3, negative_is_fraud=True)
    broken = arena.learn(first, SQUARES, threshold=0.01)  # it blocks nearly everything
    said = arena.gate()
    assert arena.registry.champion() == arena.champion
    assert said[-1].endswith("not met: newest")
    told = arena.rows()[-1]["told"]
    assert f"; newest: {broken} ranks +" in told
    assert "; cost: decisions would have cost" in told
    assert told.endswith("; not met: newest")
    arena.learn(broken, SQUARES)
    arena.flow(1, negative_is_fraud=True)
    arena.gate()
    assert arena.registry.champion() not in {arena.champion, broken}


def test_a_bet_begins_anew_by_other_settings_though_the_period_before_told_nothing(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a calibration anew of the champion sums begin at nothing, and the bet does not."""
    arena = Arena(faulty, home, "anew_nothing", monkeypatch, promotes=False)
    first = arena.learn(arena.champion, SQUARES, **AS_SET)
    arena.flow(2, negative_is_fraud=True)
    arena.gate()
    assert arena.rows()[-1]["wealth"] > 1
    arena.registry.promote(calibration_of(arena, arena.champion))
    arena.flow(1, negative_is_fraud=True, decision="block", is_labelled=False)
    arena.learn(first, SQUARES, **OTHERWISE)
    arena.flow(1, negative_is_fraud=True)
    arena.gate()
    *_, before, last = arena.rows()
    assert before["wealth"] > 1, "no payment of that period is known"
    assert "begins anew, at wealth 1 instead of" in last["told"]
    assert last["frauds"] == FRAUDS


def test_a_policy_that_a_person_only_tried_is_not_judged_and_promoted_with_the_line(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "anew_tried", monkeypatch)
    first, as_of, tried = arena.learn(arena.champion, SQUARES), arena.now, ""
    for hundredth in range(61, 99):  # of versions of one moment the last by name is the newest
        if tried <= first:
            threshold = hundredth / 100
            tried = add_learned(
                *(arena.registry, CREDITCARD, arena.champion, as_of, SQUARES),
                threshold=threshold,
                derived_from=first,
            )
    assert tried > first
    arena.flow(3, negative_is_fraud=True)
    arena.gate()
    assert {row["version"] for row in arena.rows()} <= {arena.champion, first}
    assert arena.registry.champion() == first


def test_noise_of_a_busy_machine_holds_no_line_up(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line has the champion's network: where one takes longer, that is chance."""
    arena = Arena(faulty, home, "anew_noise", monkeypatch)
    monkeypatch.setattr(challenge_conditions, "_TIMES_SLOWER", 0.0)
    first = arena.learn(arena.champion, SQUARES)
    arena.flow(3, negative_is_fraud=True)
    arena.gate()
    assert arena.registry.champion() == first
