import numpy as np
import onnx
import pytest
from tests.training.later import as_keras, keras, network

from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.errors import InputError
from fraudline.training.graph import read_preparation, run_graph, write_graph
from fraudline.training.preparation import Inputs, Preparation

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded and a candidate trained


@pytest.fixture
def features() -> np.ndarray:
    return np.random.default_rng(1).normal(2, 3, size=(500, 5)).astype(np.float32)


def lived_in(model):
    """Give every weight, also those of batch normalisation, a value that no other has."""
    random = np.random.default_rng(2)
    model.set_weights(
        [random.uniform(0.1, 0.9, w.shape) - 0.4 * (w.ndim > 1) for w in model.get_weights()]
    )
    return model


def test_the_graph_equals_the_saved_keras_model_on_real_rows(candidate, creditcard, history):
    directory = candidate.directory
    features = creditcard.feature_matrix(history)
    saved = keras().models.load_model(directory / "model.keras")

    by_graph = run_graph((directory / GRAPH_FILE).read_bytes(), features)

    by_keras = saved.predict(features, batch_size=1024, verbose=0)[:, 0]
    assert np.abs(by_graph - by_keras).max() < 1e-6
    assert by_graph.std() > 0.01


def test_batch_normalisation_convolution_order_and_dense_layers_are_folded_exactly(features):
    model = lived_in(network(5))
    model.layers[-2].set_weights([w * 0.01 for w in model.layers[-2].get_weights()])
    preparation = Preparation.fit(Inputs(plain=(0, 1, 2, 3, 4)), features)

    by_graph = run_graph(write_graph(preparation, model, 5), features)

    by_keras = model.predict(preparation.apply(features), verbose=0)[:, 0]
    assert np.abs(by_graph - by_keras).max() < 1e-6
    assert by_keras.std() > 0.001


# An amount as its logarithm alone, as earlier versions have it, and as both.
@pytest.mark.parametrize(
    ("plain", "per_second"), [((0, 2, 3), 1), ((0, 2, 3), 1000), ((0, 1, 2, 3), 1)]
)
def test_logarithm_and_time_of_day_are_the_same_in_the_graph_and_in_keras(
    features, plain, per_second
):
    features[:, 1] *= 1000
    features[:, 4] = np.linspace(0, 400_000 * per_second, len(features))
    inputs = Inputs(plain, logarithm=(1,), circles=(4,), turns=(86400.0 * per_second,))
    preparation, model = Preparation.fit(inputs, features), network(len(inputs.sources))

    written = write_graph(preparation, model, 5)

    by_keras = as_keras(preparation, model, 5).predict(features, verbose=0)[:, 0]
    assert np.abs(run_graph(written, features) - by_keras).max() < 1e-6
    assert read_preparation(written).inputs == inputs, "a version goes on learning with these"


def test_the_same_weights_are_the_same_bytes(features):
    model = lived_in(network(5))
    preparation = Preparation.fit(Inputs(plain=(0, 1, 2, 3, 4)), features)
    assert write_graph(preparation, model, 5) == write_graph(preparation, model, 5)


def test_the_graph_takes_raw_features_of_any_number_of_rows(candidate, creditcard):
    directory = candidate.directory
    graph = onnx.load(directory / GRAPH_FILE).graph
    assert [value.name for value in graph.input] == ["features"]
    rows, columns = graph.input[0].type.tensor_type.shape.dim
    assert rows.dim_param == "rows"
    assert columns.dim_value == len(creditcard.features)
    assert "BatchNormalization" not in {node.op_type for node in graph.node}


def test_a_layer_without_a_form_in_the_graph_is_refused_by_name(features):
    kit = keras()
    layers = kit.layers
    preparation = Preparation.fit(Inputs(plain=(0, 1, 2, 3, 4)), features)
    strange = kit.Sequential([kit.Input((5,)), layers.LayerNormalization(name="odd")])
    with pytest.raises(InputError, match=r"'odd' \(LayerNormalization\)"):
        write_graph(preparation, strange, 5)
    swish = kit.Sequential([kit.Input((5,)), layers.Dense(1, activation="silu")])
    with pytest.raises(InputError, match="activation silu"):
        write_graph(preparation, swish, 5)
    padded = kit.Sequential(
        [kit.Input((5,)), layers.Reshape((5, 1)), layers.Conv1D(2, 2, padding="same")]
    )
    with pytest.raises(InputError, match="not a plain, valid convolution"):
        write_graph(preparation, padded, 5)
