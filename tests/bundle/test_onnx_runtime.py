"""A process that scores calls nobody, and what its graphs give is what they always gave.

ONNX Runtime's telemetry is off, whatever was asked for.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.models import convolved, weighed, write_tiny_bundle
from tests.transactions import WALLET, WALLET_FILE

from fraudline.bundle.onnx_runtime import opened, ort
from fraudline.bundle.operators import convolves_one_channel
from fraudline.training.graph import write_graph
from fraudline.training.preparation import Inputs, Preparation

OPEN_AND_SCORE = """
import sys
from pathlib import Path
import numpy as np
from fraudline.bundle.bundle import open_bundle
from fraudline.contract import load_contract
bundle = open_bundle(Path(sys.argv[1]), load_contract(sys.argv[2]))
bundle.score(np.zeros((1, len(bundle.manifest.features)), np.float32))
"""
# Where one of these is set it takes the process for a test, and is silent of its own accord.
OF_TESTS = ("CI", "PYTEST", "ORT_", "GITHUB_", "TF_BUILD")


def left_in_home(home: Path, code: str, *arguments: str, **variables: str) -> list[str]:
    """The files that code leaves in an empty home, run as no test would be recognised."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_TESTS)}
    environment = {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **variables}
    subprocess.run([sys.executable, "-c", code, *arguments], env=environment, check=True)
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_a_process_that_scores_leaves_nothing_of_telemetry_behind(tmp_path):
    bundle = tmp_path / "tiny"
    write_tiny_bundle(bundle, WALLET)
    arguments = (OPEN_AND_SCORE, str(bundle), str(WALLET_FILE))
    assert left_in_home(tmp_path / "home", *arguments) == []
    asked_for = {"ORT_DISABLE_TELEMETRY": "0"}
    assert left_in_home(tmp_path / "other", *arguments, **asked_for) == []


def test_telemetry_left_on_would_be_seen(tmp_path):
    """Else the test above would hold of any release, and say nothing."""
    left = left_in_home(tmp_path / "home", "import onnxruntime")
    assert any("onnxruntime" in path for path in left)


FEATURES = np.random.default_rng(6).normal(size=(1024, 40)).astype(np.float32)


def graph_of(network: object) -> bytes:
    return write_graph(Preparation.fit(Inputs(tuple(range(40))), FEATURES), network, 40)


def twice_convolved() -> bytes:
    """A graph whose second convolution takes what the first gives: 16 channels."""
    random = np.random.default_rng(7)
    kernels = {"one": (16, 1, 1, 2), "many": (16, 16, 1, 2)}
    made = helper.make_graph(
        [
            helper.make_node("Reshape", ["features", "shape"], ["x"]),
            helper.make_node("Conv", ["x", "one"], ["y"]),
            helper.make_node("Conv", ["y", "many"], ["z"]),
            helper.make_node("Flatten", ["z"], ["score"]),
        ],
        "twice",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", 40])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.array([-1, 1, 1, 40]), "shape"),
            *(
                numpy_helper.from_array(random.normal(size=shape).astype(np.float32), name)
                for name, shape in kernels.items()
            ),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    graph: bytes = helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()
    return graph


@pytest.mark.parametrize(
    ("graph", "is_of_one_channel"),
    [
        (graph_of(convolved(40)), True),
        (graph_of(weighed(40)), False),
        (twice_convolved(), False),
    ],
    ids=["as `default`", "no convolution", "two"],
)
def test_how_a_graph_is_opened_changes_no_bit_of_what_it_gives(
    graph: bytes, *, is_of_one_channel: bool
) -> None:
    assert convolves_one_channel(graph) == is_of_one_channel
    ours, as_ever = opened(graph), ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for rows in (4, 256, 1024):
        given = {"features": FEATURES[:rows]}
        assert ours.run(None, given)[0].tobytes() == as_ever.run(None, given)[0].tobytes()
