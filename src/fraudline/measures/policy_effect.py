"""What a policy does to the payments of the part that judges it: the figures that stand first.

Whoever tells what a version is worth (training, its pages, `models show`, `promote`, MLflow)
tells this, by these sentences. Figures at a threshold that decides nothing come after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fraudline.measures.cost_scale import out_of_scale, per_payment

if TYPE_CHECKING:  # the rooms of these names bring Arrow, which no measure needs
    from fraudline.bundle.policy import Policy
    from fraudline.contract.array_types import DecisionCodes, Flags
    from fraudline.measures.scored_rows import ScoredRows

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_MOST_LEGITIMATE_STOPPED = 0.02  # share of the legitimate payments


@dataclass(frozen=True)
class Count:
    """Payments, and how many of them are frauds."""

    payments: int
    frauds: int

    @property
    def legitimate(self) -> int:
        """How many are none."""
        return self.payments - self.frauds

    def __str__(self) -> str:
        return f"{self.payments:,} ({counted(self.frauds, 'fraud')})"


@dataclass(frozen=True)
class PolicyEffect:
    """What a policy does to labelled payments, and what that costs.

    Attributes:
        part: Which part of the history they are.
        days: How long they took to come, or as many take that come one after the other.
        unit: Of the amounts and costs; may be empty.
        rows: All of them.
        approved, reviewed, blocked: By decision; their sum is `rows`.
        above_cap: Those that the costs would have reviewed, and the cap of reviews did not.
        above_cap_blocked: Those of them that are blocked; the others are approved.
        most_reviews_a_day: The cap.
        cost: Of all decisions.
        cost_of_approving: What approving everything would have cost.
        cost_of_half: What blocking from a score of 0.5 alone would have cost.
        median_amount: Half of the amounts above 0 are no larger; 0 if there are none.
        amounts: The quantiles of the amounts, by their share, as in `QUANTILES`.
        review_cost, wrong_block_cost: The policy's.
        fraud_cost: Likewise, where a fraud costs the same whichever payment it is; None where
            amounts count.
        explore_share: Which share of the blocked goes to review instead, so that people label it.
            `reviewed` and `blocked` are without it; the cost is with it, in the mean.
        is_drawn: Whether they were drawn at random from all of the history's time.
        one_in: Of the legitimate ones one in so many was drawn, and is counted as often.
        unlabelled: Payments of the same time that were blocked and never labelled, by what is
            decided of them, as places in `DECISIONS`. They count among the reviews; no figure of
            frauds or money holds them.
    """

    part: str
    days: float
    unit: str
    rows: Count
    approved: Count
    reviewed: Count
    blocked: Count
    above_cap: Count
    above_cap_blocked: Count
    most_reviews_a_day: float
    cost: float
    cost_of_approving: float
    cost_of_half: float
    median_amount: float
    amounts: dict[float, float]
    review_cost: float
    wrong_block_cost: float
    fraud_cost: float | None = None
    is_drawn: bool = False
    explore_share: float = 0.0
    one_in: int = 1
    unlabelled: tuple[int, int, int] = (0, 0, 0)

    @property
    def explored(self) -> float:
        """How many of the blocked go to review instead, in the mean."""
        return self.explore_share * (self.blocked.payments + self.unlabelled[2])

    @property
    def cost_of_exploring(self) -> float:
        """What that costs more than blocking them, in the mean; below 0 it saves.

        Of the unlabelled it is what their reviews cost: what blocking them costs, nobody knows.
        """
        reviews = self.review_cost * (self.blocked.payments + self.unlabelled[2])
        wrong_blocks = self.wrong_block_cost * self.blocked.legitimate
        return self.explore_share * (reviews - wrong_blocks)

    @property
    def reviews_a_day(self) -> float:
        """All reviews a day, explored payments in the mean."""
        return (self.reviewed.payments + self.unlabelled[1] + self.explored) / self.days

    @property
    def legitimate_stopped(self) -> int:
        """Legitimate payments that are reviewed or blocked."""
        return self.reviewed.legitimate + self.blocked.legitimate

    @property
    def legitimate_stopped_share(self) -> float:
        """Which share of the legitimate payments that is."""
        return self.legitimate_stopped / max(self.rows.legitimate, 1)

    @property
    def saved(self) -> float:
        """What the decisions save against approving everything; below 0 they cost more."""
        return self.cost_of_approving - self.cost

    def figures(self) -> dict[str, float]:
        """Every figure by name, for a record."""
        named = {
            name: getattr(self, name) for name in ("rows", "approved", "reviewed", "blocked")
        } | {"above_review_cap": self.above_cap}
        counts = {
            f"{name}{suffix}": float(value)
            for name, count in named.items()
            for suffix, value in (("", count.payments), ("_frauds", count.frauds))
        }
        return counts | {
            "legitimate_stopped": float(self.legitimate_stopped),
            "legitimate_stopped_share": self.legitimate_stopped_share,
            "legitimate_stopped_a_day": self.legitimate_stopped / self.days,
            "unlabelled": float(sum(self.unlabelled)),
            "unlabelled_reviewed": float(self.unlabelled[1]),
            "unlabelled_blocked": float(self.unlabelled[2]),
            "explored": self.explored,
            "cost_of_exploring": self.cost_of_exploring,
            "reviews_a_day": self.reviews_a_day,
            "cost": self.cost,
            "cost_of_approving_everything": self.cost_of_approving,
            "cost_of_blocking_from_half": self.cost_of_half,
            "saved": self.saved,
        }

    def facts(self) -> list[tuple[str, str]]:
        """What it does, as names and sentences, with what is to be looked at last."""
        a_day = number(self.legitimate_stopped / self.days)
        stopped = (
            f"{self.legitimate_stopped:,} of {self.rows.legitimate:,} legitimate payments, "
            f"{percent(self.legitimate_stopped_share)}, {a_day} a day: "
            f"{self.reviewed.legitimate:,} reviewed, {self.blocked.legitimate:,} blocked"
        )
        saved = f"saves {self._money(self.saved)}"
        if self.saved < 0:
            saved = f"costs {self._money(-self.saved)} more"
        per_each = per_payment(self.fraud_cost, self._money)
        facts = [
            ("judged by", self.judged_by),
            *(
                (name, f"{count}, {number(count.payments / self.days)} a day")
                for name, count in (
                    ("approved", self.approved),
                    ("reviewed", self.reviewed),
                    ("blocked", self.blocked),
                )
            ),
            *self._told_of_unlabelled(),
            *self._told_of_exploring(),
            ("stopped", stopped),
            (
                "money",
                f"decisions cost {self._money(self.cost)}; approving everything would cost "
                f"{self._money(self.cost_of_approving)}: the policy {saved}{per_each}",
            ),
        ]
        return facts + [("LOOK", sentence) for sentence in self.looks()]

    def _told_of_unlabelled(self) -> list[tuple[str, str]]:
        if not sum(self.unlabelled):
            return []
        approved, reviewed, blocked = self.unlabelled
        told = (
            f"{counted(sum(self.unlabelled), 'payment')} more of that time were blocked and never "
            f"labelled: {approved:,} are approved, {reviewed:,} reviewed, {blocked:,} blocked. "
            f"With them there are {number(self.reviews_a_day)} reviews a day; no figure that needs "
            "a label holds them"
        )
        return [("unlabelled", told)]

    def _told_of_exploring(self) -> list[tuple[str, str]]:
        if not self.explore_share:
            return []
        costs = f"costs {self._money(self.cost_of_exploring)} more"
        if self.cost_of_exploring < 0:
            costs = f"saves {self._money(-self.cost_of_exploring)}"
        told = (
            f"{percent(self.explore_share)} of those blocked are reviewed instead, so that people "
            f"label them: {number(self.explored)} in the mean, {number(self.explored / self.days)} "
            f"a day, which {costs}"
        )
        return [("explored", told)]

    @property
    def judged_by(self) -> str:
        """Which payments the figures are of, and what they can stand for."""
        kept = (
            "which chose nothing"
            if self.part == "test"
            else "which also chose the policy, so the figures are a little kind"
        )
        drawn = "drawn at random, as many as come in " if self.is_drawn else ""
        if self.one_in > 1:
            kept = f"told by one in {self.one_in:,} of the legitimate ones, {kept}"
        return (
            f"the {self.rows.payments:,} payments ({counted(self.rows.frauds, 'fraud')}) of the "
            f"{self.part} part, {drawn}{number(self.days)} days, {kept}; decided by its own policy"
        )

    def looks(self) -> list[str]:
        """What a person should look at before the policy decides anything."""
        found = []
        if self.legitimate_stopped_share > _MOST_LEGITIMATE_STOPPED:
            found.append(
                f"{percent(self.legitimate_stopped_share)} of the legitimate payments are stopped, "
                f"more than {percent(_MOST_LEGITIMATE_STOPPED)}: {self.legitimate_stopped:,} of "
                f"{self.rows.legitimate:,}. Are the costs right?"
            )
        if self.rows.frauds and self.approved.frauds == self.rows.frauds:
            found.append(
                f"not one of the {counted(self.rows.frauds, 'fraud')} is stopped. "
                "Are the costs right?"
            )
        if self.saved < 0:
            found.append(
                f"the policy costs {self._money(-self.saved)} more than approving everything."
            )
        if self.cost > self.cost_of_half:
            less = self._money(self.cost - self.cost_of_half)
            found.append(
                "blocking from a score of 0.5, and nothing else, would cost "
                f"{self._money(self.cost_of_half)} here, {less} less than the policy. "
                "decisions.html says how sure that is."
            )
        found += out_of_scale(
            {"a review": self.review_cost, "a wrong block": self.wrong_block_cost},
            self.median_amount,
            self.fraud_cost,
            self._money,
        )
        if self.above_cap.payments:
            approved = self.above_cap.payments - self.above_cap_blocked.payments
            found.append(
                f"the cap of {number(self.most_reviews_a_day)} reviews a day binds: without it, "
                f"{self.above_cap} more of these payments would be reviewed; {approved:,} of them "
                f"are approved and {self.above_cap_blocked.payments:,} blocked."
            )
        if self.reviews_a_day > self.most_reviews_a_day:
            found.append(
                f"there are {number(self.reviews_a_day)} reviews a day here, above "
                f"the cap of {number(self.most_reviews_a_day)}, which holds in the mean of the "
                "validation part alone."
            )
        return found

    def _money(self, value: float) -> str:
        return f"{money(value)} {self.unit}".rstrip()


def measure_effect(policy: Policy, judged: ScoredRows) -> PolicyEffect:
    """What a policy does to labelled payments.

    Args:
        policy: Any.
        judged: The payments, scored by the policy's model.
    """
    labels, amounts = judged.labels, judged.amounts
    codes = policy.decide(judged.scores, amounts)
    of_unlabelled = _counts(policy.decide(judged.unlabelled_scores, judged.unlabelled_amounts))
    would_be_reviewed = policy.uncapped().decide(judged.scores, amounts) == 1
    above_cap = would_be_reviewed & (codes != 1)
    approving = np.zeros_like(codes)
    from_half = np.where(judged.scores >= 0.5, 2, 0)

    def count(is_meant: Flags) -> Count:
        return Count(int(is_meant.sum()), int(labels[is_meant].sum()))

    approved, reviewed, blocked = (count(codes == code) for code in range(3))
    positive = amounts[amounts > 0]
    return PolicyEffect(
        part=judged.part,
        days=judged.days,
        unit=policy.unit,
        rows=count(np.ones(len(codes), dtype=np.bool_)),
        approved=approved,
        reviewed=reviewed,
        blocked=blocked,
        above_cap=count(above_cap),
        above_cap_blocked=count(above_cap & (codes == 2)),
        most_reviews_a_day=policy.most_reviews_a_day,
        cost=float(policy.expected_costs(codes, labels, amounts).sum()),
        cost_of_approving=float(policy.costs(approving, labels, amounts).sum()),
        cost_of_half=float(policy.costs(from_half, labels, amounts).sum()),
        median_amount=float(np.median(positive)) if len(positive) else 0.0,
        amounts=dict(zip(QUANTILES, np.quantile(amounts, QUANTILES).tolist(), strict=True)),
        review_cost=policy.review_cost,
        wrong_block_cost=policy.wrong_block_cost,
        fraud_cost=None if policy.lost_share else policy.fraud_cost,
        is_drawn=judged.is_drawn,
        explore_share=policy.explored_share,
        one_in=judged.one_in,
        unlabelled=of_unlabelled,
    )


def _counts(codes: DecisionCodes) -> tuple[int, int, int]:
    approved, reviewed, blocked = (int((codes == code).sum()) for code in range(3))
    return approved, reviewed, blocked


def money(value: float) -> str:
    """An amount, to the hundredth, or to three digits where that would say nothing."""
    return f"{value:z,.2f}" if abs(value) >= 1 or not value else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in per cent, to three digits; never 0 for what is not."""
    return f"{100 * share:.3g} %"


def number(value: float) -> str:
    """A number that people read: three digits, and all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def counted(count: int, name: str) -> str:
    """So many of something, in words."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"
