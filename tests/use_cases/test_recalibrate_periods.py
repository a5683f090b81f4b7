"""Calibrating anew as a step: who says better what scores mean is promoted, and ranks as before."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.transactions import CREDITCARD
from tests.use_cases.test_gate_periods import MATURITY, SQUARES, Arena
from tests.use_cases.test_run_learning import LENGTH
from tests.use_cases.versions import add_version
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows
from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import read_manifest
from fraudline.errors import BundleError
from fraudline.use_cases import make_beside, own_process
from fraudline.use_cases.learning_steps import WON_BEFORE
from fraudline.use_cases.recalibrate_periods import RecalibratePeriods, last_calibration
from fraudline.use_cases.recalibrate_version import recalibrate_version
from fraudline.use_cases.run_learning import LearningRun
from fraudline.warehouse.learning_tables import read_rows

PAYMENTS = 200


class Scales(Arena):
    """A champion that ranks well, and says twice too much or too little."""

    payments = PAYMENTS

    def __init__(
        self, faulty: FaultyBigQuery, home: Path, name: str, patch: pytest.MonkeyPatch, **settings
    ) -> None:
        super().__init__(faulty, home, name, patch, **settings)

        def ask(
            _settings: object, words: list[str], _on_alive: object, **_: object
        ) -> own_process.Answer:
            """In this process: another one would look for another BigQuery and another clock."""
            done = recalibrate_version(
                self.project, dt.datetime.fromisoformat(words[1]), *words[2:]
            )
            found = done.version, done.parent, done.rows, done.frauds, done.told
            return own_process.Answer(0.1, *found)

        patch.setattr(make_beside, "ask", ask)

    def pay(self, periods: int, *, odds: float) -> None:
        """Let periods pass in which the champion's log-odds are too high by so much."""
        decided, told = [], []
        for number in range(periods * self.payments):
            at, chance = self.now + number * LENGTH / self.payments, random.Random(self.count)
            value = chance.gauss(0, 3)  # of the champion's log-odds it is half
            is_fraud = chance.random() < 1 / (1 + np.exp(odds - value / 2))
            row = decision(
                CREDITCARD,
                self.count,
                **{**{f"V{each}": 0.0 for each in range(1, 28)}, "V28": value},
                Amount=0.0,
                Time=0.0,
                model_version=self.registry.champion(),
                decided_at=at,
                received_at=at,
            )
            self.count += 1
            decided.append(row)
            if is_fraud:
                told.append(Told(row, "fraud", "customer", at + HOUR, at + HOUR, self.count))
        warehouse = self.project.warehouse
        fill(warehouse, flows.DECISIONS, CREDITCARD, decided)
        fill(warehouse, flows.LABELS, CREDITCARD, [one.row(CREDITCARD) for one in told])
        self.now += periods * LENGTH

    def advance(self, *steps: object) -> list[str]:
        """Do what is due now, at the end of a period."""
        said: list[str] = []
        LearningRun(
            self.project,
            clock=lambda: self.now + dt.timedelta(seconds=20),
            on_done=lambda done: said.append(done.said),
            steps=list(steps) or [RecalibratePeriods(self.project)],
        ).advance()
        return said

    def calibrations(self) -> list[dict[str, Any]]:
        return read_rows(self.project.warehouse, flows.CALIBRATIONS, CREDITCARD)


