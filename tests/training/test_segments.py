"""A version tells where its policy decides how, and what its scores hang on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.models import manifest_for, tiny_policy, weights, write_tiny_files
from tests.orders import orders
from tests.transactions import SHOP, WALLET

from fraudline.bundle.bundle_files import DECISIONS_FILE, SCORES_FILE
from fraudline.contract.contract import Entity
from fraudline.measures.scored_rows import SEGMENT, judging_rows
from fraudline.training.importance import MOST_ROWS, measure_importance
from fraudline.training.policy_pages import (
    scored_rows,
    with_unlabelled,
    write_page,
    write_scores,
)
from fraudline.training.segment_rows import segments_of
from fraudline.training.split import Split


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    history = orders()
    at, labels = np.arange(history.num_rows), SHOP.labels(history)
    split = Split(at[:1000], at[1000:1500], at[1500:])
    scores = np.linspace(0, 1, history.num_rows)
    return scored_rows(history, SHOP, split, labels, scores, SHOP.amounts(history))


def page_of(directory: Path, rows: pa.Table, threshold: float) -> str:
    directory.mkdir()
    write_page(directory, manifest_for(SHOP, policy=tiny_policy(threshold)), rows)
    return (directory / DECISIONS_FILE).read_text()


def test_the_three_categories_that_tell_most_of_fraud_are_kept_with_the_scores(
    rows: pa.Table, tmp_path: Path
) -> None:
    names = [name for name in rows.column_names if name.startswith(SEGMENT)]
    assert names[0] == f"{SEGMENT}code"  # a fraud picks its last level six times as often
    assert len(names) == 3
    write_scores(tmp_path, rows)
    judged = judging_rows(pq.read_table(tmp_path / SCORES_FILE))
    expected = orders().column("code").to_numpy()[1500:].astype(str)
    assert (judged.segments["code"] == expected).all()


def test_labels_of_the_test_part_choose_nothing() -> None:
    history = orders()
    labels, at = SHOP.labels(history), np.arange(history.num_rows)
    told = np.array(["odd", "even"])[at % 2]
    place = history.column_names.index("country")
    leaks = history.set_column(place, history.schema.field("country"), pa.array(told))
    odd_is_fraud = np.where(at >= 1500, (at % 2 == 0).astype(np.int8), labels)
    chosen = list(segments_of(leaks, SHOP, odd_is_fraud, at, at[:1500]))
    by_all = list(segments_of(leaks, SHOP, odd_is_fraud, at, at))
    assert by_all[0] == f"{SEGMENT}country"
    assert chosen[0] == f"{SEGMENT}code"


def test_who_takes_part_is_no_kind_of_payment_and_nor_is_what_has_a_level_of_its_own() -> None:
    history = orders()
    labels, rows = SHOP.labels(history), np.arange(history.num_rows)
    by_code = replace(SHOP, entities=(Entity("shop", ("code",)),))
    assert f"{SEGMENT}code" not in segments_of(history, by_code, labels, rows, rows)
    one_each = pa.array([f"m-{number}" for number in range(history.num_rows)])
    at = history.column_names.index("merchant")
    unlike = history.set_column(at, history.schema.field("merchant"), one_each)
    assert f"{SEGMENT}merchant" not in segments_of(unlike, SHOP, labels, rows, rows)


def test_the_page_tells_levels_by_what_the_policy_of_this_version_does(
    rows: pa.Table, tmp_path: Path
) -> None:
    all_blocked, none_blocked = (
        page_of(tmp_path / name, rows, threshold)
        for name, threshold in (("low", 0.0), ("high", 1.0))
    )
    for page in (all_blocked, none_blocked):
        assert "Where it decides how" in page
        assert "<td>7995</td>" in page
    assert all_blocked.count("<small>100 %</small>") > none_blocked.count("<small>100 %</small>")


def test_payments_that_nobody_labelled_are_in_no_segment(rows: pa.Table) -> None:
    more = orders(50, seed=3)
    both = with_unlabelled(rows, SHOP, more, np.full(50, 0.9))
    assert judging_rows(both).segments.keys() == judging_rows(rows).segments.keys()
    for name, levels in judging_rows(both).segments.items():
        assert (levels == judging_rows(rows).segments[name]).all()


def test_scores_of_a_version_from_before_there_were_segments_are_judged_as_ever(
    rows: pa.Table, tmp_path: Path
) -> None:
    before = rows.select([name for name in rows.column_names if not name.startswith(SEGMENT)])
    assert judging_rows(before).segments == {}
    assert "Where it decides how" not in page_of(tmp_path / "before", before, 0.5)


def test_importance_is_the_mean_size_of_what_reasons_say(tmp_path: Path) -> None:
    write_tiny_files(tmp_path, WALLET)
    random = np.random.default_rng(1)
    count = len(WALLET.features)
    features = random.normal(size=(3 * MOST_ROWS, count)).astype(np.float32)
    labels = (np.arange(len(features)) < 40).astype(np.int8)
    found = measure_importance(tmp_path, WALLET, features, labels)
    assert {each.name for each in found} == set(WALLET.features)
    assert [each.mean for each in found] == sorted((each.mean for each in found), reverse=True)
    sizes = np.abs(features * weights(count).T)
    spread = np.linspace(40, len(features) - 1, MOST_ROWS).astype(np.int64)
    for at, name in enumerate(WALLET.features):
        (told,) = (each for each in found if each.name == name)
        assert told.of_frauds == pytest.approx(sizes[:40, at].mean(), rel=1e-4)
        assert told.of_legitimate == pytest.approx(sizes[spread, at].mean(), rel=1e-4)
