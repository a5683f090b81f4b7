"""Money in another unit: the version that divides it is judged, promoted, and begins a line."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.models import manifest_for, tiny_policy, weighed, write_tiny_files
from tests.transactions import CREDITCARD
from tests.use_cases.test_gate_periods import MATURITY
from tests.use_cases.test_recalibrate_periods import Scales
from tests.use_cases.test_run_learning import LENGTH
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows
from fraudline.bundle.bundle_files import GRAPH_FILE, REASONS_FILE, read_manifest, write_manifest
from fraudline.training import amount_unit
from fraudline.training.contributions_graph import write_reasons
from fraudline.training.graph import write_graph
from fraudline.training.preparation import Preparation, with_logarithms_and_time_of_day
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.recalibrate_version import recalibrate_version

_USUAL, _SPREAD = 50.0, 0.5
_AMOUNT, _OTHER = (CREDITCARD.features.index(name) for name in ("Amount", "V28"))


class Units(Scales):
    """A champion that scores by the amount as it is, and by another feature."""

    def begin(self) -> str:
        """Promote it."""
        count = len(CREDITCARD.features)
        rows = np.zeros((2000, count), np.float32)
        rows[:, _AMOUNT] = _USUAL * np.exp(np.random.default_rng(0).normal(0, _SPREAD, 2000))
        rows[:, _OTHER] = np.random.default_rng(1).normal(0, 1, 2000)
        fitted = Preparation.fit(with_logarithms_and_time_of_day(CREDITCARD, rows), rows)
        network = weighed(len(fitted.sources))
        kernel = np.zeros((len(fitted.sources), 1), np.float32)
        kernel[fitted.sources.index(_AMOUNT)] = 1.0
        kernel[fitted.sources.index(_OTHER)] = 2.0
        network.layers[0]._weights = (kernel, np.float32([-3.0]))
        graph = write_graph(fitted, network, count)
        candidate = self.registry.new_directory()
        write_tiny_files(candidate, CREDITCARD)
        (candidate / GRAPH_FILE).write_bytes(graph)
        (candidate / REASONS_FILE).write_bytes(write_reasons(graph, rows[:8], fitted.sources))
        (candidate / "report.html").write_text("<p>units</p>")
        costs = {"review_cost": 60.0, "above_review_cap": "approve"}
        policy = tiny_policy(review_from=None, block_from=None, **costs)
        write_manifest(candidate, manifest_for(CREDITCARD, policy=policy))
        version = self.registry.add(candidate).version
        self.registry.promote(version)
        return version

    def come(self, periods: int, *, times: float) -> None:
        """Let periods pass in which money is so many times as large."""
        decided, told = [], []
        for number in range(periods * self.payments):
            at, chance = self.now + number * LENGTH / self.payments, random.Random(self.count)
            amount = _USUAL * np.exp(chance.gauss(0, _SPREAD))
            other = chance.gauss(0, 1)
            odds = (amount - 1.13 * _USUAL) / (0.6 * _USUAL) + 2 * other - 3
            row = decision(
                CREDITCARD,
                self.count,
                **{f"V{each}": 0.0 for each in range(1, 28)},
                V28=other,
                Amount=float(amount * times),
                Time=0.0,
                model_version=self.registry.champion(),
                decided_at=at,
                received_at=at,
            )
            self.count += 1
            decided.append(row)
            if chance.random() < 1 / (1 + np.exp(-odds)):
                told.append(Told(row, "fraud", "customer", at + HOUR, at + HOUR, self.count))
        warehouse = self.project.warehouse
        fill(warehouse, flows.DECISIONS, CREDITCARD, decided)
        fill(warehouse, flows.LABELS, CREDITCARD, [one.row(CREDITCARD) for one in told])
        self.now += periods * LENGTH


@pytest.mark.slow
def test_money_in_another_unit_is_divided_before_the_network_once_a_bet_of_its_own_is_won(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How long a unit has to last is held in tests/training/test_amount_unit.py; here a period does.
    monkeypatch.setattr(amount_unit, "_LEAST_RUN", 1)
    monkeypatch.setattr(amount_unit, "_LEAST_S", 0.0)
    world = Units(faulty, tmp_path, "units", monkeypatch)
    registry = world.registry
    first = world.begin()
    world.come(5, times=1.0)
    said = world.advance()
    world.come(4, times=4.0)  # as long as it takes until a period is mature
    said += world.advance()
    assert registry.champion() == first, "nothing is known to be amiss"
    for _ in range(3):
        world.come(1, times=4.0)
        said += world.advance()
    told = "\n".join(said)
    version = registry.champion()
    assert version != first, told
    manifest = read_manifest(registry.path(version))
    assert manifest.calibrated
    assert manifest.calibrated.of == first
    assert manifest.calibrated.unit == pytest.approx(4, rel=0.15)
    assert "money is divided by" in told
    assert "LOOK: money comes" in told, "a person may have to mend the source"
    assert registry.networks.of(version) == version, "it ranks otherwise"
    (changed,) = [each for each in registry.changes() if each.version == version]
    assert not changed.is_recalibrated, "challenges of the one before end"
    line = champions_line(
        registry.versions(), version, since=registry.networks.since(), before=world.now
    )
    assert line.newest.version == version, "what learns goes on from it"
    world.come(5, times=4.0)
    again = recalibrate_version(world.project, world.now + MATURITY, version)
    assert again.version is not None, again.told
    next_one = read_manifest(registry.path(again.version))
    assert next_one.network == version, "money comes as this one takes it"
