"""Reading a period of history: which rows they are is known, and told."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute
import pytest
from tests.orders import orders
from tests.transactions import BARE, CREDITCARD, WALLET

import bqlite
from fraudline.contract import Contract
from fraudline.errors import InputError, WarehouseError
from fraudline.settings import BigQuerySettings
from fraudline.warehouse import history_table
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_table import load_history, read_history
from fraudline.warehouse.query import query


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("history")) as running:
        yield running


def warehouse(server: bqlite.Bqlite, contract: Contract) -> Warehouse:
    settings = BigQuerySettings(dataset=f"history_{contract.name}")
    return Warehouse(settings, Endpoint(server.rest, server.storage))


def payments(count: int) -> pa.Table:
    """So many payments, one a second from 0 on, in no good order."""
    numbers = [(number * 7) % count for number in range(count)]
    columns = {
        column.name: [float(number) for number in numbers] for column in CREDITCARD.columns
    } | {CREDITCARD.label: [number % 2 for number in numbers]}
    return pa.table(columns, schema=CREDITCARD.history_schema)


@pytest.fixture
def loaded(server: bqlite.Bqlite) -> Warehouse:
    made = warehouse(server, CREDITCARD)
    load_history(made, CREDITCARD, payments(100), "a1")
    return made


def test_a_period_takes_its_first_moment_and_leaves_its_end(loaded):
    rows = read_history(loaded, CREDITCARD, "10", "12.5").rows
    assert rows["Time"].to_pylist() == [10, 11, 12]


def test_without_a_period_the_whole_table_is_read_oldest_first(loaded):
    read = read_history(loaded, CREDITCARD)
    assert read.rows["Time"].to_pylist() == list(range(100))
    assert read.snapshot.rows == 100


def test_the_query_that_is_told_gives_the_same_rows_again(loaded):
    read = read_history(loaded, CREDITCARD, "20", "40")
    again = query(loaded, read.snapshot.query)
    assert again.cast(read.rows.schema) == read.rows


def test_the_same_rows_have_the_same_digest_and_others_another(loaded):
    first = read_history(loaded, CREDITCARD, "20", "40").snapshot
    assert read_history(loaded, CREDITCARD, "19.5", "39.5").snapshot.sha256 == first.sha256
    assert read_history(loaded, CREDITCARD, "20", "39").snapshot.sha256 != first.sha256


def test_a_period_of_a_timestamp_is_told_as_a_time_in_utc(server):
    made = warehouse(server, WALLET)
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    times = [begin + dt.timedelta(hours=hour) for hour in range(48)]
    kinds = {
        "string": str,
        "timestamp": lambda n: times[n],
        "bool": lambda n: n == 0,
        "int64": lambda n: n,
        "float64": float,
    }
    columns = {
        column.name: [kinds[column.type](number) for number in range(48)]
        for column in WALLET.columns
    }
    load_history(made, WALLET, pa.table(columns, schema=WALLET.history_schema), "a1")

    rows = read_history(made, WALLET, "2026-01-02", "2026-01-02T04:00:00+01:00").rows

    assert rows[WALLET.event_time].to_pylist() == times[24:27]


def test_a_period_without_a_row_says_where_the_rows_lie(loaded):
    with pytest.raises(InputError, match=r"from 500 to before its end; .* from 0.0 to 99.0"):
        read_history(loaded, CREDITCARD, "500")


@pytest.mark.parametrize("limit", ["yesterday", "nan", "2026-01-01", "1; DROP TABLE x"])
def test_a_limit_that_is_no_event_time_is_refused(loaded, limit):
    with pytest.raises(InputError, match="expected a number of s, found"):
        read_history(loaded, CREDITCARD, limit)


def test_a_period_that_ends_before_it_begins_is_refused(loaded):
    with pytest.raises(InputError, match="has to end after it begins"):
        read_history(loaded, CREDITCARD, "12", "12")


def test_rows_without_a_time_have_an_order_that_is_drawn_and_twins_side_by_side(server):
    made = warehouse(server, BARE)
    rows = orders(300).replace_schema_metadata(None).cast(BARE.history_schema)
    twins = pa.concat_tables([rows, rows.slice(100, 5)])
    load_history(made, BARE, twins, "a1")
    first, again = (read_history(made, BARE) for _ in range(2))
    assert first.snapshot.sha256 == again.snapshot.sha256
    ids = first.rows.column(BARE.id).to_pylist()
    assert sum(one == other for one, other in itertools.pairwise(ids)) == 5
    assert sorted(ids) != ids
    halves = [pa.compute.mean(each.column("amount")).as_py() for each in (
        first.rows.slice(0, 150), first.rows.slice(150))]  # fmt: skip
    assert max(halves) / min(halves) < 1.5
    sql = first.snapshot.query
    assert BARE.label not in sql[sql.index("MD5") : sql.index("))", sql.index("MD5"))]
    with pytest.raises(InputError, match="'bare' has no event time, so its history has no periods"):
        read_history(made, BARE, "2026-01-01")


def test_a_table_that_changes_while_it_is_read_is_noticed(loaded, monkeypatch):
    def query_and_load(*arguments):
        rows = query(*arguments)
        load_history(loaded, CREDITCARD, payments(90), "b2")
        return rows

    monkeypatch.setattr(history_table, "query", query_and_load)
    with pytest.raises(WarehouseError, match=r"changed while it was read: 100 rows.*90 rows"):
        read_history(loaded, CREDITCARD)
