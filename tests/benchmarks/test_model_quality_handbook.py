"""The handbook's protocol, against its own words: features, known cards, card precision."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.model_quality_handbook import (
    TRAIN_START,
    card_precision,
    compute_features,
    is_known,
    read_weeks,
)

import bqlite
from fraudline.contract import load_contract
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_table import read_history

CUSTOMERS, TERMINALS = 6, 5
BEGIN = dt.datetime(2018, 6, 10, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def raw() -> list[dict]:
    """Two months of transactions in order of time; some are of one card in one second."""
    random = np.random.default_rng(5)
    seconds = np.sort(random.integers(0, 67 * 86400, 900))
    seconds[10:900:90] = seconds[9:899:90]
    return [
        {
            "TRANSACTION_ID": number,
            "TX_DATETIME": BEGIN + dt.timedelta(seconds=int(second)),
            "CUSTOMER_ID": 1 if number % 90 in (9, 10) else int(random.integers(CUSTOMERS)),
            "TERMINAL_ID": 2 if number % 90 in (9, 10) else int(random.integers(TERMINALS)),
            "TX_AMOUNT": float(random.integers(1, 5000)) / 100,
            "TX_FRAUD": int(random.random() < 0.1),
        }
        for number, second in enumerate(seconds)
    ]


@pytest.fixture(scope="module")
def warehouse(raw, tmp_path_factory):
    directory: Path = tmp_path_factory.mktemp("handbook")
    pq.write_table(pa.Table.from_pylist(raw), directory / "raw.parquet")
    with bqlite.serve(directory / "bqlite") as server:
        made = Warehouse(BigQuerySettings(dataset="hb"), Endpoint(server.rest, server.storage))
        compute_features(made, directory / "raw.parquet")
        yield made


def expected(raw: list[dict], index: int) -> dict:
    """The features of a transaction by plain loops over those before it and itself."""
    now = raw[index]
    until = [row for row in raw if order_of(row) <= order_of(now)]

    def within(key: str, days: int) -> list[dict]:
        after = now["TX_DATETIME"] - dt.timedelta(days=days)
        return [row for row in until if row[key] == now[key] and row["TX_DATETIME"] > after]

    found = {
        "TX_DURING_WEEKEND": now["TX_DATETIME"].weekday() >= 5,
        "TX_DURING_NIGHT": now["TX_DATETIME"].hour <= 6,
    }
    for days in (1, 7, 30):
        of_card = within("CUSTOMER_ID", days)
        cents = sum(round(100 * row["TX_AMOUNT"]) for row in of_card)
        found[f"CUSTOMER_ID_NB_TX_{days}DAY"] = len(of_card)
        found[f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY"] = cents / (100 * len(of_card))
        late, delay = within("TERMINAL_ID", 7 + days), within("TERMINAL_ID", 7)
        count = len(late) - len(delay)
        frauds = sum(row["TX_FRAUD"] for row in late) - sum(row["TX_FRAUD"] for row in delay)
        found[f"TERMINAL_ID_NB_TX_{days}DAY"] = count
        found[f"TERMINAL_ID_RISK_{days}DAY"] = frauds / count if count else 0
    return found


def order_of(row: dict) -> tuple[dt.datetime, int]:
    return row["TX_DATETIME"], row["TRANSACTION_ID"]


def test_the_sql_computes_what_plain_loops_compute(raw, warehouse):
    assert_equal_to_loops(raw, warehouse)


def assert_equal_to_loops(raw: list[dict], warehouse: Warehouse) -> None:
    rows = read_history(warehouse, load_contract("handbook")).rows.sort_by("TX_ID").to_pylist()
    raw = sorted(raw, key=lambda row: row["TRANSACTION_ID"])
    assert len(rows) == len(raw)
    for index in range(len(raw)):
        wanted = expected(raw, index)
        assert {name: rows[index][name] for name in wanted} == wanted, index


@pytest.fixture(scope="module")
def coarse() -> list[dict]:
    """Two months on a clock of four ticks a day whose numbers do not follow the time."""
    random = np.random.default_rng(6)
    numbers = random.permutation(700)
    return [
        {
            "TRANSACTION_ID": int(number),
            "TX_DATETIME": BEGIN + dt.timedelta(hours=6 * int(random.integers(0, 67 * 4))),
            "CUSTOMER_ID": int(random.integers(3)),
            "TERMINAL_ID": int(random.integers(3)),
            "TX_AMOUNT": float(random.integers(1, 5000)) / 100,
            "TX_FRAUD": int(random.random() < 0.1),
        }
        for number in numbers
    ]


def test_ties_at_the_edge_of_a_window_are_in_it_or_out_of_it_together(coarse, tmp_path):
    pq.write_table(pa.Table.from_pylist(coarse), tmp_path / "raw.parquet")
    with bqlite.serve(tmp_path / "bqlite") as server:
        made = Warehouse(BigQuerySettings(dataset="hb"), Endpoint(server.rest, server.storage))
        compute_features(made, tmp_path / "raw.parquet")
        assert_equal_to_loops(coarse, made)


def test_the_weeks_are_a_week_a_week_later_and_hold_no_known_card(raw, warehouse):
    weeks = read_weeks(warehouse)
    dates = [time.date() for time in weeks.test["TX_DATETIME"].to_pylist()]
    assert min(dates) >= TRAIN_START + dt.timedelta(days=14)
    assert max(dates) <= TRAIN_START + dt.timedelta(days=20)
    train = weeks.train.rows
    compromised = train.filter(train["TX_FRAUD"])["CUSTOMER_ID"].to_pylist()
    assert compromised, "the test is about nothing"
    assert not set(compromised) & set(weeks.test["CUSTOMER_ID"].to_pylist())


def test_a_card_is_known_from_the_eighth_day_after_its_first_fraud():
    known = is_known(
        np.array([14, 15, 16, 16, 14]),
        np.array([7, 7, 7, 8, 9]),
        fraud_days=np.array([12, 8, 6]),
        fraud_cards=np.array([7, 7, 9]),
    )
    assert known.tolist() == [False, False, True, False, True]


def test_card_precision_looks_at_a_card_once_it_is_found_no_more():
    day = np.array([0, 0, 0, 1, 1])
    card = np.array([1, 1, 2, 1, 3])
    labels = np.array([0, 1, 0, 1, 1], dtype=np.int8)
    scores = np.array([0.9, 0.1, 0.5, 0.9, 0.2])
    # Day 0 finds card 1; day 1 finds card 3 and does not count card 1 again.
    assert card_precision(day, card, labels, scores) == pytest.approx(0.01)


def test_card_precision_looks_at_the_hundred_highest_cards_of_a_day():
    card = np.arange(150)
    scores = np.linspace(1, 0, 150)
    labels = np.zeros(150, dtype=np.int8)
    labels[[0, 99, 100]] = 1
    assert card_precision(np.zeros(150, dtype=int), card, labels, scores) == pytest.approx(0.02)
