"""Contributions add up, go to the right feature, and are the model's own."""

import msgspec
import numpy as np
import onnx
import pytest
from tests.training.later import keras, network

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.comparisons import Comparisons
from fraudline.bundle.graphs import Graphs
from fraudline.training.contributions_graph import log_odds, log_odds_of, write_reasons
from fraudline.training.faithfulness import measure_faith, sampled_shapley
from fraudline.training.graph import write_graph
from fraudline.training.preparation import Inputs, Preparation
from fraudline.training.reason_files import choose_background

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded and a candidate trained

INPUTS = Inputs(plain=(0, 2, 3), logarithm=(1,), circles=(4,), turns=(86400.0,))


@pytest.fixture
def features() -> np.ndarray:
    rows = np.random.default_rng(1).normal(2, 3, size=(500, 5)).astype(np.float32)
    rows[:, 4] = np.linspace(0, 400_000, len(rows))
    return rows


def lived_in(model):
    """Weights as if it had learned, such that ReLUs are on, off and between."""
    random = np.random.default_rng(2)
    model.set_weights(
        [
            random.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else random.normal(0, 0.3, w.shape)
            for w in model.get_weights()
        ]
    )
    return model


def explained(model, preparation, features, background) -> tuple[bytes, bytes, np.ndarray]:
    graph = write_graph(preparation, model, features.shape[1])
    reasons = write_reasons(graph, background, preparation.inputs.sources)
    return graph, reasons, Graphs(graph, reasons).contributions(features)


def test_contributions_add_up_to_the_log_odds_above_the_background(features):
    preparation, background = Preparation.fit(INPUTS, features), features[:7]
    graph, _, found = explained(lived_in(network(6)), preparation, features, background)
    expected = log_odds(graph, features) - log_odds(graph, background).mean()
    assert expected.std() > 1
    assert np.allclose(found.sum(axis=1), expected, atol=1e-3)


def test_contributions_of_a_network_of_dense_layers_add_up_too(features):
    kit = keras()
    layers = kit.layers
    model = kit.Sequential(
        [
            kit.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dense(4, activation="relu"),
            layers.Dense(1),
            layers.Activation("sigmoid"),
        ]
    )
    preparation, background = Preparation.fit(INPUTS, features), features[:3]
    graph, _, found = explained(lived_in(model), preparation, features, background)
    expected = log_odds(graph, features) - log_odds(graph, background).mean()
    assert np.allclose(found.sum(axis=1), expected, atol=1e-4)


def test_of_a_straight_model_a_feature_contributes_weight_times_difference(features):
    kit = keras()
    layers = kit.layers
    model = kit.Sequential([kit.Input((6,)), layers.Dense(1), layers.Activation("sigmoid")])
    weights = np.array([[1.0], [-2.0], [0.0], [3.0], [0.5], [4.0]], np.float32)
    model.layers[0].set_weights([weights, np.zeros(1, np.float32)])
    preparation = Preparation.fit(INPUTS, features)
    _, _, found = explained(model, preparation, features, features[:4])
    inputs = preparation.apply(features)
    by_input = (inputs - inputs[:4].mean(axis=0)) * weights[:, 0]
    # Inputs are: features 0, 2 and 3, the logarithm of 1, sine and cosine of 4.
    expected = np.stack(
        [by_input[:, 0], by_input[:, 3], by_input[:, 1], by_input[:, 2], by_input[:, 4:].sum(1)],
        axis=1,
    )
    assert np.allclose(found, expected, atol=1e-5)


def test_a_row_of_the_background_alone_contributes_nothing(features):
    preparation = Preparation.fit(INPUTS, features)
    _, _, found = explained(lived_in(network(6)), preparation, features[:1], features[:1])
    assert np.allclose(found, 0)


def test_an_operator_without_reasons_is_refused_by_name(features):
    preparation = Preparation.fit(INPUTS, features)
    graph = write_graph(preparation, lived_in(network(6)), 5)
    model = onnx.load_from_string(graph)
    bend = next(node for node in model.graph.node if node.op_type == "Relu")
    bend.op_type = "Tanh"
    with pytest.raises(TypeError, match="operator Tanh of the network has no reasons"):
        write_reasons(model.SerializeToString(), features[:2], preparation.inputs.sources)


def test_a_background_stands_for_the_mean_better_than_a_draw(features):
    preparation = Preparation.fit(INPUTS, features)
    mean = preparation.apply(features).mean(axis=0)

    def distance(rows):
        return np.square(preparation.apply(rows).mean(axis=0) - mean).sum()

    random = np.random.default_rng(3)
    draws = [features[random.choice(500, 8, replace=False)] for _ in range(50)]
    assert distance(choose_background(features, preparation, 0)) < min(map(distance, draws))


def test_the_sampled_reference_finds_the_shapley_values_of_a_straight_model(features):
    kit = keras()
    layers = kit.layers
    model = kit.Sequential([kit.Input((6,)), layers.Dense(1), layers.Activation("sigmoid")])
    preparation = Preparation.fit(INPUTS, features)
    graph, _, found = explained(model, preparation, features[:20], features[100:101])
    random = np.random.default_rng(0)
    sampled = sampled_shapley(log_odds_of(graph), features[:20], features[100:101], 3, random)
    assert np.allclose(sampled, found, atol=1e-4)


def test_faith_is_full_where_reasons_are_exact(features):
    kit = keras()
    layers = kit.layers
    model = kit.Sequential([kit.Input((6,)), layers.Dense(1), layers.Activation("sigmoid")])
    preparation = Preparation.fit(INPUTS, features)
    graph, reasons, _ = explained(model, preparation, features[:20], features[100:101])
    alerts, background = features[:20], features[100:101]
    base = float(log_odds_of(graph)(background).mean())
    faith = measure_faith(graph, reasons, alerts, background, background, 0, base)
    assert (faith.same_top, faith.overlap) == (1, 1)
    assert faith.rank_correlation > 0.99
    first, reference, random = faith.deleted[1]
    assert first == pytest.approx(reference)
    assert first > random
    assert faith.sum_error < 1e-4


def test_a_candidate_explains_its_own_rows_and_compares_with_its_own_history(
    candidate, creditcard, history
):
    directory = candidate.directory
    bundle = open_bundle(directory, creditcard)
    rows = creditcard.feature_matrix(history)[:40]
    scores = bundle.score(rows)
    inside = (scores > 1e-4) & (scores < 1 - 1e-4)  # a float32 tells these apart
    expected = np.log(scores / (1 - scores)) - bundle.comparisons.background_log_odds
    found = bundle.contributions(rows).sum(axis=1)
    assert inside.sum() > 5
    assert np.allclose(found[inside], expected[inside], atol=1e-2)
    saved = msgspec.json.decode((directory / "comparisons.json").read_bytes(), type=Comparisons)
    low, *_, high = saved.features["V14"].values
    legitimate = history.column("V14").to_numpy()[creditcard.labels(history) == 0]
    assert legitimate.min() <= low < high <= legitimate.max()


def test_the_report_tells_how_far_reasons_can_be_believed(candidate):
    page = (candidate.directory / "report.html").read_text()
    assert "sampled Shapley reference" in page
    assert "of legitimate payments have at" in page
