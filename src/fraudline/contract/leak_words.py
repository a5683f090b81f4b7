"""When a column tells of the label what nobody knows while a payment is in flight, in words."""

from __future__ import annotations

LEAK_AUC = 0.99
"""A column that sorts fraud from the rest with a larger area under the ROC curve is a leak."""

# Fewer frauds than this may lie apart from all else by chance.
LEAST_FRAUDS = 10
# That no null is a fraud is suspicious where it happens by chance less often than this.
_CHANCE = 0.001


def null_leak_words(nulls: int, null_frauds: int, frauds: int, others: int) -> str:
    """What is suspicious about the nulls of a column, in words; empty if nothing is.

    Args:
        nulls: Rows without a value.
        null_frauds: Those of them that are labelled fraud.
        frauds: All rows that are labelled fraud.
        others: All that are not.
    """
    if min(nulls, frauds + others - nulls) < LEAST_FRAUDS:
        return ""
    null_others = nulls - null_frauds
    is_chance = (others / (frauds + others)) ** nulls >= _CHANCE
    # The area under the ROC curve of being null.
    area = (1 + null_frauds / frauds - null_others / others) / 2
    shares = (
        f"is null in {100 * null_frauds / frauds:.3g} % of the frauds and "
        f"{100 * null_others / others:.3g} % of the others"
    )
    suspicions = (
        (area == 1, "has no value in any row that is labelled fraud, and one in all others"),
        (area == 0, "has a value in every row that is labelled fraud, and in no other"),
        (null_frauds == frauds, "has no value in any row that is labelled fraud"),
        (not null_others, f"is null in {nulls:,} rows, and all of them are labelled fraud"),
        (
            not null_frauds and not is_chance,
            f"is null in {nulls:,} rows, and none of them is labelled fraud",
        ),
        (max(area, 1 - area) > LEAK_AUC, shares),
    )
    return next((words for is_so, words in suspicions if is_so), "")
