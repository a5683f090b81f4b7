from dataclasses import replace

import numpy as np
import pytest
from tests.models import weighed
from tests.transactions import TRIP

from fraudline.bundle.operators import fault_of
from fraudline.contract import load_contract
from fraudline.training.graph import read_preparation, run_graph, write_graph
from fraudline.training.levels import LevelInput
from fraudline.training.preparation import (
    Inputs,
    Preparation,
    as_they_are,
    with_logarithms_and_time_of_day,
)


def test_each_input_has_mean_zero_and_deviation_one_over_the_rows_it_was_fitted_on():
    features = np.random.default_rng(0).normal(50, 7, size=(4000, 3)).astype(np.float32)
    prepared = Preparation.fit(Inputs(plain=(2, 0)), features).apply(features)
    assert prepared.shape == (4000, 2)
    assert prepared.mean(axis=0) == pytest.approx(0, abs=1e-4)
    assert prepared.std(axis=0) == pytest.approx(1, abs=1e-4)
    assert prepared[:, 1] == pytest.approx((features[:, 0] - features[:, 0].mean()) / 7, abs=0.1)


def test_a_constant_feature_becomes_zero_rather_than_a_division_by_zero():
    features = np.full((1000, 1), 0.1, dtype=np.float32)
    assert not Preparation.fit(Inputs(plain=(0,)), features).apply(features).any()


def test_no_new_value_of_a_feature_that_was_constant_changes_what_the_network_sees():
    fitted = Preparation.fit(Inputs(plain=(0,)), np.full((1000, 1), 0.1, dtype=np.float32))
    assert np.abs(fitted.apply(np.float32([[0.2], [-1e6]]))).max() < 1e-30


def test_amounts_become_logarithms_and_a_refund_keeps_its_sign():
    features = np.array([[0], [np.e - 1], [1 - np.e]], dtype=np.float32)
    derived = Inputs(plain=(), logarithm=(0,)).derive(features, np)
    assert derived[:, 0] == pytest.approx([0, 1, -1])


def test_time_of_day_is_the_same_on_every_day():
    features = np.array([[21600], [21600 + 86400], [0]], dtype=np.float32)
    derived = Inputs(plain=(), circles=(0,), turns=(86400.0,)).derive(features, np)
    assert derived == pytest.approx(np.array([[1, 0], [1, 0], [0, 1]]), abs=1e-6)


def with_unit(creditcard, unit):
    columns = tuple(
        replace(each, unit=unit) if each.name == creditcard.event_time else each
        for each in creditcard.columns
    )
    return replace(creditcard, columns=columns)


def narrow(contract):
    """Rows of which no feature spans much."""
    return np.zeros((2, len(contract.features)), dtype=np.float32)


def inputs_of(contract):
    return with_logarithms_and_time_of_day(contract, narrow(contract))


@pytest.mark.parametrize(("unit", "per_day"), [("ms", 86_400_000), ("min", 1440), ("day", 1)])
def test_time_of_day_follows_the_unit_of_the_event_time(creditcard, unit, per_day):
    inputs = inputs_of(with_unit(creditcard, unit))
    quarters = np.zeros((4, len(creditcard.features)), dtype=np.float32)
    quarters[:, inputs.circles[0]] = [0, per_day / 4, per_day * 1.25, per_day * 2]
    derived = inputs.derive(quarters, np)[:, -2:]
    assert derived == pytest.approx(np.array([[0, 1], [1, 0], [1, 0], [0, 1]]), abs=1e-5)


def test_in_seconds_the_time_of_day_keeps_its_bits(creditcard):
    inputs = inputs_of(creditcard)
    assert inputs.turns == (86400.0,)
    assert Inputs((), circles=(0, 1), turns=(86400.0, 86400.0)).turn == 86400.0


def test_roles_of_the_contract_decide_which_feature_is_which(creditcard):
    inputs = inputs_of(creditcard)
    names = np.array(creditcard.features)
    assert names[list(inputs.logarithm)].tolist() == ["Amount"]
    assert names[list(inputs.circles)].tolist() == ["Time"]
    anonymous = [f"V{number}" for number in range(1, 29)]
    assert names[list(inputs.plain)].tolist() == [*anonymous, "Amount"]
    assert as_they_are(creditcard, narrow(creditcard)) == Inputs(plain=tuple(range(30)))


def test_every_feature_in_the_amounts_unit_is_a_logarithm_and_as_it_is():
    handbook = load_contract("handbook")
    inputs = inputs_of(handbook)
    assert [handbook.features[index] for index in inputs.logarithm] == [
        "TX_AMOUNT",
        "CUSTOMER_ID_AVG_AMOUNT_1DAY",
        "CUSTOMER_ID_AVG_AMOUNT_7DAY",
        "CUSTOMER_ID_AVG_AMOUNT_30DAY",
    ]
    assert set(inputs.logarithm) < set(inputs.plain)


