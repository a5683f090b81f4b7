"""The contract file, read and checked."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from fraudline.contract.columns import (
    CONTRACT_TYPES,
    FEATURE_TYPES,
    LEVEL_TYPES,
    NUMERIC_TYPES,
    Category,
    Column,
)
from fraudline.contract.contract import MATURITY_DAYS, Contract
from fraudline.contract.decisions import DECISION_COLUMNS
from fraudline.contract.rejects import REJECT_COLUMNS
from fraudline.contract.time_units import TIME_UNITS, seconds_of
from fraudline.errors import ContractError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_COLUMN_KEYS = {"type", "description", "unit", "min", "max", "max_length", "nullable", "feature"}
_CATEGORY_KEYS = {"of", "max_levels", "buckets"}
_MOST_LEVELS, _LEAST_BUCKETS, _MOST_BUCKETS = 1000, 16, 65_536
_ROLES = {"label", "amount", "event_time", "id"}
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
_INT64 = (-(2**63), 2**63 - 1)
# A network sees float32: a larger number would be infinite to it, and its score no number.
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def load_contract(name_or_path: str) -> Contract:
    """Read a contract that fraudline brings, by name, or any other, by the path of its file.

    Raises:
        ContractError: there is no such file, or it is not a contract; the message names
            the table and key that is wrong and what is allowed there.
    """
    is_ours = is_brought(name_or_path)
    where = f"contract '{name_or_path}'" if is_ours else f"contract {name_or_path}"
    try:
        content = (_brought(name_or_path) if is_ours else Path(name_or_path)).read_bytes()
    except (OSError, ValueError) as error:  # no path can hold a NUL, for example
        names = sorted(
            entry.name.removesuffix(".toml")
            for entry in (resources.files("fraudline") / "contracts").iterdir()
        )
        raise ContractError(
            f"there is no contract {name_or_path[:200]!r}: expected the path of a .toml file, "
            f"or one of {', '.join(names)} ({getattr(error, 'strerror', None) or error})."
        ) from None
    try:
        parsed = tomllib.loads(content.decode())
    except ValueError as error:  # malformed TOML or UTF-8, or a number of 5,000 digits
        raise ContractError(f"{where} is not valid TOML: {error}.") from None
    return _parse(parsed, where)


def is_brought(name_or_path: str) -> bool:
    """Whether this names a contract that fraudline brings, not a file of somebody's own."""
    return _NAME.fullmatch(name_or_path) is not None and _brought(name_or_path).is_file()


def brought_text(name: str) -> str:
    """The file of a contract that fraudline brings."""
    return _brought(name).read_text()


def _brought(name: str) -> Traversable:
    return resources.files("fraudline") / "contracts" / f"{name}.toml"


def _parse(content: dict[str, Any], where: str) -> Contract:
    _known_keys(content, {"name", "description", "roles", "labels", "columns"}, where)
    name = content.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ContractError(f"{where}: name must be letters, digits and _, found {name!r}.")
    roles, columns = _table(content, "roles", where), _table(content, "columns", where)
    _known_keys(roles, _ROLES, f"{where}, [roles]")
    parsed = tuple(_parse_column(key, value, where) for key, value in columns.items())
    _check_names(parsed, where)
    for role in sorted(_ROLES):
        if role not in roles and role != "id":
            raise ContractError(f"{where}, [roles]: '{role}' is missing; name its column.")
        if role in roles and roles[role] not in list(columns):
            raise ContractError(
                f"{where}, [roles]: {role} = {roles[role]!r} is not one of its columns."
            )
    contract = Contract(
        name=name,
        description=_value(content, "description", str, "", where),
        columns=tuple(
            replace(column, is_feature=False)
            if column.name in (roles["label"], roles.get("id"))
            else column
            for column in parsed
        ),
        label=roles["label"],
        amount=roles["amount"],
        event_time=roles["event_time"],
        id=roles.get("id"),
        maturity_days=_parse_maturity(content, where),
    )
    _check_roles(contract, where)
    return contract


