import datetime as dt
import re
import subprocess
import sys
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.orders import orders
from tests.training.later import as_set, find_recipe, keras, learning_on, recipes
from tests.transactions import SHOP, message

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, read_manifest
from fraudline.contract import Contract, load_contract
from fraudline.errors import InputError
from fraudline.scoring import Judge, assess
from fraudline.settings import TrainingSettings
from fraudline.training.graph import run_graph
from fraudline.training.history_checks import require_fitting_recipe
from fraudline.training.recipes.recipe_names import RECIPE_NAMES
from fraudline.training.split import drop_twins, find_twins, split_at_random

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded and a candidate trained
PNG = b"\x89PNG\r\n\x1a\n"
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("mlp", "tutorial")]

PAYMENTS = """
name = "payments"
[roles]
label = "is_fraud"
amount = "amount_minor"
event_time = "paid_at"
id = "payment_id"
[columns]
payment_id = { type = "string" }
paid_at = { type = "timestamp", feature = true }
amount_minor = { type = "int64", unit = "cent" }
speed = { type = "float64" }
distance = { type = "float64" }
age = { type = "float64" }
risk = { type = "float64" }
is_fraud = { type = "bool" }
"""


@pytest.fixture(scope="module")
def payments(tmp_path_factory) -> tuple[Contract, pa.Table]:
    """Another contract altogether, and 1,500 payments with some sense in them."""
    path = tmp_path_factory.mktemp("contract") / "payments.toml"
    path.write_text(PAYMENTS)
    contract = load_contract(str(path))
    random = np.random.default_rng(11)
    is_fraud = random.random(1500) < 0.1
    begin = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
    columns = {
        "payment_id": [f"p{number}" for number in range(1500)],
        "paid_at": [begin + dt.timedelta(minutes=7 * number) for number in range(1500)],
        "amount_minor": (np.exp(random.normal(8, 2, 1500)) * (1 + 3 * is_fraud)).astype(int),
        **{name: random.normal(is_fraud, 1.0) for name in ("speed", "distance", "age", "risk")},
        "is_fraud": is_fraud,
    }
    return contract, pa.table(columns, schema=contract.history_schema)


def altered(history: pa.Table, contract: Contract, rows: np.ndarray) -> pa.Table:
    """The history with every feature but the event time replaced in these rows."""
    for name in contract.features:
        if name != contract.event_time:
            values = history.column(name).to_numpy().copy()
            values[rows] = 3 * values[rows][::-1] + 1
            at = history.schema.get_field_index(name)
            history = history.set_column(at, history.schema.field(at), pa.array(values))
    return history


def graph_bytes(candidate) -> bytes:
    return (candidate.directory / GRAPH_FILE).read_bytes()


def twins(candidate) -> int:
    metrics = msgspec.json.decode((candidate.directory / "metrics.json").read_bytes())
    return metrics["twins_of_learned_rows"]


def test_a_candidate_is_a_bundle_that_scores_as_it_was_judged(candidate, creditcard, history):
    directory, manifest, _ = candidate
    bundle = open_bundle(directory, creditcard)
    split = find_recipe(manifest.recipe).split(creditcard.labels(history), 0.2, 7)
    test = drop_twins(split, find_twins(creditcard.feature_matrix(history), split)).test

    assessment = assess(history.take(test), bundle)

    labels, metrics = creditcard.labels(history)[test], manifest.parts["test"].metrics
    reached = assessment.scores >= manifest.threshold
    assert metrics["frauds_caught"] == reached[labels == 1].sum()
    assert metrics["legitimate_stopped"] == reached[labels == 0].sum()
    assert manifest.parts["test"].rows == len(test)
    assert metrics["average_precision"] > 0.5, "frauds are 14 % of the sample; it learned nothing"


def test_a_candidate_has_its_model_its_figures_and_pictures_that_open(candidate):
    directory, manifest, _ = candidate
    assert {path.name for path in directory.iterdir()} == {
        "bundle.json", "comparisons.json", "confusion_matrix.png", "decisions.html", "graph.onnx",
        "learning_curves.png", "metrics.json", "model.keras", "pr_curve.png", "reasons.onnx",
        "reference.arrow",
        "report.html", "score_distribution.png", "scores.parquet",
    }  # fmt: skip
    assert all(path.read_bytes().startswith(PNG) for path in directory.glob("*.png"))
    figures = msgspec.json.decode((directory / "metrics.json").read_bytes())
    assert figures["parts"]["test"] == manifest.parts["test"].metrics


