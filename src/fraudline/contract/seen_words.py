"""What a network sees of a column, as people read it."""

from __future__ import annotations

from fraudline.contract.columns import Column


def seen_words(column: Column, *, is_circle: bool = False) -> str:
    """What a network sees of a column of a contract, in a few words.

    Args:
        column: The column.
        is_circle: Whether it begins anew, as the hand of a clock does.
    """
    if column.parts:
        return f"its {' and '.join(column.parts)}, as below"
    if not column.is_feature:
        return "nothing"
    if column.category is not None:
        ways = column.category
        among = f"{ways.buckets:,} buckets" if ways.buckets else f"at most {ways.max_levels:,}"
        seen = f"which level, of {among}"
    elif column.type == "bool":
        seen = "0 or 1"
    elif is_circle:
        seen = "the place on a circle"
    else:
        seen = f"the {column.seen_as}"
    return f"{seen}, and whether it is missing" if column.is_nullable else seen
