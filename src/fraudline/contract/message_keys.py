"""What a contract file says of messages that are not as its columns are, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fraudline.contract.columns import NUMERIC_TYPES, Column
from fraudline.contract.contract_faults import Faults, Keys, shown

_UNKNOWN = ("refuse", "ignore")
_MOST_WORDS, _MOST_CHARACTERS = 20, 100
_MOST_PLACE = 300


@dataclass(frozen=True)
class MessageRules:
    """How messages may differ from the columns of a contract, beside what a column says itself.

    Attributes:
        ignores_unknown: Whether what no column names is left alone, and counted.
        null_as: Texts that stand for null where a column may be null.
    """

    ignores_unknown: bool = False
    null_as: tuple[str, ...] = ()


AS_COLUMNS = MessageRules()
"""Messages have just the columns of their contract."""


def parse_messages(content: Mapping[str, Any], faults: Faults) -> MessageRules:
    """The table `messages` of a contract file.

    Args:
        content: The file.
        faults: Takes what is wrong.
    """
    path = ("messages",)
    table: dict[str, Any] = faults.value(content, "messages", dict, {}, ())
    faults.known_keys(table, {"unknown", "null_as"}, path)
    unknown = faults.value(table, "unknown", str, _UNKNOWN[0], path)
    if unknown not in _UNKNOWN:
        faults.add(
            (*path, "unknown"),
            f"unknown = {shown(unknown)}, expected one of {', '.join(_UNKNOWN)}.",
        )
    words: list[Any] = faults.value(table, "null_as", list, [], path)
    is_sound = len(words) <= _MOST_WORDS and all(
        isinstance(word, str) and len(word) <= _MOST_CHARACTERS for word in words
    )
    if not is_sound:
        faults.add(
            (*path, "null_as"),
            f"null_as = {shown(words)}, expected at most {_MOST_WORDS} texts of at most "
            f'{_MOST_CHARACTERS} characters, such as ["", "NA"].',
        )
        words = []
    return MessageRules(unknown == "ignore", tuple(dict.fromkeys(words)))


def parse_place(
    value: Mapping[str, Any], kind: str, path: Keys, faults: Faults
) -> tuple[str, bool]:
    """Where a message has a column, and whether it is lenient.

    Args:
        value: The table of the column.
        kind: Its type, or that of its levels.
        path: The keys that lead to it.
        faults: Takes what is wrong.
    """
    source = faults.value(value, "from", str, "", path)
    if "from" in value and (not all(source.split(".")) or len(source) > _MOST_PLACE):
        faults.add(
            (*path, "from"),
            f"from = {shown(source)}, expected the name that messages have for it, or where it "
            'stands in them, such as "payload.card.amount".',
        )
    is_lenient = faults.value(value, "lenient", bool, False, path)
    if is_lenient and kind not in {*NUMERIC_TYPES, "bool"}:
        faults.add(
            (*path, "lenient"),
            f"lenient lets a number come in quotes, and a bool as 0 or 1; it means nothing of a "
            f"{kind}.",
        )
    return source, is_lenient


def check_places(columns: Iterable[Column], faults: Faults) -> None:
    """Note each column that stands in a message where another one, or a part of it, does."""
    taken: dict[tuple[str, ...], str] = {}
    for column in columns:
        keys = tuple(column.place.split("."))
        for other, name in taken.items():
            shorter = min(len(other), len(keys))
            if other[:shorter] == keys[:shorter]:
                faults.add(
                    ("columns", column.name, "from"),
                    f"it is read from '{column.place}', and column '{name}' from "
                    f"'{'.'.join(other)}': each needs a place of its own in a message.",
                )
                break
        taken.setdefault(keys, column.name)