def test_a_wide_feature_is_a_logarithm_too_where_no_value_of_it_is_negative():
    handbook = load_contract("handbook")
    features, names = narrow(handbook), handbook.features
    wide, negative = (
        names.index(name) for name in ("CUSTOMER_ID_NB_TX_30DAY", "TERMINAL_ID_NB_TX_30DAY")
    )
    features[1, [wide, negative]] = 200
    features[0, negative] = -1
    taken = with_logarithms_and_time_of_day(handbook, features).logarithm
    assert set(taken) - set(inputs_of(handbook).logarithm) == {wide}
    one_and_two = Inputs(plain=(0,), logarithm=(0,))
    days = np.arange(1, 2000, dtype=np.float32)[:, None]
    seen = Preparation.fit(one_and_two, days).apply(days)[:2]
    as_it_is, logarithm = np.abs(np.diff(seen, axis=0))[0]
    assert logarithm > 100 * as_it_is, "the first day of an account is told from the second"


def with_nulls(rows: int = 4000, nulls: int = 400) -> np.ndarray:
    features = np.random.default_rng(0).normal(50, 7, size=(rows, 3)).astype(np.float32)
    features[:nulls, 1] = np.nan
    return features


def test_a_null_becomes_the_mean_and_a_flag_of_its_own_says_so():
    features = with_nulls()
    fitted = Preparation.fit(Inputs(plain=(0, 1, 2), missing=(1,)), features)
    assert (fitted.flags, fitted.sources) == ((1,), (0, 1, 2, 1))
    assert fitted.mean[1] == pytest.approx(np.nanmean(features[:, 1]))
    prepared = fitted.apply(features)
    assert prepared.shape == (4000, 4)
    assert not prepared[:400, 1].any()
    assert (prepared[:, 3] == (np.arange(4000) < 400)).all()
    without = Preparation.fit(Inputs(plain=(0, 1, 2)), features[400:])
    assert prepared[400:, 1] == pytest.approx(without.apply(features[400:])[:, 1], abs=1e-4)


@pytest.mark.parametrize("nulls", [0, 9, 3991, 4000])
def test_of_few_nulls_or_few_values_nothing_is_learned_and_a_null_is_still_a_number(nulls):
    fitted = Preparation.fit(Inputs(plain=(0, 1, 2), missing=(1,)), with_nulls(nulls=nulls))
    assert fitted.flags == ()
    seen = fitted.apply(np.float32([[50, np.nan, 50], [50, 1e6, 50]]))
    assert np.isfinite(seen).all()
    assert seen[0, 1] == 0
    assert (seen[1, 1] == pytest.approx(0, abs=1e-30)) == (nulls == 4000)


def test_a_null_that_no_contract_permits_stays_none():
    fitted = Preparation.fit(Inputs(plain=(0, 1, 2), missing=(1,)), with_nulls())
    assert np.isnan(fitted.apply(np.float32([[np.nan, np.nan, 1]]))).tolist() == [
        [True, False, False, False]
    ]


def with_levels(rows: int = 5000) -> np.ndarray:
    random = np.random.default_rng(3)
    codes = random.integers(0, 2**24, 60).astype(np.float32)
    features = np.column_stack(
        [
            random.normal(size=rows),
            random.choice(codes, rows),
            random.choice(codes[:9], rows),
            random.integers(0, 2**24, rows),
        ]
    ).astype(np.float32)
    features[random.random(rows) < 0.1, 1] = np.nan
    return features


CATEGORIES = Inputs(
    plain=(0,),
    levels=(LevelInput(1, 20, None), LevelInput(2, 100, None), LevelInput(3, 100, 64)),
)


def test_the_most_frequent_levels_are_told_apart_and_all_others_are_one():
    features = with_levels()
    fitted = Preparation.fit(CATEGORIES, features).levels
    assert fitted is not None
    known = fitted.known_codes(1)
    assert len(known) == 20
    counts = [(features[:, 1] == code).sum() for code in known]
    assert counts == sorted(counts, reverse=True)
    places = fitted.places(features)
    is_known = np.isin(features[:, 1], known)
    assert len(np.unique(places[is_known, 0])) == 20
    assert set(places[~is_known & ~np.isnan(features[:, 1]), 0]) == {fitted.others[0]}
    assert set(places[np.isnan(features[:, 1]), 0]) == {fitted.nulls[0]}
    assert len(np.unique(places[:, 1])) == 9
    assert (places[:, 2] - places[:, 2].min() <= 64 + 2).all()
    same = np.float32([features[0], features[0]])
    same[1, 3] += 64 if same[1, 3] < 2**24 - 64 else -64
    assert len(np.unique(fitted.places(same)[:, 2])) == 1


