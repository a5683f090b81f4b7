"""Whether costs can be right, held against what a fraud costs, and of what they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

_CHEAPEST, _DEAREST = 1 / 100, 100  # of a mistake, before it is asked about


def out_of_scale(
    costs: Mapping[str, float],
    median_amount: float,
    fraud_cost: float | None,
    money: Callable[[float], str],
) -> list[str]:
    """A sentence for each cost that may be in another unit.

    Args:
        costs: By what it is of, such as `a review`.
        median_amount: Of the amounts above 0; 0 if there are none.
        fraud_cost: What a missed fraud costs where that is the same for every payment; None where
            amounts count.
        money: A cost in words, with its unit.
    """
    if fraud_cost is None:
        scale, named = median_amount, f"the median amount is {money(median_amount)}"
        mended = "in the unit of the amounts"
        nothing = "no amount is above 0, so no cost can be held against the amounts."
    else:
        scale, named = fraud_cost, f"a missed fraud costs {money(fraud_cost)}"
        mended = "right beside each other"
        nothing = "a missed fraud is said to cost nothing, so there is no reason to stop one."
    if not scale:
        return [nothing]
    found = []
    for name, cost in costs.items():
        ratio = cost / scale
        if not _CHEAPEST <= ratio <= _DEAREST:
            times = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
            found.append(
                f"{name} is said to cost {money(cost)} where {named}, {times} times as much. Are "
                f"the costs {mended}?"
            )
    return found


def per_payment(fraud_cost: float | None, money: Callable[[float], str]) -> str:
    """That amounts play no part, as the end of a sentence; empty where they do.

    Args:
        fraud_cost: As for `out_of_scale`.
        money: Likewise.
    """
    if fraud_cost is None:
        return ""
    return f". Costs are per payment: each missed fraud counts {money(fraud_cost)}"
