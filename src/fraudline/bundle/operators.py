"""What a graph may be made of, found without running or even opening it.

A bundle's graph has straight operators alone: what each takes, in time and memory, follows from
the shapes of its inputs and never from values. So one row of zeros tells what every later row
costs. Loops, branches, functions, operators of other domains and weights in other files are
refused by name.

One operator is not straight: how long a row's way through trees is hangs on its values. But it
passes no node twice, since ONNX Runtime refuses trees with circles, so a bound on their bytes
bounds it. ONNX Runtime also refuses an input or a leaf that there is none of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# What training writes (`training/graph.py`, `training/contributions_graph.py`,
# `training/forest_graph.py`), and its kin.
STRAIGHT = frozenset(
    {"Abs", "Add", "And", "Cast", "Clip", "Concat", "Conv", "ConvTranspose", "Cos", "Div", "Elu"}
    | {"Equal", "Exp", "Flatten", "Floor", "Gather", "GatherElements", "Gemm", "Greater"}
    | {"Identity", "IsNaN", "LeakyRelu", "LessOrEqual"}
    | {"Log", "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "Or", "Pow", "ReduceMean"}
    | {"ReduceSum", "Relu", "Reshape", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub"}
    | {"Tanh", "Transpose", "Where"}
)
_STANDARD = ("", "ai.onnx")
TREES = "TreeEnsembleRegressor"
_OF_TREES = "ai.onnx.ml"
MOST_TREE_BYTES = 2 * 2**20
"""Of all trees of a graph together; those of 1,000 trees of 15 leaves are 0.9 MB."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Numbers of fields in onnx.proto, which never change.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_OUTPUT, _GRAPH_SPARSE = 1, 5, 12, 15
_VALUE_NAME = 1
_NODE_INPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 3, 4, 5, 7
_ATTRIBUTE_HOLDING = {5: "a tensor", 6: "a graph", 10: "tensors", 11: "graphs", 22: "a tensor"}
_TENSOR_SHAPE, _TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 1, 8, 13, 14


def fault_of(graph: bytes) -> str:
    """What a serialised ONNX model has that a bundle's may not, in words; empty if nothing.

    Args:
        graph: The model's bytes, of whatever origin.
    """
    try:
        return next(_faults(memoryview(graph)), "")
    except (IndexError, ValueError):
        return "it is no ONNX model, or it is cut short"


def convolves_one_channel(graph: bytes) -> bool:
    """Whether a model has convolutions, and each of them takes a single channel.

    Args:
        graph: The model's bytes, in which `fault_of` finds nothing.
    """
    kernels: set[bytes] = set()
    of_one_channel: set[bytes] = set()
    for part, content in _graph_parts(memoryview(graph)):
        if part == _GRAPH_NODE:
            if _texts(content, _NODE_OPERATOR) == [b"Conv"]:
                kernels.add(_texts(content, _NODE_INPUT)[1])
        elif part == _GRAPH_INITIALIZER:
            shape = [size for name, size in _fields(content) if name == _TENSOR_SHAPE]
            if shape[1:2] == [1]:
                of_one_channel.update(_texts(content, _TENSOR_NAME))
    return bool(kernels) and kernels <= of_one_channel


def with_outputs(graph: bytes, names: Sequence[str]) -> bytes:
    """A model that also gives what it has inside, after its own outputs.

    Of a message that comes in two parts protobuf makes one with the fields of both.

    Args:
        graph: The model's bytes.
        names: Of what it has inside.
    """
    outputs = b"".join(_field(_GRAPH_OUTPUT, _field(_VALUE_NAME, each.encode())) for each in names)
    return graph + _field(_MODEL_GRAPH, outputs) if names else graph


def _faults(model: memoryview) -> Iterator[str]:
    of_trees = 0
    for part, content in _graph_parts(model):
        if part == _GRAPH_NODE:
            yield from _faults_of_node(content)
            of_trees += len(content) if TREES.encode() in _texts(content, _NODE_OPERATOR) else 0
            if of_trees > MOST_TREE_BYTES:
                yield f"its trees have {of_trees:,} bytes, more than {MOST_TREE_BYTES:,}"
        elif part == _GRAPH_SPARSE:
            yield "it has sparse weights"
        elif part == _GRAPH_INITIALIZER and any(
            number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and location)
            for number, location in _fields(content)
        ):
            yield "its weights lie in another file"
    if any(number == _MODEL_FUNCTIONS for number, _ in _fields(model)):
        yield "it defines functions of its own"


def _graph_parts(model: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Nodes, constants and what else a model's graph has, each with the number of its kind."""
    for number, value in _fields(model):
        if number == _MODEL_GRAPH and isinstance(value, memoryview):
            for part, content in _fields(value):
                if isinstance(content, memoryview):
                    yield part, content


def _faults_of_node(node: memoryview) -> Iterator[str]:
    if len(_texts(node, _NODE_OPERATOR)) > 1 or len(_texts(node, _NODE_DOMAIN)) > 1:
        yield "a node of it names its operator, or that one's domain, more than once"
    named = {_NODE_NAME: "", _NODE_OPERATOR: "", _NODE_DOMAIN: ""}
    holding = ""
    for number, value in _fields(node):
        if not isinstance(value, memoryview):
            continue
        if number in named:
            named[number] = bytes(value[:100]).decode(errors="replace")
        elif number == _NODE_ATTRIBUTE:
            held = (_ATTRIBUTE_HOLDING.get(part, "") for part, _ in _fields(value))
            holding = next(filter(None, held), holding)
    operator, domain = named[_NODE_OPERATOR], named[_NODE_DOMAIN]
    if (operator, domain) == (TREES, _OF_TREES) and not holding:
        return
    if domain not in _STANDARD:
        yield f"its operator {operator!r} is of domain {domain!r}, not of ONNX"
    elif operator not in STRAIGHT:
        yield f"it has operator {operator!r} (node {named[_NODE_NAME]!r})"
    elif holding:
        yield f"its operator {operator!r} holds {holding}"


def _texts(message: memoryview, number: int) -> list[bytes]:
    """What a message has under a number, if that is text."""
    return [
        bytes(value)
        for found, value in _fields(message)
        if found == number and isinstance(value, memoryview)
    ]


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a protobuf message: number, and a number or bytes.

    Raises:
        IndexError: it is cut short.
        ValueError: it is no message.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(kind)
        if length > len(message) - at:
            raise IndexError(length)
        yield tag >> 3, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(shift)


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes, as `_fields` reads it."""
    return _as_varint(number << 3 | _BYTES) + _as_varint(len(content)) + content


def _as_varint(value: int) -> bytes:
    more = value >> 7
    return bytes([value & 0x7F | 0x80]) + _as_varint(more) if more else bytes([value])
