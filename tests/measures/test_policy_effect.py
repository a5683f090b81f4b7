"""What a policy does is counted by the decisions that it makes, and what is odd is said."""

from __future__ import annotations

import numpy as np
import pytest
from tests.models import tiny_policy

from fraudline.bundle.policy import Policy
from fraudline.measures.policy_effect import PolicyEffect, measure_effect, money, number, percent
from fraudline.measures.scored_rows import ScoredRows


def by_costs(**changes: object) -> Policy:
    fixed = {"review_from": None, "block_from": None, "above_review_cap": "approve"}
    return tiny_policy(**{**fixed, **changes})


def rows(amount: float = 50.0, **changes: object) -> ScoredRows:
    """A thousand payments in two days, ten of them frauds, found by their scores."""
    labels = np.zeros(1000, np.int8)
    labels[::100] = 1
    scores = np.where(labels == 1, 0.95, np.linspace(0, 0.02, 1000))
    content = {"scores": scores, "labels": labels, "amounts": np.full(1000, amount), "days": 2.0}
    return ScoredRows(**{**content, **changes})


def looks(policy: Policy, judged: ScoredRows) -> str:
    return "\n".join(measure_effect(policy, judged).looks())


def facts(effect: PolicyEffect) -> dict[str, str]:
    return dict(effect.facts())


def test_counts_are_those_of_the_decisions_and_costs_those_of_the_policy():
    policy, judged = by_costs(), rows()
    effect = measure_effect(policy, judged)
    codes = policy.decide(judged.scores, judged.amounts)
    for code, count in enumerate((effect.approved, effect.reviewed, effect.blocked)):
        assert count.payments == (codes == code).sum()
        assert count.frauds == judged.labels[codes == code].sum()
    assert effect.legitimate_stopped == ((codes > 0) & (judged.labels == 0)).sum()
    assert effect.cost == policy.costs(codes, judged.labels, judged.amounts).sum()
    assert effect.cost_of_approving == 10 * 65
    assert effect.looks() == []
    told = facts(effect)
    assert told["blocked"] == "10 (10 frauds), 5 a day"
    assert told["stopped"].startswith("0 of 990 legitimate payments, 0 %, 0 a day")
    assert told["money"].endswith("approving everything would cost 650.00 EUR: the policy saves "
                                  "650.00 EUR")  # fmt: skip
    assert "of the test part, 2 days, which chose nothing" in told["judged by"]


def test_costs_for_card_payments_on_amounts_of_another_scale_are_told_with_both_figures():
    judged = rows(340_000.0)
    said = looks(by_costs(unit="IDR"), judged)
    assert "% of the legitimate payments are stopped, more than 2 %" in said
    assert "a review is said to cost 4.00 IDR where the median amount is 340,000.00 IDR" in said
    assert "a wrong block is said to cost 25.00 IDR" in said
    scaled = by_costs(fraud_cost=230_000.0, review_cost=62_000.0, wrong_block_cost=390_000.0)
    assert looks(scaled, judged) == ""


def test_a_policy_that_stops_no_fraud_or_costs_more_than_none_is_told():
    said = looks(by_costs(wrong_block_cost=5e3, review_cost=4.9e3), rows())
    assert "not one of the 10 frauds is stopped" in said
    blocking = tiny_policy(0.0)
    assert "more than approving everything" in looks(blocking, rows())


@pytest.mark.parametrize("rule", ["approve", "block"])
def test_a_cap_that_binds_is_told_with_what_becomes_of_the_payments(rule):
    judged = rows(scores=np.full(1000, 0.3))
    said = looks(by_costs(review_surcharge=1e6, above_review_cap=rule), judged)
    approved, blocked = ("1,000", "0") if rule == "approve" else ("0", "1,000")
    assert (
        "the cap of 100 reviews a day binds: without it, 1,000 (10 frauds) more of these payments "
        f"would be reviewed; {approved} of them are approved and {blocked} blocked" in said
    )


def test_a_policy_that_a_plain_threshold_would_beat_is_told():
    """Above the cap frauds of small amounts pass, though blocking would cost less."""
    surcharge = {"review_surcharge": 1e6, "above_review_cap": "approve"}
    labels = rows().labels
    judged = rows(1.0, scores=np.where(labels == 1, 0.83, 0.001))
    effect = measure_effect(by_costs(**surcharge), judged)
    assert (effect.cost, effect.cost_of_half) == (10 * 16, 0)
    said = looks(by_costs(**surcharge), judged)
    assert (
        "blocking from a score of 0.5, and nothing else, would cost 0.00 EUR here, 160.00 EUR less"
    ) in said
    assert "blocking from" not in looks(by_costs(), rows())