def _parse_maturity(content: dict[str, Any], where: str) -> float:
    labels: dict[str, Any] = _value(content, "labels", dict, {}, where)
    where = f"{where}, [labels]"
    _known_keys(labels, {"maturity_days"}, where)
    days: float = _value(labels, "maturity_days", (float, int), MATURITY_DAYS, where)
    if not 0 < days <= _MOST_MATURITY_DAYS:
        raise ContractError(
            f"{where}: maturity_days = {days!r} must be above 0 and at most {_MOST_MATURITY_DAYS}."
        )
    return float(days)


def _parse_column(name: str, value: Any, where: str) -> Column:
    where = f"{where}, column '{name}'"
    if not isinstance(value, dict):
        raise ContractError(f'{where}: expected a table such as {{ type = "float64" }}.')
    kind, category = value.get("type"), None
    if kind == "category":
        kind, category = _parse_category(value, where)
    _known_keys(value, _COLUMN_KEYS | (_CATEGORY_KEYS if category else set()), where)
    if kind not in CONTRACT_TYPES:
        raise ContractError(
            f"{where}: type is {kind!r}, expected one of {', '.join(CONTRACT_TYPES)}, category."
        )
    is_learned = category is not None or kind in NUMERIC_TYPES or kind == "bool"
    is_feature = _value(value, "feature", bool, is_learned, where)
    is_nullable = _value(value, "nullable", bool, False, where)
    if is_feature and kind not in FEATURE_TYPES and category is None:
        raise ContractError(
            f"{where}: a network cannot see a {kind}; set feature = false, or, if its values are "
            f'levels that come again and again, type = "category".'
        )
    max_length = _value(value, "max_length", int, Column.max_length, where)
    if max_length < 1 or ("max_length" in value and kind != "string"):
        raise ContractError(
            f"{where}: max_length = {max_length} needs a string column and a number above 0."
        )
    low, high = _parse_limits(value, kind, where, is_feature=is_feature)
    return Column(
        name=name,
        type=kind,
        description=_value(value, "description", str, "", where),
        unit=_value(value, "unit", str, "", where),
        min=low,
        max=high,
        max_length=max_length,
        is_nullable=is_nullable,
        is_feature=is_feature,
        category=category,
    )


def _parse_category(value: dict[str, Any], where: str) -> tuple[str, Category]:
    """The type of a category's levels, and how they are told apart."""
    kind = _value(value, "of", str, "string", where)
    if kind not in LEVEL_TYPES:
        raise ContractError(
            f"{where}: of = {kind!r}, expected the type of its levels as they come: "
            f"{', '.join(LEVEL_TYPES)}."
        )
    if "max_levels" in value and "buckets" in value:
        raise ContractError(
            f"{where}: max_levels and buckets are two ways to tell levels apart; keep one. "
            "max_levels keeps the most frequent ones by name, buckets hashes all of them."
        )
    levels = _value(value, "max_levels", int, Category.max_levels, where)
    buckets = _value(value, "buckets", int, None, where)
    for key, found, least, most in (
        ("max_levels", levels, 1, _MOST_LEVELS),
        ("buckets", buckets, _LEAST_BUCKETS, _MOST_BUCKETS),
    ):
        if found is not None and not least <= found <= most:
            raise ContractError(f"{where}: {key} = {found} must lie in {least} to {most:,}.")
    return kind, Category(levels, buckets)


