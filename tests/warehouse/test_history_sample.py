"""Of a history with too many rows all frauds are read, and the same others each time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
from tests.transactions import CREDITCARD, WALLET

import bqlite
from fraudline.contract import Contract
from fraudline.errors import InputError
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_table import load_history, read_history
from fraudline.warehouse.query import query

ROWS, FRAUDS = 6000, 100
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("sample")) as running:
        yield running


def made(server: bqlite.Bqlite, contract: Contract, columns: dict[str, list[object]]) -> Warehouse:
    settings = BigQuerySettings(dataset=f"sample_{contract.name}")
    warehouse = Warehouse(settings, Endpoint(server.rest, server.storage))
    load_history(warehouse, contract, pa.table(columns, schema=contract.history_schema), "a1")
    return warehouse


@pytest.fixture(scope="module")
def cards(server) -> Warehouse:
    """Without an id, and with a few times and amounts that many rows share."""
    columns = {column.name: [float(n % 7) for n in range(ROWS)] for column in CREDITCARD.columns}
    columns |= {"V1": [n / 3 for n in range(ROWS)], "Time": [float(n // 1000) for n in range(ROWS)]}
    return made(server, CREDITCARD, columns | {"Class": [int(n < FRAUDS) for n in range(ROWS)]})


@pytest.fixture(scope="module")
def wallet(server) -> Warehouse:
    columns = {
        "payment_id": [f"p-{n}" for n in range(ROWS)],
        "paid_at": [BEGIN + dt.timedelta(minutes=n) for n in range(ROWS)],
        "amount_minor": [n % 9 for n in range(ROWS)],
        "velocity": [1.0] * ROWS,
        "distance_km": [2.0] * ROWS,
        "is_abroad": [True] * ROWS,
        "risk_note": [None] * ROWS,
        "is_fraud": [n % 60 == 0 for n in range(ROWS)],
        "merchant": [None] * ROWS,
    }
    return made(server, WALLET, columns)


@pytest.mark.parametrize("name", ["cards", "wallet"])
def test_all_frauds_and_the_same_others_are_read_each_time(request, name):
    warehouse = request.getfixturevalue(name)
    contract = {"cards": CREDITCARD, "wallet": WALLET}[name]
    read = read_history(warehouse, contract, most_rows=1100)
    sample = read.snapshot.sample
    assert (sample.one_in, sample.rows, sample.frauds) == (6, ROWS, FRAUDS)
    assert contract.labels(read.rows).sum() == FRAUDS
    assert read.rows.num_rows - FRAUDS == pytest.approx((ROWS - FRAUDS) / 6, rel=0.12)
    again = read_history(warehouse, contract, most_rows=1150)
    assert again.snapshot.sha256 == read.snapshot.sha256
    assert query(warehouse, read.snapshot.query).num_rows == read.rows.num_rows
    larger = read_history(warehouse, contract, most_rows=3100).rows
    key = "V1" if name == "cards" else "payment_id"
    assert set(read.rows[key].to_pylist()) < set(larger[key].to_pylist())


def test_a_history_that_fits_is_read_as_if_there_were_no_limit(wallet):
    bounded, free = (read_history(wallet, WALLET, most_rows=most).snapshot for most in (ROWS, None))
    assert (bounded.query, bounded.sha256, bounded.sample) == (free.query, free.sha256, None)


def test_it_is_the_period_that_has_too_many_rows_or_not(wallet):
    end = (BEGIN + dt.timedelta(minutes=1000)).isoformat()
    assert read_history(wallet, WALLET, None, end, most_rows=1000).snapshot.sample is None
    drawn = read_history(wallet, WALLET, None, end, most_rows=500).snapshot.sample
    assert (drawn.rows, drawn.frauds, drawn.one_in) == (1000, 17, 3)


def test_more_frauds_than_half_of_what_may_be_read_are_refused_with_what_to_do(wallet):
    with pytest.raises(InputError, match=r"100 of them are frauds.*or allow more rows"):
        read_history(wallet, WALLET, most_rows=199)


def test_what_is_neither_fraud_nor_legitimate_is_never_left_out(server, wallet):
    others = replace(WALLET, name="others")
    warehouse = Warehouse(
        BigQuerySettings(dataset="sample_wallet", table_history="others"),
        Endpoint(server.rest, server.storage),
    )
    query(
        warehouse,
        "CREATE TABLE others AS SELECT * REPLACE (IF(payment_id = 'p-7', NULL, is_fraud) AS "
        "is_fraud) FROM fraud_detection_train",
    )
    with pytest.raises(InputError, match="column 'is_fraud': expected a value, found nothing"):
        read_history(warehouse, others, most_rows=300)
