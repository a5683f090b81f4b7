"""Which columns name a payment, and which name who and what takes part in it."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from fraudline.contract.contract_file import ROLE_TYPES
from fraudline.drafts.name_words import entity_of, is_called_payment_id
from fraudline.drafts.profiles import Profile
from fraudline.drafts.roles import Profiles, Question, no_role


def find_id(profiles: Profiles, answer: tuple[str, ...]) -> tuple[str, ...] | Question:
    """The columns that name a payment; none: then topic and position do.

    Args:
        profiles: Every column.
        answer: What a person said.
    """
    usable = [
        name
        for name, profile in profiles.items()
        if profile.type in ROLE_TYPES["id"] and not profile.nulls and not profile.are_cards
    ]
    if faulty := [name for name in answer if name not in usable]:
        name = faulty[0]
        return Question(
            "id",
            f"Column '{name}' cannot be {'the id' if len(answer) == 1 else 'a part of the id'}: "
            f"{no_role(profiles[name], 'id')}.",
            (),
            "--id",
        )
    if answer:
        return answer
    called = [
        name
        for name in usable
        if is_called_payment_id(name) and profiles[name].distinct == len(profiles[name].values)
    ]
    return (called[0],) if len(called) == 1 else ()


def names_each(table: pa.Table, columns: tuple[str, ...]) -> bool:
    """Whether no two rows of a table have the same values in these columns."""
    named = table.select(list(columns))
    return bool(named.group_by(list(columns)).aggregate([]).num_rows == table.num_rows)


def find_entities(profiles: Mapping[str, Profile]) -> dict[str, str]:
    """By what takes part in a payment, the column that names it, where its name says so.

    Args:
        profiles: Every column without a role.
    """
    found: dict[str, str] = {}
    for name, profile in profiles.items():
        entity = entity_of(name)
        comes_again = 1 < profile.distinct < len(profile.values) - profile.nulls
        if entity is None or profile.type not in ROLE_TYPES["id"] or not comes_again:
            continue
        if profile.are_cards:  # such numbers belong into no table, and so into no entity
            continue
        found[entity if entity not in found else name.lower()] = name
    return found
