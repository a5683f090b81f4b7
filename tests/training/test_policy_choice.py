"""A policy keeps its cap, and its worth is counted against other ways to decide."""

import msgspec
import numpy as np
import pytest
from tests.models import tiny_policy

from fraudline.bundle.policy import Policy
from fraudline.errors import InputError
from fraudline.measures.scored_rows import ScoredRows
from fraudline.training.policy_choice import best_threshold, compare, within_cap


def by_costs(**changes: object) -> Policy:
    return tiny_policy(**{"review_from": None, "block_from": None, **changes})


@pytest.fixture(scope="module")
def judged() -> ScoredRows:
    """Two days of calibrated scores: of payments with score p, a share p is fraud."""
    random = np.random.default_rng(0)
    scores = random.beta(0.05, 2, 20_000)
    labels = (random.random(20_000) < scores).astype(np.int8)
    return ScoredRows(scores, labels, random.lognormal(4, 1, 20_000), days=2.0)


def test_without_need_a_cap_changes_nothing(judged):
    policy = within_cap(by_costs(most_reviews_a_day=1e6), judged)
    assert policy.review_surcharge == 0
    assert policy.reviews_a_day > 100


@pytest.mark.parametrize("rule", ["approve", "block"])
@pytest.mark.parametrize("cap", [300.0, 10.0, 0.5, 0.0])
def test_a_cap_is_kept_and_used(judged, cap, rule):
    policy = within_cap(by_costs(most_reviews_a_day=cap, above_review_cap=rule), judged)
    assert cap - 0.5 <= policy.reviews_a_day <= cap
    assert policy.review_surcharge > 0


def test_a_lower_cap_saves_less_and_still_more_than_a_fixed_threshold(judged):
    saved = [
        compare(within_cap(by_costs(most_reviews_a_day=cap), judged), judged, 0.5)[0].saved[0]
        for cap in (1e6, 100.0, 0.0)
    ]
    assert saved == sorted(saved, reverse=True)
    fixed = compare(by_costs(), judged, best_threshold(by_costs(), judged))[-1].saved[0]
    assert saved[-1] > fixed


def test_thresholds_that_ask_for_more_reviews_than_the_cap_are_refused(judged):
    policy = by_costs(review_from=0.001, block_from=0.9, most_reviews_a_day=5.0)
    with pytest.raises(InputError, match=r"review from 0.001 and block from 0.9 gives .* is 5"):
        within_cap(policy, judged)


def test_reviews_of_what_would_be_blocked_count_against_the_cap(judged):
    freely = within_cap(by_costs(most_reviews_a_day=1e6), judged)
    both = within_cap(by_costs(most_reviews_a_day=1e6, explore_share=0.1), judged)
    assert both.review_surcharge == freely.review_surcharge == 0
    assert both.reviews_a_day > freely.reviews_a_day
    capped = within_cap(by_costs(most_reviews_a_day=20.0, explore_share=0.01), judged)
    alone = within_cap(by_costs(most_reviews_a_day=20.0), judged)
    assert 19 <= capped.reviews_a_day <= 20
    assert capped.review_surcharge > alone.review_surcharge
    plain, exploring = (compare(policy, judged, None)[0] for policy in (freely, both))
    assert exploring.cost > plain.cost


def test_to_explore_more_than_the_cap_allows_is_refused_with_the_share(judged):
    policy = by_costs(most_reviews_a_day=5.0, explore_share=1.0, above_review_cap="approve")
    with pytest.raises(InputError, match=r"^to review 100 % of what would be blocked gives .*less"):
        within_cap(policy, judged)


def test_the_best_threshold_costs_no_more_than_any_other(judged):
    policy = by_costs()
    best = best_threshold(policy, judged)

    def cost(threshold: float) -> float:
        codes = np.where(judged.scores >= threshold, 2, 0).astype(np.int8)
        return policy.costs(codes, judged.labels, judged.amounts).sum()

    others = [cost(threshold) for threshold in [*np.linspace(0, 1.01, 200), *judged.scores[:500]]]
    assert cost(best) <= min(others) + 1e-6


def test_where_blocking_never_pays_the_best_threshold_is_out_of_reach():
    rows = ScoredRows(np.array([0.1, 0.9]), np.zeros(2, np.int8), np.ones(2), 1.0)
    assert best_threshold(by_costs(), rows) == 1.0


