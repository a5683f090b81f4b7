import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from fraudline.training import forest_fitting, trees
from fraudline.training.preparation import Inputs
from fraudline.training.split import Split

INPUTS = Inputs(plain=(0, 1, 2, 3))
SPLIT = Split(np.arange(600), np.arange(600, 800), np.arange(800, 1000))


@pytest.fixture(scope="module")
def rows():
    """Frauds where one feature is large and another small, which no straight line tells."""
    random = np.random.default_rng(8)
    features = random.normal(size=(1000, 4)).astype(np.float32)
    is_fraud = (features[:, 0] > 0.5) & (features[:, 1] < 0) | (random.random(1000) < 0.02)
    return features, is_fraud.astype(np.int8)


def fitted(features, labels, split=SPLIT):
    said = []
    return trees.fit_trees(INPUTS, features, labels, split, 1, said.append), said


def test_trees_score_only_what_they_had_not_learned(rows):
    found, said = fitted(*rows)
    assert np.isnan(found.scores).tolist() == [True] * 600 + [False] * 400
    assert found.drawn is None
    assert said[0].startswith(f"boosted trees for comparison: {found.count} trees in ")
    again, _ = fitted(*rows)
    np.testing.assert_array_equal(again.scores, found.scores)


def test_no_test_row_changes_how_many_trees_there_are_or_what_they_say_of_others(rows):
    features, labels = rows
    found, _ = fitted(features, labels)
    moved, other = features.copy(), labels.copy()
    moved[800:], other[800:] = moved[800:][::-1] * 3, 1 - other[800:]
    altered, _ = fitted(moved, other)
    assert altered.count == found.count
    assert (altered.scores[600:800] == found.scores[600:800]).all()


def test_a_network_that_is_behind_is_told_so_in_one_line(rows):
    features, labels = rows
    found, _ = fitted(features, labels)
    behind = trees.stand_beside(found, labels, features[:, 0].astype(np.float64), SPLIT)
    assert behind.part == "test"
    assert behind.is_behind
    assert behind.low < behind.difference < behind.high < 0
    assert "the network is BEHIND them (95 % interval of the difference -0." in str(behind)
    equal = trees.stand_beside(found, labels, found.scores, SPLIT)
    assert (equal.difference, equal.low, equal.high) == (0, 0, 0)
    assert "too close to tell" in str(equal)
    ahead = trees.stand_beside(found, labels, labels.astype(np.float64), SPLIT)
    assert "the network is ahead" in str(ahead)


def test_without_a_test_part_the_validation_part_judges(rows):
    features, labels = rows
    split = replace(SPLIT, test=np.arange(0))
    found, _ = fitted(features, labels, split)
    assert (
        trees.stand_beside(found, labels, features[:, 0].astype(np.float64), split).part
        == "validation"
    )
    assert np.isnan(found.scores[800:]).all()


def test_of_too_many_rows_all_frauds_and_a_draw_are_learned_and_that_is_told(rows, monkeypatch):
    monkeypatch.setattr(forest_fitting, "MOST_VALUES", 4 * 500)
    features, labels = rows
    found, said = fitted(features, labels)
    assert found.drawn == 500 - labels[:800].sum()
    assert f"from {found.drawn} legitimate rows alone" in said[0]
    assert f"{found.drawn} of the legitimate rows" in str(
        trees.stand_beside(found, labels, features[:, 0].astype(np.float64), SPLIT)
    )


def test_where_they_are_not_installed_they_are_left_out_with_the_way_to_add_them(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    found, said = fitted(*rows)
    assert found is None
    assert "is not installed" in said[0]
    assert "`pip install 'fraudline[trees]'`" in said[0]


def test_the_recipe_is_offered_by_the_validation_part_alone(rows):
    features, labels = rows
    found, _ = fitted(features, labels)
    one, sure = features[:, 0].astype(np.float64), labels.astype(np.float64)
    behind, ahead = one.copy(), one.copy()
    behind[800:], ahead[600:800] = sure[800:], sure[600:800]  # the other part says the contrary
    told = trees.offer(found, labels, behind, SPLIT)
    assert re.fullmatch(
        r"LOOK: boosted trees rank the validation part better, by 0\.\d{3} of average precision "
        r"\(95 % interval 0\.\d{3} to 0\.\d{3}\)\. `fraudline train --recipe trees` makes .*",
        told,
    )
    assert trees.offer(found, labels, ahead, SPLIT) is None
    assert trees.offer(found, labels, found.scores, SPLIT) is None
