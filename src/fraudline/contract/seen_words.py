"""What a network sees of a column, as people read it."""

from __future__ import annotations

from fraudline.contract.columns import FEATURE_TYPES, Column


def seen_words(column: Column) -> str:
    """What a network sees of a column of a contract, in a few words."""
    if not column.is_feature:
        return "nothing"
    seen = "0 or 1" if column.type == "bool" else f"the {FEATURE_TYPES[column.type]}"
    return f"{seen}, and whether it is missing" if column.is_nullable else seen
