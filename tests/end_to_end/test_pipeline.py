"""The whole road on a sample of the real data, by the commands that a user types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import SAMPLE, Answer, Place, eventually, place
from tests.tracking.later import reader

from fraudline.warehouse.query import query

pytestmark = pytest.mark.timeout(300)  # the first of them loads TensorFlow and trains


@pytest.fixture(scope="module")
def loaded(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project whose history is the sample."""
    with place(services_home, tmp_path_factory.mktemp("trained") / "home") as made:
        assert_well(made.run_alone("load", str(SAMPLE)))
        yield made


@pytest.fixture(scope="module")
def training(loaded: Place) -> Answer:
    """A training that makes a champion, while the MLflow server of its project is away."""
    return loaded.run(
        *("train", "--promote"),
        FRAUDLINE_MLFLOW__TRACKING_URI=AWAY,
        FRAUDLINE_TRAINING__MOST_STEPS="300",
    )


@pytest.fixture(scope="module")
def trained(loaded: Place, training: Answer) -> Place:
    """The project after that."""
    assert_well(training)
    return loaded


@pytest.fixture(scope="module")
def streamed(trained: Place) -> Place:
    """The same, after a scorer and a sink have dealt with the sample and four bad messages."""
    bad = trained.project.settings.home / "bad.jsonl"
    bad.write_bytes(b'broken\n{"Time": 1}\n\n[]\n')
    trained.start("score")
    trained.start("sink")
    assert_well(trained.run("replay", str(SAMPLE), "--rate", "0"))
    assert_well(trained.run_alone("replay", str(bad)))
    return trained


# Nothing listens there.
AWAY = "http://127.0.0.1:9"


def assert_well(done: Answer) -> None:
    assert done.code == 0, done.said


def sample_rows() -> int:
    return len(SAMPLE.read_text().splitlines()) - 1


def test_history_that_is_loaded_already_is_not_loaded_again(trained: Place) -> None:
    again = trained.run("load", str(SAMPLE))
    assert_well(again)
    assert "loaded before, nothing to do" in again.said


def test_check_counts_frauds_and_saves_its_report(trained: Place) -> None:
    done = trained.run("check")
    assert_well(done)
    report = json.loads((trained.project.reports / "check.json").read_text())
    assert report["rows"] == sample_rows()
    assert report["frauds"] == 492
    assert "492 frauds" in done.said


def test_the_trained_version_is_listed_as_champion(trained: Place) -> None:
    listed = trained.run("models", "list")
    assert_well(listed)
    champion = trained.project.registry.champion()
    assert any("*" in line and champion in line for line in listed.said.splitlines())


def test_a_version_that_mlflow_missed_is_champion_all_the_same_and_recorded_later(
    trained: Place, training: Answer
) -> None:
    champion = trained.project.registry.champion()
    later = f"fraudline models record {champion}"
    assert f"warning: recording {champion} in MLflow failed at {AWAY}" in training.said
    assert later in training.said
    assert "as [training] says, not as recipe 'default' has it: most_steps 300" in training.said
    assert "of the test part by boosted trees (LightGBM" in " ".join(training.said.split())
    assert_well(trained.run(*later.split()[1:]))
    found = reader(trained.project.settings).get_model_version_by_alias(
        "fraudline-creditcard", "champion"
    )
    assert found.tags["fraudline.version"] == champion


def test_every_message_is_one_row_in_bigquery(streamed: Place) -> None:
    proof = streamed.run_alone("reconcile", "--wait", "50")
    assert_well(proof)
    rows = sample_rows()
    assert (
        f"{rows + 4:,} inputs: {rows:,} decisions, 4 rejects\n"
        "missing 0, doubled 0, differing 0, unexpected 0\n"
    ) in proof.said
    assert "SELECT" not in proof.said


def test_sql_counts_the_same_if_it_is_asked_for(streamed: Place) -> None:
    proof = streamed.run("reconcile", "--wait", "50", "--sql")
    assert_well(proof)
    decisions = streamed.project.warehouse.table("decisions")
    assert f"FROM `{decisions}` WHERE source_topic = " in proof.said
    assert "without_row" in proof.said


