"""What a row is told, it is told in any company, and nothing of it is computed twice."""

import numpy as np
import onnx
import pytest
from tests.models import convolved, write_tiny_files
from tests.transactions import WALLET

from fraudline.bundle.bundle_files import GRAPH_FILE, REASONS_FILE
from fraudline.bundle.graphs import CHUNK_ROWS, Graphs
from fraudline.bundle.operators import fault_of, with_outputs
from fraudline.training.contributions_graph import log_odds, write_reasons
from fraudline.training.graph import write_graph
from fraudline.training.preparation import Inputs, Preparation

INPUTS = Inputs(plain=(0, 2, 3), logarithm=(1,), circles=(4,), turns=(86400.0,))


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    made = np.random.default_rng(1).normal(2, 3, size=(CHUNK_ROWS + 44, 5)).astype(np.float32)
    made[:, 4] = np.linspace(0, 400_000, len(made))
    return made


@pytest.fixture(scope="module")
def pair(rows: np.ndarray) -> tuple[bytes, bytes]:
    """A graph of scores and that of its contributions, as training writes them."""
    preparation = Preparation.fit(INPUTS, rows)
    graph = write_graph(preparation, convolved(6), 5)
    return graph, write_reasons(graph, rows[:8], preparation.inputs.sources)


def test_a_row_has_the_same_contributions_in_any_company_to_the_last_bit(pair, rows):
    graphs = Graphs(*pair)
    among = graphs.contributions(rows)
    expected = log_odds(pair[0], rows) - log_odds(pair[0], rows[:8]).mean()
    assert np.allclose(among.sum(axis=1), expected, atol=1e-3)
    for size in (1, 2, 3, 5, 8, 13, CHUNK_ROWS):
        for start in range(0, 40, size):
            some = rows[start : start + size]
            _, inner = graphs.scored(some)
            alone = graphs.contributions(some, inner)
            assert alone.tobytes() == among[start : start + size].tobytes(), (start, size)


def test_to_explain_what_was_just_scored_the_features_are_not_looked_at_again(pair, rows):
    graphs = Graphs(*pair)
    scores, inner = graphs.scored(rows[:3])
    assert inner is not None
    assert np.array_equal(
        graphs.contributions(np.full_like(rows[:3], np.nan), inner),
        graphs.contributions(rows[:3]),
    )
    many, not_kept = graphs.scored(rows)
    assert not_kept is None, "of many rows few are explained"
    assert np.array_equal(many[:3], scores)
    nothing, _ = graphs.scored(rows[:0])
    assert not len(nothing)
    assert graphs.contributions(rows[:0]).shape == (0, 5)


def test_scores_are_the_same_bits_whether_the_inside_is_given_or_not(pair, rows, tmp_path):
    write_tiny_files(tmp_path, WALLET)
    earlier = Graphs(pair[0], (tmp_path / REASONS_FILE).read_bytes())
    now = Graphs(*pair)
    for size in (1, 4, 31, len(rows)):
        found, inner = earlier.scored(rows[:size])
        assert inner is None
        assert found.tobytes() == now.scored(rows[:size])[0].tobytes()


def test_a_version_whose_reasons_take_the_features_is_explained_as_it_was(tmp_path):
    write_tiny_files(tmp_path, WALLET)
    graphs = Graphs(*((tmp_path / name).read_bytes() for name in (GRAPH_FILE, REASONS_FILE)))
    width = len(WALLET.features)
    features = np.arange(3 * width, dtype=np.float32).reshape(3, width)
    assert np.allclose(
        graphs.contributions(features, graphs.scored(features)[1]),
        features * np.linspace(-0.5, 0.5, width, dtype=np.float32),
    )


def test_what_a_model_has_inside_is_given_after_its_own_outputs(pair):
    graph, _ = pair
    names = ["inputs", "x" * 300]
    made = onnx.load_from_string(with_outputs(graph, names))
    assert [each.name for each in made.graph.output] == ["probability", *names]
    assert not fault_of(with_outputs(graph, names))
    assert with_outputs(graph, []) == graph


@pytest.mark.parametrize("usual", [1, 3, 8])
def test_a_row_of_the_background_has_in_it_the_bits_that_a_scorer_gives_it(rows, usual):
    preparation = Preparation.fit(INPUTS, rows)
    graph = write_graph(preparation, convolved(6), 5)
    same = np.repeat(rows[:1], usual, axis=0)
    reasons = write_reasons(graph, same, preparation.inputs.sources)
    assert not Graphs(graph, reasons).contributions(rows[:1]).any()
