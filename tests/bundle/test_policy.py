"""A policy decides what costs the least, and what it costs is what the labels say."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models import tiny_policy

from fraudline.bundle.policy import Policy, decision_codes
from fraudline.contract import APPROVED, BLOCKED, DECISIONS, REVIEWED


def by_costs(**changes: object) -> Policy:
    return tiny_policy(**{"review_from": None, "block_from": None, **changes})


def decided(policy: Policy, scores: list[float], amounts: list[float]) -> list[str]:
    codes = decision_codes(np.array(scores), *policy.thresholds(np.array(amounts)))
    return [DECISIONS[code] for code in codes]


money = st.floats(0, 1e6)


@given(
    st.floats(0, 1),
    money,
    st.floats(0, 3),
    money,
    money,
    st.floats(1e-3, 1e6),
    st.floats(0, 1e3),
)
def test_no_other_decision_has_a_smaller_expected_cost(
    score, amount, lost_share, fraud_cost, review_cost, wrong_block_cost, surcharge
):
    policy = by_costs(
        lost_share=lost_share,
        fraud_cost=fraud_cost,
        review_cost=review_cost,
        wrong_block_cost=wrong_block_cost,
        review_surcharge=surcharge,
    )
    expected = [
        score * (lost_share * amount + fraud_cost),
        review_cost + surcharge,
        (1 - score) * wrong_block_cost,
    ]
    (code,) = decision_codes(np.array([score]), *policy.thresholds(np.array([amount])))
    assert expected[code] <= min(expected) * (1 + 1e-9) + 1e-9


def test_the_same_score_is_approved_reviewed_and_blocked_by_amount_and_score():
    policy = by_costs()
    assert decided(policy, [0.05] * 3, [10, 100, 10_000]) == ["approve", "review", "review"]
    assert decided(policy, [0.2, 0.5, 0.9], [100] * 3) == ["review", "review", "block"]


def test_where_a_review_costs_more_than_a_wrong_block_nothing_is_reviewed():
    policy = by_costs(review_cost=30.0)
    scores = np.linspace(0, 1, 101)
    assert "review" not in decided(policy, scores.tolist(), [500.0] * 101)


def test_thresholds_of_a_person_hold_whatever_the_amount():
    policy = by_costs(review_from=0.3, block_from=0.6)
    for amount in (0.0, 1e6):
        scores = [0.29, 0.3, 0.59, 0.6]
        assert decided(policy, scores, [amount] * 4) == ["approve", "review", "review", "block"]


def test_one_threshold_of_a_person_leaves_the_other_to_the_costs():
    assert decided(by_costs(block_from=0.5), [0.01, 0.1, 0.5], [100] * 3) == [
        "approve",
        "review",
        "block",
    ]
    assert decided(by_costs(review_from=0.4), [0.3, 0.5, 0.95], [100] * 3) == [
        "approve",
        "review",
        "block",
    ]


@given(st.floats(-1e9, 1e9), st.floats(0, 1) | st.none(), st.floats(0, 1) | st.none())
def test_thresholds_are_probabilities_in_order_for_any_amount(amount, review_from, block_from):
    policy = by_costs(review_from=review_from, block_from=block_from, fraud_cost=0.0)
    not_approved, blocked = policy.thresholds(np.array([amount]))
    assert 0 <= not_approved[0] <= blocked[0] <= 1


def test_what_has_no_score_is_not_an_alert():
    assert decided(by_costs(), [float("nan")], [1e6]) == ["approve"]


def test_costs_follow_from_decision_label_and_amount():
    codes = np.repeat(np.array([APPROVED, REVIEWED, BLOCKED], np.int8), 2)
    labels = np.array([0, 1] * 3, np.int8)
    costs = by_costs(lost_share=0.5).costs(codes, labels, np.full(6, 100.0))
    assert costs.tolist() == [0, 65, 4, 4, 25, 0]


@pytest.mark.parametrize(
    "changes",
    [
        {"wrong_block_cost": 0.0},
        {"review_cost": -1.0},
        {"block_from": 1.5},
        {"lost_share": float("inf")},
        {"most_reviews_a_day": None},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(changes):
    fields = msgspec.structs.asdict(by_costs()) | changes
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, Policy)
