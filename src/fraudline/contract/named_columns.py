"""What one or several columns of a contract file name together: the id, and the entities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fraudline.contract.columns import Column
from fraudline.contract.contract import Entity
from fraudline.contract.contract_faults import Faults, Keys, meant, shown

NAMING_TYPES = ("string", "int64")
"""What values may be that name something."""

_ENTITY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_INT64_CHARACTERS = 20
_MOST_COLUMNS = 8
_Columns = Mapping[str, Column | None]


def listed(value: Any) -> list[Any]:
    """The columns that a role names, which may be one or a list of several."""
    return value if isinstance(value, list) else [value]


def check_several(value: list[Any], path: Keys, faults: Faults) -> bool:
    """Whether a list names several different columns; if it does not, that is noted."""
    is_sound = 1 < len(value) <= _MOST_COLUMNS and all(value.count(each) == 1 for each in value)
    if not is_sound:
        faults.add(
            path,
            f"{path[-1]} = {shown(value)}, expected the name of a column, or a list of 2 to "
            f"{_MOST_COLUMNS} different ones that name it together.",
        )
    return is_sound


def check_length(columns: list[Column], faults: Faults) -> None:
    """Note where the id of several columns may be longer than a decision's `transaction_id`.

    It has a mark between two parts, and one more before each such mark that is inside of one.
    """
    texts = [column for column in columns if column.type == "string"]
    others = len(columns) - 1 + _INT64_CHARACTERS * (len(columns) - len(texts))
    longest = others + sum(2 * column.max_length for column in texts)
    if longest <= Column.max_length:
        return
    each = (Column.max_length - others) // (2 * len(texts))
    faults.add(
        ("roles", "id"),
        f"the id of {', '.join(column.name for column in columns)} may have {longest:,} "
        f"characters (a text counts twice), and a decision's transaction_id has at most "
        f"{Column.max_length:,}; write max_length = {each} or less into each of these texts.",
    )


def never_seen(
    names: Mapping[str, str], columns: _Columns, tables: Any, faults: Faults
) -> set[str]:
    """Those of the columns that name something which no network sees.

    A number that names something counts nothing, so it is no feature by itself. As a category its
    levels may be learned.

    Args:
        names: By column, what it names.
        columns: All of the file.
        tables: The table of each, as the file has it.
        faults: Takes those that are to be seen nevertheless.
    """
    found = set()
    for name, what in names.items():
        column = columns.get(name)
        if column is None or column.category is not None:
            continue
        found.add(name)
        if tables[name].get("feature"):
            faults.add(
                ("columns", name, "feature"),
                f"column '{name}' names {what}, and a {column.type} of that kind counts nothing; "
                f'leave feature out, or write type = "category" to have its levels learned.',
            )
    return found


def parse_entities(
    content: Mapping[str, Any], columns: _Columns, roles: Mapping[str, Any], faults: Faults
) -> tuple[Entity, ...]:
    """Who and what takes part, as the table `entities` says.

    Args:
        content: The file.
        columns: Its columns; None: one has a fault itself.
        roles: Its roles.
        faults: Takes what is wrong.
    """
    table: dict[str, Any] = faults.value(content, "entities", dict, {}, ())
    found: list[Entity] = []
    its = listed(roles.get("id"))
    for name, value in table.items():
        path, known_before = ("entities", name), len(faults)
        if not _ENTITY.fullmatch(name):
            faults.add(path, f"the entity {name!r} must be called by letters, digits and _.")
        elif any(name.lower() == other.name.lower() for other in found):
            faults.add(path, f"the entity '{name}' is there twice, but for case.")
        names = listed(value)
        if isinstance(value, list) and not check_several(value, path, faults):
            continue
        for each in names:
            _check_column(name, each, columns, roles, faults)
        if len(faults) > known_before:
            continue
        same = next((other.name for other in found if set(other.columns) == set(names)), None)
        if same is not None:
            faults.add(path, f"'{same}' and '{name}' are named by the same columns; keep one.")
        elif len(names) == len(its) and all(each in its for each in names):
            faults.add(path, f"'{name}' is named by the id, which names the transaction itself.")
        else:
            found.append(Entity(name, tuple(names)))
    return tuple(found)


def _check_column(
    entity: str, name: Any, columns: _Columns, roles: Mapping[str, Any], faults: Faults
) -> None:
    path = ("entities", entity)
    if not isinstance(name, str) or name not in columns:
        faults.add(
            path, f"{entity} = {shown(name)} is not one of its columns.{meant(name, columns)}"
        )
        return
    others = [each for each in ("label", "amount", "event_time") if roles.get(each) == name]
    for other in others:
        faults.add(path, f"column '{name}' is the {other}, which names nobody.")
    if others:
        return
    column = columns[name]
    if column is not None and column.type not in NAMING_TYPES:
        faults.add(
            ("columns", name, "type"),
            f"column '{name}', which names the entity '{entity}', must be "
            f"{' or '.join(NAMING_TYPES)}, or a category of these, found {column.type}.",
        )
