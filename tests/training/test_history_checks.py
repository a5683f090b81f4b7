from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.orders import orders
from tests.transactions import SHOP

from fraudline.errors import InputError
from fraudline.training.history_checks import (
    coarse_event_times,
    event_text,
    require_enough_inputs,
    require_trainable,
    told_constants,
)
from fraudline.training.recipes.all_recipes import find_recipe


def with_column(history: pa.Table, name: str, values) -> pa.Table:
    at = history.schema.get_field_index(name)
    return history.set_column(at, name, pa.array(values))


def test_the_sample_is_a_history_one_can_learn_from(history, creditcard):
    require_trainable(history, creditcard, 0.2)


def test_a_value_that_is_not_a_number_is_named_by_row_and_column(history, creditcard):
    values = history.column("V4").to_numpy().copy()
    values[17] = np.nan
    with pytest.raises(InputError, match="row 17, column 'V4', found nan"):
        require_trainable(with_column(history, "V4", values), creditcard, 0.2)


def test_a_null_is_refused(history, creditcard):
    values = history.column("Amount").to_pylist()
    values[3] = None
    with pytest.raises(InputError, match="'Amount' of the history is null in 1 "):
        require_trainable(with_column(history, "Amount", values), creditcard, 0.2)


def test_a_label_beside_0_and_1_is_refused(history, creditcard):
    values = history.column("Class").to_numpy().copy()
    values[0] = 2
    with pytest.raises(InputError, match="has the values 0, 1, 2; expected 0 and 1"):
        require_trainable(with_column(history, "Class", values), creditcard, 0.2)


def test_a_feature_that_counts_from_1970_is_refused_unless_it_is_said_to_be_something_else(
    history, creditcard
):
    times = with_column(history, "V4", 1.7e9 + np.arange(history.num_rows))
    with pytest.raises(InputError, match=r"'V4' goes from .* count s since 1970.*unix_s"):
        require_trainable(times, creditcard, 0.2)
    in_ms = with_column(history, "V4", [1.7e12] * history.num_rows)
    with pytest.raises(InputError, match="unix_ms"):
        require_trainable(in_ms, with_unit(creditcard, "V4", "ms"), 0.2)
    require_trainable(times, with_unit(creditcard, "V4", "EUR"), 0.2)


def with_unit(contract, name, unit):
    columns = (replace(each, unit=unit if each.name == name else each.unit)
               for each in contract.columns)  # fmt: skip
    return replace(contract, columns=tuple(columns))


def test_event_times_that_float32_cannot_tell_apart_are_told(history, creditcard):
    assert coarse_event_times(history, creditcard) == []
    since_1970 = history.column("Time").to_numpy() + 1.7e9
    (told,) = coarse_event_times(with_column(history, "Time", since_1970), creditcard)
    assert told.startswith("LOOK: a network sees 'Time' as float32, up to 64 s away")


def test_a_history_out_of_order_is_refused(history, creditcard):
    values = history.column("Time").to_numpy().copy()
    values[200] = 0
    with pytest.raises(InputError, match="not in order of 'Time': row 200 is earlier"):
        require_trainable(with_column(history, "Time", values), creditcard, 0.2)


def test_too_few_rows_are_refused(history, creditcard):
    with pytest.raises(InputError, match="has 99 transactions, expected at least 100"):
        require_trainable(history.slice(0, 99), creditcard, 0.2)


def test_a_column_of_the_contract_that_is_missing_is_named(history, creditcard):
    with pytest.raises(InputError, match="lacks column V3 of contract 'creditcard'"):
        require_trainable(history.drop_columns("V3"), creditcard, 0.2)


@pytest.mark.parametrize("test_share", [-0.1, 1.0])
def test_a_test_share_that_is_none_is_refused(history, creditcard, test_share):
    with pytest.raises(InputError, match="expected 0 to less than 1"):
        require_trainable(history, creditcard, test_share)


def test_an_event_time_is_told_in_the_unit_of_the_contract(history, creditcard):
    assert event_text(history, creditcard, 0) == f"{history.column('Time')[0].as_py():g} s"


def test_a_feature_with_one_value_is_named(history, creditcard):
    features = creditcard.feature_matrix(history)
    assert told_constants(features, creditcard) == []
    features[:, 4] = 0.1
    (told,) = told_constants(features, creditcard)
    assert told.startswith("column 'V4' has one value in the whole train part, so nothing can be")


def test_of_one_value_and_nulls_it_is_told_that_the_nulls_are_learned(history, creditcard):
    features = creditcard.feature_matrix(history)
    features[:, 4] = 0.1
    features[:10, 4] = np.nan
    (told,) = told_constants(features, creditcard)
    assert "'V4' has one value in the whole train part, or none, so all that is learned" in told
    features[9, 4] = 0.1  # nine nulls are too few
    (told,) = told_constants(features, creditcard)
    assert "no value of it will change a score" in told


def test_two_features_are_enough_where_three_inputs_follow_and_are_told_where_not():
    two = ("amount", "ordered_at")
    columns = tuple(replace(one, is_feature=one.name in two) for one in SHOP.columns)
    contract = replace(SHOP, columns=columns)
    assert contract.features == ("ordered_at", "amount")
    features = contract.feature_matrix(orders(200))
    by_default, by_tutorial = find_recipe("default"), find_recipe("tutorial")
    require_enough_inputs(by_default, by_default.inputs(contract, features), contract)
    with pytest.raises(InputError, match="has 2 features, of which recipe 'tutorial' makes 2 inp"):
        require_enough_inputs(by_tutorial, by_tutorial.inputs(contract, features), contract)
