"""What training was and gave is in MLflow, whole or not at all, and nothing is told elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.models import write_tiny_bundle
from tests.tracking.conftest import tiny_version
from tests.tracking.later import reader, record
from tests.training.conftest import (  # noqa: F401 - fixtures
    THE_SAMPLE,
    Candidate,
    candidates,
    creditcard,
    history,
    quick,
    trained,
)
from tests.transactions import CREDITCARD, SHOP, TRIP

from fraudline.bundle.bundle_files import SCORES_FILE
from fraudline.contract import Contract
from fraudline.errors import TrackingError
from fraudline.measures.evaluation import AT_THRESHOLD
from fraudline.measures.policy_effect import measure_effect
from fraudline.measures.scored_rows import part_of
from fraudline.registry import Registry
from fraudline.settings import MlflowSettings, Settings
from fraudline.training.policy_choice import compare

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded and a candidate trained
MODEL = "fraudline-creditcard"


@pytest.fixture(scope="module")
def default(candidates: Mapping[str, Candidate]) -> Candidate:  # noqa: F811
    """A candidate of the default recipe."""
    return candidates["default"]


def runs(client: Any) -> list[Any]:
    experiment = client.get_experiment_by_name(MODEL)
    return client.search_runs([experiment.experiment_id]) if experiment else []


def add(settings: Settings, directory: Path, contract: Contract = CREDITCARD) -> None:
    record(settings).add(directory, contract)


def test_a_trained_version_is_recorded_with_settings_curves_figures_rows_and_files(
    default: Candidate,
    settings: Settings,
    client: Any,
):
    directory, manifest, _ = default
    add(settings, directory)
    (run,) = runs(client)

    params, most = run.data.params, "150"
    asked = ("recipe", "train/seed", "train/test_share", "train/most_steps", "policy/review_cost")
    assert [params[name] for name in asked] == ["default", "7", "0.2", most, "4.0"]
    assert (params["train/first_event"], params["train/last_event"]) == ("0 s", "172775 s")

    told = msgspec.json.decode((directory / "metrics.json").read_bytes())["checkpoints"]
    for name in ("train_loss", "validation_loss", "validation_average_precision"):
        curve = client.get_metric_history(run.info.run_id, f"checkpoint/{name}")
        assert [(each.step, each.value) for each in curve] == [
            (each["steps"], each[name]) for each in told
        ]
    for name, part in manifest.parts.items():
        for measure, value in part.metrics.items():
            at = "at_threshold/" if measure in AT_THRESHOLD else ""
            assert run.data.metrics[f"{name}/{at}{measure}"] == value

    (read,) = run.inputs.dataset_inputs
    assert read.dataset.name == THE_SAMPLE.table
    assert read.dataset.digest == THE_SAMPLE.sha256[:36]
    assert msgspec.json.decode(read.dataset.source)["query"] == THE_SAMPLE.query
    assert msgspec.json.decode(read.dataset.source)["sha256"] == THE_SAMPLE.sha256
    assert json.loads(read.dataset.profile) == {"num_rows": THE_SAMPLE.rows}

    files = {each.path for each in client.list_artifacts(run.info.run_id)}
    assert files == {path.name for path in directory.iterdir()}
    report = client.download_artifacts(run.info.run_id, "report.html")
    assert Path(report).read_bytes() == (directory / "report.html").read_bytes()


def test_a_recorded_version_leads_to_its_directory_and_its_report(settings, client):
    directory = tiny_version(settings.home)
    add(settings, directory)
    (found,) = client.search_model_versions(f"name = '{MODEL}'")
    (run,) = runs(client)
    assert found.run_id == run.info.run_id
    assert found.tags["fraudline.version"] == directory.name
    assert found.tags["fraudline.directory"] == str(directory)
    assert found.tags["fraudline.report"] == (directory / "report.html").as_uri()
    assert f"/runs/{run.info.run_id}/artifacts/report.html" in found.description
    assert run.info.status == "FINISHED"


def test_what_was_not_set_or_measured_is_left_out(settings, client):
    add(settings, tiny_version(settings.home))
    (run,) = runs(client)
    assert run.data.params["train/seed"] == "3"
    assert "train/threshold" not in run.data.params
    (measured,) = client.get_metric_history(run.info.run_id, "epoch/validation_loss")
    assert (measured.step, measured.value) == (2, 0.75)


@pytest.mark.parametrize("contract", [SHOP, TRIP], ids=lambda contract: contract.name)
def test_features_are_recorded_with_the_types_and_nulls_of_the_contract(settings, client, contract):
    add(settings, tiny_version(settings.home, contract), contract)
    experiment = client.get_experiment_by_name(f"fraudline-{contract.name}")
    (run,) = client.search_runs([experiment.experiment_id])
    (read,) = run.inputs.dataset_inputs
    schema = import_module("mlflow.types.schema").Schema
    told = schema.from_json(json.dumps(json.loads(read.dataset.schema)["mlflow_colspec"]))
    assert [(each.name, each.required) for each in told.inputs] == [
        (name, not contract.column(name).is_nullable) for name in contract.features
    ]
    numpy = {"timestamp": "datetime64[ns]", "string": "str"}
    assert [each.type.to_numpy() for each in told.inputs] == [
        np.dtype(numpy.get(type_, type_))
        for type_ in (contract.column(name).type for name in contract.features)
    ]


def test_the_types_of_features_are_not_guessed_where_the_contract_is_another(settings, client):
    add(settings, tiny_version(settings.home), SHOP)
    (run,) = runs(client)
    assert not run.inputs.dataset_inputs[0].dataset.schema
    assert "types of its features are not recorded" in run.data.tags["mlflow.note.content"]


def test_a_version_that_is_recorded_stays_as_it_is(settings, client):
    directory = tiny_version(settings.home)
    add(settings, directory)
    before = runs(client)[0].info.run_id
    add(settings, directory)
    assert [run.info.run_id for run in runs(client)] == [before]
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 1


def test_a_version_with_another_policy_names_the_one_it_was_made_from(settings, client):
    add(settings, tiny_version(settings.home, derived_from="creditcard-tiny-0"))
    (found,) = client.search_model_versions(f"name = '{MODEL}'")
    assert found.tags["fraudline.derived_from"] == "creditcard-tiny-0"
    assert "the same model as `creditcard-tiny-0` with another policy" in found.description


def test_the_alias_follows_the_champion(settings, client):
    written = record(settings)
    for threshold in (0.25, 0.75):
        directory = tiny_version(settings.home, threshold=threshold)
        written.add(directory, CREDITCARD)
        written.name_champion(directory)
        found = client.get_model_version_by_alias(MODEL, "champion")
        assert found.tags["fraudline.version"] == directory.name


def test_a_version_that_is_not_recorded_cannot_be_named_the_champion(settings):
    directory = tiny_version(settings.home)
    with pytest.raises(TrackingError, match=f"{directory.name} the champion .* is not recorded"):
        record(settings).name_champion(directory)


def test_what_fails_halfway_is_not_a_version_and_the_next_attempt_mends_it(settings, client):
    directory = tiny_version(settings.home)
    obstacle = settings.home / "mlflow" / "artifacts"
    obstacle.write_text("a file where there should be a directory")
    with pytest.raises(TrackingError, match=f"recording {directory.name} in MLflow failed"):
        add(settings, directory)
    assert client.search_model_versions(f"name = '{MODEL}'") == []
    obstacle.unlink()
    add(settings, directory)
    (run,) = runs(client)
    (found,) = client.search_model_versions(f"name = '{MODEL}'")
    assert found.run_id == run.info.run_id
    assert run.info.status == "FINISHED"


def test_a_database_that_is_none_is_told(settings):
    (settings.home / "mlflow" / "mlflow.db").write_bytes(b"not a database at all" * 1000)
    with pytest.raises(TrackingError, match=r"failed at sqlite:///.*not a database"):
        add(settings, tiny_version(settings.home))


def test_a_server_that_is_away_is_told_by_its_address_before_long(home, tmp_path):
    away = Settings(home=home, mlflow=MlflowSettings(tracking_uri="http://127.0.0.1:9"))
    directory = tiny_version(home)
    begun_at = time.monotonic()
    with pytest.raises(TrackingError, match=r"failed at http://127\.0\.0\.1:9: .*refused"):
        add(away, directory)
    assert time.monotonic() - begun_at < 20


def test_a_version_without_what_training_says_of_itself_is_told(settings):
    registry = Registry(settings.home, lambda: "creditcard")
    candidate = registry.new_directory()
    write_tiny_bundle(candidate, CREDITCARD)
    with pytest.raises(TrackingError, match=r"metrics.json cannot be recorded: .*train anew"):
        add(settings, registry.path(registry.add(candidate).version))


def alone(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code as no test would be recognised, and with no wish about telemetry."""
    known = ("CI", "PYTEST", "MLFLOW", "DO_NOT_TRACK", "GIT_PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(known)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_recording_for_the_first_time_prints_nothing_and_leaves_telemetry_off(tmp_path):
    code = """
import logging, sys
logging.basicConfig(level=logging.WARNING)  # as the command line does
from pathlib import Path
from fraudline.contract import load_contract
from fraudline.settings import Settings
from fraudline.tracking.mlflow_record import MlflowRecord
MlflowRecord(Settings(home=Path(sys.argv[1]))).add(Path(sys.argv[2]), load_contract("creditcard"))
from mlflow.telemetry import get_telemetry_client
from mlflow.telemetry.utils import is_telemetry_disabled
assert is_telemetry_disabled() and get_telemetry_client() is None
"""
    done = alone(code, str(tmp_path), str(tiny_version(tmp_path)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(runs(reader(Settings(home=tmp_path)))) == 1


def test_where_mlflow_is_not_installed_it_is_said_what_to_install():
    done = alone(
        "import sys; sys.modules['mlflow'] = None\nimport fraudline.tracking.mlflow_record"
    )
    assert "TrackingError: MLflow cannot be used: mlflow is not installed here" in done.stderr
    assert "pip install 'fraudline[train]'" in done.stderr


def test_the_first_page_tells_what_the_policy_does_before_how_well_scores_rank(
    default: Candidate,
    settings: Settings,
    client: Any,
):
    directory, manifest, _ = default
    add(settings, directory)
    (run,) = runs(client)
    shown = run.data.metrics
    assert shown["average_precision"] == round(
        manifest.parts["test"].metrics["average_precision"], 4
    )

    rows = part_of(pq.read_table(directory / SCORES_FILE), "test")
    assert rows is not None
    assert shown["cost"] == round(compare(manifest.policy, rows, None)[0].cost, 2)
    effect = measure_effect(manifest.policy, rows)
    assert shown["test/policy/legitimate_stopped"] == effect.legitimate_stopped
    note = run.data.tags["mlflow.note.content"]
    for name, sentence in effect.facts():
        assert f"**{name}** {sentence}" in note
    assert f"average precision of {shown['average_precision']:.3f} on the test part" in note

    experiment = client.get_experiment(run.info.experiment_id)
    state = json.loads(json.loads(experiment.tags["mlflow.sharedViewState.fraudline"])["state"])
    assert state["selectedColumns"][:3] == [
        "metrics.`legitimate_stopped_share`",
        "metrics.`cost`",
        "metrics.`average_precision`",
    ]
    assert record(settings).page("creditcard").endswith("&viewStateShareKey=fraudline")


def test_a_view_that_somebody_changed_stays_as_it_is(settings, client):
    add(settings, tiny_version(settings.home))
    (run,) = runs(client)
    client.set_experiment_tag(run.info.experiment_id, "mlflow.sharedViewState.fraudline", "mine")
    add(settings, tiny_version(settings.home, threshold=0.25))
    tags = client.get_experiment(run.info.experiment_id).tags
    assert tags["mlflow.sharedViewState.fraudline"] == "mine"


def test_a_version_without_scores_shows_no_cost(settings, client):
    add(settings, tiny_version(settings.home))
    (run,) = runs(client)
    assert run.data.metrics["average_precision"] == 0.5
    assert "cost" not in run.data.metrics
