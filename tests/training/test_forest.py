"""A forest says in flight what LightGBM says of it, and why, to the last digits of 32 bits."""

import sys

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraudline.bundle.onnx_runtime import opened
from fraudline.bundle.operators import fault_of
from fraudline.errors import InputError
from fraudline.training.calibration import Platt
from fraudline.training.contributions_graph import log_odds
from fraudline.training.forest import Forest, at_or_below, log_odds_by_walking, read_booster
from fraudline.training.forest_fitting import NoLightGBMError, drawn_rows, fit_forest
from fraudline.training.forest_graph import write_forest, write_forest_reasons
from fraudline.training.levels import LevelInput
from fraudline.training.preparation import Inputs, Preparation

INPUTS = Inputs(plain=(0, 1, 2, 3, 4, 5), logarithm=(2,), missing=(3,))
SINGLE = np.finfo(np.float32)


@pytest.fixture(scope="module")
def rows():
    """Frauds by a rule of three features, one of which may be null."""
    random = np.random.default_rng(3)
    features = random.normal(size=(3000, 6)).astype(np.float32)
    features[:, 2] = np.exp(3 * features[:, 2])
    features[random.random(3000) < 0.2, 3] = np.nan
    risk = features[:, 0] * features[:, 1] + np.isnan(features[:, 3]) + np.log(features[:, 2]) / 3
    return features, (risk + random.normal(size=3000) > 2.5).astype(np.int8)


@pytest.fixture(scope="module")
def grown(rows):
    """A booster, the forest that it is, and what prepares its rows."""
    preparation = Preparation.fit(INPUTS, rows[0])
    seen = preparation.apply(rows[0])
    settings = {"objective": "binary", "num_leaves": 15, "max_depth": 4, "feature_fraction": 0.7}
    settings |= {"bagging_fraction": 0.8, "bagging_freq": 1, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(seen, rows[1]), 40)
    return booster, read_booster(booster, 30), preparation


def explained(preparation: Preparation, forest: Forest, features: np.ndarray) -> np.ndarray:
    graph = write_forest_reasons(preparation, forest, features.shape[1])
    return opened(graph).run(None, {"features": features})[0]


@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_threshold_of_32_bits_says_the_same_of_every_number_of_32_bits(threshold, number):
    (rounded,) = at_or_below(np.array([threshold]))
    near = np.float32(np.clip(threshold, -SINGLE.max, SINGLE.max))
    with np.errstate(over="ignore"):
        beside = np.nextafter(near, np.float32([-np.inf, np.inf]))
    for each in (number, near, *beside):
        if np.isfinite(each):
            assert (np.float32(each) <= rounded) == (float(each) <= threshold)


def test_a_forest_adds_up_what_lightgbm_does_also_at_its_thresholds(grown, rows):
    booster, forest, preparation = grown
    seen = preparation.apply(rows[0])
    for at in np.flatnonzero(~forest.is_leaf)[:300]:  # a row at each threshold, and beside it
        seen[at, forest.inputs[at]] = forest.thresholds[at]
        seen[-at - 1, forest.inputs[at]] = np.nextafter(forest.thresholds[at], np.float32(np.inf))
    told = booster.predict(seen, raw_score=True, num_iteration=30)
    np.testing.assert_allclose(log_odds_by_walking(forest, seen), told, rtol=0, atol=1e-12)


def test_the_graph_of_scores_says_what_the_forest_says(grown, rows):
    _, forest, preparation = grown
    line = Platt(1.3, -0.7)
    graph = write_forest(preparation, forest.calibrated(line), rows[0].shape[1])
    walked = line.slope * log_odds_by_walking(forest, preparation.apply(rows[0])) + line.intercept
    np.testing.assert_allclose(log_odds(graph, rows[0]), walked, atol=1e-5)
    assert fault_of(graph) == ""


def test_a_score_of_trees_does_not_hang_on_a_rows_company(grown, rows):
    _, forest, preparation = grown
    session = opened(write_forest(preparation, forest, rows[0].shape[1]))
    together = session.run(None, {"features": rows[0][:512]})[0]
    for size in (1, 4, 7, 64, 255):
        alone = [
            session.run(None, {"features": rows[0][at : min(at + size, 512)]})[0]
            for at in range(0, 512, size)
        ]
        assert np.array_equal(np.concatenate(alone), together)


def test_contributions_are_those_that_lightgbm_finds(grown, rows):
    booster, forest, preparation = grown
    graph = write_forest_reasons(preparation, forest, rows[0].shape[1])
    assert fault_of(graph) == ""
    own = booster.predict(preparation.apply(rows[0]), pred_contrib=True, num_iteration=30)
    of_features = np.zeros(rows[0].shape)
    for at, source in enumerate(preparation.sources):
        of_features[:, source] += own[:, at]
    found = explained(preparation, forest, rows[0])
    np.testing.assert_allclose(found, of_features, atol=1e-5)
    assert forest.expected == pytest.approx(own[0, -1])
    walked = log_odds_by_walking(forest, preparation.apply(rows[0]))
    np.testing.assert_allclose(found.sum(axis=1) + forest.expected, walked, atol=1e-5)


