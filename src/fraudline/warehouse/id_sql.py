"""The id of a row as text, in SQL."""

from __future__ import annotations

from collections.abc import Sequence


def id_sql(names: Sequence[str]) -> str:
    """An expression of the text of an id, as `contract/id_texts.py` has it.

    Args:
        names: Its columns; where one of them is null, so is the text.
    """
    texts = [f"CAST(`{name}` AS STRING)" for name in names]
    if len(texts) == 1:
        return texts[0]
    for character in (r"\\", "|"):
        texts = [rf"REPLACE({text}, '{character}', '\\{character}')" for text in texts]
    parts = ", '|', ".join(texts)
    return f"CONCAT({parts})"


def is_blank_sql(names: Sequence[str]) -> str:
    """The condition that a part of an id is nothing but blanks."""
    blank = (f"TRIM(CAST(`{name}` AS STRING)) = ''" for name in names)
    return f"({' OR '.join(blank)})"
