"""A column of a contract file, read and checked."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from fraudline.contract.columns import (
    CONTRACT_TYPES,
    FEATURE_TYPES,
    FLOAT32_MAX,
    LEVEL_TYPES,
    NUMERIC_TYPES,
    Category,
    Column,
    ColumnType,
)
from fraudline.contract.contract_faults import Faults, Keys, meant, shown
from fraudline.contract.message_keys import parse_place
from fraudline.contract.time_keys import TIME_KEYS, parse_time

_COLUMN_KEYS = {"type", "description", "unit", "min", "max", "max_length", "nullable", "feature"}
_COLUMN_KEYS |= {"from", "lenient"}
# Of a column whose type is CATEGORY.
_CATEGORY_KEYS = {"of", "max_levels", "buckets"}
CATEGORY = "category"
_MOST_LEVELS, _LEAST_BUCKETS, _MOST_BUCKETS = 1000, 16, 65_536
_INT64 = (-(2**63), 2**63 - 1)
# What others call our types.
_OTHER_NAMES = {
    **dict.fromkeys(("float", "float32", "double", "number", "numeric", "decimal"), "float64"),
    **dict.fromkeys(("int", "integer", "int32", "bigint", "long"), "int64"),
    **dict.fromkeys(("str", "text", "varchar", "uuid", "bytes"), "string"),
    **dict.fromkeys(("datetime", "time"), "timestamp"),
    "boolean": "bool",
    **dict.fromkeys(("categorical", "enum", "factor", "level"), CATEGORY),
}


def parse_column(name: str, value: Any, faults: Faults) -> Column | None:
    """A column as its table says; None if that has a fault, which is noted.

    Args:
        name: Its key.
        value: Its table.
        faults: Takes what is wrong.
    """
    path, known_before = ("columns", name), len(faults)
    if not isinstance(value, dict):
        faults.add(path, 'expected a table such as { type = "float64" }.')
        return None
    kind, category = value.get("type"), None
    is_category = kind == CATEGORY
    own_keys = _CATEGORY_KEYS if is_category else TIME_KEYS.get(str(kind), set())
    faults.known_keys(value, _COLUMN_KEYS | own_keys, path)
    if is_category:
        kind, category = _parse_category(value, path, faults)
    if kind not in CONTRACT_TYPES:
        known = (*CONTRACT_TYPES, CATEGORY)
        found = f"type is {shown(kind)}, expected one of {', '.join(known)}."
        other = _OTHER_NAMES.get(str(kind).lower())
        hint = f' Write type = "{other}".' if other else meant(kind, known)
        faults.add((*path, "type"), found + hint)
        return None
    is_seen = is_category or kind in NUMERIC_TYPES or kind == "bool"
    is_feature = faults.value(value, "feature", bool, is_seen, path)
    written = parse_time(value, kind, path, faults)
    is_nullable = faults.value(value, "nullable", bool, False, path)
    if is_feature and kind not in FEATURE_TYPES and not is_category:
        way = (
            "let it see an age, which is a derived column"
            if kind == "date"
            else f'if its values come again and again, type = "{CATEGORY}"'
        )
        faults.add(
            (*path, "feature"), f"a network cannot see a {kind}; set feature = false, or {way}."
        )
    max_length = faults.value(value, "max_length", int, Column.max_length, path)
    if max_length < 1 or ("max_length" in value and kind != "string"):
        faults.add(
            (*path, "max_length"),
            f"max_length = {shown(max_length)} needs a string column and a number above 0.",
        )
    source, is_lenient = parse_place(value, kind, path, faults)
    low, high = _parse_limits(value, kind, path, faults, is_feature=is_feature)
    description, unit = (faults.value(value, key, str, "", path) for key in ("description", "unit"))
    if len(faults) > known_before:
        return None
    return Column(
        name=name,
        type=kind,
        description=description,
        unit=unit,
        min=low,
        max=high,
        max_length=max_length,
        is_nullable=is_nullable,
        is_feature=is_feature and not written.parts,
        category=category,
        format=written.format,
        timezone=written.timezone,
        parts=written.parts,
        source=source,
        is_lenient=is_lenient,
    )


def _parse_category(
    value: dict[str, Any], path: Keys, faults: Faults
) -> tuple[ColumnType, Category]:
    """The type of a category's levels, and how they are told apart."""
    kind = faults.value(value, "of", str, "string", path)
    if kind not in LEVEL_TYPES:
        faults.add(
            (*path, "of"),
            f"of = {shown(kind)}, expected the type of its levels as they come: "
            f"{', '.join(LEVEL_TYPES)}.{meant(kind, LEVEL_TYPES)}",
        )
        kind = "string"
    if "max_levels" in value and "buckets" in value:
        faults.add(
            (*path, "buckets"),
            "max_levels and buckets are two ways to tell levels apart; keep one. max_levels keeps "
            "the most frequent ones by name, buckets hashes all of them.",
        )
    levels = faults.value(value, "max_levels", int, Category.max_levels, path)
    buckets = faults.value(value, "buckets", int, None, path)
    for key, found, least, most in (
        ("max_levels", levels, 1, _MOST_LEVELS),
        ("buckets", buckets, _LEAST_BUCKETS, _MOST_BUCKETS),
    ):
        if found is not None and not least <= found <= most:
            faults.add((*path, key), f"{key} = {shown(found)} must lie in {least} to {most:,}.")
    return kind, Category(levels, buckets)


def _parse_limits(
    value: dict[str, Any], kind: str, path: Keys, faults: Faults, *, is_feature: bool
) -> tuple[float | None, float | None]:
    given = [key for key in ("min", "max") if key in value]
    if given and kind not in NUMERIC_TYPES:
        for key in given:
            faults.add((*path, key), f"{key} needs a numeric column, found {kind}.")
        return None, None
    is_float32 = kind == "float64" and is_feature
    number = int if kind == "int64" else (float, int)
    low, high = (faults.value(value, key, number, None, path) for key in ("min", "max"))
    least: float
    most: float
    if kind == "int64":
        least, most = _INT64
    else:
        most = FLOAT32_MAX if is_float32 else sys.float_info.max
        least = -most
    for key, limit in (("min", low), ("max", high)):
        if limit is not None and not least <= limit <= most:
            faults.add(
                (*path, key),
                f"{key} = {shown(limit)} must lie in {least:.6g} to {most:.6g}, the numbers "
                f"of {'float32, which is what a network sees' if is_float32 else kind}.",
            )
    if low is not None and high is not None and low > high:
        faults.add((*path, "min"), f"min = {shown(low)} is above max = {shown(high)}.")
    if is_float32:
        return least if low is None else low, most if high is None else high
    return low, high


def in_float32(column: Column) -> Column:
    """A column with the limits of a feature, which what is computed of it stays within."""
    if column.type != "float64":
        return column
    return replace(
        column,
        min=-FLOAT32_MAX if column.min is None else max(column.min, -FLOAT32_MAX),
        max=FLOAT32_MAX if column.max is None else min(column.max, FLOAT32_MAX),
    )
