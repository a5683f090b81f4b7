"""A version is made of what became known: by real labels in BigQuery, and by a real network."""

from __future__ import annotations

import datetime as dt
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.training import later
from tests.transactions import CREDITCARD
from tests.use_cases.test_run_learning import LENGTH, MATURITY_DAYS, project_of
from tests.use_cases.versions import add_network, add_version
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows
from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import read_manifest
from fraudline.bundle.manifest import Learned
from fraudline.contract import Period
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.errors import BundleError
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.judge_policy import judge_policy
from fraudline.use_cases.project import Project
from fraudline.use_cases.recalibrate_version import recalibrate_version
from fraudline.use_cases.update_version import of_never_labelled, update_version

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded
START = Period.holding(dt.datetime.now(dt.UTC), 86400.0).end
PAYMENTS = 120  # a period, every fifth a fraud


class Stream:
    """Payments whose frauds differ in a few features, and labels that come an hour later."""

    def __init__(
        self, faulty: FaultyBigQuery, home: Path, name: str, road: str = "fine-tuning"
    ) -> None:
        self.project = project_of(faulty, home, CREDITCARD, name)
        # Of a few hundred rows, one pass is a few steps.
        learning = self.project.settings.learning.model_copy(
            update={"update": road, "update_rate": 1e-3, "update_averaging": 0.0}
        )
        self.project.settings = self.project.settings.model_copy(update={"learning": learning})
        self.count = self.told = 0

    def flow(self, periods: int, *, explored_in: int = 0) -> dt.datetime:
        """Let some more periods pass; gives the moment at which all of them are mature.

        With a number, every second fraud is blocked, and one in so many of these reviewed instead.
        """
        decided, told = [], []
        for number in range(self.count, self.count + periods * PAYMENTS):
            chance, is_fraud = random.Random(number), number % 5 == 0
            at = START + number * LENGTH / PAYMENTS
            features = {f"V{each}": chance.gauss(1.5 * is_fraud, 1.0) for each in range(1, 29)}
            row = decision(
                CREDITCARD,
                number,
                **{**features, "Amount": chance.uniform(0.5, 2), "Time": number * 180.0},
                decided_at=at,
                received_at=at,
            )
            decided.append(row)
            is_stopped = bool(explored_in) and number % 10 == 0
            is_explored = is_stopped and number // 10 % explored_in == 0
            if is_stopped:
                row["decision"] = "review" if is_explored else "block"
                row["propensity"] = 1 / explored_in if is_explored else None
            if is_fraud and (is_explored or not is_stopped):
                self.told += 1
                told.append(Told(row, "fraud", "customer", at + HOUR, at + HOUR, self.told))
        self.count += periods * PAYMENTS
        warehouse = self.project.warehouse
        fill(warehouse, flows.DECISIONS, CREDITCARD, decided)
        fill(warehouse, flows.LABELS, CREDITCARD, [one.row(CREDITCARD) for one in told])
        return START + self.count * LENGTH / PAYMENTS + dt.timedelta(days=MATURITY_DAYS)


def champion_of(project: Project, **policy: float) -> str:
    chance = np.random.default_rng(1)
    usual = chance.normal(size=(200, len(CREDITCARD.features)))
    usual[:, CREDITCARD.features.index(CREDITCARD.event_time)] = chance.uniform(0, 86400, 200)
    version = add_network(project.registry, CREDITCARD, usual.astype(np.float32), **policy)
    project.registry.promote(version)
    return version


