"""The demo: always local, careful with what is there, and exact from its first message on."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from tests.cli.conftest import Shell
from tests.cli.test_models import judged_version
from tests.harness import SAMPLE, Place, typed
from tests.models import write_tiny_bundle

from fraudline import local
from fraudline.cli import demo, demo_home, demo_learn
from fraudline.cli.demo_home import clear, demo_settings, settle
from fraudline.cli.proof_commands import prove
from fraudline.contract import load_contract
from fraudline.datasets.files import read_transactions
from fraudline.errors import ProofError
from fraudline.settings import LocalSettings, Settings
from fraudline.use_cases.project import Project

HOSTILE = """
contract = "nowhere.toml"
[kafka]
bootstrap_servers = "prod.example:9093"
security_protocol = "SASL_SSL"
sasl_username = "u"
sasl_password = "hunter2"
ssl_ca_location = "missing.pem"
replication_factor = 3
partitions = 7
topic_transactions = "prod"
[bigquery]
project = "prod"
credentials_file = "missing.json"
[metrics]
port = 9999
[mlflow]
tracking_uri = "http://mlflow.example"
[registry]
url = "s3://prod/models"
[policy]
wrong_block_cost = 0.01
[local]
kafka_port = 22
bigquery_storage_port = 22
kafka_heap_mb = 300
"""


@pytest.mark.parametrize("differing", [0, 3])
def test_a_learned_day_ends_badly_where_a_version_does_not_give_its_decision_again(
    tmp_path, monkeypatch, differing
):
    """Each step is stood in for: the day itself takes minutes, and what follows of it is asked."""
    begun = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    nothing: Any = None
    day = demo_learn.LearnedDay(
        "first", {}, nothing, nothing, nothing, differing, begun, begun + dt.timedelta(hours=1)
    )
    shown: list[demo_learn.LearnedDay] = []
    monkeypatch.setattr(demo, "_train", lambda *_: (nothing, "first"))
    monkeypatch.setattr(demo_learn, "learn_a_day", lambda *_: day)
    monkeypatch.setattr(demo_learn, "show_day", lambda _project, found, _took: shown.append(found))
    project = Project(Settings(home=tmp_path))
    if differing:
        with pytest.raises(ProofError, match="3 decisions are not what the version") as refused:
            demo._learn(project, 0.0)
        assert refused.value.exit_code == 1
    else:
        demo._learn(project, 0.0)
    assert shown == [day], "what was found is shown first"


@pytest.fixture
def hostile(tmp_path, monkeypatch) -> Path:
    (tmp_path / "fraudline.toml").write_text(HOSTILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAUDLINE_KAFKA__GROUP", "prod")
    return tmp_path


def test_whatever_a_persons_settings_say_it_is_local_and_tells_what_it_leaves_out(hostile, capsys):
    found = demo_settings()
    assert found.home == hostile / ".fraudline" / "demo"
    assert found.local == LocalSettings(kafka_heap_mb=300)
    for name, value in found:
        if name not in {"home", "local"}:
            default = type(value)() if name != "contract" else "creditcard"
            assert value == default, name
    said = " ".join(capsys.readouterr().err.split())
    for name in ("contract", "kafka.sasl_password", "kafka.ssl_ca_location", "kafka.group"):
        assert name in said
    for name in ("mlflow.tracking_uri", "metrics.port", "local.kafka_port", "policy.wrong_block"):
        assert name in said
    assert "registry.url" in said
    assert "hunter2" not in said
    assert "kafka_heap_mb" not in said


def test_what_runs_in_its_home_reads_nothing_of_a_persons_settings(hostile):
    settings = demo_settings()
    settle(Project(settings))
    beside = local.environment(settings)  # as of the companions, whose directory it is
    by_hand = {name: value for name, value in beside.items() if not name.startswith("FRAUDLINE_")}
    for environment in (beside, by_hand):
        said = typed(("settings",), environment, settings.home).said
        assert "prod" not in said
        assert "missing" not in said
        assert "local.kafka_heap_mb = 300" in said
        assert "kafka.bootstrap_servers = local" in said


@pytest.mark.parametrize("kind", ["directory", "file", "link"])
def test_what_no_demo_has_left_is_not_removed_to_make_room_for_it(shell: Shell, tmp_path, kind):
    place, elsewhere = tmp_path / "demo", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "thesis.tex").write_text("years of work")
    if kind == "directory":
        elsewhere.rename(place)
    elif kind == "file":
        (elsewhere / "thesis.tex").rename(place)
    else:
        place.symlink_to(elsewhere)
    code, said = shell.set(FRAUDLINE_HOME=".")("demo")
    assert code == 2
    assert "which no demo has left there, so it is not removed" in said
    kept = place / "thesis.tex" if place.is_dir() else place
    assert kept.read_text() == "years of work"


def test_what_an_earlier_demo_left_is_removed_and_that_is_told(tmp_path, capsys):
    project = Project(Settings(home=tmp_path / "demo"))
    settle(project)
    (project.settings.home / "models").mkdir()
    clear(project)
    assert not project.settings.home.exists()
    said = " ".join(capsys.readouterr().err.split())
    assert f"what an earlier demo left in {project.settings.home} is replaced" in said


def test_a_second_demo_leaves_the_one_that_runs_in_the_same_place_alone(shell: Shell, tmp_path):
    project = Project(Settings(home=tmp_path / "demo"))
    with demo.only_demo(project.settings.home):
        settle(project)
        code, said = shell.set(FRAUDLINE_HOME=".")("demo")
        assert code == 2
        assert f"a demo is running here (process {os.getpid()})" in said
        assert (project.settings.home / "fraudline.toml").exists()
    with demo.only_demo(project.settings.home):  # the lock went with the one that held it
        pass


def test_each_message_of_start_and_stream_is_accounted_for_and_their_latencies_are_told_apart(
    here: Place, tmp_path, monkeypatch
):
    registry = here.project.registry
    candidate = registry.new_directory()
    write_tiny_bundle(candidate, here.project.contract)
    registry.promote(registry.add(candidate).version)
    live = read_transactions(SAMPLE, here.project.contract).rows.slice(0, 300)
    monkeypatch.setattr(demo, "_START_S", 1.0)
    with chdir(tmp_path):
        seen = demo._stream(here.project, live, rate=100)
    sent = len(demo.BROKEN_MESSAGES) + 300
    assert seen.count == 300
    assert 95 <= seen.start.count <= 100  # a second of it, some of them broken
    assert len(seen.start.latencies_ms) == seen.start.count
    assert len(seen.steady.latencies_ms) == seen.steady.count == 300 - seen.start.count
    ledger = prove(here.project, 60)
    assert ledger.is_exact
    assert ledger.totals.inputs == sent
    demo._judge(ledger, 300)


def test_what_the_policy_does_that_it_promotes_is_told(home, capsys):
    project = Project(Settings(home=home))
    version = judged_version(project.registry)
    demo._promote(project, version)
    said = " ".join(capsys.readouterr().out.split())
    assert project.registry.champion() == version
    for fact in ("judged by the 1,000 payments", "stopped ", "money decisions cost"):
        assert fact in said


def test_settings_that_are_wrong_end_it_before_anything_starts(shell: Shell):
    code, said = shell.set(FRAUDLINE_KAFKA__PARTITIONS="many")("demo")
    assert code == 2
    assert "kafka.partitions" in said


def test_a_short_day_has_short_periods_and_labels_that_are_mature_soon(hostile):
    settings = demo_settings(is_learning=True)
    settle(Project(settings))
    contract = Project(settings).contract
    assert contract.fingerprint == load_contract("creditcard").fingerprint
    assert contract.maturity_days * 86400 == pytest.approx(demo_learn.MATURITY_S)
    beside = local.environment(settings)
    by_hand = {name: value for name, value in beside.items() if not name.startswith("FRAUDLINE_")}
    for environment in (beside, by_hand):  # what runs beside it, and what a person types there
        said = typed(("settings",), environment, settings.home).said
        assert f"learning.period_s = {settings.learning.period_s}" in said
        assert "policy.wrong_block_cost = 25.0" in said
        assert f"contract = {demo_home.CONTRACT_FILE}" in said or str(settings.home) in said


def test_columns_of_the_short_day_go_missing_at_their_hour_and_no_other_value_changes():
    project = Project(Settings())
    day = read_transactions(SAMPLE, project.contract).rows
    day = day.filter(pc.greater_equal(day.column("Time"), demo_learn.HISTORY_S)).sort_by("Time")
    sent = demo_learn._changed(project, day)
    hours = (day.column("Time").to_numpy() - demo_learn.HISTORY_S) / demo_learn.HOUR_S
    is_later = hours >= demo_learn.CHANGED_AT_H
    assert 0 < is_later.sum() < len(is_later)
    assert sent.schema == day.schema
    for name in day.column_names:
        before, after = day.column(name).to_numpy(), sent.column(name).to_numpy()
        is_missing = is_later if name in demo_learn.CHANGED_COLUMNS else np.zeros_like(is_later)
        assert np.array_equal(after, np.where(is_missing, 0, before)), name


def test_that_learning_decided_nothing_is_told_whether_promoted_too_late_or_never(tmp_path):
    project = Project(Settings(home=tmp_path / "home"))
    registry = project.registry
    first, late = judged_version(registry), judged_version(registry, review_cost=3.0)
    registry.promote(first)
    nothing: Any = None  # what else came of the day is not asked
    began = dt.datetime.now(dt.UTC)
    day = demo_learn.LearnedDay(first, {first: 9}, nothing, nothing, nothing, 0, began, began)
    ((title, said),) = demo_learn._late(project, day)
    assert title == "LOOK"
    assert "nothing was promoted" in said
    registry.promote(late)
    ((_, said),) = demo_learn._late(project, day)
    assert said == f"{late} was promoted after the last payment of the day: it decided none"
    day.versions[late] = 1
    assert demo_learn._late(project, day) == []


def test_a_rate_does_not_go_with_a_day_of_its_own_speed(shell: Shell):
    code, said = shell("demo", "--learn", "--rate", "100")
    assert code == 2
    assert "--rate does not go with --learn" in " ".join(said.split())
