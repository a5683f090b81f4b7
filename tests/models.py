"""A bundle that scores without TensorFlow: the sigmoid of a weighted sum."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from fraudline.bundle.bundle import Bundle, open_bundle
from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    METRICS_FILE,
    REASONS_FILE,
    SCORES_FILE,
    write_manifest,
)
from fraudline.bundle.comparisons import Comparison, Comparisons, Frequency
from fraudline.bundle.manifest import Manifest, Part, Source
from fraudline.bundle.policy import Policy
from fraudline.contract import Contract


def weights(features: int) -> np.ndarray:
    """What `write_tiny_files` multiplies the features by."""
    return np.linspace(-0.5, 0.5, features, dtype=np.float32)[:, None]


def weighed(n_inputs: int) -> SimpleNamespace:
    """A network as `write_graph` takes it, without TensorFlow: a weighted sum and its sigmoid."""
    kernel = np.linspace(-1, 1, n_inputs, dtype=np.float32)[:, None]
    dense = Dense(kernel, np.zeros(1, np.float32))
    return SimpleNamespace(input_shape=(None, n_inputs), layers=[dense, Activation()])


def convolved(n_inputs: int) -> SimpleNamespace:
    """A network of the form of recipe `default`, without TensorFlow; its weights are drawn."""
    random = np.random.default_rng(5)

    def drawn(*shape: int, gain: float = 1) -> tuple[np.ndarray, np.ndarray]:
        kernel = gain * random.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))
        return kernel.astype(np.float32), np.zeros(shape[-1], np.float32)

    return SimpleNamespace(
        input_shape=(None, n_inputs),
        layers=[
            Reshape(n_inputs),
            Conv1D(*drawn(2, 1, 16), activation="relu"),
            Flatten(n_inputs - 1),
            Dense(*drawn((n_inputs - 1) * 16, 64), activation="relu"),
            Dense(*drawn(64, 32), activation="relu"),
            Dense(*drawn(32, 1, gain=12)),  # so that scores are far apart
            Activation(),
        ],
    )


class Dense:
    def __init__(self, *weights: np.ndarray, activation: str = "linear") -> None:
        self._weights = weights
        self.units = self.filters = weights[0].shape[-1]
        self.name, self.activation = "layer", SimpleNamespace(__name__=activation)

    def get_weights(self) -> list[np.ndarray]:
        return list(self._weights)


class Conv1D(Dense):
    padding, dilation_rate, groups, strides = "valid", (1,), 1, (1,)


class Reshape:
    def __init__(self, positions: int) -> None:
        self.target_shape = (positions, 1)


class Flatten:
    def __init__(self, positions: int) -> None:
        self.input = SimpleNamespace(shape=(None, positions, 16))


class Activation:
    activation = SimpleNamespace(__name__="sigmoid")


def write_tiny_files(
    directory: Path,
    contract: Contract,
    power: float = 1.0,
    *,
    inputs: int | None = None,
    name: str = "tiny",
) -> None:
    """The files that a scorer needs: a graph of scores, one of contributions, comparisons.

    Features are raised to a power, then weighed and summed: 1e30 squared is infinite. Where nulls
    are permitted they count as 2. Graphs of other names are other networks that rank alike.
    """
    weight = weights(inputs or len(contract.features))
    filled = [
        helper.make_node("IsNaN", ["features"], ["is_null"]),
        helper.make_node("Where", ["is_null", "two", "features"], ["filled"]),
    ]
    may_be_null = contract.may_be_null.any()
    weighed = [
        *(filled if may_be_null else ()),
        helper.make_node("Pow", ["filled" if may_be_null else "features", "power"], ["raised"]),
        helper.make_node("Mul", ["raised", "weights"], ["contributions"]),
    ]
    summed = [
        helper.make_node("MatMul", ["raised", "weights"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["score"]),
    ]
    row = weight.T
    _write(directory / GRAPH_FILE, [*weighed[:-1], *summed], "score", 1, weight, power, name)
    _write(directory / REASONS_FILE, weighed, "contributions", len(weight), row, power)
    usual = Comparison("number", (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0))
    some_levels = Comparison(*("level", ()), levels={"AT": Frequency(0.4)}, other=Frequency(0.6))
    hours = Comparison("time_of_day", (1 / 24,) * 24)
    features = {
        name: some_levels
        if name in contract.categories
        else hours
        if contract.column(name).type == "timestamp"
        else usual
        for name in contract.features
    }
    comparisons = Comparisons(1000, 8, 0.0, features)
    (directory / COMPARISONS_FILE).write_bytes(msgspec.json.encode(comparisons))


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    output: str,
    width: int,
    weight: np.ndarray,
    power: float,
    name: str = "tiny",
) -> None:
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", weight.size])
    graph = helper.make_graph(
        nodes,
        name,
        [features],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", width])],
        [
            numpy_helper.from_array(np.float32([power]), "power"),
            *(
                [numpy_helper.from_array(np.float32([2]), "two")]
                if any("two" in node.input for node in nodes)
                else []  # else it has the bytes, and so the name, that it had in the last release
            ),
            numpy_helper.from_array(weight, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def tiny_policy(threshold: float = 0.5, **changes: object) -> Policy:
    """Blocks from a fixed score; with both thresholds None in `changes`, decides by costs."""
    costs = {"lost_share": 1.0, "fraud_cost": 15.0, "review_cost": 4.0, "wrong_block_cost": 25.0}
    fixed = {"review_from": threshold, "block_from": threshold}
    return Policy(**{"unit": "EUR", "most_reviews_a_day": 100.0, **costs, **fixed, **changes})


def manifest_for(contract: Contract, **changes: object) -> Manifest:
    content = {
        "recipe": "tiny",
        "contract": contract.name,
        "contract_fingerprint": contract.fingerprint,
        "features": contract.features,
        "policy": tiny_policy(),
        "threshold": 0.5,
        "threshold_rule": "half",
        "source": Source("nothing", "", dt.datetime(2026, 1, 1, tzinfo=dt.UTC), 10, ""),
        "parts": {"test": Part(10, 1, "0", "9", {"average_precision": 0.5})},
        "software": {"onnx": onnx.__version__},
        "created_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "files": {},
    }
    return Manifest(**{**content, **changes})


def write_tiny_bundle(directory: Path, contract: Contract, **changes: object) -> Manifest:
    directory.mkdir(parents=True, exist_ok=True)
    manifest = manifest_for(contract, **changes)
    write_tiny_files(directory, contract, name=_network_of(manifest))
    (directory / "report.html").write_text("<p>tiny</p>")
    return write_manifest(directory, manifest)


def _network_of(manifest: Manifest) -> str:
    """What is told to be trained otherwise has another network, as trainings give it."""
    told = manifest.threshold, manifest.policy.block_from
    return "tiny" if told == (0.5, 0.5) else f"tiny {told}"


def write_tiny_metrics(directory: Path) -> None:
    """What training would have said of itself, with a setting and an epoch's figure missing."""
    directory.mkdir(parents=True, exist_ok=True)
    figures = {
        "settings": {"name": "tiny", "seed": 3, "test_share": 0.2, "threshold": None},
        "epochs": [
            {"train_loss": 0.5, "validation_loss": None},
            {"train_loss": 0.25, "validation_loss": 0.75},
        ],
    }
    (directory / METRICS_FILE).write_bytes(msgspec.json.encode(figures))


def write_tiny_scores(directory: Path, amount: float = 50.0, score: float = 0.95) -> None:
    """A thousand scored payments of two days as test rows; ten of them are frauds."""
    directory.mkdir(parents=True, exist_ok=True)
    labels = np.zeros(1000, np.int8)
    labels[::100] = 1
    rows = {
        "part": ["test"] * 1000,
        "event_s": np.linspace(0, 2 * 86400, 1000),
        "score": np.where(labels == 1, score, 0.01),
        "amount": np.full(1000, amount),
        "label": labels,
    }
    pq.write_table(pa.table(rows), directory / SCORES_FILE)


def tiny_bundle(directory: Path, contract: Contract, **changes: object) -> Bundle:
    write_tiny_bundle(directory, contract, **changes)
    return open_bundle(directory, contract)
