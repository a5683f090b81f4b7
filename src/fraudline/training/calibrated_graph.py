"""A graph with another calibration: two numbers between its network's log-odds and the sigmoid.

The network's own nodes and weights stay as they are, bit for bit. So a version that is calibrated
anew ranks as before, as far as 32 bits tell scores apart, and has the same Keras file.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fraudline.errors import BundleError
from fraudline.training.calibration import Platt

_SLOPE, _INTERCEPT = "calibration_slope", "calibration_intercept"
_SCALED, _CALIBRATED = "calibration_scaled", "calibrated_log_odds"
_UNSCALED = "contributions_to_network"


def line_of(graph: bytes) -> Platt:
    """The calibration that stands behind a network in its graph; one that changes nothing if none.

    Args:
        graph: Of scores.
    """
    found = {each.name: each for each in onnx.load_from_string(graph).graph.initializer}
    if _SLOPE not in found or _INTERCEPT not in found:
        return Platt(1.0, 0.0)
    return Platt(*(numpy_helper.to_array(found[name]).item() for name in (_SLOPE, _INTERCEPT)))


def uncalibrated(graph: bytes) -> bytes:
    """A graph of scores without the calibration that stands behind its network; the same if none.

    Args:
        graph: Of scores.
    """
    model = onnx.load_from_string(graph)
    nodes = {each.output[0]: each for each in model.graph.node}
    if _SCALED not in nodes or _CALIBRATED not in nodes:
        return graph
    model.graph.node[-1].input[0] = nodes[_SCALED].input[0]
    _drop(model, {_SCALED, _CALIBRATED}, {_SLOPE, _INTERCEPT})
    return _serialised(model)


def calibrated(graph: bytes, line: Platt) -> bytes:
    """A graph of scores with a calibration behind its network, in place of one that it had.

    Args:
        graph: Of scores.
        line: Through the log-odds that the network itself gives.

    Raises:
        BundleError: the graph does not end in a sigmoid.
    """
    model = onnx.load_from_string(uncalibrated(graph))
    last = model.graph.node[-1]
    if last.op_type != "Sigmoid":
        raise BundleError(
            f"its graph ends in {last.op_type} and not in a sigmoid, so its scores cannot be "
            "calibrated. `fraudline train` makes a version that can; promote that."
        )
    nodes = [
        helper.make_node("Mul", [last.input[0], _SLOPE], [_SCALED]),
        helper.make_node("Add", [_SCALED, _INTERCEPT], [_CALIBRATED]),
    ]
    last.input[0] = _CALIBRATED
    end = onnx.NodeProto()
    end.CopyFrom(last)
    del model.graph.node[-1]
    model.graph.node.extend([*nodes, end])
    model.graph.initializer.extend(
        numpy_helper.from_array(np.array([value], np.float32), name)
        for name, value in ((_SLOPE, line.slope), (_INTERCEPT, line.intercept))
    )
    return _serialised(model)


def scaled(reasons: bytes, slope: float) -> bytes:
    """A graph of contributions to log-odds that are multiplied by a slope, in place of another.

    Args:
        reasons: The graph.
        slope: Of the calibration behind the network.
    """
    model = onnx.load_from_string(reasons)
    (output,) = model.graph.output
    nodes = {each.output[0]: each for each in model.graph.node}
    if nodes[output.name].op_type == "Mul" and nodes[output.name].input[0] == _UNSCALED:
        _drop(model, {output.name}, {_SLOPE})
    else:
        nodes[output.name].output[0] = _UNSCALED
    model.graph.node.append(helper.make_node("Mul", [_UNSCALED, _SLOPE], [output.name]))
    model.graph.initializer.append(numpy_helper.from_array(np.array([slope], np.float32), _SLOPE))
    return _serialised(model)


def _drop(model: Any, outputs: set[str], constants: set[str]) -> None:
    nodes = [each for each in model.graph.node if each.output[0] not in outputs]
    kept = [each for each in model.graph.initializer if each.name not in constants]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(kept)


def _serialised(model: Any) -> bytes:
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