def test_contributions_hold_for_deep_trees_and_for_one_that_asks_nothing(rows):
    seen = np.nan_to_num(rows[0])
    preparation = Preparation(
        Inputs(tuple(range(6))), np.zeros(6, np.float32), np.ones(6, np.float32)
    )
    settings = {"objective": "binary", "num_leaves": 31, "verbosity": -1, "num_threads": 1}
    deep = lightgbm.train(settings, lightgbm.Dataset(seen, rows[1]), 3)
    own = deep.predict(seen, pred_contrib=True)
    found = explained(preparation, read_booster(deep, 3), seen)
    np.testing.assert_allclose(found, own[:, :-1], atol=1e-5)
    settings["min_data_in_leaf"] = 2000
    bare = read_booster(lightgbm.train(settings, lightgbm.Dataset(seen, rows[1]), 2), 2)
    assert bare.is_leaf.all()
    assert not explained(preparation, bare, seen).any()
    same = log_odds(write_forest(preparation, bare, 6), seen)
    np.testing.assert_allclose(same, bare.expected, atol=1e-5)


def test_a_fit_repeats_itself_and_as_many_trees_again_are_the_same(rows):
    features, labels = rows
    learn, judge = (features[:2000], labels[:2000]), (features[2000:], labels[2000:])
    first = fit_forest(INPUTS, learn, judge, 1, lambda _: None)
    again = fit_forest(
        INPUTS, learn, (features[:0], labels[:0]), 1, lambda _: None, steps=first.steps
    )
    assert first.model.graph(6) == again.model.graph(6)
    assert first.checkpoints[-1].steps >= first.steps


def test_of_levels_no_row_that_is_learned_sees_its_own_label():
    """Levels that say nothing: a table made of the same rows would tell each rare one's label."""
    random = np.random.default_rng(4)
    labels = (random.random(4000) < 0.2).astype(np.int8)
    codes = random.integers(0, 250, 4000)
    features = np.stack([random.normal(size=4000), codes], axis=1).astype(np.float32)
    inputs = Inputs(plain=(0,), levels=(LevelInput(1, 250, None),))
    none = features[:0], labels[:0]
    fit = fit_forest(inputs, (features, labels), none, 1, lambda _: None, steps=60)
    fresh = features.copy()
    fresh[:, 1] = random.permutation(codes)
    seen, unseen = (fit.model.log_odds(each)[labels == 1].mean() for each in (features, fresh))
    assert seen - unseen < 0.5


def test_levels_and_nulls_are_prepared_in_the_graph_as_they_were_learned(rows):
    features, labels = rows[0].copy(), rows[1]
    features[:, 5] = np.random.default_rng(1).integers(0, 8, len(features))
    inputs = Inputs(plain=(0, 1, 2, 3, 4), missing=(3,), levels=(LevelInput(5, 6, None),))
    none = features[:0], labels[:0]
    model = fit_forest(inputs, (features, labels), none, 1, lambda _: None, steps=20).model
    other = features.copy()
    other[:5, 5], other[5:9, 5] = 1_000_003, np.nan  # a level nobody knows, and none at all
    walked = log_odds_by_walking(model.forest, model.preparation.apply(other))
    np.testing.assert_allclose(model.log_odds(other), walked, atol=1e-5)
    found = explained(model.preparation, model.forest, other)
    np.testing.assert_allclose(found.sum(axis=1) + model.forest.expected, walked, atol=1e-5)


def test_without_lightgbm_the_recipe_is_refused_with_what_installs_it(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(
        NoLightGBMError, match=r"recipe 'trees' learns by LightGBM, which is not install"
    ) as told:
        fit_forest(INPUTS, rows, rows, 1, lambda _: None)
    assert "`pip install 'fraudline[trees]'`" in str(told.value)
    assert isinstance(told.value, InputError)


def test_what_is_drawn_to_save_time_leaves_frauds_as_rare_as_they_are(monkeypatch):
    random = np.random.default_rng(2)
    features = random.normal(size=(20_000, 6)).astype(np.float32)
    labels = (random.random(20_000) < 0.02 * (1 + (features[:, 0] > 1))).astype(np.int8)
    known, fresh = (features[:10_000], labels[:10_000]), features[10_000:]
    none = known[0][:0], known[1][:0]
    rates = []
    for most in (None, 6 * 2_000):
        if most is not None:
            monkeypatch.setattr("fraudline.training.forest_fitting.MOST_VALUES", most)
        fit = fit_forest(INPUTS, known, none, 1, lambda _: None, steps=40)
        rates.append(float((1 / (1 + np.exp(-fit.model.log_odds(fresh)))).mean()))
    assert fit.drawn is not None
    assert rates[0] == pytest.approx(labels[10_000:].mean(), rel=0.25)
    assert rates[1] == pytest.approx(rates[0], rel=0.25)


def test_of_too_many_rows_all_frauds_are_learned(rows):
    assert len(drawn_rows(rows[1], 6, 1)) == 3000
    drawn = drawn_rows(rows[1], 20_000, 1)
    assert rows[1][drawn].sum() == rows[1].sum()
    assert len(drawn) == 1000