def _parse_limits(
    value: dict[str, Any], kind: str, where: str, *, is_feature: bool
) -> tuple[float | None, float | None]:
    for key in ("min", "max"):
        if key in value and kind not in NUMERIC_TYPES:
            raise ContractError(f"{where}: {key} needs a numeric column, found {kind}.")
    is_float32 = kind == "float64" and is_feature
    number = int if kind == "int64" else (float, int)
    low, high = (_value(value, key, number, None, where) for key in ("min", "max"))
    least: float
    most: float
    if kind == "int64":
        least, most = _INT64
    else:
        most = _FLOAT32_MAX if is_float32 else sys.float_info.max
        least = -most
    for key, limit in (("min", low), ("max", high)):
        if limit is not None and not least <= limit <= most:
            raise ContractError(
                f"{where}: {key} = {limit!r} must lie in {least:.6g} to {most:.6g}, the numbers "
                f"of {'float32, which is what a network sees' if is_float32 else kind}."
            )
    if low is not None and high is not None and low > high:
        raise ContractError(f"{where}: min = {low!r} is above max = {high!r}.")
    if is_float32:
        return least if low is None else low, most if high is None else high
    return low, high


def _table(content: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    table: dict[str, Any] = _value(content, key, dict, {}, where)
    if not table:
        raise ContractError(f"{where}: [{key}] is missing or empty.")
    return table


def _value(
    table: dict[str, Any], key: str, kind: type | tuple[type, ...], default: Any, where: str
) -> Any:
    value = table.get(key, default)
    if key in table and (
        not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    ):
        names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise ContractError(f"{where}: {key} = {value!r}, expected {names}.")
    return value


def _known_keys(table: dict[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ContractError(
            f"{where}: unknown key {', '.join(unknown)}; known are {', '.join(sorted(known))}."
        )


def _check_names(columns: tuple[Column, ...], where: str) -> None:
    seen: set[str] = set()
    for column in columns:
        if not _NAME.fullmatch(column.name):
            raise ContractError(
                f"{where}: '{column.name}' is not a BigQuery column name "
                "(letters, digits and _, not starting with a digit, at most 128)."
            )
        lower = column.name.lower()
        if lower in RESERVED_NAMES or lower.startswith(_RESERVED_PREFIXES):
            raise ContractError(
                f"{where}: the column name '{column.name}' is reserved, by a column of every "
                "decision or reject, or by BigQuery."
            )
        # BigQuery tells column names apart without regard to case, and so must we.
        if lower in seen:
            raise ContractError(
                f"{where}: the column name '{column.name}' is there twice, but for case."
            )
        seen.add(lower)


def _check_roles(contract: Contract, where: str) -> None:
    allowed = {
        "label": ("int64", "bool"),
        "amount": ("float64", "int64"),
        "event_time": ("float64", "int64", "timestamp"),
        "id": ("string", "int64"),
    }
    for role, types in allowed.items():
        name = getattr(contract, role)
        if name is None:
            continue
        column = contract.column(name)
        if column.type not in types or column.is_nullable or column.category is not None:
            found = "category" if column.category is not None else column.type
            raise ContractError(
                f"{where}: {role} column '{name}' must be {' or '.join(types)} and not "
                f"nullable, found {found}{', nullable' if column.is_nullable else ''}."
            )
    _check_event_unit(contract.column(contract.event_time), where)
    named = [contract.label, contract.amount, contract.event_time, contract.id]
    if repeated := {name for name in named if named.count(name) > 1}:
        raise ContractError(
            f"{where}, [roles]: column '{repeated.pop()}' has two roles; each needs its own."
        )
    if contract.id is not None and contract.column(contract.id).max_length > Column.max_length:
        raise ContractError(
            f"{where}: id column '{contract.id}' has max_length "
            f"{contract.column(contract.id).max_length}; a decision's transaction_id has at "
            f"most {Column.max_length} characters."
        )
    if not contract.features:
        raise ContractError(f"{where}: no column is a feature, so nothing can be learned.")


def _check_event_unit(column: Column, where: str) -> None:
    if column.type != "timestamp" and seconds_of(column.unit) is None:
        raise ContractError(
            f"{where}: event_time column '{column.name}' has unit {column.unit!r}, expected one "
            f"of {', '.join(TIME_UNITS)}: days, rates and periods follow from it."
        )
