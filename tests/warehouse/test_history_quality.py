"""`check` finds what spoils a history, and calls nothing a fault that the contract permits."""

from __future__ import annotations

import datetime as dt
import io
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud import bigquery
from sklearn.metrics import roc_auc_score
from tests.orders import orders
from tests.transactions import BARE, CREDITCARD, WALLET, WALLET_FILE

import bqlite
from fraudline.contract import Contract, load_contract
from fraudline.contract.contract import Entity
from fraudline.contract.number_words import number_words
from fraudline.settings import BigQuerySettings
from fraudline.warehouse import history_leaks
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.history_findings import Finding, find_times
from fraudline.warehouse.history_quality import measure_history_quality
from fraudline.warehouse.history_table import load_history
from fraudline.warehouse.refused_findings import find_refused
from fraudline.warehouse.schema import table_schema
from fraudline.warehouse.tables import create_dataset

ROWS, FRAUDS = 400, 40
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
RANDOM = np.random.default_rng(1)
IS_FRAUD = np.arange(ROWS) % (ROWS // FRAUDS) == 3
GOOD: dict[str, list[object]] = {
    "payment_id": [f"p-{number}" for number in range(ROWS)],
    "paid_at": [BEGIN + dt.timedelta(hours=number) for number in range(ROWS)],
    "amount_minor": RANDOM.integers(0, 9999, ROWS).tolist(),
    "velocity": RANDOM.normal(0, 1, ROWS).tolist(),
    "distance_km": (RANDOM.normal(9, 1, ROWS) + IS_FRAUD).tolist(),
    "is_abroad": (RANDOM.random(ROWS) < 0.5).tolist(),
    "risk_note": [None] * ROWS,
    "is_fraud": IS_FRAUD.tolist(),
    "merchant": [None, "shop"] * (ROWS // 2),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("quality")) as running:
        yield running


Check = Callable[..., list[Finding]]


@pytest.fixture
def check(server: bqlite.Bqlite, tmp_path: Path) -> Check:
    """Findings on a table of the wallet's contract with some columns, or lines of it, replaced."""

    def checked(lines: dict[str, str] | None = None, **columns: list[object]) -> list[Finding]:
        contract = contract_with(tmp_path, lines or {})
        warehouse = Warehouse(
            BigQuerySettings(dataset=f"quality_{uuid.uuid4().hex[:8]}"),
            Endpoint(server.rest, server.storage),
        )
        rows = pa.table({**GOOD, **columns}, schema=contract.history_schema)
        load_history(warehouse, contract, rows, "a1")
        return measure_history_quality(warehouse, contract, tmp_path / "none.json").findings

    return checked


@pytest.fixture
def made_by_hand(server: bqlite.Bqlite, tmp_path: Path) -> Check:
    """Findings on a table whose columns all take NULL, whatever the wallet's contract says."""

    def checked(**columns: list[object]) -> list[Finding]:
        warehouse = Warehouse(
            BigQuerySettings(dataset=f"quality_{uuid.uuid4().hex[:8]}"),
            Endpoint(server.rest, server.storage),
        )
        create_dataset(warehouse)
        schema = pa.schema([field.with_nullable(True) for field in WALLET.history_schema])
        file = io.BytesIO()
        pq.write_table(pa.table({**GOOD, **columns}, schema=schema), file)
        file.seek(0)
        parquet = bigquery.LoadJobConfig(source_format="PARQUET", schema=table_schema(schema))
        name = warehouse.table(warehouse.settings.table_history)
        warehouse.client.load_table_from_file(file, name, job_config=parquet).result()
        return measure_history_quality(warehouse, WALLET, tmp_path / "none.json").findings

    return checked


def test_who_takes_part_is_counted_and_told_where_nobody_comes_again(
    server: bqlite.Bqlite, tmp_path: Path
) -> None:
    named = {"wallet": ("risk_note",), "shop": ("merchant",), "visit": ("merchant", "payment_id")}
    entities = tuple(Entity(name, columns) for name, columns in named.items())
    contract = replace(WALLET, entities=(*entities, Entity("buyer", ("velocity",))))
    warehouse = Warehouse(
        BigQuerySettings(dataset=f"quality_{uuid.uuid4().hex[:8]}"),
        Endpoint(server.rest, server.storage),
    )
    columns = GOOD | {"velocity": [number % 7 for number in range(ROWS)]}
    rows = pa.table(columns, schema=contract.history_schema)
    load_history(warehouse, contract, rows, "a1")
    findings = measure_history_quality(warehouse, contract, tmp_path / "none.json").findings
    assert [each for each in findings if each.text.startswith("entity ")] == [
        Finding(False, "entity 'wallet': 0 different in 0 rows, and none in 400; so nobody is told "
                "from anybody else by it"),
        Finding(False, "entity 'shop': 1 different in 200 rows, and none in 200; so nobody is told "
                "from anybody else by it"),
        Finding(False, "entity 'visit': 200 different in 200 rows, and none in 200; each comes "
                "once, as a payment does and nobody else"),
        Finding(True, "entity 'buyer': 7 different in 400 rows"),
    ]  # fmt: skip


def contract_with(directory: Path, lines: dict[str, str]) -> Contract:
    kept = []
    for old in WALLET_FILE.read_text().splitlines():
        name = old.partition(" = {")[0]
        kept.append(f"{name} = {{ {lines[name]} }}" if name in lines else old)
    path = directory / "wallet.toml"
    path.write_text("\n".join(kept))
    return load_contract(str(path))


def faults(findings: list[Finding]) -> list[str]:
    return [finding.text for finding in findings if not finding.is_ok]


def test_nothing_is_wrong_with_a_good_history_and_its_permitted_nulls_are_told(check):
    findings = check()
    assert faults(findings) == []
    assert "nulls that the contract permits: risk_note 100 %, merchant 50 %" in [
        finding.text for finding in findings
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (3_000_000, "3,000,000"),
        (3e6, "3,000,000"),
        (1_767_190_123_456.0, "1,767,190,123,456"),
        (25_691.16, "25,691.16"),
        (12_345_678_901.25, "12,345,678,901.25"),
        (-56.407509631329, "-56.40750963"),
        (5e-324, "4.940656458e-324"),
        (1e300, "1e+300"),
        (float("nan"), "nan"),
    ],
)
def test_a_number_is_read_off_with_all_its_digits_before_the_point(value, words):
    assert number_words(value) == words


def test_event_times_since_1970_are_told_as_dates_and_others_are_not(check):
    text = next(each.text for each in check() if each.text.startswith("the history spans"))
    assert re.search(r", from \d{4}-\d\d-\d\d [\d:]+ UTC to \d{4}-", text)
    seconds = find_times(CREDITCARD, 0.0, 172_792.0, 100)
    assert seconds[-1].text == "the history spans 48.0 hours"


def test_ids_that_are_empty_or_belong_to_other_values_are_found(check):
    ids = list(GOOD["payment_id"])
    ids[1], ids[2] = "", " "
    ids[5] = ids[7] = ids[9] = "p-3"
    (told,) = faults(check(payment_id=ids))
    assert "2 different rows without an id, 3 whose id belongs to a row with other" in told


def test_rows_that_repeat_are_twins_and_no_reused_ids(check):
    twice = {name: [values[0], *values[:-1]] for name, values in GOOD.items()}
    (told,) = faults(check(**twice))
    assert told.startswith("1 row repeats another one in every column")


LEAKS = {
    "a number": {"velocity": (IS_FRAUD * 5.0).tolist()},
    "a number that falls": {"velocity": (IS_FRAUD * -5.0 + RANDOM.random(ROWS)).tolist()},
    "a flag": {"is_abroad": (~IS_FRAUD).tolist()},
    "a count": {"amount_minor": (IS_FRAUD * 7 + 1).tolist()},
    "a time of day": {
        "paid_at": [
            (BEGIN + dt.timedelta(days=number)).replace(hour=4 if IS_FRAUD[number] else 5)
            for number in range(ROWS)
        ]
    },
}


@pytest.mark.parametrize("columns", LEAKS.values(), ids=LEAKS)
def test_a_column_that_tells_frauds_by_itself_is_named_as_a_leak(check, columns):
    (told,) = faults(check(**columns))
    (name,) = columns
    assert told.startswith(f"'{name}' (AUC 1.0000) alone tells fraud from the rest")


@pytest.mark.parametrize("noise", [0.4, 0.5, 0.8])
def test_the_area_under_the_curve_is_exact_with_ties(check, noise):
    values = np.round(IS_FRAUD + RANDOM.normal(0, noise, ROWS), 1)
    area = roc_auc_score(IS_FRAUD, values)
    told = faults(check(velocity=values.tolist()))
    assert [f"(AUC {area:.4f})" in text for text in told] == [True] * (area > 0.99)


def test_what_no_network_sees_leaks_nothing(check):
    lines = {"velocity": 'type = "float64", feature = false'}
    assert faults(check(lines, velocity=(IS_FRAUD * 5.0).tolist())) == []


def test_with_few_frauds_it_is_told_that_no_leak_can_be_found(check):
    few = [number in {3, 50} for number in range(ROWS)]
    (told,) = faults(check(is_fraud=few, velocity=np.array(few, float).tolist()))
    assert told.startswith("too few frauds")


SECONDS = [1_767_225_600 + 3600 * number for number in range(ROWS)]
UNSEEN = "feature = false"
TIMES: dict[str, tuple[str, list[object], list[str]]] = {
    "a history under an hour": (
        'type = "timestamp"',
        [BEGIN + dt.timedelta(seconds=number) for number in range(ROWS)],
        ["UTC to 2026-01-01 00:06:39 UTC: rates a day"],
    ),
    "milliseconds that are called seconds": (
        f'type = "int64", unit = "s", {UNSEEN}',
        [1000 * second for second in SECONDS],
        ["event time 'paid_at' reaches 1,768,662,000,000, which looks like ms since 1970; the"],
    ),
    "milliseconds without a unit": (
        f'type = "float64", {UNSEEN}',
        [1000.0 * second for second in SECONDS],
        ['looks like ms since 1970; the contract says s. Set unit = "ms"'],
    ),
    "milliseconds": (f'type = "int64", unit = "ms", {UNSEEN}', [1000 * s for s in SECONDS], []),
    "seconds that are called milliseconds": (
        f'type = "int64", unit = "ms", {UNSEEN}',
        SECONDS,
        ["looks like s since 1970; the contract says ms", "the history spans 1,436 s"],
    ),
    "seconds of 1970 that a network sees": (
        'type = "int64", unit = "s"',
        SECONDS,
        ["a network sees it as float32, up to 64 s away"],
    ),
    "seconds from the first event": (
        'type = "int64", unit = "s"',
        list(range(0, 3600 * ROWS, 3600)),
        [],
    ),
    "milliseconds that were made seconds": (
        'type = "timestamp"',
        [dt.datetime(1970, 1, 21, tzinfo=dt.UTC) + dt.timedelta(minutes=n) for n in range(ROWS)],
        ["event time 'paid_at' lies in 1970"],
    ),
}


@pytest.mark.parametrize(("line", "times", "expected"), TIMES.values(), ids=TIMES)
def test_event_times_in_another_unit_or_of_too_short_a_time_are_told(check, line, times, expected):
    told = faults(check({"paid_at": line}, paid_at=times))
    assert len(told) == len(expected), told
    for text, part in zip(told, expected, strict=True):
        assert part in text


def test_negative_amounts_are_told_where_the_contract_permits_them(check):
    amounts = [-5, -7, *GOOD["amount_minor"][2:]]
    (told,) = faults(check({"amount_minor": 'type = "int64", unit = "cent"'}, amount_minor=amounts))
    assert told.startswith("2 rows have a negative 'amount_minor'")


def test_of_a_history_without_amounts_or_times_that_is_told_and_levels_are_looked_at(
    server, tmp_path
):
    warehouse = Warehouse(
        BigQuerySettings(dataset="quality_bare"), Endpoint(server.rest, server.storage)
    )
    rows = orders(600)
    leak = pa.array(["fraud" if each else "none" for each in rows.column("is_fraud").to_pylist()])
    rows = rows.set_column(rows.column_names.index("country"), "country", leak)
    load_history(warehouse, BARE, rows.cast(BARE.history_schema), "a1")
    found = measure_history_quality(warehouse, BARE, tmp_path / "none.json").findings
    told = "\n".join(each.text for each in found)
    assert "600 rows count as 1.5 days (payments_a_day = 400)" in told
    assert "has no amount: a fraud costs the same (policy.fraud_cost)" in told
    assert "country" in "\n".join(faults(found))


def test_nulls_that_the_table_took_from_somebody_else_are_told_and_end_nothing(made_by_hand):
    told = faults(made_by_hand(velocity=[None if is_fraud else 1.0 for is_fraud in IS_FRAUD]))
    assert "nulls or values out of range in: velocity" in told
    assert any("'velocity' has no value in any row that is labelled fraud" in each for each in told)
    told = faults(made_by_hand(paid_at=[None] * ROWS))
    assert "no row has an event time 'paid_at'" in told


def test_a_history_too_large_to_look_for_leaks_is_not_called_free_of_them(check, monkeypatch):
    monkeypatch.setattr(history_leaks, "_MOST_ROWS", ROWS - 1)
    (told,) = faults(check())
    assert told.startswith("no column was looked at as a possible leak")


def test_no_record_of_a_load_is_said_to_be_none(tmp_path):
    assert find_refused(tmp_path / "load.json", "p.d.t", 9).text.startswith("no record of a load")


ABSENCES: dict[str, tuple[np.ndarray, str]] = {
    "null in exactly the frauds": (
        IS_FRAUD,
        "has no value in any row that is labelled fraud, and one in all others",
    ),
    "there in exactly the frauds": (
        ~IS_FRAUD,
        "has a value in every row that is labelled fraud, and in no other",
    ),
    "null in some frauds alone": (
        IS_FRAUD & (np.arange(ROWS) < ROWS // 2),
        "is null in 20 rows, and all of them are labelled fraud",
    ),
    "null in others alone": (
        ~IS_FRAUD & (np.arange(ROWS) % 2 == 0),
        "is null in 200 rows, and none of them is labelled fraud",
    ),
    "null in every fraud": (
        IS_FRAUD | (np.arange(ROWS) < 60),
        "has no value in any row that is labelled fraud",
    ),
}


@pytest.mark.parametrize(("is_null", "words"), ABSENCES.values(), ids=ABSENCES)
@pytest.mark.parametrize("name", ["velocity", "is_abroad"])
def test_a_column_that_is_null_in_one_class_alone_is_named_as_a_leak(check, name, is_null, words):
    kind = "bool" if name == "is_abroad" else "float64"
    values = [None if null else value for null, value in zip(is_null, GOOD[name], strict=True)]
    (told,) = faults(check({name: f'type = "{kind}", nullable = true'}, **{name: values}))
    assert told.startswith(f"'{name}' {words}: that looks like a leak of the label")


def test_a_level_that_tells_frauds_by_itself_is_named_and_many_rare_ones_are_not(check):
    line = {"merchant": 'type = "category"'}
    shops = [f"shop-{number % 7}" for number in range(ROWS)]
    leak = ["unknown" if fraud else shop for fraud, shop in zip(IS_FRAUD, shops, strict=True)]
    (told,) = faults(check(line, merchant=leak))
    assert re.match(r"'merchant' \(AUC (1\.0|0\.99)\d+\) alone tells fraud from the rest", told)
    assert faults(check(line, merchant=shops)) == []
    assert faults(check(line, merchant=[f"shop-{number}" for number in range(ROWS)])) == []


def test_a_contract_whose_every_feature_is_a_category_is_looked_at_too(check):
    unseen = {
        "paid_at": 'type = "timestamp"',
        "amount_minor": 'type = "int64", feature = false',
        "velocity": 'type = "float64", feature = false',
        "distance_km": 'type = "float64", feature = false',
    }
    lines = {"is_abroad": 'type = "category", of = "bool"', "merchant": 'type = "category"'}
    shops = [f"shop-{number % 7}" for number in range(ROWS)]
    assert faults(check(unseen | lines, merchant=shops)) == []


def test_nulls_that_come_by_chance_are_no_leak_and_hide_none(check):
    line = {"velocity": 'type = "float64", nullable = true'}
    is_null = RANDOM.random(ROWS) < 0.6
    few = [None if null else value for null, value in zip(is_null, GOOD["velocity"], strict=True)]
    assert faults(check(line, velocity=few)) == []
    leak = [None if null else 5.0 * fraud for null, fraud in zip(is_null, IS_FRAUD, strict=True)]
    (told,) = faults(check(line, velocity=leak))
    assert told.startswith("'velocity' (AUC 1.0000) alone tells fraud from the rest")
    rare = [None if number in {1, 2, 4} else 1.0 for number in range(ROWS)]
    assert faults(check(line, velocity=rare)) == []
