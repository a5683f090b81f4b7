"""A malformed contract is refused, and the message names the table and the key."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.transactions import CREDITCARD, WALLET, WALLET_FILE

from fraudline.contract import Contract, examine_contract, load_contract
from fraudline.errors import ContractError

SMALL = """
name = "small"

[roles]
label = "y"
amount = "a"
event_time = "t"
id = "i"

[columns]
t = { type = "int64" }
a = { type = "float64" }
x = { type = "float64" }
s = { type = "string" }
i = { type = "string" }
y = { type = "int64" }
"""


@pytest.fixture
def load(tmp_path):
    def load(old: str = "", new: str = "") -> Contract:
        assert old in SMALL
        path = tmp_path / "small.toml"
        path.write_text(SMALL.replace(old, new, 1) if old else SMALL)
        return load_contract(str(path))

    return load


def column(text: str) -> tuple[str, str]:
    return 'x = { type = "float64" }', f"x = {{ {text} }}"


REFUSED = {
    "no TOML": ("[roles]", "[roles", "is not valid TOML"),
    "a table twice": ("[columns]", "[roles]\n[columns]", "is not valid TOML"),
    "a column twice": ("x = {", "a = {", "is not valid TOML"),
    "an unknown key": ('name = "small"', 'name = "small"\nversion = 1', "unknown key version"),
    "no name": ('name = "small"', "", "name must be letters"),
    "a name with a slash": ('"small"', '"../small"', "name must be letters"),
    "a name that is a number": ('"small"', "1", "name must be letters"),
    "a description that is a number": (
        'name = "small"',
        'name = "small"\ndescription = 1',
        "description = 1, expected str",
    ),
    "labels with an unknown key": (
        "[columns]",
        "[labels]\ndays = 1\n[columns]",
        "unknown key days",
    ),
    "no maturity": (
        "[columns]",
        "[labels]\nmaturity_days = 0\n[columns]",
        "maturity_days = 0 must be above 0",
    ),
    "a maturity that is no number": (
        "[columns]",
        '[labels]\nmaturity_days = "30"\n[columns]',
        "expected float or int",
    ),
    "no columns": ("[columns]", "[elsewhere]", "unknown key elsewhere"),
    "an unknown role": ('id = "i"', 'card = "i"', "[roles]: unknown key card"),
    "no label": ('label = "y"', "", "[roles]: 'label' is missing"),
    "no event time": ('event_time = "t"', "", "[roles]: 'event_time' is missing"),
    "no event time, and no way on": ('event_time = "t"', "", "payments_a_day under [history]"),
    "days told twice": (
        "[columns]",
        "[history]\npayments_a_day = 9\n[columns]",
        "[history]: payments_a_day is for a history that tells no time",
    ),
    "a history with an unknown key": (
        "[columns]",
        "[history]\nper_day = 9\n[columns]",
        "[history]: unknown key per_day",
    ),
    "no payments a day": (
        'event_time = "t"\nid = "i"',
        "[history]\npayments_a_day = 0",
        "[history]: payments_a_day = 0 must be above 0",
    ),
    "payments a day in quotes": (
        'event_time = "t"\nid = "i"',
        '[history]\npayments_a_day = "9"',
        "[history]: payments_a_day = '9', expected float or int",
    ),
    "a role without its column": ('label = "y"', 'label = "Y"', "label = 'Y' is not one of its"),
    "a role that is a list": ('label = "y"', 'label = ["y"]', "label = ['y'] is not one of its"),
    "two roles for a column": ('amount = "a"', 'amount = "t"', "column 't' has two roles"),
    "the label as the amount": ('amount = "a"', 'amount = "y"', "column 'y' has two roles"),
    "a label that is a float": ('label = "y"', 'label = "x"', "label column 'x' must be int64"),
    "a label that may be null": (
        'y = { type = "int64" }',
        'y = { type = "int64", nullable = true, feature = false }',
        "label column 'y' must be int64 or bool and not nullable",
    ),
    "an amount that is a string": ('amount = "a"', 'amount = "s"', "amount column 's' must be"),
    "an event time that is a string": (
        'event_time = "t"',
        'event_time = "s"',
        "event_time column 's' must be",
    ),
    "an id that is a float": ('id = "i"', 'id = "x"', "id column 'x' must be string"),
    "an id too long for a decision": (
        'i = { type = "string" }',
        'i = { type = "string", max_length = 1025 }',
        "id column 'i' has max_length 1025",
    ),
    "a column that is no table": ('x = { type = "float64" }', 'x = "float64"', "column 'x'"),
    "a column without a type": (*column(""), "column 'x': type is None"),
    "an unknown type": (*column('type = "decimal"'), "column 'x': type is 'decimal'"),
    "a type that is a list": (*column('type = ["int64"]'), "column 'x': type is ['int64']"),
    "bytes": (*column('type = "bytes"'), "column 'x': type is 'bytes'"),
    "an unknown key of a column": (
        *column('type = "int64", mim = 1'),
        "column 'x': unknown key mim",
    ),
    "a limit in quotes": (*column('type = "float64", min = "0"'), "column 'x': min = '0'"),
    "a limit that is a bool": (*column('type = "int64", max = true'), "column 'x': max = True"),
    "a limit of a string": (*column('type = "string", min = 1'), "column 'x': min needs a num"),
    "a limit that is NaN": (*column('type = "float64", min = nan'), "column 'x': min = nan must"),
    "an infinite limit": (*column('type = "float64", max = inf'), "column 'x': max = inf must"),
    "a limit beyond float32": (*column('type = "float64", max = 1e39'), "column 'x': max = 1e+39"),
    "a fraction as the limit of integers": (
        *column('type = "int64", min = 0.5'),
        "column 'x': min = 0.5, expected int",
    ),
    "a limit beyond int64": (
        *column('type = "int64", max = 9223372036854775808'),
        "column 'x': max = 9223372036854775808 must lie in",
    ),
    "limits that leave nothing": (
        *column('type = "int64", min = 2, max = 1'),
        "column 'x': min = 2 is above max = 1",
    ),
    "nullable in quotes": (
        *column('type = "int64", nullable = "no"'),
        "column 'x': nullable = 'no', expected bool",
    ),
    "feature as a number": (
        *column('type = "int64", feature = 1'),
        "column 'x': feature = 1, expected bool",
    ),
    "a unit that is a number": (*column('type = "int64", unit = 1'), "column 'x': unit = 1"),
    "a length in quotes": (
        *column('type = "string", max_length = "9"'),
        "column 'x': max_length = '9', expected int",
    ),
    "a length of 0": (*column('type = "string", max_length = 0'), "column 'x': max_length = 0"),
    "a length of a number": (
        *column('type = "int64", max_length = 9'),
        "column 'x': max_length = 9 needs a string",
    ),
    "a string for a network": (
        *column('type = "string", feature = true'),
        "column 'x': a network cannot see",
    ),
    "levels of what is none": (
        *column('type = "category", of = "float64"'),
        "column 'x': of = 'float64', expected the type of its levels as they come: string, int64",
    ),
    "two ways to tell levels apart": (
        *column('type = "category", max_levels = 5, buckets = 64'),
        "column 'x': max_levels and buckets are two ways",
    ),
    "too many levels": (
        *column('type = "category", max_levels = 1001'),
        "column 'x': max_levels = 1001 must lie in 1 to 1,000",
    ),
    "too few buckets": (
        *column('type = "category", buckets = 2'),
        "column 'x': buckets = 2 must lie in 16 to 65,536",
    ),
    "levels of a number": (
        *column('type = "int64", max_levels = 9'),
        "column 'x': unknown key max_levels",
    ),
    "limits of texts": (
        *column('type = "category", min = 3'),
        "column 'x': min needs a numeric column",
    ),
    "names equal but for case": ("x = {", "A = {", "the column name 'A' is there twice"),
    "a decision's column": ("x = {", "Score = {", "the column name 'Score' is reserved"),
    "a reject's column": ("x = {", "reason = {", "the column name 'reason' is reserved"),
    "a column of BigQuery's own": ("x = {", "_PARTITIONTIME = {", "'_PARTITIONTIME' is reserved"),
    "a name with a dot": ("x = {", '"x.y" = {', "'x.y' is not a BigQuery column name"),
    "a name that starts with a digit": ("x = {", '"1x" = {', "'1x' is not a BigQuery"),
    "an empty name": ("x = {", '"" = {', "'' is not a BigQuery column name"),
    "a name of 129 letters": ("x = {", f"{'x' * 129} = {{", "is not a BigQuery column name"),
}


@pytest.mark.parametrize(("old", "new", "told"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_contract_is_refused_by_table_and_key(load, old, new, told):
    with pytest.raises(ContractError, match=re.escape(told)) as caught:
        load(old, new)
    assert "small.toml" in str(caught.value)


MANY = '''name = "small"

[roles]
label = "y"
amuont = "a"
event_time = "tt"

[columns]
t = { type = "int64", unit = "week" }
a = { type = "decimal", mim = 1 }
x = { type = "float64", min = 2, max = 1, feature = "no" }
note = { type = "string", description = """[roles]
z = 1
""", min = 1 }

[columns.y]
nullable = 1
type = "string"
'''


def test_all_faults_are_told_at_once_each_with_its_line(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(MANY)
    with pytest.raises(ContractError) as caught:
        load_contract(str(path))
    head, *told = str(caught.value).splitlines()
    assert head == f"contract {path} has {len(told)} faults:"
    found = [line.strip() for line in told]
    expected = [
        "line 5, [roles]: unknown key amuont; known are amount, event_time, id, label. Did you "
        "mean 'amount'?",
        "line 6, [roles]: event_time = 'tt' is not one of its columns. Did you mean 't'?",
        "line 10, column 'a': unknown key mim;",
        "line 10, column 'a': type is 'decimal', expected one of",
        "line 11, column 'x': feature = 'no', expected bool.",
        "line 11, column 'x': min = 2 is above max = 1.",
        "line 12, column 'note': min needs a numeric column, found string.",
        "line 17, column 'y': nullable = 1, expected bool.",
    ]
    assert len(found) == len(expected)
    for line, begin in zip(found, expected, strict=True):
        assert line.startswith(begin)
    assert 'Write type = "float64".' in str(caught.value)


def test_a_column_that_is_sound_is_judged_in_its_role_while_another_is_not(load):
    with pytest.raises(ContractError) as caught:
        load('a = { type = "float64" }\nx = { type = "float64" }', 'a = { type = "string" }\nx = 1')
    assert "line 12, column 'a': amount column 'a' must be float64 or int64" in str(caught.value)
    assert "line 13, column 'x': expected a table such as" in str(caught.value)


def test_amount_and_event_time_may_be_absent_where_days_are_told_by_a_number(load):
    contract = load('amount = "a"\nevent_time = "t"\nid = "i"', "[history]\npayments_a_day = 500")
    assert (contract.amount, contract.event_time, contract.payments_a_day) == (None, None, 500)
    assert contract.features == ("t", "a", "x")
    other = replace(contract, payments_a_day=7.0)
    assert other.fingerprint == contract.fingerprint  # the same rows fit


def test_a_number_that_no_python_can_write_is_a_fault_like_any_other(load):
    with pytest.raises(ContractError, match=r"column 'x': min = a number of thousands of digits"):
        load(*column(f'type = "float64", min = 0x{"f" * 5000}'))


KEYS = st.sampled_from(["name", "roles", "labels", "columns", "label", "type", "min", "x", "a.b"])
VALUES = st.recursive(
    st.integers() | st.floats() | st.booleans() | st.sampled_from(["x", "int64", "\n"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {toml(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_whatever_a_file_holds_its_faults_are_told(tmp_path, content):
    path = tmp_path / "random.toml"
    path.write_text("".join(f"{json.dumps(key)} = {toml(each)}\n" for key, each in content.items()))
    found = examine_contract(str(path))
    assert isinstance(found, list)
    assert found


def test_the_contract_that_the_refused_ones_differ_from_is_sound(load):
    assert load().features == ("t", "a", "x")


def test_a_contract_without_features_is_refused(tmp_path):
    path = tmp_path / "blind.toml"
    path.write_text(re.sub(r'"(float64|int64)" }', r'"\1", feature = false }', SMALL))
    with pytest.raises(ContractError, match="no column is a feature"):
        load_contract(str(path))


@pytest.mark.parametrize("key", ["roles", "columns"])
def test_a_table_that_is_a_word_is_refused(tmp_path, key):
    path = tmp_path / "flat.toml"
    other = "columns" if key == "roles" else "roles"
    path.write_text(f'name = "flat"\n{key} = "x"\n[{other}]\nlabel = "y"\n')
    with pytest.raises(ContractError, match=f"{key} = 'x', expected dict"):
        load_contract(str(path))


@pytest.mark.parametrize("key", ["roles", "columns"])
def test_a_missing_table_is_refused_by_name(tmp_path, key):
    path = tmp_path / "part.toml"
    path.write_text(re.sub(rf"\[{key}\][^\[]*", "", SMALL))
    with pytest.raises(ContractError, match=rf"\[{key}\] is missing or empty"):
        load_contract(str(path))


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "caf\xe9"')
    with pytest.raises(ContractError, match="is not valid TOML"):
        load_contract(str(path))


@pytest.mark.parametrize("name", ["", "paypal", "../x", "contracts/creditcard", "a\0b", "x" * 5000])
def test_what_is_neither_a_known_name_nor_a_file_is_refused_with_the_known_names(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # no neighbour of the tests is to be taken for a contract
    with pytest.raises(ContractError, match=r"there is no contract .* or one of creditcard"):
        load_contract(name)


def test_a_directory_is_not_a_contract(tmp_path):
    with pytest.raises(ContractError, match="there is no contract"):
        load_contract(str(tmp_path))


def test_a_contract_is_found_by_name_or_by_path():
    assert load_contract("creditcard") == CREDITCARD
    path = Path(__file__).parents[2] / "src" / "fraudline" / "contracts" / "creditcard.toml"
    assert load_contract(str(path)) == CREDITCARD


def test_a_float_feature_without_limits_has_those_of_float32(load):
    column = load().column("x")
    assert (column.min, column.max) == (-3.4028234663852886e38, 3.4028234663852886e38)


def test_an_id_and_a_label_are_never_features(load):
    contract = load('i = { type = "string" }', 'i = { type = "int64", feature = true }')
    assert contract.features == ("t", "a", "x")


def test_a_contract_says_when_a_payment_without_a_label_counts_as_legitimate(load):
    assert load().maturity_days == 30
    assert load("[columns]", "[labels]\nmaturity_days = 0.5\n[columns]").maturity_days == 0.5


def test_versions_that_were_trained_before_contracts_had_a_maturity_stay_valid():
    assert WALLET.fingerprint == "7d869e5832dfdabd2f4823d647dca08557ff46510705f6937138589a82ee4d8b"
    assert replace(WALLET, maturity_days=1.0).fingerprint == WALLET.fingerprint


def test_the_fingerprint_follows_what_data_look_like_and_not_the_words_about_it():
    columns = list(WALLET.columns)
    described = replace(columns[2], description="Other words.")
    limited = replace(columns[2], max=10)
    same = replace(WALLET, description="", columns=(*columns[:2], described, *columns[3:]))
    other = replace(WALLET, columns=(*columns[:2], limited, *columns[3:]))
    swapped = replace(WALLET, columns=tuple(reversed(columns)))
    assert WALLET.fingerprint == load_contract(str(WALLET_FILE)).fingerprint == same.fingerprint
    fingerprints = {each.fingerprint for each in (WALLET, other, swapped, CREDITCARD)}
    assert len(fingerprints) == 4
