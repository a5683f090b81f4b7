"""The contract file, read and checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from fraudline.contract import derived_keys
from fraudline.contract.column_keys import CATEGORY, in_float32, parse_column
from fraudline.contract.columns import Column
from fraudline.contract.contract import MATURITY_DAYS, Contract, Entity
from fraudline.contract.contract_faults import ContractFault, Faults, meant, refusal, shown
from fraudline.contract.decisions import DECISION_COLUMNS
from fraudline.contract.message_keys import check_places, parse_messages
from fraudline.contract.named_columns import (
    NAMING_TYPES,
    check_length,
    check_several,
    listed,
    never_seen,
    parse_entities,
)
from fraudline.contract.rejects import REJECT_COLUMNS
from fraudline.contract.time_units import TIME_UNITS, seconds_of
from fraudline.errors import ContractError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
ROLE_TYPES: dict[str, tuple[str, ...]] = {
    "label": ("int64", "bool"),
    "amount": ("float64", "int64"),
    "event_time": ("float64", "int64", "timestamp"),
    "id": NAMING_TYPES,
}
_MAY_BE_ABSENT = ("amount", "id")
_MOST_PAYMENTS_A_DAY = 1e12
_KEYS = (
    "name",
    "description",
    "roles",
    "entities",
    "history",
    "messages",
    "labels",
    "columns",
    derived_keys.TABLE,
)
# What our own records have beside a contract's columns, or may have; a test holds it to the flows.
RESERVED_NAMES = frozenset(column.name.lower() for column in (*DECISION_COLUMNS, *REJECT_COLUMNS))
_RESERVED_PREFIXES = (  # of BigQuery
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
)
_MOST_MATURITY_DAYS = 3650


def load_contract(name_or_path: str) -> Contract:
    """Read a contract that fraudline brings, by name, or any other, by the path of its file.

    Raises:
        ContractError: there is no such file, or it is not a contract; the message names
            each table and key that is wrong, with its line, and what is allowed there.
    """
    examined = examine_contract(name_or_path)
    if isinstance(examined, Contract):
        return examined
    is_ours = is_brought(name_or_path)
    raise refusal(f"contract '{name_or_path}'" if is_ours else f"contract {name_or_path}", examined)


def examine_contract(name_or_path: str) -> Contract | list[ContractFault]:
    """Read a contract as `load_contract` does, or else all that is wrong with it.

    Raises:
        ContractError: there is no such file.
    """
    try:
        is_ours = is_brought(name_or_path)
        content = (_brought(name_or_path) if is_ours else Path(name_or_path)).read_bytes()
    except (OSError, ValueError) as error:  # no path can hold a NUL, for example
        names = sorted(
            entry.name.removesuffix(".toml")
            for entry in (resources.files("fraudline") / "contracts").iterdir()
            if entry.name.endswith(".toml")
        )
        raise ContractError(
            f"there is no contract {name_or_path[:200]!r}: expected the path of a .toml file, "
            f"or one of {', '.join(names)} ({getattr(error, 'strerror', None) or error})."
        ) from None
    return examine_text(content)


def examine_text(content: bytes) -> Contract | list[ContractFault]:
    """What `examine_contract` gives, of the content of a file."""
    try:
        text = content.decode()
        parsed = tomllib.loads(text)
    except ValueError as error:  # malformed TOML or UTF-8, or a number of 5,000 digits
        return [ContractFault("", f"it is not valid TOML: {error}.")]
    except RecursionError:
        return [ContractFault("", "it is not valid TOML: lists or tables in it are too deep.")]
    faults = Faults()
    return _parse(parsed, faults) or faults.listed(text)


def is_brought(name_or_path: str) -> bool:
    """Whether this names a contract that fraudline brings, not a file of somebody's own."""
    return _NAME.fullmatch(name_or_path) is not None and _brought(name_or_path).is_file()


def brought_text(name: str) -> str:
    """The file of a contract that fraudline brings."""
    return _brought(name).read_text()


def _brought(name: str) -> Traversable:
    return resources.files("fraudline") / "contracts" / f"{name}.toml"


