"""What each feature adds to a score, as a second ONNX graph made from the first.

DeepLIFT's rescale rule (Shrikumar, Greenside and Kundaje, Learning important features through
propagating activation differences, ICML 2017), averaged over background rows: each unit hands
on to its inputs the share of its difference from the background that they caused. A straight
layer hands on its weights, a ReLU the quotient of the differences after and before it. So the
contributions of a row add up to its log-odds minus the mean log-odds of the background.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from fraudline.bundle.graphs import filled_up
from fraudline.bundle.onnx_runtime import ort
from fraudline.contract.array_types import Matrix
from fraudline.training.fitted import Reasons
from fraudline.training.graph import INPUTS, Writer

RUN_ROWS = 4096

# Added where a unit is exactly 0 in row and background: 0 / TINY is the quotient's 0 there.
TINY = 1e-30


def write_reasons(graph: bytes, background: Matrix, sources: tuple[int, ...]) -> bytes:
    """Write the graph of contributions that belongs to a graph of scores.

    It takes what the graph of scores has inside (`bundle.graphs`): the network's inputs and
    what its dense layers hand on to a ReLU. What is before the ReLU of a convolution would be
    large, and is worked out again.

    Args:
        graph: As `write_graph` gives it: what prepares the features, then a chain of
            Reshape, Conv, Gemm, Flatten and Relu, then one Sigmoid.
        background: Features of the legitimate rows that a row is compared with, float32,
            shape (background rows, features).
        sources: The feature that each input of the network derives from; the contribution
            of a feature is the sum over its inputs.

    Returns:
        The serialised model: its inputs have the names and shapes that they have in the graph
        of scores; output `contributions`, float32 (rows, features), in log-odds.

    Raises:
        TypeError: the network has an operator that is not in the list above.
    """
    model = onnx.load_from_string(graph)
    nodes = list(model.graph.node)
    weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    network = nodes[1 + next(i for i, node in enumerate(nodes) if INPUTS in node.output) :]
    if network[-1].op_type != "Sigmoid":
        raise TypeError(f"the graph ends with {network[-1].op_type}, expected Sigmoid")
    bends = [node.input[0] for node in network if node.op_type == "Relu"]
    dense = {node.output[0] for node in network if node.op_type == "Gemm"}
    again = _until_last(network, [name for name in bends if name not in dense])
    taken = [INPUTS, *(name for name in bends if name in dense)]
    shapes = _values(model, [INPUTS, *(node.input[0] for node in network)], background)

    writer = Writer("reasons_")
    passed = _pass_back(writer, network[:-1], weights, shapes, len(background))
    row = _reshape(writer, INPUTS, -1, 1, len(sources))
    difference = writer.add("Sub", row, writer.constant(shapes[INPUTS][None]))
    of_feature = np.zeros((len(sources), background.shape[1]))
    of_feature[np.arange(len(sources)), sources] = 1
    # What a row has must not depend on its company, not even in its last bit. So nothing is a
    # product of rows, whose number decides how it is rounded, but of pairs; and a mean is a product
    # of its own, since ReduceMean rounds in another way where there is one row.
    of_pairs = writer.add(
        "MatMul", writer.add("Mul", difference, passed), writer.constant(of_feature)
    )
    share = writer.constant(np.full((1, len(background)), 1 / len(background)))
    mean = writer.add("MatMul", share, of_pairs)
    width = writer.constant([-1, background.shape[1]], np.int64)
    writer.add("Reshape", mean, width, output="contributions")

    made = helper.make_graph(
        [*again, *writer.nodes],
        "fraudline_reasons",
        [_told(name, shapes[name].shape[1]) for name in taken],
        [_told("contributions", background.shape[1])],
        [*_used(model, again), *writer.constants],
    )
    reasons = helper.make_model(made, opset_imports=list(model.opset_import))
    reasons.ir_version, reasons.producer_name = model.ir_version, model.producer_name
    onnx.checker.check_model(reasons, full_check=True)
    serialised: bytes = reasons.SerializeToString(deterministic=True)
    return serialised


def reasons_of_network(graph: bytes, background: Matrix, sources: tuple[int, ...]) -> Reasons:
    """What says why a network gives a score, measured from the background; see `write_reasons`."""
    written = write_reasons(graph, background, sources)
    return Reasons(written, float(log_odds(graph, background).mean()), len(background))


def _until_last(network: list[Any], wanted: list[str]) -> list[Any]:
    """The nodes of a chain up to the last one whose output is wanted; none if nothing is."""
    outputs = [node.output[0] for node in network]
    return network[: 1 + max(map(outputs.index, wanted), default=-1)]


def _told(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", width])


def _pass_back(
    writer: Writer,
    network: list[Any],
    weights: dict[str, Any],
    shapes: dict[str, Matrix],
    pairs: int,
) -> str:
    """The multiplier of each of the network's inputs, for each pair of row and background.

    Its shape is (rows, pairs, inputs) at each layer, so that rows of one layer, which has no
    pairs, stand beside it as (rows, 1, inputs).
    """
    passed = ""
    for node in reversed(network):
        before = shapes[node.input[0]]
        match node.op_type:
            case "Gemm":
                back = weights[node.input[1]].T
                kernel = writer.constant(back if passed else np.tile(back, (1, pairs, 1)))
                passed = writer.add("MatMul", passed, kernel) if passed else kernel
            case "Relu":
                passed = _pass_relu(writer, node.input[0], before, passed)
            case "Conv":
                stride = {each.name: list(each.ints) for each in node.attribute}["strides"]
                kernel = writer.constant(weights[node.input[1]])
                of_each = _reshape(writer, passed, -1, *shapes[node.output[0]].shape[1:])
                back = writer.add("ConvTranspose", of_each, kernel, strides=stride)
                passed = _reshape(writer, back, -1, pairs, before[0].size)
            case "Flatten" | "Reshape":
                pass  # each row's values are in the same order before and after
            case other:
                raise TypeError(f"operator {other} of the network has no reasons")
    return passed


def _pass_relu(writer: Writer, row: str, background: Matrix, passed: str) -> str:
    """Multiply by the quotient of differences, (relu x - relu b) / (x - b).

    It equals (relu x + relu b) / (|x| + |b|) for all signs of both, and that form loses no
    digit where the two are close.
    """
    usual = background.reshape(1, len(background), -1)
    x = _reshape(writer, row, -1, 1, usual.shape[2])
    above = writer.add("Add", writer.add("Relu", x), writer.constant(np.maximum(usual, 0)))
    extent = writer.add("Add", writer.add("Abs", x), writer.constant(np.abs(usual) + TINY))
    return writer.add("Mul", writer.add("Div", above, extent), passed)


def _reshape(writer: Writer, tensor: str, *shape: int) -> str:
    return writer.add("Reshape", tensor, writer.constant(shape, np.int64))


def log_odds(graph: bytes, features: Matrix) -> npt.NDArray[np.float64]:
    """What a graph of scores has before its sigmoid, float64, shape (rows,)."""
    return log_odds_of(graph)(features)


def log_odds_of(graph: bytes) -> Callable[[Matrix], npt.NDArray[np.float64]]:
    """The same for whoever asks often: the graph is opened once."""
    model = onnx.load_from_string(graph)
    session = _opened(model, [model.graph.node[-1].input[0]])

    def of(features: Matrix) -> npt.NDArray[np.float64]:
        chunks = [
            session.run(None, {"features": features[start : start + RUN_ROWS]})[0][:, 0]
            for start in range(0, len(features), RUN_ROWS)
        ]
        return np.concatenate(chunks).astype(np.float64)

    return of


def _values(model: Any, names: list[str], features: Matrix) -> dict[str, Matrix]:
    """Values of tensors inside a model, by name, to the bit those that a scorer has."""
    wanted = list(dict.fromkeys(names))
    values = _opened(model, wanted).run(None, {"features": filled_up(features)})
    return {name: each[: len(features)] for name, each in zip(wanted, values, strict=True)}


def _opened(model: Any, names: list[str]) -> ort.InferenceSession:
    """A session that gives tensors inside a model."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.output[:]
    opened.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    return ort.InferenceSession(opened.SerializeToString(), providers=["CPUExecutionProvider"])


def _used(model: Any, nodes: list[Any]) -> list[Any]:
    names = {name for node in nodes for name in node.input}
    return [each for each in model.graph.initializer if each.name in names]
