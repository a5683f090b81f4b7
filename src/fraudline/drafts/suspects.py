"""What of a table a network must not be fed, and why."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow.compute as pc

from fraudline.contract.array_types import Flags, Floats, Integers
from fraudline.contract.leak_words import LEAK_AUC, LEAST_FRAUDS, null_leak_words
from fraudline.contract.time_units import unit_since_1970
from fraudline.drafts.name_words import is_called_id, is_called_time
from fraudline.drafts.profiles import Profile

LEAST_REPEATED = 10
"""How often a text has to come, in the mean, to be a level and not a name or a remark."""

# The shares of fraud of more levels would tell their own rows apart by themselves.
_MOST_LEVELS = 100
_LEAST_STEPS = 10  # fewer may all go up by chance
_GROWS = 0.999


def epoch_unit(profile: Profile) -> str | None:
    """The unit in which a column counts time since 1970; None if it does not look like that."""
    if not (profile.is_number and is_called_time(profile.name)):
        return None
    low, high = profile.spread
    if low is None:
        return None
    return unit_since_1970(low, high)


def find_suspects(
    profiles: Mapping[str, Profile], is_fraud: Flags, event_times: Floats | None
) -> dict[str, str]:
    """Columns that a network must not see, each with the reason, a sentence without a full stop.

    Args:
        profiles: All but those with a role.
        is_fraud: Of each row.
        event_times: When it was, of each row, in any one unit; None: nobody knows.
    """
    found = {}
    order = None if event_times is None else np.argsort(event_times, kind="stable")
    for name, profile in profiles.items():
        reason = _reason(profile, is_fraud, order)
        if reason:
            found[name] = reason
    return found


def _reason(profile: Profile, is_fraud: Flags, order: Integers | None) -> str:
    """The first reason there is, the gravest first; empty if there is none."""
    if profile.are_cards:
        return (
            "its values look like card numbers: a model must not learn them, and no table should "
            "hold them; leave the column out, or send a hash"
        )
    if profile.distinct == 0:
        return "it holds no value at all"
    if profile.distinct == 1 and not profile.nulls:
        return "it holds one value alone, of which nothing can be learned"
    return leak_words(profile, is_fraud) or _number_reason(profile, order)


def _number_reason(profile: Profile, order: Integers | None) -> str:
    if not profile.is_number:
        return ""
    if unit := epoch_unit(profile):
        return (
            f"it counts {unit} since 1970, which a network sees too coarsely to learn from; with "
            f'type = "timestamp", format = "unix_{unit}" its parts can be, or a difference'
        )
    if profile.type == "int64" and is_called_id(profile.name):
        return (
            "it is a number that names something, not one that counts; were its levels to be "
            'learned, it would be type = "category", of = "int64"'
        )
    if order is not None and _grows(profile.numbers[order]):
        return "it grows with the event time, so what comes will be beyond all that was learned"
    return ""


def leak_words(profile: Profile, is_fraud: Flags) -> str:
    """Whether a column alone tells fraud from the rest, in words; empty if it does not."""
    frauds, others = int(is_fraud.sum()), int((~is_fraud).sum())
    if min(frauds, others) < LEAST_FRAUDS:
        return ""
    is_null = np.asarray(pc.is_null(profile.values))
    nulls = int(is_null.sum())
    told = null_leak_words(nulls, int((is_null & is_fraud).sum()), frauds, others)
    if not told:
        area = _area(_ranks(profile, is_fraud, is_null), is_fraud[~is_null])
        if area is not None and max(area, 1 - area) > LEAK_AUC:
            told = f"alone tells fraud from the rest (AUC {max(area, 1 - area):.4f})"
    return (
        f"it {told}, which looks like a leak of the label: if it is known when a payment is "
        "decided, make it a feature; if not, leave the column out, since a message needs each"
        if told
        else ""
    )


def _ranks(profile: Profile, is_fraud: Flags, is_null: Flags) -> Floats:
    """Values that can be sorted; levels of a text by their share of frauds. Empty: none."""
    if profile.type != "string":
        return profile.numbers[~is_null]
    if profile.distinct > _MOST_LEVELS or LEAST_REPEATED * profile.distinct > (~is_null).sum():
        return np.empty(0)
    codes = profile.values.drop_null().combine_chunks().dictionary_encode().indices.to_numpy()
    shares = np.bincount(codes, is_fraud[~is_null]) / np.bincount(codes)
    ranks: Floats = shares[codes]
    return ranks


def _area(values: Floats, is_fraud: Flags) -> float | None:
    """The area under the ROC curve; None where there is no value of one class."""
    if len(values) != len(is_fraud) or not is_fraud.any() or is_fraud.all():
        return None
    _, places = np.unique(values, return_inverse=True)
    frauds = np.bincount(places, is_fraud)
    others = np.bincount(places, ~is_fraud)
    below = np.cumsum(others) - others
    return float((frauds * (below + others / 2)).sum() / (frauds.sum() * others.sum()))


def _grows(in_time: Floats) -> bool:
    """Whether numbers, in the order of time, go up and hardly ever down."""
    steps = np.diff(in_time[~np.isnan(in_time)])
    steps = steps[steps != 0]
    return len(steps) >= _LEAST_STEPS and bool((steps > 0).mean() >= _GROWS)
