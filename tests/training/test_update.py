"""Learning on, with networks that are made and not trained, and rows that are drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.models import manifest_for, write_tiny_files
from tests.training.later import fresh_model, graph, learning_on, recipes, save_model

from fraudline.bundle.bundle_files import GRAPH_FILE, write_manifest
from fraudline.contract import Contract
from fraudline.errors import BundleError, InputError

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded
# Networks of the other recipes over again.
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("mlp", "tutorial_by_time")]


def rows_of(contract: Contract, count: int = 600, share: float = 0.2) -> tuple[Any, Any]:
    """Features and labels with some sense in them; the last feature is always the same."""
    random = np.random.default_rng(3)
    labels = (random.random(count) < share).astype(np.float64)
    features = random.normal(labels[:, None] * 0.8, 1.0, (count, len(contract.features)))
    features[:, 0] = np.arange(count) * 60.0
    features[:, -2] = 7.0
    return features.astype(np.float32), labels


def written(directory: Path, contract: Contract, model: Any, **changes: Any) -> Path:
    """A version's directory of a model, as training writes it."""
    directory.mkdir()
    write_tiny_files(directory, contract)
    count = len(contract.features)
    content = graph().write_graph(model.preparation, model.network, count)
    (directory / GRAPH_FILE).write_bytes(content)
    save_model(model.as_keras(count), directory / "model.keras")
    write_manifest(directory, manifest_for(contract, **changes))
    return directory


@pytest.fixture(scope="module")
def known(creditcard):
    return rows_of(creditcard)


@pytest.fixture(scope="module")
def mlp(creditcard, known):
    return fresh_model(recipes()["mlp"], creditcard, known[0])


def weights_of(model: Any) -> Any:
    return np.concatenate([each.ravel() for each in model.network.get_weights()])


def loss_of(model: Any, features: Any, labels: Any) -> float:
    odds = model.log_odds(features)
    return float((np.logaddexp(0, odds) - labels * odds).mean())


@pytest.mark.parametrize("name", ["default", *SLOW[:1], "tutorial", *SLOW[1:]])
def test_a_version_opens_as_the_network_and_the_preparation_that_score(
    name, tmp_path, creditcard, known
):
    model = fresh_model(recipes()[name], creditcard, known[0])
    directory = written(tmp_path / "version", creditcard, model)
    opened = learning_on().open_model(directory)
    content, run = (directory / GRAPH_FILE).read_bytes(), graph().run_graph
    again = graph().write_graph(opened.preparation, opened.network, len(creditcard.features))
    assert again == content
    assert (run(again, known[0]) == run(content, known[0])).all()
    assert opened.preparation.inputs == model.preparation.inputs
    assert (opened.log_odds(known[0]) == model.log_odds(known[0])).all()


def test_a_version_that_cannot_go_on_learning_is_refused_by_name(tmp_path, creditcard, mlp, known):
    none = tmp_path / "none"
    none.mkdir()
    write_tiny_files(none, creditcard)
    write_manifest(none, manifest_for(creditcard))
    with pytest.raises(BundleError, match=r"creditcard-tiny-\w+ has no model\.keras.*train"):
        learning_on().open_model(none)
    foreign = written(tmp_path / "foreign", creditcard, mlp)
    write_tiny_files(foreign, creditcard)  # somebody's own graph
    write_manifest(foreign, manifest_for(creditcard))
    with pytest.raises(BundleError, match=r"creditcard-tiny-\w+ cannot go on learning.*train"):
        learning_on().open_model(foreign)


