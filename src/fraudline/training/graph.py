"""The whole model as one ONNX graph: raw features in, probability out.

Written operator by operator from the network's weights rather than exported: the same
weights give the same bytes, and each batch normalisation is folded into the layer after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from fraudline.bundle.onnx_runtime import ort
from fraudline.bundle.policy import below_never
from fraudline.errors import InputError
from fraudline.training.levels import Levels
from fraudline.training.levels_graph import read_levels, write_levels
from fraudline.training.preparation import Inputs, Preparation
from fraudline.training.unit_graph import put_units, units_of

OPSET = 17
IR_VERSION = 8
RUN_ROWS = 4096
INPUTS = "inputs"  # what the network sees: the features prepared

Weights = npt.NDArray[np.float64]


class Writer:
    """Nodes and constants of a graph; `last` is the output of the node that came last.

    Args:
        prefix: Of the names it gives.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = "features"

    def constant(self, value: npt.ArrayLike, kind: type[np.generic] = np.float32) -> str:
        """Add a constant; gives its name."""
        name = f"{self._prefix}constant_{len(self.constants)}"
        array = np.ascontiguousarray(np.asarray(value, dtype=kind))
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; gives the name of its output."""
        self.last = output or f"{self._prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [self.last], **attributes))
        return self.last


def write_graph(preparation: Preparation, network: Any, n_features: int) -> bytes:
    """Write preparation and network as an ONNX model.

    Args:
        preparation: What happens to the features before the network.
        network: A Keras `Sequential` of Reshape, Conv1D (valid), BatchNormalization,
            Dropout, Flatten, Dense and a sigmoid at its end.
        n_features: Features of the contract.

    Returns:
        The serialised model: input `features`, float32 (rows, n_features); output
        `probability`, float32 (rows, 1).

    Raises:
        InputError: the network has a layer that is not in the list above.
    """
    writer = Writer()
    write_preparation(writer, preparation)
    _write_network(writer, network)
    graph = helper.make_graph(
        writer.nodes,
        "fraudline",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", n_features])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows", 1])],
        writer.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    model.producer_name = "fraudline"
    if preparation.units is not None:
        put_units(model, preparation.units)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised


def read_preparation(graph: bytes) -> Preparation:
    """The preparation that `write_graph` wrote into a graph, number by number.

    Raises:
        ValueError: the graph has none, or one of another form.
    """
    model = onnx.load_from_string(graph)
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    made_by = {node.output[0]: node for node in model.graph.node}
    try:
        scaled = made_by[INPUTS]
        flags: tuple[int, ...] = ()
        missing: tuple[int, ...] = ()
        levels: Levels | None = None
        if scaled.op_type == "Concat":  # values, flags of nulls among them, and levels
            scaled, *others = (made_by[name] for name in scaled.input)
            for each in others:
                if each.op_type == "Cast":
                    flags = tuple(map(int, values[made_by[each.input[0]].input[1]]))
                else:
                    levels = read_levels(made_by, values, each)
            if scaled.op_type == "Where":
                sources = values[made_by[scaled.input[0]].input[1]]
                is_permitted = ~np.isnan(values[scaled.input[1]])
                missing = tuple(np.unique(sources[is_permitted]).tolist())
                scaled = made_by[scaled.input[2]]
        centred = made_by[scaled.input[0]]
        parts = [made_by[name] for name in made_by[centred.input[0]].input]
        taken: dict[str, tuple[int, ...]] = {}
        turns: tuple[float, ...] = ()
        for part in parts:
            gathered = part
            while gathered.op_type != "Gather":  # sign(x) * log, or sin(angle): x is behind it
                gathered = made_by[gathered.input[0]]
            taken[part.op_type] = tuple(map(int, values[gathered.input[1]]))
            if part.op_type == "Sin":
                turns = _turns_of(made_by, values, part, len(taken["Sin"]))
        return Preparation(
            Inputs(
                taken.get("Gather", ()), taken.get("Mul", ()), taken.get("Sin", ()), turns, missing
            ),
            values[centred.input[1]],
            values[scaled.input[1]],
            flags,
            levels,
            units_of(model),
        )
    except (KeyError, IndexError) as error:
        raise ValueError(f"the graph has no preparation of a known form ({error})") from None


def _turns_of(
    made_by: dict[str, Any], values: dict[str, Any], sine: Any, count: int
) -> tuple[float, ...]:
    """After how much each circle begins anew: what it is divided by before it is rounded down."""
    since_begin = made_by[made_by[sine.input[0]].input[0]]
    begun = made_by[since_begin.input[1]]
    return tuple(np.broadcast_to(values[begun.input[1]], count).astype(float).tolist())


def run_graph(graph: bytes, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Probability of fraud of each row by a serialised graph, float64, shape (rows,)."""
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    chunks = [
        session.run(None, {"features": features[start : start + RUN_ROWS]})[0][:, 0]
        for start in range(0, len(features), RUN_ROWS)
    ]
    return below_never(np.concatenate(chunks).astype(np.float64))


