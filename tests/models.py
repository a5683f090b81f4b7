"""A bundle that scores without TensorFlow: the sigmoid of a weighted sum."""

import datetime as dt
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fraudline.bundle import GRAPH_FILE, Bundle, Manifest, Part, Source, open_bundle, write_manifest
from fraudline.contract import Contract


def weights(features: int) -> np.ndarray:
    """What `write_tiny_graph` multiplies the features by."""
    return np.linspace(-0.5, 0.5, features, dtype=np.float32)[:, None]


def write_tiny_graph(path: Path, weight: np.ndarray, power: float = 1.0) -> None:
    """Raise features to a power, then weigh and sum them: 1e30 squared is infinite."""
    graph = helper.make_graph(
        [
            helper.make_node("Pow", ["features", "power"], ["raised"]),
            helper.make_node("MatMul", ["raised", "weights"], ["sum"]),
            helper.make_node("Sigmoid", ["sum"], ["score"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", len(weight)])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 1])],
        [
            numpy_helper.from_array(np.float32([power]), "power"),
            numpy_helper.from_array(weight, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def manifest_for(contract: Contract, **changes: object) -> Manifest:
    content = {
        "recipe": "tiny",
        "contract": contract.name,
        "contract_fingerprint": contract.fingerprint,
        "features": contract.features,
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
    write_tiny_graph(directory / GRAPH_FILE, weights(len(contract.features)))
    (directory / "report.html").write_text("<p>tiny</p>")
    return write_manifest(directory, manifest_for(contract, **changes))


def tiny_bundle(directory: Path, contract: Contract, **changes: object) -> Bundle:
    write_tiny_bundle(directory, contract, **changes)
    return open_bundle(directory, contract)
