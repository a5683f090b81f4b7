"""The benchmarks' own arithmetic; what they measure is not tested, for it depends on the day."""

from pathlib import Path

import pytest
from benchmarks.measure import ratio, spread, take_turns
from benchmarks.model import megaflop
from benchmarks.results import with_section
from tests.models import write_tiny_files
from tests.transactions import CREDITCARD


def test_contenders_take_turns():
    order = []
    figures = take_turns(
        {name: lambda name=name: order.append(name) or len(order) for name in "ab"}, rounds=2
    )
    assert order == ["a", "b", "a", "b"]
    assert figures == {"a": [1, 3], "b": [2, 4]}


def test_a_ratio_is_taken_round_by_round():
    # In the second round the machine was ten times as slow, for both.
    assert ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]) == 2.0


def test_a_figure_is_told_with_the_least_and_the_most():
    assert spread([3000.0, 1000.0, 2000.0]) == "2,000 (1,000 to 3,000)"


def test_a_section_takes_the_place_of_the_one_with_its_title_and_of_no_other():
    results = with_section(
        "## B\n\nnew", with_section("## B\n\nold", with_section("## A\n\na", ""))
    )
    assert results.startswith("# Results\n")
    assert results.endswith("## A\n\na\n\n## B\n\nnew\n")


def test_the_work_of_a_graph_is_two_operations_a_weight(tmp_path: Path):
    write_tiny_files(tmp_path, CREDITCARD)
    assert megaflop(tmp_path / "graph.onnx") == pytest.approx(2 * 30 / 1e6)
