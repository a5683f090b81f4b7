"""A policy that keeps its cap of reviews, and how it does beside other ways to decide."""

from __future__ import annotations

import msgspec
import numpy as np

from fraudline.bundle.policy import NEVER, Policy, below_never, score_text
from fraudline.contract import APPROVED, BLOCKED
from fraudline.contract.array_types import DecisionCodes
from fraudline.errors import InputError
from fraudline.measures.policy_effect import counted, number
from fraudline.measures.scored_rows import ScoredRows
from fraudline.measures.worth import Saving, Way, measure_worth

TUTORIAL_THRESHOLD = 0.5
_HALVINGS = 60


def within_cap(policy: Policy, judged: ScoredRows) -> Policy:
    """The policy with the least surcharge that keeps reviews a day within the cap.

    Raises:
        InputError: a person's thresholds, or exploring, ask for more reviews than the cap allows.
    """
    scores, amounts = judged.all_scores, judged.all_amounts  # to be reviewed needs no label

    def with_surcharge(surcharge: float) -> Policy:
        tried = msgspec.structs.replace(policy, review_surcharge=surcharge)
        reviews = tried.expected_reviews(tried.decide(scores, amounts))
        return msgspec.structs.replace(tried, reviews_a_day=reviews / judged.days)

    free = with_surcharge(0.0)
    cap = policy.most_reviews_a_day
    if free.reviews_a_day <= cap and cap > 0:
        return free
    # A review that has to save as much as this never pays.
    low, high = 0.0, float(max(policy.wrong_block_cost, policy.losses(amounts).max()))
    least = with_surcharge(high)
    if least.reviews_a_day > cap:
        share = policy.explored_share
        explores = f"to review {100 * share:g} % of what would be blocked" if share else ""
        asked = " and ".join(filter(None, [policy.fixed_in_words, explores]))
        hidden = len(judged.unlabelled_scores)
        beside = f" and {counted(hidden, 'blocked payment')} of its time" if hidden else ""
        raise InputError(
            f"{asked} gives {number(least.reviews_a_day)} reviews a day on the "
            f"validation part{beside}, but the cap is {number(cap)}, and above it the policy is to "
            f"{policy.above_review_cap}. Review from a higher score, block from a lower one, "
            f"{'explore less, ' if share else ''}or allow more reviews."
        )
    if cap == 0:
        return least
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if with_surcharge(middle).reviews_a_day <= cap:
            high = middle
        else:
            low = middle
    return with_surcharge(high)


def best_threshold(policy: Policy, judged: ScoredRows) -> float:
    """The fixed threshold that costs the least on these rows to block from, or `NEVER`."""
    scores = below_never(judged.scores)
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    is_fraud = judged.labels[order] == 1
    losses = policy.losses(judged.amounts)[order]
    # Blocking one row more saves the loss of a fraud, or costs a wrong block.
    gains = np.where(is_fraud, losses, -policy.wrong_block_cost).cumsum()
    is_last = np.append(scores[1:] != scores[:-1], True)  # equal scores are blocked together
    best = int(np.argmax(np.where(is_last, gains, -np.inf)))
    return float(scores[best]) if gains[best] > 0 else NEVER


def compare(policy: Policy, judged: ScoredRows, threshold: float | None) -> list[Saving]:
    """The policy, then other ways to decide, by what they cost.

    Args:
        policy: Of the model that gave the scores.
        judged: Rows that the policy was not chosen by.
        threshold: The best fixed threshold on the rows that it was chosen by, if there are any.
    """
    approving = "approve everything"
    codes = {
        "the policy": policy.decide(judged.scores, judged.amounts),
        approving: np.full(len(judged.scores), APPROVED, np.int8),
        f"block from {TUTORIAL_THRESHOLD:g}, as the tutorial does": _fixed(
            judged, TUTORIAL_THRESHOLD
        ),
    }
    if threshold is not None:
        words = "block nothing" if threshold == NEVER else f"block from {_short(threshold)}"
        codes[f"{words}, the best fixed threshold"] = _fixed(judged, threshold)
    ways = {
        name: Way(each, policy.costs(each, judged.labels, judged.amounts))
        for name, each in codes.items()
    }
    ours = codes["the policy"]
    explored = policy.expected_costs(ours, judged.labels, judged.amounts)
    ways["the policy"] = Way(ours, explored)
    return measure_worth(ways, approving, judged.labels, judged.one_in)


def _short(threshold: float) -> str:
    text = f"{threshold:.3g}"
    return text if float(text) < NEVER else score_text(threshold)


def _fixed(judged: ScoredRows, threshold: float) -> DecisionCodes:
    return np.where(below_never(judged.scores) >= threshold, BLOCKED, APPROVED).astype(np.int8)
