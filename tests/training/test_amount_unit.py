"""Money in another unit than was learned: seen without labels, and mended before the network."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from tests.models import manifest_for, weighed, write_tiny_files

from fraudline.bundle.bundle_files import (
    COMPARISONS_FILE,
    GRAPH_FILE,
    REASONS_FILE,
    write_manifest,
)
from fraudline.bundle.comparisons import decode_comparisons
from fraudline.bundle.manifest import Calibrated, Source
from fraudline.contract import Contract, load_contract
from fraudline.errors import InputError
from fraudline.training.amount_unit import find_unit, money_of, multiplied, restate
from fraudline.training.contributions_graph import write_reasons
from fraudline.training.graph import read_preparation, run_graph, write_graph
from fraudline.training.preparation import Preparation, with_logarithms_and_time_of_day
from fraudline.training.recalibrated import recalibrate_on
from fraudline.training.unit_graph import with_units

RISK = "TERMINAL_ID_RISK_7DAY"
NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract("handbook")


def payments(contract: Contract, count: int, seed: int, times: float = 1.0) -> pa.Table:
    """Payments of near what is usual; frauds are of high amounts, at risky terminals."""
    random = np.random.default_rng(seed)
    risk = random.integers(0, 3, count)
    usual = random.lognormal(3.5, 0.5, count)
    odds = (usual - 40) / 20 + 2.5 * (risk - 1) - 3.5
    is_fraud = random.random(count) < 1 / (1 + np.exp(-odds))
    columns = {}
    for name in (each.name for each in contract.transaction_columns):
        column = contract.column(name)
        values = random.integers(0, 3, count).astype(float)
        if column.unit == contract.column(contract.amount).unit:
            values = usual * random.lognormal(0, 0.1, count) * times
        if name == RISK:
            values = risk.astype(float)
        columns[name] = values
        if column.type == "timestamp":
            columns[name] = [NOW + dt.timedelta(seconds=30 * number) for number in range(count)]
    rows = {
        each.name: pa.array(columns[each.name]).cast(pa.timestamp("us", "UTC"))
        if each.type == "timestamp"
        else pa.array(columns[each.name], from_pandas=True).cast(each.arrow_type)
        for each in contract.transaction_columns
    }
    return pa.table(rows | {"is_fraud": is_fraud})


def labels_of(rows: pa.Table) -> np.ndarray:
    return rows.column("is_fraud").to_numpy().astype(np.int8)


@pytest.fixture(scope="module")
def preparation(contract) -> Preparation:
    features = contract.feature_matrix(payments(contract, 4000, 1))
    return Preparation.fit(with_logarithms_and_time_of_day(contract, features), features)


def unit_of(contract, preparation, rows):
    features, seconds = contract.feature_matrix(rows), contract.event_seconds(rows)
    return find_unit(preparation, money_of(contract), features, seconds)


@pytest.mark.parametrize("times", [4.0, 100.0, 0.01])
def test_another_unit_is_seen_without_a_label_and_since_when(contract, preparation, times):
    before, after = payments(contract, 4000, 2), payments(contract, 4000, 3, times)
    later = contract.event_seconds(before)[-1] + np.arange(30.0, 120_001.0, 30.0)
    features = np.concatenate([contract.feature_matrix(each) for each in (before, after)])
    seconds = np.concatenate([contract.event_seconds(before), later])
    unit = find_unit(preparation, money_of(contract), features, seconds)
    assert unit.factor == pytest.approx(times, rel=0.15)
    restated = unit.restated(seconds)
    assert restated[:3800] == pytest.approx(times, rel=0.15), "older ones come to the unit of now"
    assert restated[4200:] == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("times", [1.0, 1.5, 0.7])
def test_prices_that_rise_are_no_other_unit(contract, preparation, times):
    assert unit_of(contract, preparation, payments(contract, 4000, 2, times)).factor == 1


def test_a_feature_that_changes_alone_is_no_other_unit(contract, preparation):
    rows = payments(contract, 4000, 2)
    features, seconds = contract.feature_matrix(rows), contract.event_seconds(rows)
    features[:, contract.features.index(contract.amount)] *= 4
    assert find_unit(preparation, money_of(contract), features, seconds).factor == 1


def test_a_burst_of_cheap_payments_is_no_other_unit(contract, preparation):
    rows = payments(contract, 4000, 2)
    features, seconds = contract.feature_matrix(rows), contract.event_seconds(rows)
    for burst in (slice(1000, 1300), slice(3700, 4000)):
        features[burst, list(money_of(contract))] *= 0.1
    assert (find_unit(preparation, money_of(contract), features, seconds).factors == 1).all()


def test_a_few_payments_say_nothing_of_the_unit(contract, preparation):
    assert unit_of(contract, preparation, payments(contract, 5, 2, 3.0)).factor == 1


def test_money_in_one_unit_is_left_as_it_is(contract, preparation):
    rows = payments(contract, 2000, 2, 4.0)
    factor, now, others = restate(rows, labels_of(rows), rows, contract, preparation)
    assert factor == pytest.approx(4, rel=0.15)
    assert now is rows
    assert others is rows


def test_a_graph_in_another_unit_gives_the_scores_of_before_and_is_read_back(contract, preparation):
    count = len(contract.features)
    network = weighed(len(preparation.sources))
    graph = write_graph(preparation, network, count)
    features = contract.feature_matrix(payments(contract, 300, 4))
    units = np.ones(count, np.float32)
    units[list(money_of(contract))] = 0.25
    once = with_units(graph, units)
    twice = with_units(once, units)
    assert run_graph(once, features / units) == pytest.approx(run_graph(graph, features), abs=1e-6)
    assert run_graph(twice, features / units**2) == pytest.approx(
        run_graph(graph, features), abs=1e-6
    )
    again = read_preparation(twice)
    assert (again.units == units**2).all()
    assert np.allclose(again.apply(features / units**2), preparation.apply(features), atol=1e-5)
    rewritten = write_graph(replace(preparation, units=units**2), network, count)
    assert onnx.load_from_string(rewritten) == onnx.load_from_string(twice), "it can learn on"


def version(contract: Contract, preparation: Preparation, directory: Path) -> Path:
    """A version that scores by the amount and by the terminal's risk."""
    directory.mkdir()
    write_tiny_files(directory, contract)
    network = weighed(len(preparation.sources))
    kernel = np.zeros((len(preparation.sources), 1), np.float32)
    for name, weight in ((contract.amount, 1.0), (RISK, 2.0)):
        kernel[preparation.sources.index(contract.features.index(name))] = weight
    network.layers[0]._weights = (kernel, np.zeros(1, np.float32))
    graph = write_graph(preparation, network, len(contract.features))
    (directory / GRAPH_FILE).write_bytes(graph)
    usual = contract.feature_matrix(payments(contract, 8, 5))
    (directory / REASONS_FILE).write_bytes(write_reasons(graph, usual, preparation.sources))
    write_manifest(directory, manifest_for(contract, recipe="mlp"))
    return directory