def _parse(content: dict[str, Any], faults: Faults) -> Contract | None:
    """The contract; None if there is a fault."""
    faults.known_keys(content, _KEYS, ())
    name = content.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        faults.add(("name",), f"name must be letters, digits and _, found {shown(name)}.")
    roles, columns = (_table(content, key, faults) for key in ("roles", "columns"))
    faults.known_keys(roles, ROLE_TYPES, ("roles",))
    parsed = {key: parse_column(key, value, faults) for key, value in columns.items()}
    description = faults.value(content, "description", str, "", ())
    maturity_days = _parse_maturity(content, faults)
    payments_a_day = _parse_payments_a_day(content, roles, faults)
    messages = parse_messages(content, faults)
    check_places(filter(None, parsed.values()), faults)
    if roles and columns:
        _check_roles(roles, parsed, faults, needs_time=payments_a_day is None)
    derivations: dict[str, Any] = faults.value(content, derived_keys.TABLE, dict, {}, ())
    check_names(columns, faults, derivations)
    derived = derived_keys.parse_derived(derivations, parsed, roles, faults)
    entities = parse_entities(content, parsed, roles, faults)
    never_features = _never_features(roles, entities, parsed, columns, faults)
    if faults:
        return None
    limited = {name for each in derived for name in each.of}
    contract = Contract(
        name=str(name),
        description=description,
        columns=tuple(
            replace(
                in_float32(column) if column.name in limited else column,
                is_feature=column.is_feature and column.name not in never_features,
            )
            for column in parsed.values()
            if column is not None
        ),
        label=roles["label"],
        amount=roles.get("amount"),
        event_time=roles.get("event_time"),
        id=tuple(roles["id"]) if isinstance(roles.get("id"), list) else roles.get("id"),
        maturity_days=maturity_days,
        entities=entities,
        payments_a_day=payments_a_day,
        messages=messages,
        derived=derived,
    )
    if contract.features:
        return contract
    faults.add(
        ("columns",),
        "no column is a feature, so nothing can be learned; take feature = false away from those "
        "that a network may see.",
    )
    return None


def _never_features(
    roles: Mapping[str, Any],
    entities: Iterable[Entity],
    columns: Mapping[str, Column | None],
    tables: Mapping[str, Any],
    faults: Faults,
) -> set[str]:
    """The columns that no network sees, whatever their type."""
    identity = listed(roles.get("id"))
    named = {column: f"the entity '{one.name}'" for one in entities for column in one.columns}
    whole = [roles.get("label")]
    if len(identity) == 1:
        whole += identity
    else:
        named |= {column: "a part of the id" for column in identity if isinstance(column, str)}
    found = never_seen(named, columns, tables, faults)
    return found | {name for name in whole if isinstance(name, str)}


def _parse_maturity(content: dict[str, Any], faults: Faults) -> float:
    labels: dict[str, Any] = faults.value(content, "labels", dict, {}, ())
    faults.known_keys(labels, {"maturity_days"}, ("labels",))
    days: float = faults.value(labels, "maturity_days", (float, int), MATURITY_DAYS, ("labels",))
    if not 0 < days <= _MOST_MATURITY_DAYS:
        faults.add(
            ("labels", "maturity_days"),
            f"maturity_days = {shown(days)} must be above 0 and at most {_MOST_MATURITY_DAYS}.",
        )
    return float(days) if abs(days) <= _MOST_MATURITY_DAYS else 0.0


def _parse_payments_a_day(
    content: dict[str, Any], roles: Mapping[str, Any], faults: Faults
) -> float | None:
    """How many rows of a history without an event time count as a day."""
    history: dict[str, Any] = faults.value(content, "history", dict, {}, ())
    path = ("history", "payments_a_day")
    faults.known_keys(history, {"payments_a_day"}, ("history",))
    found: float | None = faults.value(history, "payments_a_day", (float, int), None, ("history",))
    if found is None:
        return None
    if not 0 < found <= _MOST_PAYMENTS_A_DAY:
        faults.add(
            path,
            f"payments_a_day = {shown(found)} must be above 0 and at most "
            f"{_MOST_PAYMENTS_A_DAY:.0e}.",
        )
        return 1.0
    if "event_time" in roles:
        faults.add(
            path,
            "payments_a_day is for a history that tells no time; this one has an event_time, which "
            "tells how many come in a day. Keep one of the two.",
        )
    return float(found)


