from dataclasses import replace

import numpy as np
import pytest

from fraudline.contract import load_contract
from fraudline.training.preparation import (
    Inputs,
    Preparation,
    as_they_are,
    with_log_amounts_and_time_of_day,
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
    derived = Inputs(plain=(), time_of_day=(0,)).derive(features, np)
    assert derived == pytest.approx(np.array([[1, 0], [1, 0], [0, 1]]), abs=1e-6)


def with_unit(creditcard, unit):
    columns = tuple(
        replace(each, unit=unit) if each.name == creditcard.event_time else each
        for each in creditcard.columns
    )
    return replace(creditcard, columns=columns)


@pytest.mark.parametrize(("unit", "per_day"), [("ms", 86_400_000), ("min", 1440), ("day", 1)])
def test_time_of_day_follows_the_unit_of_the_event_time(creditcard, unit, per_day):
    inputs = with_log_amounts_and_time_of_day(with_unit(creditcard, unit))
    quarters = np.zeros((4, len(creditcard.features)), dtype=np.float32)
    quarters[:, inputs.time_of_day[0]] = [0, per_day / 4, per_day * 1.25, per_day * 2]
    derived = inputs.derive(quarters, np)[:, -2:]
    assert derived == pytest.approx(np.array([[0, 1], [1, 0], [1, 0], [0, 1]]), abs=1e-5)


def test_in_seconds_the_time_of_day_keeps_its_bits(creditcard):
    inputs = with_log_amounts_and_time_of_day(creditcard)
    assert inputs.day == 86400.0
    assert with_log_amounts_and_time_of_day(load_contract("handbook")).day == 86400.0


def test_roles_of_the_contract_decide_which_feature_is_which(creditcard):
    inputs = with_log_amounts_and_time_of_day(creditcard)
    names = np.array(creditcard.features)
    assert names[list(inputs.logarithm)].tolist() == ["Amount"]
    assert names[list(inputs.time_of_day)].tolist() == ["Time"]
    anonymous = [f"V{number}" for number in range(1, 29)]
    assert names[list(inputs.plain)].tolist() == [*anonymous, "Amount"]
    assert as_they_are(creditcard) == Inputs(plain=tuple(range(30)))


def test_every_feature_in_the_amounts_unit_is_a_logarithm_and_as_it_is():
    handbook = load_contract("handbook")
    inputs = with_log_amounts_and_time_of_day(handbook)
    assert [handbook.features[index] for index in inputs.logarithm] == [
        "TX_AMOUNT",
        "CUSTOMER_ID_AVG_AMOUNT_1DAY",
        "CUSTOMER_ID_AVG_AMOUNT_7DAY",
        "CUSTOMER_ID_AVG_AMOUNT_30DAY",
    ]
    assert set(inputs.logarithm) < set(inputs.plain)
