"""Reasons are the strongest contributions, and their sentences are true."""

import datetime as dt

import msgspec
import pytest

from fraudline.bundle.comparisons import Comparison, Frequency
from fraudline.bundle.reason_sentences import sentence

NUMBER = Comparison("number", (-4.4, -2.0, -1.5, 1.5, 2.0, 12345.678))
HOURS = Comparison("time_of_day", (0.0, *[0.02] * 2, 0.004, *[0.0478] * 20))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (-9.6, "x is -9.6 EUR; 99.9 % of legitimate payments have at least -4.4 EUR"),
        (-4.4, "x is -4.4 EUR; 99 % of legitimate payments have at least -2 EUR"),
        (-1.7, "x is -1.7 EUR; 95 % of legitimate payments have at least -1.5 EUR"),
        (1.75, "x is 1.75 EUR; 95 % of legitimate payments have at most 1.5 EUR"),
        (2.25, "x is 2.25 EUR; 99 % of legitimate payments have at most 2 EUR"),
        (20000, "x is 20,000 EUR; 99.9 % of legitimate payments have at most 12,346 EUR"),
        (
            0.5,
            "x is 0.5 EUR; not unusual by itself, as 90 % of legitimate payments have "
            "-1.5 to 1.5 EUR",
        ),
    ],
)
def test_a_number_is_compared_with_the_outermost_share_that_it_leaves(value, told):
    assert sentence("x", value, "EUR", NUMBER) == told


@pytest.mark.parametrize(
    "value",
    [11_520, 5 * 86_400 + 11_520.5, dt.datetime(2026, 1, 1, 3, 12, tzinfo=dt.UTC)],
)
def test_a_time_is_compared_by_its_hour(value):
    assert sentence("t", value, "s", HOURS) == (
        "t falls at 03:12 of the day; 0.4 % of legitimate payments come between 03:00 and 04:00"
    )


@pytest.mark.parametrize(
    ("value", "unit"), [(11_520_500, "ms"), (11_520_000_000.0, "us"), (27.2, "h"), (192, "min")]
)
def test_a_time_in_another_unit_is_compared_by_its_hour_too(value, unit):
    assert sentence("t", value, unit, HOURS).startswith("t falls at 03:12 of the day; 0.4 %")


def test_a_flag_is_compared_with_how_many_have_it():
    flag = Comparison("flag", (0.12,))
    assert sentence("f", True, "", flag) == "f is true; so are 12 % of legitimate payments"
    assert sentence("f", False, "", flag) == "f is false; so are 88 % of legitimate payments"


def test_a_comparison_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="5 values of kind number, not 6"):
        Comparison("number", (1.0,) * 5)


def test_a_zero_has_no_sign():
    assert sentence("x", -0.0, "EUR", NUMBER).startswith("x is 0 EUR; ")


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (
            Frequency(0.12, 2.3),
            "x is missing: 2.3 times as often fraud; 12 % of legitimate payments lack it",
        ),
        (
            Frequency(0.001, 140, is_least=True),
            "x is missing: at least 140 times as often fraud; 0.1 % of legitimate payments lack it",
        ),
        (Frequency(0.12), "x is missing; 12 % of legitimate payments lack it"),
        (None, "x is missing; 0 % of legitimate payments lack it"),
    ],
)
def test_a_missing_value_is_told_as_missing_and_never_as_a_number(missing, told):
    for kind in (NUMBER, HOURS, Comparison("flag", (0.12,))):
        compared = msgspec.structs.replace(kind, missing=missing)
        assert sentence("x", None, "EUR", compared) == told
        again = msgspec.json.decode(msgspec.json.encode(compared), type=Comparison)
        assert again == compared


LEVELS = Comparison(
    *("level", (), Frequency(0.1, 0.5)),
    {"shopping_net": Frequency(0.041, 2.3), "5411": Frequency(0.2), "true": Frequency(0.3)},
    Frequency(0.02, 3.1),
)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (
            "shopping_net",
            "x is 'shopping_net': 2.3 times as often fraud; 4.1 % of legitimate payments have it",
        ),
        (5411, "x is 5411; 20 % of legitimate payments have it"),
        (True, "x is true; 30 % of legitimate payments have it"),
        (None, "x is missing: 0.5 times as often fraud; 10 % of legitimate payments lack it"),
        (
            "",
            "x is '', none of the 3 most frequent: 3.1 times as often fraud; "
            "2 % of legitimate payments have such a one",
        ),
    ],
)
def test_a_level_is_told_by_its_name_and_how_often_it_is_fraud(value, told):
    again = msgspec.json.decode(msgspec.json.encode(LEVELS), type=Comparison)
    assert sentence("x", value, "", again) == told
    assert len(sentence("x", "long" * 300, "", again)) < 250


def test_a_comparison_without_nulls_is_written_as_before():
    flag = Comparison("flag", (0.12,))
    assert msgspec.json.encode(flag) == b'{"kind":"flag","values":[0.12]}'
