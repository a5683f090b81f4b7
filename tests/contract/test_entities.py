"""Who and what takes part in a transaction is named by columns, and alters no data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.told import faults_of
from tests.transactions import ACQUIRER, ACQUIRER_FILE

from fraudline.contract import Contract, load_contract
from fraudline.contract.contract import Entity
from fraudline.contract.contract_file import examine_text
from fraudline.contract.role_words import role_words

TEXT = ACQUIRER_FILE.read_text()
NAMED = 'card = "card"\nterminal = "terminal"'


def test_a_contract_names_any_number_of_entities_each_by_one_column_or_several():
    assert ACQUIRER.entities == (
        Entity("card", ("card",)),
        Entity("terminal", ("terminal",)),
        Entity("merchant", ("acquirer", "merchant")),
    )
    names = ("card", "acquirer", "merchant", "rrn", "is_fraud")
    assert [role_words(ACQUIRER, name) for name in names] == [
        *("card", "part of the id, part of merchant", "part of merchant", "part of the id"),
        "label",
    ]


def test_a_number_that_names_somebody_is_no_feature_but_a_category_is():
    assert ACQUIRER.features == ("acquirer", "paid_at", "merchant", "amount", "speed")


def test_the_fingerprint_does_not_change_with_what_entities_are_called():
    assert replace(ACQUIRER, entities=()).fingerprint == ACQUIRER.fingerprint
    assert load_contract("handbook").fingerprint[:16] == "2603a7868256ea14"
    assert load_contract("creditcard").fingerprint[:16] == "9a32da528e20371e"


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        (NAMED, "card = 3", "[entities]: card = 3 is not one of its columns"),
        (NAMED, 'card = "crad"', "card = 'crad' is not one of its columns. Did you mean 'card'?"),
        (NAMED, 'card = ["card"]', "a list of 2 to 8 different ones that name it together"),
        (NAMED, 'card = ["card", {}]', "is not one of its columns"),
        (NAMED, 'card = "amount"', "column 'amount' is the amount, which names nobody"),
        (NAMED, 'speed = "speed"', "which names the entity 'speed', must be string or int64"),
        (NAMED, '"a card" = "card"', "'a card' must be called by letters, digits and _"),
        (NAMED, 'card = "card"\nCARD = "terminal"', "the entity 'CARD' is there twice"),
        (NAMED, 'card = "card"\nuser = "card"', "'card' and 'user' are named by the same columns"),
        (NAMED, 'pair = ["rrn", "acquirer"]', "'pair' is named by the id, which names the transac"),
        ("terminal = { ", "terminal = { feature = true, ", 'write type = "category"'),
        ("[entities]", "[entity]", "unknown key entity"),
    ],
)
def test_faults_of_entities_are_told(was, becomes, told):
    assert was in TEXT
    assert any(told in fault for fault in faults_of(TEXT.replace(was, becomes)))


def test_entities_that_are_no_table_are_told():
    text = "entities = 5\n" + TEXT.replace("[entities]", "[labels]").replace(NAMED, "")
    assert "entities = 5, expected dict." in " ".join(faults_of(text))


VALUES = st.recursive(
    st.sampled_from(["card", "acquirer", "rrn", "is_fraud", "", 1, 1.5, True]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.just("a"), inner, max_size=1),
)


@given(identity=VALUES, entity=VALUES, label=VALUES)
def test_whatever_is_named_is_a_contract_or_a_list_of_faults(identity, entity, label):
    text = TEXT.replace('["acquirer", "rrn"]', toml(identity)).replace('"is_fraud"', toml(label))
    text = text.replace('card = "card"', f"card = {toml(entity)}")
    found = examine_text(text.encode())
    assert isinstance(found, Contract) or found


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')
