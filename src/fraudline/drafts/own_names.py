"""Names for columns that no table of ours can have under their own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace

from fraudline.contract.contract_faults import Faults
from fraudline.contract.contract_file import check_names
from fraudline.drafts.roles import Answers

# What no rule takes apart into a letter and its marks; German takes a vowel's two dots for an e.
_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss", "ẞ": "SS"}
    | {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
    | {"đ": "d", "Đ": "D", "ð": "d", "þ": "th", "\u0131": "i"}
)


def own_names(names: Sequence[str]) -> dict[str, str]:
    """By the names that no table of ours can have, others that say the same.

    Args:
        names: Of all columns. Those without a way on are left, to be refused; one with a dot is,
            too, as a dot tells a place in a message.
    """
    found = {name: _usable(name) for name in names if not _is_usable(name) and "." not in name}
    lower = [found.get(name, name).lower() for name in names]
    return {
        name: new
        for name, new in found.items()
        if _is_usable(new) and lower.count(new.lower()) == 1
    }


def with_own_names(answers: Answers, names: dict[str, str]) -> Answers:
    """What a person has said of columns, with the names that they have here."""
    label, amount, event_time = (
        None if name is None else names.get(name, name)
        for name in (answers.label, answers.amount, answers.event_time)
    )
    identity = tuple(names.get(name, name) for name in answers.id)
    return replace(answers, label=label, amount=amount, event_time=event_time, id=identity)


def _is_usable(name: str) -> bool:
    faults = Faults()
    check_names([name], faults)
    return not len(faults)


def _usable(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    cleaned = re.sub(r"\W+", "_", plain, flags=re.ASCII).strip("_")
    return cleaned if cleaned and _is_usable(cleaned) else f"own_{cleaned}" if cleaned else ""
