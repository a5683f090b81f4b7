"""A graph of any origin ends in words: whatever it holds or wants, and before it is opened here."""

import itertools
import re
import resource

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.models import manifest_for, write_tiny_files
from tests.transactions import WALLET

from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import GRAPH_FILE, REASONS_FILE, write_manifest
from fraudline.bundle.operators import STRAIGHT, fault_of
from fraudline.errors import BundleError

FEATURES = len(WALLET.features)


def model(nodes, *, constants=(), functions=(), domains=()):
    """A model of these nodes that ends in `score`; not checked, as an attacker would not."""
    graph = helper.make_graph(
        nodes,
        "made",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", FEATURES])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        list(constants),
    )
    opsets = [helper.make_opsetid(name, 1) for name in domains]
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17), *opsets],
        ir_version=8,
        functions=functions,
    )


def column():
    """Nodes that end in a first column as `score`."""
    return [helper.make_node("ReduceMean", ["x"], ["score"], axes=[1], keepdims=1)]


def endless():
    """A loop of 2^62 rounds, none of which needs memory."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["still"]),
            helper.make_node("Sin", ["before"], ["after"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, None),
        ],
    )
    constants = [
        numpy_helper.from_array(np.int64(2**62), "rounds"),
        numpy_helper.from_array(np.True_, "go_on"),
    ]
    loop = helper.make_node("Loop", ["rounds", "go_on", "features"], ["x"], body=body)
    return model([loop, *column()], constants=constants)


def doubling(times):
    """The features beside themselves, again and again."""
    names = ["features", *(f"x{i}" for i in range(times - 1)), "x"]
    return [
        helper.make_node("Concat", [one, one], [other], axis=1)
        for one, other in itertools.pairwise(names)
    ]


def large():
    """Straight operators that want 256 rows x 5 x 2^22 numbers: 20 GB."""
    return model([*doubling(22), *column()])


def slow():
    """Straight operators that want little memory and minutes."""
    names = [f"y{i}" for i in range(4000)]
    waves = [
        helper.make_node("Sin", [one], [other]) for one, other in itertools.pairwise(["x", *names])
    ]
    end = helper.make_node("ReduceMean", [names[-1]], ["score"], axes=[1], keepdims=1)
    return model([*doubling(13), *waves, end])


def elsewhere():
    """Weights in a file beside it, or anywhere."""
    weights = numpy_helper.from_array(np.zeros((FEATURES, 1), np.float32), "weights")
    onnx.external_data_helper.set_external_data(weights, "/dev/zero")
    weights.ClearField("raw_data")
    return model(
        [helper.make_node("MatMul", ["features", "weights"], ["score"])], constants=[weights]
    )


def of_its_own():
    """An operator that only some library would bring."""
    return model(
        [helper.make_node("Steal", ["features"], ["score"], domain="com.example")],
        domains=["com.example"],
    )


def with_functions():
    """An operator that the model itself defines."""
    inner = helper.make_node("Sin", ["a"], ["b"])
    twice = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [inner], [helper.make_opsetid("", 17)]
    )
    return model(
        [helper.make_node("Twice", ["features"], ["score"], domain="mine")],
        functions=[twice],
        domains=["mine"],
    )


def branch():
    """A straight operator that hides a graph in an attribute."""
    node = helper.make_node("Sin", ["features"], ["x"])
    inner = helper.make_graph([], "inner", [], [])
    node.attribute.append(helper.make_attribute("hidden", inner))
    return model([node, *column()])


def wide():
    """As many numbers a row as it was given."""
    return model([helper.make_node("Sin", ["features"], ["score"])])


def trees(**changed):
    """A tree of three nodes, or what is said of it changed."""
    said = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_values": [0.0, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [0.1, 0.9],
        "n_targets": 1,
    }
    node = helper.make_node(
        "TreeEnsembleRegressor", ["features"], ["score"], domain="ai.onnx.ml", **said | changed
    )
    made = model([node], domains=["ai.onnx.ml"])
    made.opset_import[1].version = 3
    return made


def circle():
    """A tree in which a way comes back to where it was."""
    return trees(
        nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 2, 0],
        target_treeids=[0],
        target_nodeids=[2],
        target_ids=[0],
        target_weights=[1.0],
    )


def beyond():
    """A tree that asks for a feature that no row has."""
    return trees(nodes_featureids=[1000, 0, 0])


def forest():
    """More trees than a row could pass in the time of a payment."""
    count = 27_000
    return trees(
        nodes_treeids=np.repeat(np.arange(count), 3).tolist(),
        nodes_nodeids=[0, 1, 2] * count,
        nodes_featureids=[0, 0, 0] * count,
        nodes_values=[0.0] * 3 * count,
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count,
        nodes_truenodeids=[1, 0, 0] * count,
        nodes_falsenodeids=[2, 0, 0] * count,
        target_treeids=np.repeat(np.arange(count), 2).tolist(),
        target_nodeids=[1, 2] * count,
        target_ids=[0, 0] * count,
        target_weights=[0.1, 0.9] * count,
    )


def other_trees():
    """Another operator of the domain that trees are of."""
    node = helper.make_node("LabelEncoder", ["features"], ["score"], domain="ai.onnx.ml")
    return model([node], domains=["ai.onnx.ml"])


GRAPHS = {
    circle: r"False node must always be the next node",
    beyond: r"requests feature 1000 but input tensor has 5 features",
    other_trees: r"its operator 'LabelEncoder' is of domain 'ai\.onnx\.ml'",
    endless: r"it has operator 'Loop'",
    large: r"[Mm]emory|allocate|bad_alloc",
    elsewhere: r"its weights lie in another file",
    of_its_own: r"its operator 'Steal' is of domain 'com\.example'",
    with_functions: r"functions of its own|of domain 'mine'",
    branch: r"its operator 'Sin' holds a graph",
    wide: r"256 rows give an answer of shape \(256, 5\), expected 256 x 1",
}


def write(directory, content, name=GRAPH_FILE):
    directory.mkdir()
    write_tiny_files(directory, WALLET)
    (directory / name).write_bytes(content)
    write_manifest(directory, manifest_for(WALLET))
    return directory


@pytest.mark.parametrize("made", GRAPHS, ids=lambda made: made.__name__)
def test_a_graph_that_would_not_end_or_reaches_out_is_refused_in_words(tmp_path, made):
    directory = write(tmp_path / "bundle", made().SerializeToString())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BundleError, match=GRAPHS[made]) as caught:
        open_bundle(directory, WALLET)
    assert "graph.onnx: " in str(caught.value)
    assert "hashes prove that it is whole, and no more" in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_the_graph_of_reasons_is_tried_as_well(tmp_path):
    directory = write(tmp_path / "bundle", endless().SerializeToString(), REASONS_FILE)
    with pytest.raises(BundleError, match=r"reasons\.onnx: it has operator 'Loop'"):
        open_bundle(directory, WALLET)


def test_trees_are_no_fault_of_a_graph_unless_they_are_too_many():
    assert fault_of(trees().SerializeToString()) == ""
    assert re.match(
        r"its trees have [\d,]+ bytes, more than 2,097,152", fault_of(forest().SerializeToString())
    )


def test_a_node_with_two_operators_is_not_counted_as_the_one_that_it_is_not():
    """Protobuf takes the last one; what is counted must be what is run."""
    made = forest().SerializeToString()
    node = forest().graph.node[0].SerializeToString()
    twice = b"\x22\x03Add" + node  # field 4, op_type
    at = made.index(node)
    graph = onnx.ModelProto.FromString(made)
    graph.graph.ClearField("node")
    assert at > 0
    whole = graph.SerializeToString() + _field_of(7, _field_of(1, twice))
    assert onnx.ModelProto.FromString(whole).graph.node[0].op_type == "TreeEnsembleRegressor"
    assert "more than once" in fault_of(whole)


def _field_of(number: int, content: bytes) -> bytes:
    size, length = len(content), b""
    while True:
        length += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if not size:
            return bytes([number << 3 | 2]) + length + content


def test_reasons_that_take_what_the_graph_of_scores_has_not_are_refused_in_words(tmp_path):
    made = model([helper.make_node("Sin", ["nowhere"], ["score"])])
    made.graph.input[0].name = "nowhere"
    directory = write(tmp_path / "bundle", made.SerializeToString(), REASONS_FILE)
    with pytest.raises(BundleError, match=r"reasons\.onnx: .*nowhere"):
        open_bundle(directory, WALLET)


@pytest.mark.slow
def test_a_graph_that_takes_minutes_is_ended_and_what_takes_long_is_told(tmp_path, caplog):
    directory = write(tmp_path / "bundle", slow().SerializeToString())
    with pytest.raises(BundleError, match=r"did not end within 10 s of the processor's time"):
        open_bundle(directory, WALLET)
    assert "graph.onnx (" in caplog.text
    assert "they have 10 s of the processor, and 120 s in all" in caplog.text


def test_every_operator_on_the_list_is_one_of_onnx_and_runs_no_graph():
    for name in STRAIGHT:
        kinds = {each.type for each in onnx.defs.get_schema(name, 17).attributes.values()}
        assert not {onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.GRAPHS} & kinds


@pytest.mark.parametrize(
    "content", [b"\x3a\xff", b"\x3a\x05\x0a\x7f", b"\xff" * 20, b"\x0b", b"\x39\x00"]
)
def test_bytes_that_are_no_message_are_refused_and_not_read_past_their_end(content):
    assert fault_of(content) == "it is no ONNX model, or it is cut short"
