"""What decisions cost in these benchmarks."""

from __future__ import annotations

from fraudline.bundle.policy import Policy
from fraudline.settings import PolicySettings


def policy() -> Policy:
    """The product's costs, without a cap of reviews."""
    costs = PolicySettings()
    return Policy(
        "currency",
        costs.lost_share,
        costs.fraud_cost,
        costs.review_cost,
        costs.wrong_block_cost,
        most_reviews_a_day=0.0,
    )
