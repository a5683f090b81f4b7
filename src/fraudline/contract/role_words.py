"""What a column is to a transaction, as people read it."""

from __future__ import annotations

from collections.abc import Iterable

from fraudline.contract.contract import Contract


def together(names: Iterable[str]) -> str:
    """Columns that name something together, as people are told."""
    return " with ".join(f"'{name}'" for name in names)


def role_words(contract: Contract, name: str) -> str:
    """The roles of a column, and the entities that it names; empty if there are none.

    Args:
        contract: Whose column.
        name: Which one.
    """
    roles = ("label", "amount", "event_time")
    words = [role.replace("_", " ") for role in roles if getattr(contract, role) == name]
    if name in contract.id_columns:
        words.append("id" if len(contract.id_columns) == 1 else "part of the id")
    words += [
        one.name if len(one.columns) == 1 else f"part of {one.name}"
        for one in contract.entities
        if name in one.columns
    ]
    return ", ".join(words)