def test_a_calibration_brings_money_to_the_unit_that_was_learned_and_ranks_as_before_the_change(
    contract, preparation, tmp_path
):
    base = version(contract, preparation, tmp_path / "base")
    rows = payments(contract, 3000, 6, 4.0)
    for name in ("plain", "made"):
        (tmp_path / name).mkdir()
    told = Calibrated("base", 1.0, 0.0, NOW, NOW, NOW, rows.num_rows, 300, 0)
    source = Source("decisions", "", NOW, rows.num_rows, "")
    manifest = recalibrate_on(
        (rows, rows[:0]), contract, base, base, tmp_path / "made", source=source, told=told
    )
    assert manifest.calibrated
    assert manifest.calibrated.unit == pytest.approx(4, rel=0.15)
    assert manifest.network == manifest.version, "it ranks otherwise, so it is another network"
    usual = contract.feature_matrix(payments(contract, 500, 7))
    large = usual.copy()
    large[:, list(money_of(contract))] *= manifest.calibrated.unit
    graph = (tmp_path / "made" / GRAPH_FILE).read_bytes()
    before = run_graph((base / GRAPH_FILE).read_bytes(), usual)
    now = run_graph(graph, large)
    assert np.corrcoef(np.argsort(np.argsort(now)), np.argsort(np.argsort(before)))[0, 1] > 0.999
    as_learned = payments(contract, 3000, 8)
    same = recalibrate_on(
        (as_learned, rows[:0]), contract, base, base, tmp_path / "plain", source=source, told=told
    )
    assert same.calibrated
    assert not same.calibrated.unit
    assert same.network == "base"


def test_what_legitimate_payments_are_like_is_told_in_the_unit_in_which_money_comes(
    contract, preparation, tmp_path
):
    """Else a reason would call an amount that is usual now one that hardly anybody has."""
    base = version(contract, preparation, tmp_path / "base")
    rows = payments(contract, 3000, 6, 4.0)
    (tmp_path / "made").mkdir()
    told = Calibrated("base", 1.0, 0.0, NOW, NOW, NOW, rows.num_rows, 300, 0)
    source = Source("decisions", "", NOW, rows.num_rows, "")
    manifest = recalibrate_on(
        (rows, rows[:0]), contract, base, base, tmp_path / "made", source=source, told=told
    )
    before, now = (
        decode_comparisons((tmp_path / name / COMPARISONS_FILE).read_bytes()).features
        for name in ("base", "made")
    )
    assert manifest.calibrated
    money = {contract.features[at] for at in money_of(contract)}
    for name, found in now.items():
        times = manifest.calibrated.unit if name in money else 1
        assert found.values == pytest.approx([times * each for each in before[name].values]), name


def in_cents(values: list[int | None], factors: list[float]) -> list[int | None]:
    """Whole cents of the handbook's amount, each times its factor."""
    contract = load_contract("handbook")
    rows = pa.table({contract.amount: pa.array(values, pa.int64())})
    return multiplied(rows, contract, np.array(factors)).column(0).to_pylist()


def test_whole_numbers_that_no_float_holds_are_restated_and_those_of_now_stay_to_the_last_digit():
    beyond = 2**53 + 1
    assert in_cents([beyond, None, 3, 7], [1.0, 4.0, 4.0, 1.0]) == [beyond, None, 12, 7]
    (restated,) = in_cents([beyond], [100.0])
    assert restated == pytest.approx(100 * beyond, rel=1e-15)


def test_what_has_no_place_in_a_column_of_the_unit_of_now_is_refused_by_name():
    with pytest.raises(
        InputError, match=r"'TX_AMOUNT' of 1 payment is .* 4611686018427387904 times 4"
    ):
        in_cents([2**62, 5], [4.0, 1.0])
