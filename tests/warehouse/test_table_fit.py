"""A table that does not fit its contract is told as the columns that differ, and no others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.transactions import WALLET

import bqlite
from fraudline.errors import WarehouseError
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_quality import measure_history_quality
from fraudline.warehouse.history_table import load_history, read_history
from fraudline.warehouse.table_fit import column_differences
from fraudline.warehouse.tables import (
    create_dataset,
    create_stream_tables,
    grow_stream_tables,
)

FITTING = {
    "payment_id": "STRING NOT NULL",
    "paid_at": "TIMESTAMP NOT NULL",
    "amount_minor": "INT64 NOT NULL",
    "velocity": "FLOAT64 NOT NULL",
    "distance_km": "FLOAT64 NOT NULL",
    "is_abroad": "BOOL NOT NULL",
    "risk_note": "FLOAT64",
    "is_fraud": "BOOL NOT NULL",
    "merchant": "STRING",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("fit")) as running:
        yield running


@pytest.fixture
def made(server: bqlite.Bqlite) -> Warehouse:
    settings = BigQuerySettings(dataset=f"fit_{uuid.uuid4().hex[:8]}")
    warehouse = Warehouse(settings, Endpoint(server.rest, server.storage))
    create_dataset(warehouse)
    return warehouse


def create(warehouse: Warehouse, columns: dict[str, str]) -> None:
    listed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    warehouse.client.query_and_wait(
        f"CREATE TABLE `{warehouse.table('fraud_detection_train')}` ({listed})"
    )


OTHER = {
    "missing": (
        {"velocity": None},
        "'velocity' is missing, expected float64 (FLOAT64, REQUIRED)",
    ),
    "another type": (
        {"amount_minor": "FLOAT64 NOT NULL"},
        "'amount_minor' is float64 (FLOAT64, REQUIRED), expected int64 (INT64, REQUIRED)",
    ),
    "a type of no contract": (
        {"velocity": "NUMERIC"},
        "'velocity' is no type of a contract (NUMERIC, NULLABLE), expected float64",
    ),
    "one that must be set and is not the contract's": (
        {"channel": "STRING NOT NULL"},
        "'channel' is not expected, found string (STRING, REQUIRED)",
    ),
}


ACTS = {
    "train": lambda made: read_history(made, WALLET),
    "check": lambda made: measure_history_quality(made, WALLET, Path("none.json")),
    "load": lambda made: load_history(made, WALLET, WALLET.history_schema.empty_table(), "a1"),
}


@pytest.mark.parametrize(("change", "told"), OTHER.values(), ids=OTHER)
@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_what_reads_and_what_fills_a_table_names_only_the_column_that_differs(
    made, change, told, act
):
    create(made, {name: kind for name, kind in (FITTING | change).items() if kind})
    with pytest.raises(WarehouseError) as caught:
        act(made)
    assert told in str(caught.value)
    assert "merchant" not in str(caught.value)


def test_the_order_of_columns_and_surplus_ones_that_may_be_null_are_no_reason_to_refuse(made):
    create(made, dict(reversed(FITTING.items())) | {"note": "STRING"})
    assert [
        (each.name, each.kind, each.prevents_reading, each.prevents_writing)
        for each in column_differences(
            made.client.get_table(made.table("fraud_detection_train")).schema,
            WALLET.history_schema,
        )
    ] == [("note", "extra", False, False)]


def test_many_differences_stay_one_readable_sentence(made):
    create(made, {f"c{number}": "INT64" for number in range(40)})
    with pytest.raises(WarehouseError, match="'payment_id' is missing") as caught:
        read_history(made, WALLET)
    assert len(str(caught.value)) < 1500


def test_tables_of_another_contract_are_refused_as_they_are_and_gain_no_column_of_ours(made):
    create_stream_tables(made, WALLET)

    def found() -> list[str]:
        table = made.client.get_table(made.table(made.settings.table_decisions))
        return [field.name for field in table.schema]

    before = found()
    others = [
        replace(column, type="int64") if column.name == "velocity" else column
        for column in WALLET.columns
    ]
    note = replace(WALLET.column("merchant"), name="note")
    other = replace(WALLET, name="other", columns=(*others, note))
    with pytest.raises(WarehouseError, match=r"'velocity' is float64 .* 'note' is missing"):
        create_stream_tables(made, other)
    assert found() == before
    with suppress(WarehouseError):
        grow_stream_tables(made, other)  # as a sink does at its start
    assert found() == before
