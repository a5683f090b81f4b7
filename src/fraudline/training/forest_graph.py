"""A forest as ONNX graphs: one of scores, and one of what each feature adds to them.

Scores are a `TreeEnsembleRegressor`, which adds up leaves. What a feature adds is its Shapley value
along the ways to the leaves (Lundberg and others, From local explanations to global understanding
with explainable AI for trees, 2020), in straight operators and exactly. A leaf asks about few
inputs, and each is where the leaf wants it or is not; so what a leaf adds follows from one of a few
patterns. A table has it of every leaf and pattern, and a row takes from it what its patterns are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from fraudline.contract.array_types import Floats, Integers
from fraudline.training.forest import Forest, Leaf, leaves_of
from fraudline.training.graph import INPUTS, IR_VERSION, OPSET, Writer, write_preparation
from fraudline.training.preparation import Preparation
from fraudline.training.unit_graph import put_units

TREES_DOMAIN, TREES_OPSET = "ai.onnx.ml", 3
_AT_ONCE = 64  # numbers of one feature that are added in a step
_LEFT, _LEAF = "BRANCH_LEQ", "LEAF"


def write_forest(preparation: Preparation, forest: Forest, n_features: int) -> bytes:
    """Write preparation and forest as an ONNX model; see `write_graph` for what it gives.

    Args:
        preparation: What makes inputs of features.
        forest: Over these inputs.
        n_features: Features of the contract.
    """
    writer = Writer()
    write_preparation(writer, preparation)
    first = forest.roots[forest.trees]
    leaf = forest.is_leaf
    number = np.arange(len(leaf)) - first
    writer.add(
        "TreeEnsembleRegressor",
        INPUTS,
        domain=TREES_DOMAIN,
        n_targets=1,
        base_values=[forest.base],
        nodes_treeids=forest.trees.tolist(),
        nodes_nodeids=number.tolist(),
        nodes_featureids=np.where(leaf, 0, forest.inputs).tolist(),
        nodes_values=forest.thresholds.tolist(),
        nodes_modes=np.where(leaf, _LEAF, _LEFT).tolist(),
        nodes_truenodeids=np.where(leaf, 0, forest.lefts - first).tolist(),
        nodes_falsenodeids=np.where(leaf, 0, forest.rights - first).tolist(),
        target_treeids=forest.trees[leaf].tolist(),
        target_nodeids=number[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()),
        target_weights=forest.values[leaf].tolist(),
    )
    writer.add("Sigmoid", writer.last, output="probability")
    return _serialised(writer, preparation, n_features, "probability", 1)


def write_forest_reasons(preparation: Preparation, forest: Forest, n_features: int) -> bytes:
    """Write the graph of contributions that belongs to `write_forest`.

    Args:
        preparation: What makes inputs of features.
        forest: Over these inputs.
        n_features: Features of the contract.

    Returns:
        The serialised model: input `features`, float32 (rows, n_features); output
        `contributions`, float32 (rows, n_features), in log-odds, which add up to those of a row
        less `Forest.expected`.
    """
    leaves = list(leaves_of(forest))
    depth = max(1, *(len(each.inputs) for each in leaves))
    sources = np.array(preparation.sources)
    writer = Writer("reasons_")
    write_preparation(writer, preparation)
    rows = _write_rows(writer)
    bases = _write_patterns(writer, leaves, depth, rows)

    # Each number of the table that a row takes: which leaf's, which input of it, for which feature.
    of_leaf, place = _pairs([len(each.inputs) for each in leaves])
    feature = sources[np.array([at for each in leaves for at in each.inputs], np.int64)]
    tables = np.stack([table_of(each, depth) for each in leaves], axis=1)
    size = tables[0].size
    order = np.argsort(feature, kind="stable")
    counts = np.bincount(feature, minlength=n_features)
    filled = -(-counts // _AT_ONCE) * _AT_ONCE
    filled[0] = max(filled[0], _AT_ONCE)  # of trees that ask nothing, too, there is a sum
    begin = np.repeat(np.cumsum(filled) - filled, counts)
    within = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    which, offset = np.zeros(filled.sum(), np.int64), np.full(filled.sum(), tables.size)
    which[begin + within], offset[begin + within] = of_leaf[order], place[order] * size

    numbers = np.append(tables.ravel(), np.zeros(2**depth))  # of what fills up, nothing
    taken = _take(writer, bases, which, rows)
    taken = writer.add("Add", taken, writer.constant(offset, np.int32))
    flat = writer.add("Reshape", taken, writer.constant([-1], np.int64))
    found = writer.add("GatherElements", writer.constant(numbers), flat, axis=0)
    shape = writer.constant([-1, len(which) // _AT_ONCE, _AT_ONCE], np.int64)
    pieces = writer.add("Reshape", found, shape)
    sums = writer.add("ReduceSum", pieces, writer.constant([2], np.int64), keepdims=0)
    of_feature = np.repeat(np.eye(n_features), filled // _AT_ONCE, axis=0)
    writer.add("MatMul", sums, writer.constant(of_feature), output="contributions")
    return _serialised(writer, preparation, n_features, "contributions", n_features)


def table_of(leaf: Leaf, depth: int) -> Floats:
    """What a leaf adds to the log-odds by each of its inputs, shape (`depth`, patterns).

    Bit k of a pattern says whether the leaf's input k is where it wants it. Shapley's weight of a
    set of inputs is the integral of a polynomial, so a Gauss rule of enough points gives it.
    """
    count = len(leaf.inputs)
    bits = (np.arange(2**depth)[None] >> np.arange(count)[:, None]) & 1
    shares = np.array(leaf.shares)[:, None]
    table = np.zeros((depth, 2**depth))
    points, weights = np.polynomial.legendre.leggauss(max(1, (count + 1) // 2))
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        factors = point * bits + (1 - point) * shares
        table[:count] += weight * factors.prod(axis=0) / factors
    table[:count] *= leaf.value * (bits - shares)
    return table


def _write_rows(writer: Writer) -> str:
    """A 0 for each row, int32, shape (rows, 1), whatever its values are."""
    first = writer.add("Gather", "features", writer.constant([0], np.int64), axis=1)
    flag = writer.add("Cast", writer.add("IsNaN", first), to=TensorProto.INT32)
    return writer.add("Mul", flag, writer.constant(0, np.int32))


def _take(writer: Writer, of: str, columns: Integers, rows: str) -> str:
    """Columns of each row. `Gather` would take five times as long, number by number."""
    indices = writer.add("Add", writer.constant(columns[None], np.int32), rows)
    return writer.add("GatherElements", of, indices, axis=1)


def _write_patterns(writer: Writer, leaves: list[Leaf], depth: int, rows: str) -> str:
    """Where in a table of the leaves' patterns each leaf's is, int32, shape (rows, leaves)."""
    shape = (depth, len(leaves))
    asked = np.zeros(shape, np.int64)
    lows, highs = np.full(shape, -np.inf), np.full(shape, np.inf)
    of_leaf, place = _pairs([len(each.inputs) for each in leaves])
    asked[place, of_leaf] = [at for each in leaves for at in each.inputs]
    lows[place, of_leaf] = [low for each in leaves for low in each.lows]
    highs[place, of_leaf] = [high for each in leaves for high in each.highs]
    x = _take(writer, INPUTS, asked.ravel(), rows)
    is_above = writer.add("Greater", x, writer.constant(lows.ravel()))
    is_below = writer.add("LessOrEqual", x, writer.constant(highs.ravel()))
    is_there = writer.add("Cast", writer.add("And", is_above, is_below), to=TensorProto.FLOAT)
    laid = writer.add("Reshape", is_there, writer.constant([-1, *shape], np.int64))
    bits = writer.constant(2.0 ** np.arange(depth)[None])
    summed = writer.add("MatMul", bits, laid)
    flat = writer.add("Reshape", summed, writer.constant([-1, len(leaves)], np.int64))
    pattern = writer.add("Cast", flat, to=TensorProto.INT32)
    first = writer.constant(np.arange(len(leaves)) * 2**depth, np.int32)
    return writer.add("Add", pattern, first)


def _pairs(counts: list[int]) -> tuple[Integers, Integers]:
    """The leaf of each input that some leaf asks about, and its place among the leaf's."""
    of_leaf: npt.NDArray[np.int64] = np.repeat(np.arange(len(counts)), counts)
    ends = np.cumsum(counts)
    return of_leaf, np.arange(len(of_leaf)) - np.repeat(ends - counts, counts)


def _serialised(
    writer: Writer, preparation: Preparation, n_features: int, output: str, width: int
) -> bytes:
    graph = helper.make_graph(
        writer.nodes,
        "fraudline_forest",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", n_features])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", width])],
        writer.constants,
    )
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(TREES_DOMAIN, TREES_OPSET)]
    model = helper.make_model(graph, opset_imports=domains)
    model.ir_version, model.producer_name = IR_VERSION, "fraudline"
    if preparation.units is not None:
        put_units(model, preparation.units)
    onnx.checker.check_model(model, full_check=True)
    serialised: bytes = model.SerializeToString(deterministic=True)
    return serialised
