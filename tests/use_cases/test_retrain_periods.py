"""A new network on schedule, on an alarm or by hand: a challenger, and of nobody's line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.harness import Place
from tests.models import manifest_for, tiny_policy, write_tiny_files
from tests.transactions import CREDITCARD
from tests.use_cases.test_gate_periods import Arena
from tests.use_cases.test_run_learning import LENGTH, MATURITY_DAYS
from tests.use_cases.test_update_periods import tell_frauds
from tests.use_cases.test_update_version import Stream, champion_of
from tests.use_cases.versions import add_learned, add_version
from tests.warehouse.test_counting_labels import HOUR

from fraudline import flows
from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import read_manifest, write_manifest
from fraudline.bundle.manifest import RETRAINING, Learned, Manifest
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.registry import Registry, Signature
from fraudline.registry.challengers import CHALLENGED
from fraudline.use_cases import retrain_version as retrain_module
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.project import Project
from fraudline.use_cases.retrain_periods import (
    MATURE_PERIODS,
    RetrainPeriods,
    retrained_rows,
)
from fraudline.use_cases.retrain_version import retrain_version
from fraudline.use_cases.run_learning import LearningRun
from fraudline.use_cases.update_periods import UpdatePeriods, last_update
from fraudline.use_cases.update_version import update_version
from fraudline.warehouse.known_payments import Known
from fraudline.warehouse.learning_tables import write_rows


def add_retrained(registry: Registry, parent: str, as_of: dt.datetime, road: str) -> Manifest:
    """A version of recipe `mlp` that says by which road it learned, and has no network."""
    candidate = registry.new_directory()
    write_tiny_files(candidate, CREDITCARD, name=f"of {parent}")  # a network of its own
    (candidate / "report.html").write_text("<p>tiny</p>")
    (candidate / "model.keras").write_bytes(b"none")
    learned = Learned(parent, road, as_of, as_of, as_of, 100, 10, 0, 0)
    parts = {"validation": manifest_for(CREDITCARD).parts["test"]}
    content = {"recipe": "mlp", "policy": tiny_policy(0.6), "learned": learned, "parts": parts}
    write_manifest(candidate, manifest_for(CREDITCARD, **content))
    return registry.add(candidate)


def advance(project: Project, now: dt.datetime) -> list[str]:
    """Do what is due at a moment; gives what was said."""
    said: list[str] = []
    LearningRun(
        project,
        clock=lambda: now + dt.timedelta(seconds=20),
        on_done=lambda done: said.append(done.said),
        steps=[RetrainPeriods(project)],
    ).advance()
    return said


def test_it_is_trained_anew_on_schedule_once_and_the_updates_do_not_see_it(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Arena(faulty, tmp_path, "retrain_schedule", monkeypatch)
    project, begin = world.project, world.now
    assert advance(project, begin + dt.timedelta(days=400)) == [], "off by default"
    world.set(retrain_every_days=7.0)
    assert advance(project, begin + dt.timedelta(days=7) - LENGTH) == []
    at = begin + dt.timedelta(days=7)
    (said,) = advance(project, at)
    assert said.startswith("every 7 days: nothing was learned: 0 mature frauds of the stream")
    assert advance(project, at) == [], "once"
    (row,) = retrained_rows(project)
    assert (row["road"], row["period_end"], row["told"]) == (RETRAINING, at, said)
    assert retrained_rows(project, at - LENGTH) == [], "it was not known then"
    assert [due.at for due in UpdatePeriods(project).due(at)] == [at], "that is another thing"
    assert last_update(project, at) is None
    assert advance(project, at + dt.timedelta(days=6)) == []
    assert len(advance(project, at + dt.timedelta(days=9))) == 1, "down for two days"


def test_an_alarm_that_stands_when_labels_tell_of_it_is_trained_for_once(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Arena(faulty, tmp_path, "retrain_alarm", monkeypatch, retrain_on_alarm=True)
    project, since = world.project, world.now

    def watched(start: dt.datetime, *, is_alarm: bool) -> None:
        row: dict[str, Any] = {
            "row_key": f"{start}",
            "contract": CREDITCARD.name,
            "period_start": start,
            "period_end": start + LENGTH,
            "detector": "columns",
            "column_name": "V4",
            "is_alarm": is_alarm,
            "alarm_since": since if is_alarm else None,
            "transactions": 9,
            "told": "V4 is another one",
        }
        write_rows(project.warehouse, flows.ALARMS, [row])

    ripe = since + dt.timedelta(days=MATURITY_DAYS) + MATURE_PERIODS * LENGTH
    watched(since, is_alarm=True)
    assert advance(project, ripe - LENGTH) == [], "what it told is not mature"
    (said,) = advance(project, ripe)
    assert f"an alarm (columns of 'V4') stands since {since:%Y-%m-%d %H:%M} UTC: nothing" in said
    assert advance(project, ripe + 40 * LENGTH) == [], "once for an alarm"
    since += 50 * LENGTH
    watched(since, is_alarm=True)
    watched(since + LENGTH, is_alarm=False)
    assert advance(project, ripe + 50 * LENGTH) == [], "it is over"


def test_who_is_killed_trains_again_and_the_challenge_goes_on(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By labels as of the moment alone; what is made is of no line."""
    stream = Stream(faulty, tmp_path, "retrain_again")
    project, registry = stream.project, stream.project.registry
    champion = add_retrained(registry, "nobody", EARLIEST, "fine-tuning").version
    registry.promote(champion)
    at = stream.flow(4)
    stream.flow(1)  # of later, and not to be seen
    seen: list[Known] = []

    def learn(_project: Project, known: Known, parent: Manifest, *more: Any) -> Manifest:
        """What is read is looked at; a fit of seconds would change nothing in it."""
        seen.append(known)
        return add_retrained(registry, parent.version, more[1], more[2])

    monkeypatch.setattr(retrain_module, "learn_known", learn)
    made = retrain_version(project, at, "a new pattern", "learn")
    again = retrain_version(project, at, "a new pattern", "learn")
    assert made == again
    assert made.version is not None
    assert "it challenges" in made.told
    assert max(known.until for known in seen) < at
    assert seen[0].sha256 == seen[1].sha256
    challenges = [each for each in registry.changes() if each.change == CHALLENGED]
    assert [each.version for each in challenges] == [made.version], "it did not begin anew"
    assert challenges[0].signature is not None
    assert (challenges[0].signature.by, challenges[0].signature.reason) == (
        "learn",
        "a new pattern",
    )
    of = {"since": EARLIEST, "before": LATEST}
    assert champions_line(registry.versions(), champion, **of).newest.version == champion
    other = add_version(registry, CREDITCARD, 1.0)
    unnamed = add_retrained(registry, other, at, RETRAINING)
    registry.removals.remove(CREDITCARD.name, [unnamed], Signature.of_this_process("learn", ""))
    (removed,) = registry.removals.all(CREDITCARD.name)
    child = add_learned(registry, CREDITCARD, unnamed.version, at + HOUR, 2.0)
    found = champions_line(registry.versions(), other, removed=[removed], **of).newest.version
    assert found == other != child, "nor is what was removed, and what goes on from it"