def test_the_report_stands_by_itself_and_says_what_it_is_about(candidate):
    directory, manifest, _ = candidate
    page = (directory / "report.html").read_text()
    assert not re.search(r"""(src|href)=["'](?!data:)""", page), "something is fetched"
    assert page.count("data:image/png;base64,") == 4
    assert "the sample" in page
    assert "All figures on this page are of the <strong>test</strong> part" in page
    assert f"{manifest.parts['test'].metrics['average_precision']:.3f}" in page
    assert "weighted avg" in page
    assert re.search(r"part is \d+\.\d\d days long", page.replace("\n", " "))


def test_the_report_begins_with_what_the_policy_decides_on_the_rows_that_judge(
    candidate, creditcard, history
):
    directory, manifest, _ = candidate
    page = (directory / "report.html").read_text()
    split = find_recipe(manifest.recipe).split(creditcard.labels(history), 0.2, 7)
    test = drop_twins(split, find_twins(creditcard.feature_matrix(history), split)).test
    alerts = assess(history.take(test), open_bundle(directory, creditcard)).is_alert
    stopped = alerts[creditcard.labels(history)[test] == 0]
    told = f"{stopped.sum():,} of {len(stopped):,} legitimate payments, "
    assert page.index(told) < page.index("Average precision") < page.index("At a threshold")
    assert page.count(f"({manifest.parts['test'].frauds} frauds) of the test part") == 1


@pytest.mark.parametrize("name", ["default", pytest.param("trees", marks=pytest.mark.slow), *SLOW])
def test_nothing_that_learns_sees_a_test_row(name, candidates, trained, quick, creditcard, history):
    candidate, recipe = candidates[name], quick[name]
    test = recipe.split(creditcard.labels(history), 0.2, 7).test

    other = trained(recipe, history=altered(history, creditcard, test))

    assert graph_bytes(candidate) == graph_bytes(other)
    assert candidate.manifest.threshold == other.manifest.threshold
    before, after = candidate.manifest.parts, other.manifest.parts
    assert before["train"] == after["train"]
    assert before["test"].metrics != after["test"].metrics


def test_another_process_makes_the_same_bundle_byte_by_byte_and_prints_nothing(
    candidates, quick, history, tmp_path
):
    recipe, table, bundle = quick["default"], tmp_path / "history.parquet", tmp_path / "bundle"
    pq.write_table(history, table)
    bundle.mkdir()
    given = msgspec.structs.asdict(candidates["default"].manifest.source)
    source = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    source["read_at"] += dt.timedelta(hours=1)  # at another moment, the same rows
    code = f"""
from dataclasses import replace
from pathlib import Path
import pyarrow.parquet as pq
import datetime
from fraudline.bundle.manifest import Source
from fraudline.contract import load_contract
from fraudline.settings import PolicySettings
from fraudline.training.recipes.default import DEFAULT
from fraudline.training.train import train
quick = replace(DEFAULT, most_steps={recipe.most_steps}, batch_rows={recipe.batch_rows},
                legitimate_per_fraud={recipe.legitimate_per_fraud},
                learning_rate={recipe.learning_rate})
train(pq.read_table({str(table)!r}), load_contract("creditcard"), quick, Path({str(bundle)!r}),
      source=Source(**{source!r}), test_share=0.2, seed=7,
      costs=PolicySettings(), on_progress=lambda _: None)
"""

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout + done.stderr == ""
    manifest = read_manifest(bundle)
    assert manifest.files == candidates["default"].manifest.files
    assert manifest.version == candidates["default"].manifest.version


def test_the_report_tells_alerts_days_and_how_far_scores_can_be_believed(candidate):
    page = (candidate.directory / "report.html").read_text()
    figures = msgspec.json.decode((candidate.directory / "metrics.json").read_bytes())
    metrics = candidate.manifest.parts["test"].metrics
    assert f"{metrics['calibration_error']:.5f}" in page
    assert f"{metrics['brier']:.6f}" in page
    assert sum(day["rows"] for day in figures["days"]) == candidate.manifest.parts["test"].rows
    assert len(figures["alerts_a_day"]) == page.count("<td>20</td>") + 3