def test_a_version_is_made_of_what_became_known_and_the_same_one_again(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    stream = Stream(faulty, tmp_path, "update_fine")
    project, registry = stream.project, stream.project.registry
    champion = champion_of(project)
    few = update_version(project, stream.flow(1))
    assert (few.version, few.parent) == (None, champion)
    assert "1 fraud from before the newest, which judge" in few.told
    at = stream.flow(3)
    made = update_version(project, at)
    assert made.version is not None
    manifest = read_manifest(registry.path(made.version))
    again = update_version(project, at).version
    assert again is not None
    assert read_manifest(registry.path(again)).files == manifest.files
    assert again == made.version
    assert manifest.learned
    assert (manifest.learned.parent, manifest.learned.as_of) == (champion, at)
    assert (manifest.learned.frauds, manifest.learned.of_history) == (4 * PAYMENTS // 5, 0)
    assert (manifest.recipe, manifest.policy.wrong_block_cost) == ("mlp", 25.0)
    assert manifest.parts["validation"].metrics["average_precision"] > 0.8, "it learned nothing"
    assert registry.champion() == champion, "nothing is promoted by learning"
    page = (registry.path(made.version) / "report.html").read_text()
    assert f"goes on from <strong>{champion}</strong>, by fine-tuning" in page
    assert "<img" not in page, "a picture a period is drawn for nobody"
    assert "before the validation part was learned: cross-entropy 0." in page
    bundle = open_bundle(registry.path(made.version), project.contract)
    features = np.random.default_rng(2).normal(size=(50, len(CREDITCARD.features))).astype("f4")
    assert bundle.score(features + 1.5).mean() > bundle.score(features).mean() + 0.2
    nothing = update_version(project, at + HOUR)
    assert (nothing.version, nothing.parent) == (None, made.version)
    assert "no fraud became known since" in nothing.told
    registry.promote(made.version)
    few_unlearned = recalibrate_version(project, at, made.version)
    assert "0 mature frauds that the network has not learned" in few_unlearned.told
    at = stream.flow(3)
    anew = recalibrate_version(project, at, made.version).version
    assert anew is not None
    registry.promote(anew)
    found = read_manifest(registry.path(anew))
    assert found.files["model.keras"] == manifest.files["model.keras"]
    assert (found.network, found.learned) == (made.version, manifest.learned)
    assert later.learning_on().open_model(registry.path(anew)).network is not None, "learns on"
    of = {"since": registry.networks.since(), "before": LATEST}
    assert champions_line(registry.versions(), found.network, **of).newest.version == made.version
    registry.promote(add_version(registry, CREDITCARD, 1.0))
    with pytest.raises(BundleError, match="has recipe 'tiny', of which this"):
        update_version(project, at + HOUR)


def test_blocked_payments_are_learned_by_reviewed_ones_and_their_reviews_are_told_as_deployed(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = Stream(faulty, tmp_path, "update_blocked")
    project, registry = stream.project, stream.project.registry
    champion_of(project, explore_share=0.5)
    learned = import_module("fraudline.training.learned")
    shares_of_frauds, asked = learned.shares_of_frauds, []

    def spy(*arguments: Any) -> Any:
        shares = shares_of_frauds(*arguments)
        asked.append((len(arguments[2]), len(arguments[3]), shares))
        return shares

    monkeypatch.setattr(learned, "shares_of_frauds", spy)
    made = update_version(project, stream.flow(6, explored_in=3))
    assert made.version is not None
    assert "; 48 blocked payments without a label learned by the share of frauds" in made.told
    assert made.told.endswith("among those of 24 reviewed ones that are most like them")
    manifest = read_manifest(registry.path(made.version))
    assert manifest.learned
    assert (manifest.learned.hidden, manifest.learned.by_share) == (48, 48)
    assert manifest.learned.explored == 24
    (explored_before, hidden_before, _), (explored, hidden, shares) = asked
    assert (explored, hidden) == (24, 48)
    assert explored_before < explored, "only those that were told before the ones that judge"
    assert hidden_before < hidden
    assert (shares == 1).all(), "all of the reviewed ones were frauds"
    effect = judge_policy(project, made.version)
    assert effect is not None
    assert sum(effect.unlabelled) == hidden - hidden_before
    assert effect.unlabelled[2] > 0
    assert manifest.policy.reviews_a_day == pytest.approx(effect.reviews_a_day)
    page = (registry.path(made.version) / "report.html").read_text()
    assert "payments more of that time were blocked and never labelled" in page
    wanted = msgspec.structs.replace(manifest.policy, explore_share=1.0)
    (other := tmp_path / "other").mkdir()
    again = (
        import_module("fraudline.training.policy_pages")
        .with_policy(registry.path(made.version), other, wanted)
        .policy
    )
    more = again.reviews_a_day - manifest.policy.reviews_a_day
    assert more == pytest.approx(effect.explored / effect.days), "another half of as many"


def test_without_enough_reviewed_ones_blocked_payments_stay_out_and_it_is_told() -> None:
    learned_of = Learned("v", "fine-tuning", START, START, START, 9, 9, 0, hidden=12)
    told = of_never_labelled(learned_of)
    assert told.startswith("; 12 blocked payments without a label left out; of those reviewed in")
    assert "0 have a label, too few to learn the others by (policy.explore_share)" in told


@pytest.mark.slow
@pytest.mark.parametrize("road", ["fine-tuning", "last-layer"])
def test_a_line_goes_on_from_its_newest_version_and_is_judged_by_one_that_had_not_learned(
    faulty: FaultyBigQuery, tmp_path: Path, road: str
) -> None:
    stream = Stream(faulty, tmp_path, f"line_{road[:4]}", road)
    project, registry = stream.project, stream.project.registry
    champion = champion_of(project)
    versions = [update_version(project, stream.flow(periods)).version for periods in (3, 6)]
    assert None not in versions
    first, second = (read_manifest(registry.path(str(version))) for version in versions)
    assert first.learned
    assert second.learned
    assert (first.learned.parent, second.learned.parent) == (champion, first.version)
    at = stream.flow(0)
    assert update_version(project, at).version == second.version, "the same moment"
    assert update_version(project, at + HOUR).version is None
    if road == "last-layer":  # it goes on, takes each row once, and knows more
        known = []
        for version in (first.version, second.version):
            with np.load(registry.path(version) / "last_layer.npz") as state:
                known.append(np.linalg.slogdet(state["precision"])[1])
        assert known[1] > known[0]
    registry.promote(first.version)
    found = registry.versions()
    whole = {"since": EARLIEST, "before": LATEST}
    assert champions_line(found, first.version, **whole).newest.version == second.version
    assert champions_line(found, champion, **whole).newest.version == second.version
    begun_later = {**whole, "since": second.learned.as_of + HOUR}
    assert champions_line(found, champion, **begun_later).newest.version == champion
    other = add_version(registry, CREDITCARD, 2.0)
    assert champions_line(registry.versions(), other, **whole).newest.version == other
