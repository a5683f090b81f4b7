"""A table or view of somebody else's is a history as good as ours, and is only ever read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.transactions import WALLET, WALLET_FILE

import bqlite
from fraudline.contract import load_contract
from fraudline.drafts import Answers
from fraudline.errors import InputError, SettingsError, WarehouseError
from fraudline.settings import BigQuerySettings, Settings, load_settings
from fraudline.use_cases.load_history import load_history
from fraudline.use_cases.project import Project
from fraudline.use_cases.write_contract import WrittenContract, write_contract
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_quality import measure_history_quality
from fraudline.warehouse.history_table import read_history
from fraudline.warehouse.known_history import known_history
from fraudline.warehouse.query import query
from fraudline.warehouse.table_sample import sample_table

THEIRS = "analytics.bank.labelled_payments"
COLUMNS = {
    "payment_id": "reference",
    "paid_at": "at",
    "amount_minor": "cents",
    "is_fraud": "fraudulent",
    "is_abroad": "foreign",
}
ROWS = """
  SELECT 10000 + n AS reference, TIMESTAMP_ADD(TIMESTAMP '2026-01-01', INTERVAL n MINUTE) AS at,
    CAST(n AS FLOAT64) AS cents, n AS velocity, NUMERIC '2.5' AS Distance_KM,
    MOD(n, 2) AS foreign, CAST(NULL AS FLOAT64) AS risk_note, IF(MOD(n, 5) = 0, 1, 0) AS fraudulent,
    'shop' AS merchant, ['a'] AS tags
  FROM UNNEST(GENERATE_ARRAY(1, 50)) AS n
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("source")) as running:
        yield running


@pytest.fixture
def made(server: bqlite.Bqlite) -> Callable[..., Warehouse]:
    """A warehouse whose history is a view in another project, made of such rows."""

    def warehouse(rows: str = ROWS, kind: str = "VIEW", **columns: str) -> Warehouse:
        settings = BigQuerySettings(
            dataset="ours", history=THEIRS, history_columns={**COLUMNS, **columns}
        )
        opened = Warehouse(settings, Endpoint(server.rest, server.storage))
        opened.client.create_dataset("analytics.bank", exists_ok=True)
        opened.client.create_dataset("local.ours", exists_ok=True)
        opened.client.delete_table(THEIRS, not_found_ok=True)
        query(opened, f"CREATE {kind} `{THEIRS}` AS {rows}")
        return opened

    return warehouse


@pytest.mark.parametrize("kind", ["VIEW", "TABLE"])
def test_a_history_of_other_names_and_types_is_read_as_the_contract_has_it(made, kind):
    read = read_history(made(kind=kind), WALLET, "2026-01-01T00:05:00Z", "2026-01-01T00:07:00Z")
    first, _ = read.rows.to_pylist()
    assert first == {
        "payment_id": "10005",
        "paid_at": dt.datetime(2026, 1, 1, 0, 5, tzinfo=dt.UTC),
        "amount_minor": 5,
        "velocity": 5.0,
        "distance_km": 2.5,
        "is_abroad": True,
        "risk_note": None,
        "is_fraud": True,
        "merchant": "shop",
    }
    assert read.rows.schema == WALLET.history_schema
    assert read.snapshot.table == THEIRS
    assert "`fraudulent` = 1 AS `is_fraud`" in read.snapshot.query
    again = query(made(kind=kind), read.snapshot.query)
    assert again.cast(read.rows.schema) == read.rows


def test_check_says_what_it_is_and_as_what_each_column_is_read(made, tmp_path):
    report = measure_history_quality(made(), WALLET, tmp_path / "none.json")
    assert (report.table, report.rows, report.frauds) == (THEIRS, 50, 10)
    told = report.findings[0].text
    assert told.startswith(f"history is view {THEIRS}, which is only read: ")
    assert "'is_fraud' from 'fraudulent' (INT64 as bool)" in told
    assert "'merchant'" not in told
    assert not [each for each in report.findings if "load" in each.text]


def test_what_is_learned_beside_the_stream_is_read_from_it(made):
    end = dt.datetime(2026, 1, 1, 0, 31, tzinfo=dt.UTC)
    known = known_history(made(), WALLET, 4, 80, end)
    assert known["is_fraud"].to_pylist().count(True) == 4
    assert max(known["paid_at"].to_pylist()) < end