def _table(content: dict[str, Any], key: str, faults: Faults) -> dict[str, Any]:
    table: dict[str, Any] = faults.value(content, key, dict, {}, ())
    if not table and not (key in content and not isinstance(content[key], dict)):
        faults.add((key,), f"[{key}] is missing or empty.")
    return table


def check_names(columns: Iterable[str], faults: Faults, derived: Iterable[str] = ()) -> None:
    """Note each name that no column of ours can have.

    Args:
        columns: The names.
        faults: Takes what is wrong.
        derived: Those of derived columns, beside the others.
    """
    seen: dict[str, str] = {}
    named = (("columns", columns), (derived_keys.TABLE, derived))
    for path in ((table, name) for table, names in named for name in names):
        name = path[1]
        lower = name.lower()
        if not _NAME.fullmatch(name):
            faults.add(
                path,
                f"'{name}' is not a BigQuery column name "
                "(letters, digits and _, not starting with a digit, at most 128).",
            )
        elif lower in RESERVED_NAMES or lower.startswith(_RESERVED_PREFIXES):
            faults.add(
                path,
                f"the column name '{name}' is reserved, by a column of every decision or reject, "
                f'or by BigQuery; give it another, such as own_{name} = {{ from = "{name}", … }}, '
                "and it is read from files and messages all the same.",
            )
        # BigQuery tells column names apart without regard to case, and so must we.
        elif lower in seen:
            but = "" if seen[lower] == name else ", but for case"
            faults.add(path, f"the column name '{name}' is there twice{but}.")
        seen.setdefault(lower, name)


def _check_roles(
    roles: Mapping[str, Any],
    columns: Mapping[str, Column | None],
    faults: Faults,
    *,
    needs_time: bool,
) -> None:
    """Look at what each role names; a column that has a fault itself is not judged."""
    holders: dict[str, str] = {}
    for role, types in ROLE_TYPES.items():
        if role not in roles:
            if role not in _MAY_BE_ABSENT and (role != "event_time" or needs_time):
                _tell_missing(role, types, faults)
            continue
        value, path = roles[role], ("roles", role)
        is_several = role == "id" and isinstance(value, list)
        if is_several and not check_several(value, path, faults):
            continue
        found = []
        for name in listed(value) if is_several else [value]:
            if not isinstance(name, str) or name not in columns:
                faults.add(
                    path, f"{role} = {shown(name)} is not one of its columns.{meant(name, columns)}"
                )
                continue
            if name in holders:
                other = holders[name]
                faults.add(
                    path, f"column '{name}' has two roles, {other} and {role}; each needs its own."
                )
            holders.setdefault(name, role)
            if (column := columns[name]) is not None:
                _check_role(role, column, faults, is_part=is_several)
                found.append(column)
        if is_several and len(found) == len(value):
            check_length(found, faults)


def _tell_missing(role: str, types: tuple[str, ...], faults: Faults) -> None:
    told = f"'{role}' is missing; name its column, which is {' or '.join(types)}."
    if role == "event_time":
        told += (
            " If the history tells no time, say how many payments come in a day: payments_a_day "
            "under [history]."
        )
    faults.add(("roles", role), told)


def _check_role(role: str, column: Column, faults: Faults, *, is_part: bool) -> None:
    path, types = ("columns", column.name, "type"), ROLE_TYPES[role]
    kind = column.type if column.category is None or is_part else CATEGORY
    if kind not in types or column.is_nullable:
        faults.add(
            path,
            f"{role} column '{column.name}' must be {' or '.join(types)} and not nullable, found "
            f"{kind}{', nullable' if column.is_nullable else ''}.",
        )
    elif role == "event_time" and column.type != "timestamp" and seconds_of(column.unit) is None:
        faults.add(
            ("columns", column.name, "unit"),
            f"event_time column '{column.name}' has unit {column.unit!r}, expected one "
            f"of {', '.join(TIME_UNITS)}: days, rates and periods follow from it.",
        )
    elif role == "id" and not is_part and column.max_length > Column.max_length:
        faults.add(
            ("columns", column.name, "max_length"),
            f"id column '{column.name}' has max_length {column.max_length}; a decision's "
            f"transaction_id has at most {Column.max_length} characters.",
        )
