"""What a policy does to each kind of payment is counted, and told by name."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, mutual_info_score
from tests.models import tiny_policy

from fraudline.measures.scored_rows import ScoredRows
from fraudline.measures.segments import (
    MOST_LEVELS,
    OTHERS,
    grouped,
    information,
    measure_segments,
)

RANDOM = np.random.default_rng(5)
ROWS = 5_000
LEVELS = np.array([f"level {number}" for number in RANDOM.zipf(1.5, ROWS) % 30])
LABELS = (RANDOM.random(ROWS) < np.where(LEVELS == "level 1", 0.2, 0.05)).astype(np.int8)


def test_the_most_frequent_levels_stay_and_the_others_are_one() -> None:
    told = grouped(LEVELS)
    names, counts = np.unique(LEVELS, return_counts=True)
    assert len(np.unique(told)) == MOST_LEVELS + 1
    kept = set(np.unique(told)) - {OTHERS}
    assert min(counts[np.isin(names, list(kept))]) >= max(counts[~np.isin(names, list(kept))])
    assert (told[told != OTHERS] == LEVELS[told != OTHERS]).all()
    few = np.array(["a", "b", "a"])
    assert (grouped(few) == few).all()


def test_what_a_level_tells_of_fraud_is_their_mutual_information() -> None:
    assert information(LEVELS, LABELS) == pytest.approx(mutual_info_score(LEVELS, LABELS))
    assert information(np.array(["one"] * ROWS), LABELS) == 0


def test_each_level_has_the_figures_of_its_payments_alone() -> None:
    scores = np.clip(RANDOM.normal(0.3 + 0.3 * LABELS, 0.2), 0, 1)
    told = grouped(LEVELS)
    judged = ScoredRows(scores, LABELS, np.full(ROWS, 20.0), 1.0, segments={"kind": told})
    policy = tiny_policy(0.6)
    (found,) = measure_segments(policy, judged).values()
    assert found[-1].level == OTHERS
    assert sum(each.payments.payments for each in found) == ROWS
    for each in found:
        rows = told == each.level
        stopped = scores[rows] >= 0.6
        frauds = LABELS[rows] == 1
        assert (each.payments.payments, each.payments.frauds) == (rows.sum(), frauds.sum())
        assert each.average_precision == pytest.approx(
            average_precision_score(LABELS[rows], scores[rows])
        )
        assert each.frauds_stopped == pytest.approx(stopped[frauds].mean())
        assert each.legitimate_blocked == (stopped & ~frauds).sum()
        assert each.blocked_share == pytest.approx(stopped[~frauds].mean())
        assert each.legitimate_reviewed == 0


def test_a_level_without_a_fraud_has_no_figure_that_needs_one() -> None:
    rows = np.array([0.1, 0.9, 0.2])
    judged = ScoredRows(
        *(rows, np.array([0, 0, 1], np.int8), rows, 1.0), segments={"kind": np.array(list("aab"))}
    )
    a, b = measure_segments(tiny_policy(0.5), judged)["kind"]
    assert (a.average_precision, a.frauds_stopped, a.legitimate_blocked) == (None, None, 1)
    assert (b.average_precision, b.frauds_stopped, b.legitimate_blocked) == (None, 0.0, 0)
