"""A policy decides what costs the least, and what it costs is what the labels say."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.models import manifest_for, tiny_bundle, tiny_policy
from tests.transactions import WALLET

from fraudline.bundle.bundle_files import read_manifest
from fraudline.bundle.policy import Policy, decision_codes, score_text
from fraudline.contract import APPROVED, BLOCKED, DECISIONS, REVIEWED

RELEASED = Path(__file__).parents[1] / "data" / "last_release"


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


rules = st.sampled_from(["approve", "block"])
costs = st.tuples(st.floats(0, 3), money, money, st.floats(1e-3, 1e6))


def costing(lost_share: float, fraud: float, review: float, wrong: float, **more: object) -> Policy:
    given = {"lost_share": lost_share, "fraud_cost": fraud, "review_cost": review}
    return by_costs(wrong_block_cost=wrong, **given, **more)


@given(st.floats(0, 1, exclude_max=True), money, costs, rules)
def test_without_a_binding_cap_either_rule_decides_by_the_smallest_expected_cost(
    score, amount, given_costs, rule
):
    policy = costing(*given_costs, above_review_cap=rule)
    lost = policy.losses(np.array([amount]))[0]
    expected = [score * lost, policy.review_cost, (1 - score) * policy.wrong_block_cost]
    (code,) = policy.decide(np.array([score]), np.array([amount]))
    assert expected[code] <= min(expected) * (1 + 1e-9) + 1e-9


@given(st.floats(0, 1, exclude_max=True), money, costs, st.floats(0, 1e7), rules)
def test_above_the_cap_of_reviews_happens_what_was_set_and_nothing_else_changes(
    score, amount, given_costs, surcharge, rule
):
    policy = costing(*given_costs, above_review_cap=rule, review_surcharge=surcharge)
    (free,) = decided(policy.uncapped(), [score], [amount])
    (capped,) = decided(policy, [score], [amount])
    assert capped in ({free, rule} if free == "review" else {free})


def test_a_cap_that_binds_blocks_nobody_unless_it_is_told_to():
    scores, amounts = np.linspace(0, 0.99, 100).tolist(), [500.0] * 100
    freely = decided(by_costs(above_review_cap="approve"), scores, amounts)
    for rule, name in (("approve", "approve"), ("block", "block")):
        capped = decided(by_costs(above_review_cap=rule, review_surcharge=1e6), scores, amounts)
        assert capped == [name if each == "review" else each for each in freely]


@given(st.floats(0, 1e300), costs, rules | st.just(msgspec.UNSET), st.floats(0, 1e7))
def test_no_cost_and_no_amount_gives_a_threshold_of_0(amount, given_costs, rule, surcharge):
    policy = costing(*given_costs, above_review_cap=rule, review_surcharge=surcharge)
    not_approved, blocked = policy.thresholds(np.array([amount, 0.0]))
    assert (not_approved > 0).all()
    assert (not_approved <= blocked).all()
    assert decided(policy, [0.0, 0.0], [amount, 0.0]) == ["approve", "approve"]


def test_a_network_that_is_quite_sure_does_not_break_a_promise_never_to_block(tmp_path):
    never = tiny_policy(review_from=0.5, block_from=1.0, above_review_cap="approve")
    bundle = tiny_bundle(tmp_path, WALLET, policy=never)
    far_out = np.full((1, len(WALLET.features)), 0.0, dtype=np.float32)
    far_out[0, -1] = 1e6  # a sigmoid of this is exactly 1
    (score,) = scores = bundle.score(far_out)
    not_approved, blocked = never.thresholds(np.ones(1))
    assert [DECISIONS[code] for code in decision_codes(scores, not_approved, blocked)] == ["review"]
    assert 0.999999 < score < blocked[0]
    # Scores of the release before are kept in versions, some of them exactly 1.
    assert never.decide(np.ones(1), np.ones(1)).tolist() == [REVIEWED]


def test_a_threshold_for_people_never_reads_as_0_or_1_unless_it_is():
    assert [score_text(each) for each in (0, 1, 0.25, 1.23456e-7)] == [
        "0",
        "1",
        "0.25",
        "1.235e-07",
    ]
    assert score_text(0.9999999) == "0.9999999"


def test_a_version_of_the_last_release_decides_as_it_did():
    manifest = read_manifest(RELEASED)
    assert manifest.policy.above_review_cap is msgspec.UNSET
    not_approved, blocked = manifest.policy.thresholds(np.array([0.0, 100.0, 10000.0]))
    assert not_approved == pytest.approx([0.625, 14 / 115, 14 / 10015])  # as it computed them
    assert blocked == pytest.approx([0.625, 0.44, 0.44])
    again = manifest_for(WALLET, policy=manifest.policy, files=manifest.files, format=2)
    assert again.expected_version() == manifest.version