def write_preparation(writer: Writer, preparation: Preparation) -> None:
    """Write what makes `INPUTS` of the features."""
    inputs = preparation.inputs

    def take(indices: tuple[int, ...]) -> str:
        return writer.add("Gather", "features", writer.constant(indices, np.int64), axis=1)

    parts = [take(inputs.plain)] if inputs.plain else []
    if inputs.logarithm:
        x = take(inputs.logarithm)
        magnitude = writer.add("Add", writer.add("Abs", x), writer.constant(1))
        logarithm = writer.add("Log", magnitude)
        parts.append(writer.add("Mul", writer.add("Sign", x), logarithm))
    if inputs.circles:
        x, turn = take(inputs.circles), writer.constant(inputs.turn)
        begun = writer.add("Floor", writer.add("Div", x, turn))
        since_begin = writer.add("Sub", x, writer.add("Mul", begun, turn))
        per_turn = writer.constant(2 * np.pi / inputs.turn)
        angle = writer.add("Mul", since_begin, per_turn)
        parts += [writer.add("Sin", angle), writer.add("Cos", angle)]
    derived = writer.add("Concat", *parts, axis=1)
    centred = writer.add("Sub", derived, writer.constant(preparation.mean))
    if not inputs.missing and preparation.levels is None:
        writer.add("Div", centred, writer.constant(preparation.scale), output=INPUTS)
        return
    scaled = writer.add("Div", centred, writer.constant(preparation.scale))
    parts = _write_nulls(writer, preparation, scaled) if inputs.missing else [scaled]
    if preparation.levels is not None:
        parts.append(write_levels(writer, preparation.levels))
    writer.add("Concat", *parts, axis=1, output=INPUTS)


def _write_nulls(writer: Writer, preparation: Preparation, scaled: str) -> list[str]:
    """The inputs with nulls replaced, and the flags, if there are any."""
    is_null = writer.add("IsNaN", "features")

    def null(indices: tuple[int, ...]) -> str:
        return writer.add("Gather", is_null, writer.constant(indices, np.int64), axis=1)

    filling = writer.constant(preparation.filling)
    parts = [writer.add("Where", null(preparation.inputs.sources), filling, scaled)]
    if preparation.flags:
        parts.append(writer.add("Cast", null(preparation.flags), to=TensorProto.FLOAT))
    return parts


def _write_network(writer: Writer, network: Any) -> None:
    # What a batch normalisation leaves to the next layer, by channel.
    scale, shift = np.ones(network.input_shape[-1]), np.zeros(network.input_shape[-1])
    # Where each of ONNX's flattened values, channel by channel, stands in Keras' order.
    order = np.arange(network.input_shape[-1])
    for layer in network.layers:
        match type(layer).__name__:
            case "Reshape":
                positions, channels = layer.target_shape
                shape = writer.constant([-1, channels, 1, positions], np.int64)
                writer.add("Reshape", writer.last, shape)
                scale, shift = np.ones(channels), np.zeros(channels)
            case "BatchNormalization":
                gamma, beta, mean, variance = (w.astype(float) for w in layer.get_weights())
                factor = gamma / np.sqrt(variance + layer.epsilon)
                scale, shift = scale * factor, shift * factor + beta - mean * factor
            case "Conv1D":
                _write_convolution(writer, layer, scale, shift)
                scale, shift = np.ones(layer.filters), np.zeros(layer.filters)
            case "Flatten":
                positions, channels = layer.input.shape[1:]
                writer.add("Flatten", writer.last, axis=1)
                order = np.arange(positions * channels).reshape(positions, channels).T.ravel()
                scale, shift = np.tile(scale, positions), np.tile(shift, positions)
            case "Dense":
                _write_dense(writer, layer, scale, shift, order)
                scale, shift, order = (
                    np.ones(layer.units),
                    np.zeros(layer.units),
                    np.arange(layer.units),
                )
            case "Activation" if layer.activation.__name__ == "sigmoid":
                writer.add("Sigmoid", writer.last, output="probability")
            case "Dropout":
                pass
            case other:
                raise _formless(f"layer '{layer.name}' ({other}) has no form in the graph")


def _write_convolution(writer: Writer, layer: Any, scale: Weights, shift: Weights) -> None:
    if layer.padding != "valid" or layer.dilation_rate != (1,) or layer.groups != 1:
        raise _formless(f"layer '{layer.name}' is not a plain, valid convolution")
    kernel, bias = (weights.astype(float) for weights in layer.get_weights())
    bias = bias + np.einsum("kio,i->o", kernel, shift)
    kernel = (kernel * scale[None, :, None]).transpose(2, 1, 0)[:, :, None, :]
    # One row high: ONNX Runtime's two-dimensional convolution is the faster one.
    writer.add(
        "Conv",
        writer.last,
        writer.constant(kernel),
        writer.constant(bias),
        kernel_shape=[1, kernel.shape[-1]],
        strides=[1, layer.strides[0]],
    )
    _write_activation(writer, layer)


def _write_dense(
    writer: Writer, layer: Any, scale: Weights, shift: Weights, order: npt.NDArray[np.int64]
) -> None:
    kernel, bias = (weights.astype(float) for weights in layer.get_weights())
    bias = bias + shift @ kernel
    kernel = (kernel * scale[:, None])[order]
    writer.add("Gemm", writer.last, writer.constant(kernel), writer.constant(bias))
    _write_activation(writer, layer)


def _write_activation(writer: Writer, layer: Any) -> None:
    match layer.activation.__name__:
        case "relu":
            writer.add("Relu", writer.last)
        case "linear":
            pass
        case other:
            raise _formless(f"layer '{layer.name}': activation {other} has no form in the graph")


def _formless(fault: str) -> InputError:
    return InputError(
        f"{fault}, so no scorer could run it. Build the recipe's network of Reshape, Conv1D, "
        "BatchNormalization, Dropout, Flatten and Dense layers with relu or no activation and a "
        "sigmoid at the end, or give the layer its form in `fraudline/training/graph.py`."
    )
