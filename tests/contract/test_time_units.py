"""The unit of an event time counts wherever a time does, and one that is none is refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.transactions import CREDITCARD, WALLET

from fraudline.contract import Contract, load_contract
from fraudline.errors import ContractError
from fraudline.measures.days import days_covered
from fraudline.training.policy_pages import part_of, scored_rows
from fraudline.training.split import Split

FILE = """
name = "small"
[roles]
label = "is_fraud"
amount = "amount"
event_time = "at"
[columns]
at = {{ type = "float64"{unit} }}
amount = {{ type = "float64" }}
is_fraud = {{ type = "bool" }}
"""


def contract(directory: Path, unit: str | None) -> Contract:
    path = directory / "small.toml"
    path.write_text(FILE.format(unit="" if unit is None else f', unit = "{unit}"'))
    return load_contract(str(path))


UNITS = {
    None: 1.0,
    "": 1.0,
    "s": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
    "min": 60.0,
    "h": 3600.0,
    "day": 86400.0,
}


@pytest.mark.parametrize(("unit", "seconds"), UNITS.items())
def test_a_number_is_converted_by_its_unit(tmp_path, unit, seconds):
    numbers = [0.0, 3.0, 86400 / seconds]
    made = contract(tmp_path, unit).event_seconds(pa.table({"at": numbers}))
    assert made.tolist() == [0.0, pytest.approx(3 * seconds), 86400.0]


@pytest.mark.parametrize("unit", ["step", "EUR", "month", "century"])
def test_a_unit_that_is_none_of_time_is_refused_by_name(tmp_path, unit):
    with pytest.raises(ContractError, match=f"'at' has unit '{unit}', expected one of s, ms, us"):
        contract(tmp_path, unit)


def test_a_timestamp_counts_microseconds_whatever_its_arrow_unit():
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=dt.UTC)
    for unit in ("us", "ns"):
        times = pa.table({"paid_at": pa.array([moment], pa.timestamp(unit, "UTC"))})
        assert WALLET.event_seconds(times).tolist() == [moment.timestamp()]


@pytest.mark.parametrize(("unit", "seconds"), [("s", 1), ("ms", 1e-3), ("h", 3600)])
def test_days_and_so_alerts_and_the_cap_of_reviews_are_the_same_in_every_unit(unit, seconds):
    columns = tuple(
        replace(each, unit=unit) if each.name == "Time" else each for each in CREDITCARD.columns
    )
    rows = np.arange(100)
    history = pa.table({"Time": np.linspace(0, 3 * 86400, 100) / seconds})
    split = Split(rows[:50], rows[50:50], rows[50:])
    zeros = np.zeros(100)
    scored = scored_rows(
        history, replace(CREDITCARD, columns=columns), split, zeros.astype(np.int8), zeros, zeros
    )
    part = part_of(scored, "test")
    assert part is not None
    expected = days_covered(np.linspace(0, 3 * 86400, 100)[50:])
    assert part.days == pytest.approx(expected)


@pytest.mark.parametrize(
    ("unit", "largest", "error_s"),
    [
        ("s", 172_792, 0.0078125),
        ("s", 1.7e9, 64.0),
        ("ms", 1.7e12, 65.536),
        ("day", 20_000, 84.375),
    ],
)
def test_how_far_a_network_sees_a_time_displaced_is_known(tmp_path, unit, largest, error_s):
    made = contract(tmp_path, unit)
    assert made.event_time_error_s(largest) == pytest.approx(error_s)
    unseen = tuple(replace(each, is_feature=False) for each in made.columns)
    assert replace(made, columns=unseen).event_time_error_s(largest) == 0