def test_all_columns_that_do_not_fit_are_told_at_once(made):
    rows = ROWS.replace("n AS velocity", "'fast' AS velocity").replace(
        "TIMESTAMP_ADD(TIMESTAMP '2026-01-01', INTERVAL n MINUTE)", "DATETIME '2026-01-01'"
    )
    warehouse = made(rows, merchant="shop", distance_km="tags", nothing="x", risk_note="fraudulent")
    with pytest.raises(WarehouseError) as caught:
        read_history(warehouse, WALLET)
    for told in (
        "names 'nothing', which is no column of the contract",
        "'merchant' is read from 'shop', which is not there",
        "'distance_km' is read from 'tags', of type REPEATED",
        "'velocity' is read from 'velocity', of type STRING, which is not taken as float64",
        "'paid_at' is read from 'at', of type DATETIME, .*no time zone",
        "'risk_note' is read from 'fraudulent', which is the label",
    ):
        assert caught.match(f".*{told}")


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("CAST(n AS FLOAT64) AS cents", "n + 0.5 AS cents", "50 values of 'cents'"),
        (
            "CAST(n AS FLOAT64) AS cents",
            "IF(n = 3, CAST('NaN' AS FLOAT64), 1) AS cents",
            "1 values of 'cents' .FLOAT64. are no int64, NaN",
        ),
        ("n AS velocity", "9007199254740992 + n AS velocity", "50 values of 'velocity' .INT64."),
        ("MOD(n, 2) AS foreign", "n AS foreign", "49 values of 'foreign' .INT64. are no bool"),
        (
            "NUMERIC '2.5' AS Distance_KM",
            "NUMERIC '9007199254740993' AS Distance_KM",
            "50 values of 'Distance_KM' .NUMERIC. are no float64, 9007199254740993",
        ),
    ],
)
def test_a_value_that_would_not_be_the_same_is_refused_by_name(made, column, value, told):
    assert column in ROWS
    with pytest.raises(WarehouseError, match=f"without altering it: .*{told}"):
        read_history(made(ROWS.replace(column, value)), WALLET)


def test_a_label_that_is_neither_is_refused_by_name(made):
    rows = ROWS.replace("IF(MOD(n, 5) = 0, 1, 0)", "MOD(n, 3)")
    with pytest.raises(WarehouseError, match=r"17 values of 'fraudulent' .INT64. are no bool, 2 "):
        read_history(made(rows), WALLET)


def test_a_history_that_is_not_there_is_refused_by_its_setting(made):
    warehouse = made()
    warehouse.client.delete_table(THEIRS)
    with pytest.raises(WarehouseError, match=r"no table or view .* \(bigquery.history\)"):
        read_history(warehouse, WALLET)


def test_nothing_is_loaded_into_a_history_of_somebody_else(made, tmp_path):
    project = Project(Settings(home=tmp_path, contract=str(WALLET_FILE)))
    vars(project)["warehouse"] = made()
    with pytest.raises(InputError, match=f"history is {THEIRS} .bigquery.history., .* only reads"):
        load_history(project, tmp_path / "any.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('history = "payments"', "history: expected project.data_set.name"),
        ('history = "d.t`; DROP TABLE x"', "history: expected project.data_set.name"),
        ('history_columns = { a = "b" }', "which is not set"),
        ('history = "d.t"\nhistory_columns = { a = "f(x)" }', "the name of a column for a; "),
    ],
)
def test_a_setting_that_is_no_table_or_column_is_refused(tmp_path, monkeypatch, text, told):
    monkeypatch.chdir(tmp_path)
    Path("fraudline.toml").write_text(f"[bigquery]\n{text}\n")
    with pytest.raises(SettingsError, match=told):
        load_settings()


def test_a_contract_that_is_guessed_of_a_view_is_one_by_which_it_is_read(
    made, server, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    project = Project(Settings(home=tmp_path / "home"))
    vars(project)["warehouse"] = made()
    written = write_contract(project, THEIRS, Answers(amount="cents"))
    assert isinstance(written, WrittenContract)
    assert any("'tags' is not in the contract" in each for each in written.left_out)
    contract = load_contract("labelled_payments.toml")
    assert {column.name: column.type for column in contract.columns} == {
        "reference": "int64",
        "at": "timestamp",
        "cents": "float64",
        "velocity": "int64",
        "Distance_KM": "float64",
        "foreign": "int64",
        "risk_note": "float64",
        "fraudulent": "int64",
        "merchant": "string",
    }
    assert contract.column("risk_note").is_nullable
    settings = load_settings()
    assert settings.bigquery.history == THEIRS
    opened = Warehouse(settings.bigquery, Endpoint(server.rest, server.storage))
    opened.client.create_dataset("local.labelled_payments_fraud", exists_ok=True)
    assert read_history(opened, contract).rows.num_rows == 50


def test_a_sample_of_a_table_is_the_same_one_again_and_counts_all_nulls(made):
    samples = [sample_table(made(), THEIRS, 20) for _ in range(2)]
    first, second = (sorted(each.rows.column("reference").to_pylist()) for each in samples)
    assert first == second
    assert 0 < len(first) < 50
    assert samples[0].row_count == samples[0].nulls["risk_note"] == 50


def test_a_table_that_is_not_there_is_refused_by_name(made):
    with pytest.raises(WarehouseError, match=r"no table or view analytics\.bank\.nowhere"):
        sample_table(made(), "analytics.bank.nowhere", 20)