def test_the_tutorials_scores_are_told_before_and_after_the_prior_that_smote_shifted(candidates):
    def errors(name: str) -> list[float]:
        content = (candidates[name].directory / "metrics.json").read_bytes()
        told = msgspec.json.decode(content)["before_and_after_prior"]
        return [each["calibration_error"] for each in told]

    before, after = errors("tutorial")
    assert after < before
    assert len(errors("default")) == 1


@pytest.mark.slow  # it trains one more
def test_without_a_test_part_the_report_says_that_validation_judges_and_chose(trained, quick):
    directory, manifest, _ = trained(replace(quick["default"], most_steps=50), test_share=0.0)
    assert set(manifest.parts) == {"train", "validation"}
    page = (directory / "report.html").read_text()
    assert "All figures on this page are of the <strong>validation</strong> part" in page
    assert "also chose the calibration and the threshold" in page


@pytest.mark.slow  # one does in tests/end_to_end/test_second_contract.py
@pytest.mark.parametrize("name", ["default", "mlp", "tutorial"])
def test_any_other_contract_trains_without_a_line_of_code(name, payments, trained, quick):
    contract, history = payments
    directory, manifest, _ = trained(quick[name], history=history, contract=contract)

    bundle = open_bundle(directory, contract)
    scores = assess(history, bundle).scores
    assert np.all((scores >= 0) & (scores <= 1))
    assert manifest.features == ("paid_at", "amount_minor", "speed", "distance", "age", "risk")
    assert manifest.parts["train"].first_event == "2025-03-01T00:00:00+00:00"
    assert "cent" in (directory / "report.html").read_text()


@pytest.mark.slow  # it trains one more
def test_the_tutorial_drops_exact_twins_between_train_and_test_and_counts_them(
    candidates, trained, quick, creditcard, history
):
    labels = creditcard.labels(history)
    split = split_at_random(labels, 0.2, 7)
    # A legitimate test row becomes a copy of the legitimate train row before it.
    row = next(
        row for row in split.test if row - 1 in split.train and not labels[row - 1 : row + 1].any()
    )
    order = np.arange(history.num_rows)
    order[row] = row - 1

    other = trained(quick["tutorial"], history=history.take(order))

    count = twins(other)
    assert count == twins(candidates["tutorial"]) + 1
    assert other.manifest.parts["test"].rows == len(split.test) - count
    assert f"{count} transactions of the test part" in (other.directory / "report.html").read_text()


@pytest.mark.slow  # it trains one more
def test_the_tutorial_by_time_is_judged_by_what_came_after_and_warns_of_no_random_split(
    candidates, history
):
    def warns(name: str) -> bool:
        return "The split is random" in (candidates[name].directory / "report.html").read_text()

    by_time = candidates["tutorial_by_time"].manifest
    assert by_time.parts["train"].rows == int(0.8 * history.num_rows)
    assert not warns("tutorial_by_time")
    assert warns("tutorial")


def test_progress_is_told_in_sentences(candidates):
    said = candidates["default"].said
    assert said[0].startswith("train: 2,272 transactions, ")
    steps = r"step 100 of at most 150: loss [\d.]+, validation average precision "
    assert any(re.match(steps, line) for line in said)


def test_the_names_that_help_tells_are_those_of_the_recipes():
    assert list(RECIPE_NAMES) == [recipe.name for recipe in recipes().values()]


def test_trees_are_a_bundle_that_scores_and_gives_exact_reasons(candidates, creditcard, history):
    directory, manifest, said = candidates["trees"]
    assert manifest.recipe == "trees"
    assert "model.keras" not in manifest.files
    assert not any("for comparison" in line for line in said)
    bundle = open_bundle(directory, creditcard)
    features = creditcard.feature_matrix(history)[-300:]
    scores = bundle.score(features)
    odds = np.log(scores / (1 - scores)) - bundle.comparisons.background_log_odds
    np.testing.assert_allclose(bundle.contributions(features).sum(axis=1), odds, atol=1e-3)
    page = (directory / "report.html").read_text()
    assert "exact Shapley values" in page
    assert "the network" not in page


def test_settings_of_networks_are_not_used_by_trees_which_is_told():
    said = []
    recipe = find_recipe("trees")
    assert as_set(recipe, TrainingSettings(weight_decay=0.1), said.append) is recipe
    assert said == [
        "LOOK: recipe 'trees' learns with settings of its own, so [training] is not used: "
        "weight_decay 0.1"
    ]


