"""Nothing decides by costs that nobody gave: the rule for whatever is to become a champion.

What was one before there was that rule may stay it, and be rolled back to, and is told.

The defaults of the costs are round figures for card payments in a currency's main unit. For
payments of a contract that fraudline does not bring they would decide in silence, and wrongly,
so there a person has to give them: in `[policy]`, or by `fraudline models policy`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fraudline.contract.contract_file import is_brought
from fraudline.errors import InputError
from fraudline.measures.policy_effect import money
from fraudline.settings import PolicySettings
from fraudline.use_cases.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fraudline.contract.array_types import Floats

COSTS = ("fraud_cost", "review_cost", "wrong_block_cost")
_DEFAULTS = {name: float(PolicySettings.model_fields[name].default) for name in COSTS}
_CARD_AMOUNT = 22.0  # the median of the payments that the defaults were made for


def require_own_costs_to_train(project: Project, read_amounts: Callable[[], Floats]) -> None:
    """Refuse to train what could not be promoted afterwards.

    Args:
        project: Whose contract and settings.
        read_amounts: Gives the amounts of the history; asked only to say what the defaults
            would be at their scale.

    Raises:
        InputError: costs are defaults and the contract is none that fraudline brings.
    """
    missing = _not_given(project, vars(project.settings.policy))
    if missing:
        amounts = read_amounts()
        positive = amounts[amounts > 0]
        median_amount = float(np.median(positive)) if len(positive) else None
        scaled = _costs_to_begin_with(project, missing, median_amount)
        lines = "\n".join(f"{name} = {value}" for name, value in scaled.items())
        raise InputError(
            f"{_what_is_missing(project, missing, median_amount)} Nothing was trained. Put what "
            "they cost you into fraudline.toml, or train without --promote to look first. "
            f"Scaled to these amounts, the defaults would be:\n\n"
            f"{project.settings.heading('policy')}\n{lines}"
        )


def require_own_costs(
    project: Project, version: str, costs: Mapping[str, object], median_amount: float | None
) -> None:
    """Refuse a champion that decides by costs that nobody gave.

    Args:
        project: Whose contract and settings.
        version: What is to become the champion.
        costs: Its policy's fields, by name.
        median_amount: Of the payments that judged it; None where they were not kept.

    Raises:
        InputError: as for `require_own_costs_to_train`; the champion stays who it was.
    """
    missing = _not_given(project, costs)
    if missing:
        scaled = _costs_to_begin_with(project, missing, median_amount)
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in scaled.items())
        lines = "\n".join(f"{name} = {_DEFAULTS[name]:g}" for name in missing)
        raise InputError(
            f"{_what_is_missing(project, missing, median_amount)} {version} was not made the "
            "champion. Make a version with your own costs; scaled to these amounts, the defaults "
            f"would be:\n\nfraudline models policy {version} {options}\n\n"
            f"If the defaults are right, say so in fraudline.toml:\n\n"
            f"{project.settings.heading('policy')}\n{lines}"
        )


def tell_foreign_costs(project: Project, version: str, costs: Mapping[str, object]) -> str | None:
    """Say that a champion decides by costs that nobody gave, as one of the last release may.

    It scores, is rolled back to or promoted once more: none of that is refused.

    Args:
        project: Whose contract and settings.
        version: The champion.
        costs: Its policy's fields, by name.

    Returns:
        A sentence for people; None where there is nothing to tell.
    """
    missing = _not_given(project, costs)
    if not missing:
        return None
    return (
        f"{_what_is_missing(project, missing, None)} {version} decides by them, since it "
        f"became the champion before that was refused. `fraudline models show {version}` tells "
        f"what they do; `fraudline models policy {version}` makes a version with your own."
    )


def _not_given(project: Project, costs: Mapping[str, object]) -> list[str]:
    """The costs that are defaults, and that the settings do not give as just these."""
    if is_brought(project.settings.contract):
        return []
    given = project.settings.policy
    return [
        name
        for name in COSTS
        if costs[name] == _DEFAULTS[name]
        and not (name in given.model_fields_set and getattr(given, name) == costs[name])
    ]


def _what_is_missing(project: Project, missing: list[str], median_amount: float | None) -> str:
    contract = project.contract
    *most, last = (f"{name} {_DEFAULTS[name]:g}" for name in missing)
    named = f"{', '.join(most)} and {last}" if most else last
    amounts = ""
    if contract.amount is None:
        amounts = ", and the contract has no amount: fraud_cost alone is what a missed fraud costs"
    elif median_amount is not None:
        half = f"{money(median_amount)} {contract.amount_unit}".rstrip()
        amounts = f", and half of the amounts above 0 in '{contract.amount}' are above {half}"
    return (
        f"contract '{contract.name}' is a file of your own ({project.settings.contract}), and "
        f"nobody said what its decisions cost: {named} would be fraudline's defaults, which are "
        f"for card payments of some {_CARD_AMOUNT:g} in a currency's main unit{amounts}."
    )


def _costs_to_begin_with(
    project: Project, missing: Sequence[str], median_amount: float | None
) -> dict[str, str]:
    if project.contract.amount is None:
        return {name: costs_without_amount()[name] for name in missing}
    return scaled_costs(missing, median_amount)


def costs_without_amount() -> dict[str, str]:
    """The defaults where there is no amount: a fraud costs what such a card payment is worth, too.

    Returns:
        Each as it may be written into the settings.
    """
    costs = _DEFAULTS | {"fraud_cost": _DEFAULTS["fraud_cost"] + _CARD_AMOUNT}
    return {name: f"{cost:.15g}" for name, cost in costs.items()}


def scaled_costs(names: Sequence[str], median_amount: float | None) -> dict[str, str]:
    """The defaults of some costs, brought to the scale of a contract's amounts.

    Args:
        names: Which costs.
        median_amount: Of the amounts above 0.

    Returns:
        Each as it may be written into the settings; "…" where there is no scale.
    """
    if not median_amount:
        return dict.fromkeys(names, "…")
    scale = median_amount / _CARD_AMOUNT
    # Two digits: it is a start for a person, not a measurement.
    return {name: f"{float(f'{_DEFAULTS[name] * scale:.2g}'):.15g}" for name in names}