def test_whatever_is_not_approved_has_its_reasons_in_bigquery(streamed: Place) -> None:
    assert_well(streamed.run("reconcile", "--wait", "50"))
    rows = query(
        streamed.project.warehouse,
        "SELECT decision, score >= threshold AS is_alert, reasons IS NULL AS is_silent, "
        "JSON_VALUE(reasons, '$[0].sentence') AS first FROM decisions",
    ).to_pylist()
    assert {"approve", "block"} <= {row["decision"] for row in rows}
    for row in rows:
        is_alert = row["decision"] != "approve"
        assert (row["is_alert"], row["is_silent"]) == (is_alert, not is_alert)
        assert not is_alert or "legitimate payments" in row["first"]


def test_another_policy_is_another_version_that_can_be_shown(trained: Place) -> None:
    champion = trained.project.registry.champion()
    # In the sample frauds are frequent, so much is left to review.
    changes = ("--block-from", "0.9", "--review-cost", "2", "--most-reviews-a-day", "1000",
               "--explore-share", "0.1")  # fmt: skip
    signed = ("--by", "anna", "--reason", "reviewers are cheaper")
    done = trained.run("models", "policy", champion, *changes, *signed)
    assert_well(done)
    words = " ".join(done.said.split())  # long lines are wrapped between words
    assert "block from 0.9; an approved fraud costs 100 % of its amount and 15 EUR" in words
    assert f"from {champion}" in done.said
    assert "explored 10 % of those blocked are reviewed instead" in words
    assert "; 10 % of what would be blocked is reviewed instead" in words
    assert trained.project.registry.champion() == champion
    made = trained.project.registry.changes()[-1]
    assert (made.what, made.before) == ("policy changed", champion)
    assert made.who.startswith("anna (account ")
    assert made.why.startswith("reviewers are cheaper; ")
    assert "review_cost 4.0 -> 2.0" in made.why
    assert "explore_share 0.0 -> 0.1" in made.why
    back = trained.run("models", "policy", made.version, "--explore-share", "0")
    assert "explored" not in back.said
    again = trained.run("models", "policy", champion, "--block-from", "1.5")
    assert again.code == 2
    assert "that is no policy" in again.said


def test_the_view_has_the_columns_of_the_history(streamed: Place) -> None:
    view = query(streamed.project.warehouse, "SELECT * FROM decided_transactions LIMIT 1")
    names = [column.name for column in streamed.project.contract.columns]
    assert view.column_names == names


def test_the_tutorial_s_own_lines_read_the_history(trained: Place) -> None:
    warehouse = trained.project.warehouse
    client = warehouse.client
    dataset = trained.project.settings.bigquery.dataset
    frame = (
        client.query(f"SELECT * FROM {dataset}.fraud_detection_train")
        .result()
        .to_dataframe(bqstorage_client=warehouse.read_client)
    )
    assert len(frame) == sample_rows()
    assert frame["Class"].sum() == 492


def test_predictions_land_in_bigquery_as_they_were_written(streamed: Place) -> None:
    home = streamed.project.settings.home
    done = streamed.run("predict", str(SAMPLE), "--out", str(home / "predictions.jsonl"))
    assert_well(done)
    assert "precision" in done.said
    assert "accuracy" in done.said
    lines = (home / "predictions.jsonl").read_text().splitlines()
    assert list(json.loads(lines[0])) == [
        column.name for column in streamed.project.contract.columns
    ]
    assert streamed.run("verify", str(home / "predictions.jsonl")).code == 1
    topic = streamed.project.settings.kafka.topic_predictions
    assert_well(streamed.run("replay", str(home / "predictions.jsonl"), "--topic", topic))
    warehouse = streamed.project.warehouse
    eventually(
        lambda: (
            query(warehouse, "SELECT COUNT(*) AS n FROM predictions").to_pylist()[0]["n"]
            >= len(lines)
        )
    )
    assert_well(streamed.run("verify", str(home / "predictions.jsonl")))
    first = json.loads(lines[0])
    first["Amount"] += 0.01
    (home / "altered.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]))
    altered = streamed.run("verify", str(home / "altered.jsonl"))
    assert altered.code == 1
    assert "1 rows are missing, 1 are surplus" in altered.said