def test_a_calibration_that_says_better_what_scores_mean_is_promoted_and_ranks_as_before(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Scales(faulty, tmp_path, "scales", monkeypatch)
    registry = world.registry
    since = world.now
    world.pay(5, odds=-3.0)
    said = world.advance()
    (first,) = world.calibrations()
    assert (first["version"], first["is_won"]) == (None, False), "nothing is judged by itself"
    world.pay(2, odds=-3.0)
    said += world.advance()
    version = registry.champion()
    assert version != world.champion, "\n".join(said)
    manifest = read_manifest(registry.path(version))
    assert manifest.calibrated
    assert manifest.network == world.champion
    assert manifest.calibrated.intercept > 1.5, "it had said too little"
    assert registry.networks.since() == since, "the network is the one of before"
    assert any(f"promoted {version}" in each for each in said)
    first, second, third = world.calibrations()
    assert {second["version"], third["version"]} == {first["newest"]}, "made of earlier periods"
    assert (second["is_won"], third["is_won"]) == (False, True), "no period proves alone"
    assert third["newest"] == version, "the newest one, with this period"
    one, other = (
        open_bundle(registry.path(each), world.project.contract)
        for each in (world.champion, version)
    )
    features = np.random.default_rng(1).normal(size=(300, len(CREDITCARD.features))).astype("f4")
    before, now = one.score(features), other.score(features)
    assert (np.argsort(before, kind="stable") == np.argsort(now, kind="stable")).all()
    assert not np.allclose(before, now)
    added = other.contributions(features).sum(axis=1) + other.comparisons.background_log_odds
    assert np.allclose(added, np.log(now / (1 - now)), atol=1e-3), "reasons are of what decides"
    scored = pq.read_table(registry.path(version) / "scores.parquet")
    assert scored.num_rows == manifest.calibrated.rows
    (changed,) = [each for each in registry.changes() if each.version == version]
    assert changed.is_recalibrated
    assert changed.signature is not None
    assert changed.signature.reason.startswith("log loss: wealth")
    last = last_calibration(world.project, world.now)
    assert last is not None
    assert world.advance() == [], "each period once"


def test_nothing_is_calibrated_on_payments_that_a_trained_network_may_have_learned(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history that grows may hold the stream's payments up to when it was read."""
    world = Scales(faulty, tmp_path, "scales_trained", monkeypatch)
    world.pay(5, odds=-3.0)
    trained = add_version(world.registry, CREDITCARD, 1.0, read_at=world.now)
    world.registry.promote(trained)
    none = recalibrate_version(world.project, world.now + MATURITY, trained)
    assert none.version is None
    assert "0 mature frauds that the network has not learned" in none.told
    read_at = world.now
    world.pay(2, odds=-3.0)
    made = recalibrate_version(world.project, world.now + MATURITY, trained)
    assert made.version is not None
    calibrated = read_manifest(world.registry.path(made.version)).calibrated
    assert calibrated
    assert calibrated.since >= read_at


def test_after_an_outage_the_calibration_that_is_made_last_is_promoted_and_not_an_older_one(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Scales(faulty, tmp_path, "scales_outage", monkeypatch)
    world.payments = 100
    world.pay(5, odds=-3.0)
    world.advance()
    world.pay(3, odds=-3.0)  # the bet is won on the second of them
    said = world.advance()
    before, *missed = world.calibrations()
    assert [row["is_won"] for row in missed] == [False, True, True], "all are judged"
    assert said[1].endswith(WON_BEFORE)
    assert {row["version"] for row in missed} == {before["newest"]}
    assert world.registry.champion() == missed[-1]["newest"] != before["newest"]


@pytest.mark.slow
def test_a_calibration_is_judged_anew_by_periods_of_another_length_and_it_is_told(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Scales(faulty, tmp_path, "scales_length", monkeypatch, promotes=False)
    world.payments = 60
    world.pay(5, odds=-3.0)
    world.advance()
    world.pay(1, odds=-3.0)
    world.advance()
    *_, before = world.calibrations()
    assert before["wealth"] > 1
    world.set(period_s=2 * LENGTH.total_seconds())
    world.pay(5, odds=-3.0)
    said = world.advance()
    after = world.calibrations()[2:]
    assert after[0]["period_start"] >= before["period_end"], "each payment counts in one bet"
    assert f"begins anew, at wealth 1 instead of {before['wealth']:,.2f}: periods of " in said[0]
    assert after[0]["version"] == before["newest"]
    assert "begins anew" not in said[-1]


def test_a_challenge_and_the_champions_line_go_on_when_it_is_calibrated_anew(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Scales(faulty, tmp_path, "scales_line", monkeypatch)
    registry, project = world.registry, world.project
    world.pay(5, odds=-3.0)
    made = recalibrate_version(project, world.now, world.champion)
    assert made.version is not None, made.told
    world.learn(world.champion, SQUARES)
    world.flow(1, negative_is_fraud=True)
    world.gate()
    (*_, before) = world.rows()
    assert before["wealth"] > 1
    assert not before["is_won"]
    other = add_version(registry, CREDITCARD, 3.0)
    registry.challenge(other, world.now + dt.timedelta(days=60))
    for change in (registry.promote, registry.roll_back, registry.promote):
        change(made.version if change == registry.promote else world.champion)
        assert [each.ended for each in registry.challengers()] == [None]
    world.flow(1, negative_is_fraud=True)
    world.gate()
    (*_, after) = world.rows()
    assert after["champion"] == made.version
    assert after["wealth"] > before["wealth"], "one bet"
    assert after["frauds"] > before["frauds"]
    assert after["is_won"]
    ends = {each.version: each.ended for each in registry.challengers()}
    assert ends[other] == f"overtaken by {registry.champion()}"
    assert ends[made.version] is None, "what was beaten guards it"


def test_a_calibration_that_was_removed_judges_nothing_and_a_champion_that_is_gone_is_told(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Scales(faulty, tmp_path, "scales_removed", monkeypatch, promotes=False)
    world.payments = 100
    world.pay(5, odds=-3.0)
    world.advance()
    (first,) = world.calibrations()
    shutil.rmtree(world.registry.path(first["newest"]))
    world.pay(1, odds=-3.0)
    (said,) = world.advance()
    assert f"{first['newest']}, is broken or was removed, so nothing was judged" in said
    *_, last = world.calibrations()
    assert last["version"] is None
    world.pay(1, odds=-3.0)
    (said,) = world.advance()
    assert "begins anew" not in said
    assert "log loss" in said, "the one that was made meanwhile judges"
    shutil.rmtree(world.registry.path(world.champion))
    world.pay(1, odds=-3.0)
    (said,) = world.advance()
    assert said.startswith(f"LOOK: nothing was calibrated: the champion {world.champion} is broken")
    with pytest.raises(BundleError, match="nothing can be calibrated"):
        recalibrate_version(world.project, world.now, world.champion)
