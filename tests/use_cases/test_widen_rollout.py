"""A rollout widens by itself while it does not lose, and a person's hand always wins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.transactions import CREDITCARD
from tests.use_cases.test_gate_periods import MATURITY, SQUARES, SUM, Arena
from tests.use_cases.test_run_learning import LENGTH
from tests.use_cases.versions import add_version
from tests.warehouse.test_counting_labels import HOUR

from fraudline import flows
from fraudline.cli.learning_words import rollout_facts
from fraudline.registry import rollouts as rollouts_module
from fraudline.use_cases import challenge_conditions
from fraudline.use_cases.champion import end_rollout, roll_out, widen
from fraudline.use_cases.gate_periods import GatePeriods
from fraudline.use_cases.promote_winner import LEARN
from fraudline.use_cases.run_learning import LearningRun
from fraudline.use_cases.widen_rollout import WidenRollout, rollout_status
from fraudline.warehouse.learning_tables import read_rows

PERIODS = 3  # of ten frauds each


class Rolling(Arena):
    """A version that decides a share, and widens by itself."""

    def __init__(
        self, faulty: FaultyBigQuery, home: Path, name: str, patch: pytest.MonkeyPatch, power: float
    ) -> None:
        super().__init__(faulty, home, name, patch)
        patch.setattr(rollouts_module, "_now", lambda: self.now)
        # Of forty payments, and on a machine that is busy, it is chance which one takes longer.
        patch.setattr(challenge_conditions, "_TIMES_SLOWER", 1e9)
        self.version = add_version(self.registry, CREDITCARD, power, 0.6)
        roll_out(self.project, self.version, 0.05, widens=True, by="anna")

    def look(self) -> list[str]:
        """Judge all that is mature now, and do what follows."""
        said: list[str] = []
        LearningRun(
            self.project,
            clock=lambda: self.now,
            on_done=lambda done: said.append(done.said),
            steps=[WidenRollout(self.project)],
        ).advance()
        return said

    def matured(self, *, negative_is_fraud: bool) -> list[str]:
        """Let some periods pass and mature; gives what was said of them."""
        self.flow(PERIODS, negative_is_fraud=negative_is_fraud)
        self.now += MATURITY + HOUR
        return self.look()

    @property
    def share(self) -> float | None:
        found = self.registry.rollout()
        return None if found is None else found.share


def test_a_rollout_that_wins_widens_step_by_step_until_it_is_promoted(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Rolling(faulty, tmp_path, "rollout_wins", monkeypatch, SQUARES)
    shares = [arena.share]
    arena.flow(1, negative_is_fraud=True)
    arena.now += MATURITY + HOUR
    (said,) = arena.look()
    assert "10 frauds judged of periods that began since it has 5 %, at least 20 are" in said
    assert arena.look() == [], "each period is judged once"
    while arena.share is not None and len(shares) < 6:
        said = arena.matured(negative_is_fraud=True)[-1]
        shares.append(arena.share)
    assert shares == [0.05, 0.2, 0.5, None]
    assert arena.registry.champion() == arena.version
    assert f"; promoted {arena.version}" in said
    assert arena.changes() == [
        ("rolled-out", arena.version, "anna"),
        ("rolled-out", arena.version, LEARN),
        ("rolled-out", arena.version, LEARN),
        ("promoted", arena.version, LEARN),
    ]
    why = [each.why for each in arena.registry.changes()]
    assert any("when it was given 5 %; share 0.05 -> 0.2" in each for each in why)
    last = rollout_status(arena.project, arena.now).look
    assert last is not None
    assert (last["version"], last["champion"], last["share"]) == (
        arena.version,
        arena.champion,
        0.5,
    )
    assert json.loads(last["state"])["found"]["bet"]["frauds"] == last["frauds"] == 100


def test_a_rollout_that_loses_does_not_widen_and_ends_once_the_champion_is_proved_better(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Rolling(faulty, tmp_path, "rollout_loses", monkeypatch, SQUARES)
    said = arena.matured(negative_is_fraud=False)
    assert len(said) == PERIODS
    if arena.share is not None:
        said = arena.matured(negative_is_fraud=False)
    assert arena.share is None
    assert "the champion is proved to rank better" in said[-1]
    assert f"ended: {arena.champion} decides all again" in said[-1]
    assert arena.registry.champion() == arena.champion
    assert arena.changes() == [
        ("rolled-out", arena.version, "anna"),
        ("rollout-ended", arena.version, LEARN),
    ]
    assert arena.matured(negative_is_fraud=True) == [], "it stands no more"


def test_what_a_person_does_to_a_rollout_stands(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Rolling(faulty, tmp_path, "rollout_person", monkeypatch, SQUARES)
    arena.flow(PERIODS, negative_is_fraud=True)
    arena.now += MATURITY + HOUR
    follow = WidenRollout._follow

    def after_a_person(step, *arguments):
        widen(arena.project, 0.1, by="anna")
        return follow(step, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(WidenRollout, "_follow", after_a_person)
        said = arena.look()
    assert "LOOK: not done: the rollout of" in said[-1]
    assert "was changed meanwhile" in said[-1]
    assert arena.share == 0.1
    assert arena.matured(negative_is_fraud=True) == [], "it is in her hand now"
    assert arena.share == 0.1
    widen(arena.project, 0.3, widens=True, by="anna")
    arena.flow(PERIODS, negative_is_fraud=True)
    arena.now += MATURITY + HOUR
    assert "widened to 50 %" in arena.look()[-1]
    end_rollout(arena.project, by="anna")
    assert arena.matured(negative_is_fraud=True) == []
    assert arena.registry.champion() == arena.champion


def test_a_period_that_another_one_judged_meanwhile_is_judged_again_without_harm(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Rolling(faulty, tmp_path, "rollout_twice", monkeypatch, SQUARES)
    arena.learn(arena.champion, SQUARES)
    arena.flow(PERIODS, negative_is_fraud=True)
    arena.now += MATURITY + HOUR
    for step, table in (
        (WidenRollout(arena.project), flows.ROLLOUTS),
        (GatePeriods(arena.project), flows.GATES),
    ):
        dues = sorted(step.due(arena.now))
        assert len(dues) >= PERIODS - 1
        for due in dues:
            step.do(due)
        rows = read_rows(arena.project.warehouse, table, CREDITCARD)
        assert not any("LOOK" in step.do(due) for due in dues)
        assert read_rows(arena.project.warehouse, table, CREDITCARD) == rows
    assert arena.share == 0.2, "one step"
    assert arena.registry.champion() == arena.champion


def test_a_rollout_goes_on_after_periods_of_another_length_that_were_judged(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each payment counts once, whatever a period is."""
    arena = Rolling(faulty, tmp_path, "rollout_length", monkeypatch, SQUARES)
    arena.flow(1, negative_is_fraud=True)
    arena.now += MATURITY + HOUR
    arena.look()
    arena.set(period_s=LENGTH.total_seconds() / 2)
    arena.flow(1, negative_is_fraud=True)
    arena.now += MATURITY + HOUR
    arena.look()
    first, *others = read_rows(arena.project.warehouse, flows.ROLLOUTS, CREDITCARD)
    assert {row["period_end"] - row["period_start"] for row in others} == {LENGTH / 2}
    assert others[0]["period_start"] >= first["period_end"]
    assert others[-1]["frauds"] == 20, "of both lengths"
    assert arena.share == 0.2


def test_an_equal_version_widens_to_a_half_and_waits_there_for_the_proof(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Rolling(faulty, tmp_path, "rollout_equal", monkeypatch, SUM)
    for _ in range(3):
        said = arena.matured(negative_is_fraud=True)
    assert arena.share == 0.5
    assert "all of them needs the gate's proof" in said[-1]
    facts = dict(rollout_facts(rollout_status(arena.project, arena.now)))
    assert facts["rollout"].startswith(f"{arena.version} decides 50 % of the transactions, since")
    assert facts["widens to"].startswith("all once 20 frauds of periods that began after ")
    assert facts["judged beside"].endswith("all of them needs the gate's proof")
    assert arena.registry.champion() == arena.champion
    rows = read_rows(arena.project.warehouse, flows.ROLLOUTS, CREDITCARD)
    assert {row["wealth"] for row in rows} == {1.0}
