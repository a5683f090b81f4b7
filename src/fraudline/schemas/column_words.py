"""What a column is, for a schema that has no words for its unit or its limits."""

from __future__ import annotations

from fraudline.contract import Column
from fraudline.contract.number_words import number_words


def column_words(column: Column) -> str:
    """Its description, its unit and its limits, in sentences; empty if it has none of them."""
    limits = [
        f"{word} {number_words(limit)}"
        for word, limit in (("at least", column.min), ("at most", column.max))
        if limit is not None
    ]
    if column.type == "string":
        limits.append(f"at most {column.max_length:,} characters")
    sentences = [
        column.description,
        f"Unit: {column.unit}." if column.unit else "",
        f"{', '.join(limits).capitalize()}." if limits else "",
    ]
    return " ".join(filter(None, sentences))