def test_to_block_nothing_blocks_no_score_of_1_and_a_threshold_that_does_is_not_called_so():
    saturated = np.array([0.1, 1.0, 1.0])
    legitimate = ScoredRows(saturated, np.zeros(3, np.int8), np.ones(3), 1.0)
    never = best_threshold(by_costs(), legitimate)
    nothing = compare(by_costs(), legitimate, never)[-1]
    assert nothing.name.startswith("block nothing")
    assert nothing.blocked[0] == 0
    frauds = ScoredRows(saturated, np.array([0, 1, 1], np.int8), np.full(3, 500.0), 1.0)
    blocking = compare(by_costs(), frauds, best_threshold(by_costs(), frauds))[-1]
    assert blocking.name.startswith("block from 0.99999")
    assert blocking.blocked == (2, 2)


def test_savings_are_counted_against_approving_everything_and_against_the_policy(judged):
    policy = within_cap(by_costs(), judged)
    ours, nothing, tutorial, fixed = compare(policy, judged, 0.25)
    assert nothing.saved == (0, 0, 0)
    assert nothing.cost == pytest.approx(policy.losses(judged.amounts)[judged.labels == 1].sum())
    assert ours.saved[0] == pytest.approx(nothing.cost - ours.cost)
    assert ours.ahead is None
    for way in (nothing, tutorial, fixed):
        assert way.ahead[0] == pytest.approx(way.cost - ours.cost)
        assert way.ahead[1] < way.ahead[0] < way.ahead[2]
        assert sum(count for count, _ in (way.approved, way.reviewed, way.blocked)) == 20_000
    assert ours.reviewed[0] == pytest.approx(2 * policy.reviews_a_day, abs=1)


def test_an_interval_is_that_of_drawing_rows_anew(judged):
    few = ScoredRows(judged.scores[:400], judged.labels[:400], judged.amounts[:400], 1.0)
    policy = msgspec.structs.replace(by_costs(), block_from=0.5, review_from=0.5)
    _, low, high = compare(policy, few, None)[0].saved
    random = np.random.default_rng(1)
    nothing = policy.costs(np.zeros(400, np.int8), few.labels, few.amounts)
    codes = np.where(few.scores >= 0.5, 2, 0).astype(np.int8)
    gained = nothing - policy.costs(codes, few.labels, few.amounts)
    groups = [gained[few.labels == label] for label in (0, 1)]
    sums = [sum(random.choice(each, len(each)).sum() for each in groups) for _ in range(4000)]
    expected = np.percentile(sums, (2.5, 97.5))
    assert (low, high) == pytest.approx(tuple(expected), rel=0.1)


def test_a_cap_is_kept_to_the_review_and_not_to_a_rounded_number_of_them():
    rows = ScoredRows(np.full(4, 0.3), np.zeros(4, np.int8), np.arange(1, 5) * 100.0, days=100.0)
    policy = within_cap(by_costs(most_reviews_a_day=0.03, above_review_cap="approve"), rows)
    assert policy.reviews_a_day == 0.03


def test_reviews_of_what_was_blocked_and_never_labelled_count_against_the_cap(judged):
    """A version learns from what is visible; what it will block, or explore, is not among it."""
    is_hidden = judged.scores > 0.3
    seen = {name: getattr(judged, name)[~is_hidden] for name in ("scores", "labels", "amounts")}
    blind = ScoredRows(**seen, days=2.0)
    both = ScoredRows(
        **seen,
        days=2.0,
        unlabelled_scores=judged.scores[is_hidden],
        unlabelled_amounts=judged.amounts[is_hidden],
    )
    wanted = by_costs(most_reviews_a_day=20.0, explore_share=0.05)
    told, kept, true = (within_cap(wanted, rows) for rows in (blind, both, judged))
    in_flight = told.expected_reviews(told.decide(judged.scores, judged.amounts)) / judged.days
    assert in_flight > 1.2 * told.reviews_a_day, "there was nothing to mend"
    assert kept == true
    with pytest.raises(InputError, match=r"validation part and [0-9,]+ blocked payments of its"):
        within_cap(by_costs(most_reviews_a_day=0.1, explore_share=1.0), both)