@pytest.mark.parametrize("name", ["mlp", pytest.param("tutorial", marks=pytest.mark.slow)])
def test_fine_tuning_learns_the_same_for_a_seed_and_leaves_its_parent_alone(
    name, tmp_path, creditcard, known
):
    kit, (features, labels) = learning_on(), known
    recipe = replace(recipes()[name], batch_rows=32)
    model = fresh_model(recipe, creditcard, features)
    before, said = weights_of(model), model.log_odds(features)
    examples = kit.Examples(features, labels)
    settings = {"learning_rate": 1e-3, "averaging": 0.9, "seed": 4}
    version = written(tmp_path / "version", creditcard, model)  # where no dropout's state is kept
    first, second = (
        kit.fine_tune(each, recipe, examples, **settings)
        for each in (model, kit.open_model(version))
    )
    assert (weights_of(first) == weights_of(second)).all()
    assert (weights_of(model) == before).all()
    assert (model.log_odds(features) == said).all()
    assert loss_of(first, features, labels) < loss_of(model, features, labels)
    normalisations = [
        (mine.get_weights(), other.get_weights(), mine.trainable)
        for mine, other in zip(first.network.layers, model.network.layers, strict=True)
        if type(mine).__name__ == "BatchNormalization"
    ]
    assert len(normalisations) == (2 if name == "tutorial" else 0)
    for mine, other, is_trainable in normalisations:
        assert is_trainable, "a retraining would find it frozen"
        assert all((a == b).all() for a, b in zip(mine, other, strict=True))
    other = kit.fine_tune(model, recipe, examples, **{**settings, "seed": 5})
    assert (weights_of(first) != weights_of(other)).any()


def test_a_pass_after_another_one_is_as_if_it_were_the_first(creditcard, mlp, known):
    """Compiled once, it keeps no averages, moments or dropout of the network before."""
    kit, (features, labels) = learning_on(), known
    recipe = replace(recipes()["mlp"], batch_rows=32)
    other = fresh_model(recipe, creditcard, features)
    examples = kit.Examples(features, labels)
    passed = []
    for networks_before in ([other], []):
        kit.make_deterministic(1)  # where dropout begins follows from it
        way = kit.FineTuning(recipe, learning_rate=1e-3, averaging=0.9)
        for each in networks_before:
            kit.tuned(each, recipe, kit.Examples(-features, labels), way, 1)
        passed.append(weights_of(kit.tuned(mlp, recipe, examples, way, 1)))
    assert (passed[0] == passed[1]).all()


