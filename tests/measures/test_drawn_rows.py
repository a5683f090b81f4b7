"""Of a draw of the legitimate transactions, figures are those of all, and intervals its own."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fraudline.bundle.policy import Policy
from fraudline.measures.bootstrap import (
    average_precision_interval,
    average_precision_resamples,
    sum_intervals,
)
from fraudline.measures.drawn_rows import repeated
from fraudline.measures.evaluation import evaluate
from fraudline.measures.policy_effect import measure_effect
from fraudline.measures.scored_rows import ONE_IN, part_of
from fraudline.training.policy_choice import compare, within_cap

ONE_IN_FOUR = 4
POLICY = Policy(
    unit="EUR",
    lost_share=1.0,
    fraud_cost=15.0,
    review_cost=1.0,
    wrong_block_cost=25.0,
    most_reviews_a_day=15.0,
)


@pytest.fixture(scope="module")
def payments() -> dict[str, np.ndarray]:
    """40,000 payments of ten days, 400 of them frauds, and calibrated scores."""
    random = np.random.default_rng(7)
    labels = (random.random(40_000) < 0.01).astype(np.int8)
    log_odds = random.normal(0, 1.5, len(labels)) + 4 * labels - 6.5
    return {
        "label": labels,
        "score": 1 / (1 + np.exp(-log_odds)),
        "amount": np.exp(random.normal(3.5, 1, len(labels))),
        "event_s": np.sort(random.random(len(labels)) * 10 * 86400),
    }


@pytest.fixture(scope="module")
def drawn(payments) -> dict[str, np.ndarray]:
    """All frauds of them, and one in four of the others."""
    random = np.random.default_rng(8)
    keep = (payments["label"] == 1) | (random.random(40_000) < 1 / ONE_IN_FOUR)
    return {name: values[keep] for name, values in payments.items()}


def scored(rows: dict[str, np.ndarray], one_in: int = 1) -> pa.Table:
    table = pa.table({"part": ["validation"] * len(rows["label"]), **rows})
    return table.replace_schema_metadata({ONE_IN: str(one_in)}) if one_in > 1 else table


def judged(rows: dict[str, np.ndarray], one_in: int = 1):
    return evaluate(rows["label"], rows["score"], 0.05, rows["amount"], one_in=one_in)


def test_figures_of_a_draw_are_near_those_of_all_and_count_every_row(payments, drawn):
    whole, told = judged(payments).metrics(), judged(drawn, ONE_IN_FOUR).metrics()
    assert told["legitimate_approved"] == pytest.approx(whole["legitimate_approved"], rel=0.02)
    for name in ("frauds_caught", "frauds_missed", "amount_caught", "recall"):
        assert told[name] == whole[name]
    for name in ("average_precision", "roc_auc", "precision", "f1", "brier", "expected_frauds"):
        assert told[name] == pytest.approx(whole[name], rel=0.12), name
    # Without the weight, these two would be far away.
    bare = judged(drawn).metrics()
    assert bare["precision"] > 1.3 * whole["precision"]
    assert bare["brier"] > 3 * whole["brier"]


def test_a_policy_chosen_on_a_draw_reviews_as_many_of_all_payments_as_it_may(payments, drawn):
    chosen = within_cap(POLICY, part_of(scored(drawn, ONE_IN_FOUR), "validation"))
    all_of_them = part_of(scored(payments), "validation")
    effect = measure_effect(chosen, all_of_them)
    assert chosen.reviews_a_day <= 15
    assert effect.reviews_a_day == pytest.approx(15, rel=0.35)
    told = measure_effect(chosen, part_of(scored(drawn, ONE_IN_FOUR), "validation"))
    assert told.cost == pytest.approx(effect.cost, rel=0.05)
    assert told.rows.payments == pytest.approx(40_000, rel=0.02)
    assert "told by one in 4 of the legitimate ones" in told.judged_by
    assert "one in" not in effect.judged_by
    assert within_cap(POLICY, part_of(scored(drawn), "validation")) != chosen


def test_intervals_are_as_wide_as_the_rows_that_were_drawn_allow(drawn):
    labels, scores, amounts = repeated(drawn["label"], ONE_IN_FOUR, drawn["score"], drawn["amount"])
    low, high = average_precision_interval(labels, scores, ONE_IN_FOUR)
    narrow = average_precision_interval(labels, scores)
    assert high - low > narrow[1] - narrow[0]
    values = np.where((labels == 0) & (amounts > 300), amounts, 0.0)[:, None]
    (_, low, high), (_, least, most) = (
        sum_intervals(values, labels == 1, one_in)[0] for one_in in (ONE_IN_FOUR, 1)
    )
    assert (high - low) / (most - least) == pytest.approx(2, rel=0.2)  # the root of four
    ways = compare(
        POLICY,
        part_of(scored(drawn, ONE_IN_FOUR), "validation"),
        None,
    )
    assert sum(ways[0].approved + ways[0].reviewed + ways[0].blocked) > 39_000


def test_contenders_are_compared_as_they_are_among_all(payments, drawn):
    whole = judged(payments).average_precision
    (resamples,) = average_precision_resamples(drawn["label"], [drawn["score"]], ONE_IN_FOUR)
    (bare,) = average_precision_resamples(drawn["label"], [drawn["score"]])
    assert np.mean(resamples) == pytest.approx(whole, rel=0.1)
    assert np.mean(bare) > 1.2 * whole
