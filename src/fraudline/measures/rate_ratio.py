"""How many times as often payments are fraud where something holds as where it does not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Flags, Labels

# Of a normal distribution, 95 % lies within so many standard deviations of its mean.
_SDS = 1.96


@dataclass(frozen=True)
class RateRatio:
    """The share of frauds where something holds, over that where it does not.

    Attributes:
        ratio: Over all; infinite where no fraud is elsewhere, and NaN where there is none at all.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    ratio: float
    low: float
    high: float

    @property
    def is_told(self) -> bool:
        """Whether the interval leaves out 1, so that chance alone does not explain it."""
        return self.low > 1 or self.high < 1


def rate_ratio(frauds: float, rows: float, other_frauds: float, other_rows: float) -> RateRatio:
    """Compare two shares of frauds.

    The interval is that of the ratio's logarithm (Katz and others, Obtaining confidence intervals
    for the risk ratio in cohort studies, 1978), with half a fraud more on either side, so that it
    is there where one of them has none.

    Args:
        frauds: Where it holds.
        rows: Likewise, above 0. Where the legitimate ones are a draw, as many as they stand for.
        other_frauds: Where it does not.
        other_rows: Likewise, above 0.
    """
    share, other = frauds / rows, other_frauds / other_rows
    ratio = share / other if other else math.inf if share else math.nan
    some, others = frauds + 0.5, other_frauds + 0.5
    middle = math.log(some / (rows + 0.5)) - math.log(others / (other_rows + 0.5))
    variance = 1 / some - 1 / (rows + 0.5) + 1 / others - 1 / (other_rows + 0.5)
    spread = _SDS * math.sqrt(max(variance, 0.0))
    return RateRatio(ratio, math.exp(middle - spread), math.exp(middle + spread))


@dataclass(frozen=True)
class Apart:
    """Payments of which something is so, beside the others.

    Attributes:
        share: How many of the legitimate payments it is so of, 0 to 1.
        fraud_share: How many of those of which it is so are fraud; NaN where there are none.
        other_fraud_share: Likewise of the others.
        ratio: How many times as often they are fraud; None where either are none.
    """

    share: float
    fraud_share: float
    other_fraud_share: float
    ratio: RateRatio | None


def set_apart(is_so: Flags, labels: Labels, fraud_share: float) -> Apart:
    """Set payments apart by what is so of some of them, and compare how often they are fraud.

    Args:
        is_so: Shape (rows,).
        labels: 1 for fraud, shape (rows,); both kinds are there.
        fraud_share: Of all payments: the legitimate ones among the rows may be a draw.
    """
    is_fraud = labels == 1
    frauds, legitimate = int(is_fraud.sum()), int((~is_fraud).sum())
    so_fraud, so_legitimate = int((is_so & is_fraud).sum()), int((is_so & ~is_fraud).sum())
    stands_for = (1 / fraud_share - 1) * frauds / legitimate  # payments, each legitimate row
    so = so_fraud + so_legitimate * stands_for
    others = frauds - so_fraud + (legitimate - so_legitimate) * stands_for
    return Apart(
        so_legitimate / legitimate,
        so_fraud / so if so else math.nan,
        (frauds - so_fraud) / others if others else math.nan,
        rate_ratio(so_fraud, so, frauds - so_fraud, others) if so and others else None,
    )


def absence_words(ratio: RateRatio) -> str:
    """What it says of a payment that a value is missing: the end of a sentence."""
    if not ratio.is_told:
        return "says nothing of fraud by being null, beyond what chance may do"
    interval = f"95 % interval {ratio.low:.2g} to {ratio.high:.2g}"
    if math.isinf(ratio.ratio):
        return f"is null in every fraud ({interval} times as often fraud where it is null)"
    return f"is fraud {ratio.ratio:.2g} times as often where it is null ({interval})"