def test_the_mean_of_a_short_pass_begins_with_what_was_learned_before(mlp):
    kit, recipe = learning_on(), replace(recipes()["mlp"], batch_rows=32)
    network, begin = mlp.network, mlp.network.get_weights()
    inputs = np.random.default_rng(1).normal(size=(96, network.input_shape[-1])).astype(np.float32)
    labels = np.arange(96) % 2.0

    def after(steps: int, averaging: float) -> list[np.ndarray]:
        kit.make_deterministic(1)
        way = kit.FineTuning(recipe, learning_rate=1e-2, averaging=averaging)
        way.pass_once(network, inputs[: 32 * steps], labels[: 32 * steps])
        found = network.get_weights()
        network.set_weights(begin)
        return found

    expected = begin
    for steps in (1, 2, 3):
        last = after(steps, 0.0)
        expected = [0.9 * mean + 0.1 * each for mean, each in zip(expected, last, strict=True)]
    for mean, each in zip(after(3, 0.9), expected, strict=True):
        np.testing.assert_allclose(mean, each, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_averaged_weights_are_nearer_to_where_they_began(creditcard, mlp, known):
    kit, recipe = learning_on(), replace(recipes()["mlp"], batch_rows=32, threshold=0.5)
    examples = kit.Examples(*known)
    far, near = (
        weights_of(kit.fine_tune(mlp, recipe, examples, learning_rate=1e-3, averaging=a, seed=1))
        for a in (0.0, 0.95)
    )
    begin = weights_of(mlp)
    assert 0 < np.square(near - begin).sum() < np.square(far - begin).sum()


@pytest.mark.slow
def test_rows_that_are_half_a_fraud_are_learned_as_that(creditcard, mlp, known):
    kit, (features, labels) = learning_on(), known
    recipe = replace(recipes()["mlp"], batch_rows=32)
    hard = kit.Examples(features, labels)
    soft = kit.Examples(features, np.where(labels == 1, 0.5, 0.0))
    scores = [
        1 / (1 + np.exp(-kit.fine_tune(mlp, recipe, each, learning_rate=1e-3, averaging=0.0, seed=1)
                        .log_odds(features)))
        for each in (hard, soft)
    ]  # fmt: skip
    assert scores[1].mean() == pytest.approx(soft.labels.mean(), abs=0.05)
    assert scores[0].mean() == pytest.approx(hard.labels.mean(), abs=0.05)


def test_examples_of_one_kind_are_refused(mlp, known):
    kit = learning_on()
    for labels in (np.zeros(len(known[1])), np.zeros(0)):
        one = kit.Examples(known[0][: len(labels)], labels)
        with pytest.raises(InputError, match="one kind"):
            kit.fine_tune(mlp, recipes()["mlp"], one, learning_rate=1e-3, averaging=0.0, seed=1)


def test_frauds_are_invented_between_whole_frauds_alone(known):
    kit, (features, labels) = learning_on(), known
    soft = labels.copy()
    soft[:50] = 0.25
    made = kit.balanced(recipes()["tutorial"], kit.Examples(features, soft), 1)
    assert (made.labels == 1).sum() == (made.labels == 0).sum()
    assert (made.labels == 0.25).sum() == 50
    plain = kit.Examples(features, soft)
    assert kit.balanced(recipes()["mlp"], plain, 1) is plain
    few = kit.Examples(features[:20], np.eye(1, 20)[0])
    with pytest.raises(InputError, match="1 are; expected at least 6"):
        kit.balanced(recipes()["tutorial"], few, 1)


def test_the_last_layer_finds_the_least_loss_and_forgets_what_it_should(creditcard, mlp, known):
    kit, (features, labels) = learning_on(), known
    examples = kit.Examples(features, labels)
    begun = kit.LastLayer.of(mlp)
    assert np.allclose(begun.model().log_odds(features), mlp.log_odds(features), atol=1e-6)
    learned = begun.update(examples)
    hidden = np.column_stack([mlp.hidden(features), np.ones(len(labels))])
    scores = 1 / (1 + np.exp(-hidden @ learned.weights))
    slope = hidden.T @ (scores - labels)
    pull = 0.97 * begun.precision @ (learned.weights - begun.weights)
    assert np.abs(slope + pull).max() < 1e-4, "the loss could be less"
    assert np.allclose(learned.model().log_odds(features), hidden @ learned.weights, atol=1e-3)
    assert (weights_of(begun.model())[:-65] == weights_of(learned.model())[:-65]).all()
    wide, narrow = (learned.update(examples, forget=each).precision for each in (0.5, 1.0))
    assert np.linalg.slogdet(wide)[1] < np.linalg.slogdet(narrow)[1]


def test_the_last_layer_stands_a_share_of_frauds_far_from_its_parents(creditcard, mlp, known):
    kit, (features, labels) = learning_on(), known
    far = mlp.copy()
    kernel, bias = far.network.layers[-2].get_weights()
    far.network.layers[-2].set_weights([kernel, bias - 30])
    learned = kit.LastLayer.of(far).update(kit.Examples(features, labels)).model()
    scores = 1 / (1 + np.exp(-learned.log_odds(features)))
    assert scores.mean() == pytest.approx(labels.mean(), abs=0.02)


def test_the_last_layers_state_is_bytes_that_hold_numbers_alone(mlp, known, tmp_path):
    kit = learning_on()
    state = kit.LastLayer.of(mlp).update(kit.Examples(*known))
    content = state.to_bytes()
    assert content == state.to_bytes()
    again = kit.LastLayer.from_bytes(mlp, content)
    assert (again.weights == state.weights).all()
    assert (again.precision == state.precision).all()
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, weights=np.array([object()]), precision=state.precision)
    small = tmp_path / "small.npz"
    np.savez(small, weights=np.ones(2), precision=np.eye(2))
    for bad in (b"", b"nothing", content[:-40], pickled.read_bytes(), small.read_bytes()):
        with pytest.raises(ValueError, match=r"state|numbers|weights|pickle"):
            kit.LastLayer.from_bytes(mlp, bad)


def test_recalibrating_changes_what_scores_mean_and_not_their_order(mlp, known):
    kit, (features, labels) = learning_on(), known
    odds = 3 * mlp.log_odds(features) - 4
    odds[labels == 1] += 2.0
    line = kit.recalibrate(mlp, labels.astype(np.int8), odds)
    assert (np.argsort(line.log_odds(features)) == np.argsort(mlp.log_odds(features))).mean() > 0.99
    with pytest.raises(InputError, match="do not rise"):
        kit.recalibrate(mlp, labels.astype(np.int8), -odds)
