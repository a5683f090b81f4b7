"""A graph that takes money in another unit: what it is multiplied by stands before its own nodes.

The nodes behind it and their numbers stay as they are, bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fraudline.contract.array_types import Matrix

_FEATURES, _UNITS, _IN_UNIT = "features", "units", "features_in_unit"


def units_of(model: Any) -> Matrix | None:
    """What a graph multiplies its features by; None if by nothing.

    Args:
        model: Of scores or reasons, as ONNX has it.
    """
    for each in model.graph.initializer:
        if each.name == _UNITS:
            return np.array(numpy_helper.to_array(each))
    return None


def put_units(model: Any, units: Matrix) -> None:
    """Let a graph multiply its features before anything else, in place of what it multiplied by.

    Args:
        model: Likewise; it is changed.
        units: float32, shape (features,).
    """
    constant = numpy_helper.from_array(np.asarray(units, np.float32), _UNITS)
    nodes, constants = list(model.graph.node), list(model.graph.initializer)
    if units_of(model) is None:
        for node in nodes:
            for at, name in enumerate(node.input):
                if name == _FEATURES:
                    node.input[at] = _IN_UNIT
        nodes.insert(0, helper.make_node("Mul", [_FEATURES, _UNITS], [_IN_UNIT]))
    else:
        constants = [each for each in constants if each.name != _UNITS]
    kept = [onnx.NodeProto.FromString(each.SerializeToString()) for each in nodes]
    rest = [onnx.TensorProto.FromString(each.SerializeToString()) for each in constants]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend([constant, *rest])


def takes_features(graph: bytes) -> bool:
    """Whether a serialised graph begins at the features; those of contributions once did."""
    return [each.name for each in onnx.load_from_string(graph).graph.input] == [_FEATURES]


def with_units(graph: bytes, units: Matrix) -> bytes:
    """A serialised graph that multiplies its features, too; args as for `put_units`."""
    model = onnx.load_from_string(graph)
    before = units_of(model)
    put_units(model, units if before is None else before * units)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