def test_an_unknown_recipe_is_refused_and_the_known_ones_are_named():
    assert recipes().keys() == {"default", "mlp", "trees", "tutorial", "tutorial_by_time"}
    with pytest.raises(InputError, match="default, mlp, trees, tutorial"):
        find_recipe("defualt")


def test_looking_at_the_room_loads_no_tensorflow_and_judging_scores_neither():
    code = (
        "import sys, fraudline.training, fraudline.measures.evaluation;"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def shop(trained, quick):
    return trained(quick["default"], history=orders(), contract=SHOP)


def test_a_null_is_learned_told_scored_and_explained(shop):
    said = "\n".join(shop.said)
    assert re.search(
        r"'amount_of_last_order' is fraud [\d.]+ times as often where it is null", said
    )
    assert "'items' says nothing of fraud by being null" in said
    assert re.search(r"'is_known' may be null, and is in \d rows of the train part: too few", said)
    report = (shop.directory / "report.html").read_text()
    assert "<h2>Missing values</h2>" in report
    assert "<h2>Categories</h2>" in report
    assert "column 'country' has 7 levels in the train part: 5 are told apart, the others" in said
    assert re.search(r"'merchant' has \d+ levels in the train part: sorted into 32 buckets", said)
    assert "nan" not in re.sub(r"<img[^>]*>", "", report)

    bundle = open_bundle(shop.directory, SHOP)
    rows = [
        {
            name: value.isoformat() if isinstance(value, dt.datetime) else value
            for name, value in row.items()
            if name != SHOP.label
        }
        for row in orders(400, seed=12).to_pylist()
    ]
    verdicts = Judge(bundle).judge([message(row) for row in rows])
    assessment = assess(orders(400, seed=12), bundle)
    assert [each.score for each in verdicts] == assessment.scores.tolist()
    told = [reason for each in verdicts for reason in each.reasons or ()]
    missing = [each.sentence for each in told if each.value is None]
    levels = [each.sentence for each in told if each.feature == "code"]
    words = r"code is 7995: [\d.]+ times as often fraud; [\d.]+ % of legitimate payments have it"
    assert any(re.fullmatch(words, each) for each in levels)
    words = r"amount_of_last_order is missing: [\d.]+ times as often fraud; [\d.]+ % of legitimate"
    assert any(re.match(words, each) for each in missing)
    assert not any("nan" in each.sentence.lower() for each in told)


def test_what_scores_nulls_goes_on_learning_and_is_the_saved_keras_model(shop):
    features = SHOP.feature_matrix(orders(400, seed=12))
    model = learning_on().open_model(shop.directory)
    graph = (shop.directory / GRAPH_FILE).read_bytes()
    saved = keras().models.load_model(shop.directory / "model.keras")
    by_keras = saved.predict(features, verbose=0)[:, 0]
    assert np.abs(run_graph(graph, features) - by_keras).max() < 1e-6
    assert model.preparation.flags == tuple(
        SHOP.features.index(name) for name in ("items", "amount_of_last_order", "last_login_at")
    )


def test_a_level_that_is_new_scores_as_the_others_do_and_what_is_known_is_told_apart(shop):
    bundle = open_bundle(shop.directory, SHOP)
    rows = orders(400, seed=12)

    def scores(country: str | None) -> np.ndarray:
        at = rows.schema.get_field_index("country")
        column = pa.array([country] * 400, pa.string())
        return assess(rows.set_column(at, rows.schema.field(at), column), bundle).scores

    new, newer = scores("new"), scores("newer")
    assert (new == newer).all()
    others = [scores(each) for each in ("AT", "DE", None)]
    assert all((new != each).any() for each in others)
    assert not np.isnan([new, *others]).any()


def test_a_recipe_that_invents_frauds_refuses_a_contract_with_nulls(trained, quick):
    with pytest.raises(InputError, match=r"nothing lies between a value and a null.*items, amount"):
        trained(quick["tutorial"], history=orders(), contract=SHOP)
    columns = [replace(each, is_nullable=False) for each in SHOP.columns]
    levels = replace(SHOP, columns=tuple(columns))
    with pytest.raises(InputError, match=r"two levels of a category.*country, code, is_gift, mer"):
        require_fitting_recipe(quick["tutorial"], levels)