def test_more_reviews_than_the_cap_on_the_part_that_judges_are_told():
    judged = rows(scores=np.full(1000, 0.3))
    assert "500 reviews a day here, above the cap of 100" in looks(by_costs(), judged)


def test_what_is_explored_is_told_and_counted_as_reviews_and_in_the_money():
    scores = rows().scores
    scores[1] = 0.95  # a legitimate one that is blocked
    plain, exploring = (
        measure_effect(by_costs(**share), rows(scores=scores))
        for share in ({}, {"explore_share": 0.1})
    )
    assert (plain.blocked, plain.explored, plain.reviews_a_day) == (exploring.blocked, 0.0, 0.0)
    assert exploring.explored == pytest.approx(1.1)
    assert exploring.reviews_a_day == pytest.approx(0.55)
    assert exploring.cost - plain.cost == pytest.approx(0.1 * (11 * 4 - 25))
    assert exploring.cost_of_exploring == pytest.approx(exploring.cost - plain.cost)
    assert facts(exploring)["explored"] == (
        "10 % of those blocked are reviewed instead, so that people label them: 1.1 in the mean, "
        "0.55 a day, which costs 1.90 EUR more"
    )
    assert "explored" not in facts(plain)
    many = rows(scores=np.full(1000, 0.95), days=1.0)
    said = looks(by_costs(explore_share=0.5), many)
    assert "500 reviews a day here, above the cap of 100" in said


def test_what_was_never_labelled_is_told_and_counted_as_reviews_alone():
    hidden = np.array([0.95] * 30 + [0.5] * 4 + [0.0] * 2)
    beside = {"unlabelled_scores": hidden, "unlabelled_amounts": np.full(36, 50.0)}
    plain, more = (
        measure_effect(by_costs(explore_share=0.1), rows(**changes)) for changes in ({}, beside)
    )
    assert more.unlabelled == (2, 4, 30)
    assert more.reviews_a_day - plain.reviews_a_day == pytest.approx((4 + 0.1 * 30) / 2)
    assert (more.cost, more.rows, more.blocked) == (plain.cost, plain.rows, plain.blocked)
    assert more.cost_of_exploring - plain.cost_of_exploring == pytest.approx(0.1 * 30 * 4)
    told = facts(more)["unlabelled"]
    assert told.startswith("36 payments more of that time were blocked and never labelled: 2 are")
    assert f"With them there are {number(more.reviews_a_day)} reviews a day" in told
    assert "unlabelled" not in facts(plain)


def test_validation_rows_are_said_to_have_chosen_the_policy():
    told = facts(measure_effect(by_costs(), rows(part="validation")))
    assert "which also chose the policy" in told["judged by"]


def test_amounts_of_nothing_are_no_scale():
    assert "no amount is above 0" in looks(by_costs(), rows(0.0))


def test_costs_that_are_the_same_for_each_payment_are_told_to_be_per_payment():
    effect = measure_effect(by_costs(lost_share=0.0, fraud_cost=40.0), rows(0.0))
    assert effect.cost_of_approving == 10 * 40
    assert "Costs are per payment: each missed fraud counts 40.00 EUR" in facts(effect)["money"]
    assert not [each for each in effect.looks() if "amount" in each]
    dear = looks(by_costs(lost_share=0.0, fraud_cost=0.2), rows(0.0))
    assert "a wrong block is said to cost 25.00 EUR where a missed fraud costs 0.2 EUR" in dear
    free = looks(by_costs(lost_share=0.0, fraud_cost=0.0), rows(0.0))
    assert "a missed fraud is said to cost nothing, so there is no reason to stop one" in free
    assert "Costs are per payment" not in facts(measure_effect(by_costs(), rows()))["money"]


def test_numbers_for_people_never_say_0_of_what_is_more():
    assert [money(each) for each in (0.0, -0.0, 1234.5, 0.00012345)] == [
        "0.00", "0.00", "1,234.50", "0.000123",
    ]  # fmt: skip
    assert percent(1e-7) == "1e-05 %"
    assert [number(each) for each in (0, 0.04, 12.345, 1234.5)] == ["0", "0.04", "12.3", "1,234"]