def test_by_hand_it_ends_with_an_exit_code_and_status_shows_what_came_of_it(here: Place) -> None:
    project = here.project
    champion = add_version(project.registry, CREDITCARD, 1.0)
    missing = here.run("learning", "retrain")
    assert missing.code == 1, "there is no champion"
    project.registry.promote(champion)
    few = here.run("learning", "retrain")
    assert few.code == 2
    assert "0 mature frauds of the stream" in " ".join(few.said.split())
    tell_frauds(here)
    refused = here.run("learning", "retrain", "--reason", "a new pattern")
    assert refused.code == 1
    said = " ".join(refused.said.split())
    assert f"UTC: LOOK: nothing was trained: version {champion} has recipe 'tiny'" in said
    assert len(retrained_rows(project)) == 2
    status = " ".join(here.run("learning", "status").said.split())
    assert "retrained" in status
    assert "a new pattern, as of 20" in status
    assert "UTC: LOOK: nothing was trained" in status


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_network_of_fresh_weights_learns_what_is_known_and_challenges(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    stream = Stream(faulty, tmp_path, "retrain_whole")
    project, registry = stream.project, stream.project.registry
    champion = champion_of(project)
    at = stream.flow(6, explored_in=2)
    made = retrain_version(project, at, "by hand")
    assert made.version is not None
    manifest = read_manifest(registry.path(made.version))
    learned = manifest.learned
    assert learned
    assert (learned.road, learned.parent, learned.as_of) == (RETRAINING, champion, at)
    assert (learned.frauds, bool(learned.by_share)) == (made.frauds, True)
    assert "without a label learned by the share of frauds" in made.told
    assert (manifest.recipe, manifest.policy.wrong_block_cost) == ("mlp", 25.0)
    assert manifest.parts["validation"].metrics["average_precision"] > 0.8, "it learned nothing"
    assert registry.champion() == champion
    assert {each.version for each in registry.challengers()} == {made.version}
    page = (registry.path(made.version) / "report.html").read_text()
    assert f"trained anew, from fresh weights, while <strong>{champion}</strong>" in page
    assert retrain_version(project, at, "by hand") == made, "the same moment, the same version"
    onward = update_version(project, at)
    assert onward.parent == champion, "the champion's line goes on without it"
    assert onward.version is not None
    registry.promote(made.version)
    later = update_version(project, stream.flow(6))
    assert (later.version is not None, later.parent) == (True, made.version), later.told
    bundle = open_bundle(registry.path(made.version), project.contract)
    features = np.random.default_rng(2).normal(size=(50, len(CREDITCARD.features))).astype("f4")
    assert bundle.score(features + 1.5).mean() > bundle.score(features).mean() + 0.2
