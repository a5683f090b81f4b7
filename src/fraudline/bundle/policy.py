"""From a score and an amount to what is done with a payment, by what each mistake costs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

# A manifest is read without numpy and Arrow, which would be most of what a list of versions costs.
# What computes has loaded them already.
if TYPE_CHECKING:
    from fraudline.contract.array_types import DecisionCodes, Floats, Labels

_Cost = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
_Above0 = Annotated[float, msgspec.Meta(gt=0, le=1e12)]
AboveCap = Literal["approve", "block"]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Score = Annotated[float, msgspec.Meta(ge=0, le=1)]
_LEAST_LOSS = 1e-12  # what is divided by, where a fraud costs nothing
# The least threshold that follows from costs, so that none rounds to 0: a score of 0 is approved.
_LEAST_THRESHOLD = sys.float_info.min
# No score reaches this threshold: a network's sigmoid gives exactly 1 where it is saturated, and
# such a score is the largest number below 1 (see `below_never`).
NEVER = 1.0
_MOST_SCORE = 1 - sys.float_info.epsilon / 2


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a decision costs, and so which one is the cheapest for a score and an amount.

    With a score p and a fraud that would cost L = lost_share * amount + fraud_cost, the
    expected costs are: approve p * L; block (1 - p) * wrong_block_cost; review review_cost,
    as a review is taken to find the truth (Elkan, The foundations of cost-sensitive
    learning, 2001). The least of them decides, which comes to two thresholds on the score
    for each amount.

    Scorers share nothing, so none of them can count the reviews of a day. The cap is kept
    in the mean instead: `review_surcharge`, an amount that a review must save beyond its
    cost, is chosen so that the validation part has no more reviews a day than the cap. What
    it is measured against is what happens instead, `above_review_cap`: of all rules that do
    the same with as few reviews this one saves the most. A day with more suspicious payments
    than those has more reviews.

    A threshold of `NEVER` is reached by no score.

    Attributes:
        unit: Of the costs and of the amount.
        lost_share: Share of the amount that is lost where a fraud is approved; 0 where the
            contract has no amount.
        fraud_cost: What an approved fraud costs besides.
        review_cost: Of one review.
        wrong_block_cost: Of blocking a payment that was none of a fraud.
        most_reviews_a_day: The cap.
        above_review_cap: What is done with a payment that would be reviewed if the cap
            allowed it. Not set in versions from before there was a choice: those do whichever
            of the two costs less.
        review_surcharge: See above.
        reviews_a_day: How many there are on the validation part.
        review_from: Least score that is not approved, whatever the costs say: a person's.
        block_from: Least score that is blocked, whatever the costs say: a person's; 1 never
            blocks.
        explore_share: Of the payments that would be blocked, which share is reviewed instead, so
            that people label them; those reviews count against the cap. Not set where none is.
    """

    unit: str
    lost_share: Annotated[float, msgspec.Meta(ge=0, le=10)]
    fraud_cost: _Cost
    review_cost: _Cost
    wrong_block_cost: _Above0
    most_reviews_a_day: _Cost
    review_surcharge: _Cost = 0.0
    reviews_a_day: _Cost = 0.0
    review_from: _Score | None = None
    block_from: _Score | None = None
    above_review_cap: AboveCap | msgspec.UnsetType = msgspec.UNSET
    explore_share: _Share | msgspec.UnsetType = msgspec.UNSET

    @property
    def explored_share(self) -> float:
        """`explore_share`, and 0 where it is not set."""
        return self.explore_share or 0.0

    @property
    def fixed_in_words(self) -> str:
        """The scores that a person set, as `review from 0.1 and block from 0.9`; may be empty."""
        named = (("review", self.review_from), ("block", self.block_from))
        return " and ".join(
            f"never {name}" if score == NEVER else f"{name} from {score_text(score)}"
            for name, score in named
            if score is not None
        )

    def losses(self, amounts: Floats) -> Floats:
        """What each payment costs if it is a fraud and approved, shape (rows,)."""
        import numpy as np  # noqa: PLC0415 - see above

        return self.lost_share * np.maximum(amounts, 0.0) + self.fraud_cost

    def thresholds(self, amounts: Floats) -> tuple[Floats, Floats]:
        """Least score that is not approved, and least that is blocked, for each amount.

        The first is at most the second; where they are equal, nothing is reviewed. None that
        follows from costs is 0.
        """
        import numpy as np  # noqa: PLC0415 - see above

        if self.review_from is not None and self.block_from is not None:
            blocked = np.full(amounts.shape, self.block_from)
            return np.minimum(self.review_from, blocked), blocked
        losses, wrong = self.losses(amounts), self.wrong_block_cost
        extra, rule = self.review_surcharge, self.above_review_cap
        # What a review has to save against approving, and against blocking, to be made.
        instead_of_approving = self.review_cost + (0.0 if rule == "block" else extra)
        instead_of_blocking = self.review_cost + (0.0 if rule == "approve" else extra)
        # From here on blocking costs less than approving.
        even = np.maximum(wrong / (losses + wrong), _LEAST_THRESHOLD)
        not_approved = instead_of_approving / np.maximum(losses, _LEAST_LOSS)
        not_approved = np.maximum(not_approved, _LEAST_THRESHOLD)
        if rule is msgspec.UNSET:
            not_approved = np.minimum(even, not_approved)
            blocked = np.maximum(even, 1 - instead_of_blocking / wrong)
        else:
            if self.block_from is None:
                highest = np.maximum(even, 1 - self.review_cost / wrong)
                not_approved = np.minimum(not_approved, highest)
            blocked = np.maximum(not_approved, 1 - instead_of_blocking / wrong)
        if self.block_from is not None:
            blocked = np.full_like(blocked, self.block_from)
        if self.review_from is not None:
            not_approved = np.full_like(not_approved, self.review_from)
        return np.minimum(not_approved, blocked), blocked

    def decide(self, scores: Floats, amounts: Floats) -> DecisionCodes:
        """What is done with each payment, as places in `DECISIONS`, shape (rows,).

        By score and amount alone: which of the blocked ones are explored follows from all values
        of a payment (`scoring.explore`).
        """
        return decision_codes(below_never(scores), *self.thresholds(amounts))

    def uncapped(self) -> Policy:
        """The same policy as if there were no cap of reviews."""
        return msgspec.structs.replace(self, review_surcharge=0.0)

    def costs(self, decided: DecisionCodes, labels: Labels, amounts: Floats) -> Floats:
        """What decisions did cost, told by the labels, shape (rows,).

        Args:
            decided: Places in `DECISIONS`.
            labels: 1 for fraud.
            amounts: In the policy's unit.
        """
        import numpy as np  # noqa: PLC0415 - see above

        from fraudline.contract import APPROVED, BLOCKED, REVIEWED  # noqa: PLC0415

        of_fraud = np.where(decided == APPROVED, self.losses(amounts), 0.0)
        of_legitimate = np.where(decided == BLOCKED, self.wrong_block_cost, 0.0)
        unread = np.where(labels == 1, of_fraud, of_legitimate)
        return np.where(decided == REVIEWED, self.review_cost, unread)

    def expected_costs(self, decided: DecisionCodes, labels: Labels, amounts: Floats) -> Floats:
        """`costs` in the mean of which blocked payments are explored, shape (rows,).

        Args:
            decided: What `decide` gives.
            labels: As for `costs`, like the amounts.
            amounts: Likewise.
        """
        from fraudline.contract import BLOCKED  # noqa: PLC0415 - see above

        costs = self.costs(decided, labels, amounts)
        blocked = decided == BLOCKED
        costs[blocked] += self.explored_share * (self.review_cost - costs[blocked])
        return costs

    def expected_reviews(self, decided: DecisionCodes) -> float:
        """How many payments are reviewed, explored ones in the mean.

        Args:
            decided: What `decide` gives.
        """
        from fraudline.contract import BLOCKED, REVIEWED  # noqa: PLC0415 - see above

        explored = self.explored_share * int((decided == BLOCKED).sum())
        return int((decided == REVIEWED).sum()) + explored


def below_never(scores: Floats) -> Floats:
    """The scores, but those of exactly 1 as the largest number below it, shape (rows,)."""
    import numpy as np  # noqa: PLC0415 - see above

    return np.where(scores == NEVER, _MOST_SCORE, scores)


def score_text(score: float) -> str:
    """A score or threshold for people: four digits, and more where those would say 1 of less."""
    text = f"{score:.4g}"
    return text if float(text) < 1 or score == 1 else repr(score)


def decision_codes(scores: Floats, not_approved: Floats, blocked: Floats) -> DecisionCodes:
    """The place in `DECISIONS` of each row; NaN is approved, as it reaches no threshold."""
    return (scores >= not_approved).astype("i1") + (scores >= blocked)