def test_of_what_hardly_a_row_showed_nothing_is_told_apart():
    features = with_levels()
    features[:9, 2] = 7  # a level of nine rows
    levels = Preparation.fit(CATEGORIES, features).levels
    assert levels is not None
    assert 7 not in levels.known_codes(2)
    table = np.random.default_rng(1).normal(size=levels.table.shape).astype(np.float32)
    learned = levels.learned(table, levels.places(features))
    own = slice(levels.others[1], levels.others[2])
    counts = np.bincount(levels.places(features)[:, 1], minlength=len(table))[own]
    mean = counts @ table[own] / counts.sum()
    assert learned.table[levels.others[1]] == pytest.approx(mean, abs=1e-6)  # nine rows
    assert learned.table[levels.nulls[1]] == pytest.approx(mean, abs=1e-6)  # none
    assert learned.table[levels.others[1] + 2].tolist() == table[levels.others[1] + 2].tolist()


def test_levels_are_the_same_in_the_graph_and_are_read_from_it():
    features = with_levels()
    fitted = Preparation.fit(replace(CATEGORIES, missing=(0,)), features)
    assert fitted.levels is not None
    table = np.random.default_rng(1).normal(size=fitted.levels.table.shape).astype(np.float32)
    fitted = replace(fitted, levels=replace(fitted.levels, table=table))
    graph = write_graph(fitted, weighed(len(fitted.sources)), 4)
    assert fault_of(graph) == ""
    again = read_preparation(graph)
    assert write_graph(again, weighed(len(fitted.sources)), 4) == graph
    features[:1000, 1:3] = np.random.default_rng(2).integers(0, 2**24, (1000, 2))  # unseen
    features[::7, 0] = np.nan
    by_graph = run_graph(graph, features)
    for preparation in (fitted, again):
        log_odds = preparation.apply(features) @ np.linspace(-1, 1, len(fitted.sources))
        assert by_graph == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)


def test_a_preparation_is_read_from_its_graph_number_by_number(creditcard):
    features = with_nulls()
    for inputs in (
        Inputs(plain=(0, 1, 2)),
        Inputs(plain=(0, 2), logarithm=(1,), missing=(1,)),
        Inputs(plain=(2,), logarithm=(1,), circles=(0,), turns=(1440.0,), missing=(1, 2)),
        Inputs(plain=(2,), circles=(0, 1), turns=(86400.0, 7.0), missing=(1, 2)),
    ):
        rows = features if inputs.missing else features[400:]
        fitted = Preparation.fit(inputs, rows)
        graph = write_graph(fitted, weighed(len(fitted.sources)), 3)
        again = read_preparation(graph)
        assert (again.inputs, again.flags) == (fitted.inputs, fitted.flags)
        assert again.mean.tobytes() == fitted.mean.tobytes()
        assert again.scale.tobytes() == fitted.scale.tobytes()
        assert write_graph(again, weighed(len(fitted.sources)), 3) == graph
        by_graph = run_graph(graph, rows)
        log_odds = fitted.apply(rows) @ np.linspace(-1, 1, len(fitted.sources))
        assert by_graph == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)


def test_parts_of_a_time_are_circles_and_nulls_of_them_are_filled():
    random = np.random.default_rng(5)
    features = random.uniform(0, 6, (200, len(TRIP.features))).astype(np.float32)
    nullable = np.flatnonzero(TRIP.may_be_null)
    features[:20, nullable] = np.nan
    inputs = with_logarithms_and_time_of_day(TRIP, features)
    names = [TRIP.features[at] for at in inputs.circles]
    assert dict(zip(names, inputs.turns, strict=True)) == {
        "paid_at_hour": 86400.0,
        "paid_at_weekday": 7.0,
        "opened_at_weekday": 7.0,
    }
    assert not {*inputs.circles} & {*inputs.plain, *inputs.logarithm}
    seen = Preparation.fit(inputs, features).numbers(features)
    assert np.isfinite(seen).all()
    week = inputs.sources.index(inputs.circles[1])
    late, early = features.copy(), features.copy()
    late[:, inputs.circles[1]], early[:, inputs.circles[1]] = 6.999, 0.001
    beside = inputs.derive(late, np)[:, week] - inputs.derive(early, np)[:, week]
    assert np.abs(beside).max() < 0.01, "a week begins where it ends"
