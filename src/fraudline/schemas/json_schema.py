"""A contract as a JSON Schema: which messages are transactions."""

from __future__ import annotations

import json
from typing import Any

from fraudline.contract import Column, Contract
from fraudline.contract.time_formats import COUNTS

# What every registry that takes JSON Schema knows.
_DRAFT = "http://json-schema.org/draft-07/schema#"
_TYPES = {
    "float64": "number",
    "int64": "integer",
    "bool": "boolean",
    "string": "string",
    "timestamp": "string",
    "date": "string",
}
_NOT_BLANK = r"\S"
# Whoever checks a schema checks patterns; formats are left out by many.
_TIMES = {
    "timestamp": (
        "date-time",
        r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    ),
    "date": ("date", r"^\d{4}-\d\d-\d\d$"),
}


def json_schema(contract: Contract) -> str:
    """A JSON Schema, draft 07, of a transaction without its label.

    A message that is valid is one that is decoded, and the other way round, but for what draft 07
    cannot say: a column that is there twice, a whole number written with a point, a size of more
    than 64 KiB, a day that no calendar has, a time in a format or of a time zone that the contract
    names.
    """
    columns = contract.transaction_columns
    schema = {
        "$schema": _DRAFT,
        "title": contract.name,
        **({"description": contract.description} if contract.description else {}),
        "type": "object",
        "properties": {
            column.name: _property(column, is_id=column.name in contract.id_columns)
            for column in columns
        },
        "required": [column.name for column in columns],
        "additionalProperties": False,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False)


def _property(column: Column, *, is_id: bool) -> dict[str, Any]:
    kind, limits = _TYPES[column.type], column.limits
    kinds = ["integer", kind] if column.format in COUNTS else [kind]
    kinds += ["null"] if column.is_nullable else []
    found: dict[str, Any] = {"type": kinds if len(kinds) > 1 else kind}
    if column.description:
        found["description"] = column.description
    if column.format or column.timezone:
        found["description"] = f"{column.description} {_written(column)}".strip()
    elif column.type in _TIMES:
        name, pattern = _TIMES[column.type]
        found |= {"format": name, "pattern": pattern}
    elif kind == "string":
        found["maxLength"] = limits.most_characters
        if is_id:
            found["pattern"] = _NOT_BLANK
    else:
        found |= {
            word: limit
            for word, limit in (("minimum", limits.least), ("maximum", limits.most))
            if limit is not None
        }
    if column.unit:
        found["x-unit"] = column.unit
    return found


def _written(column: Column) -> str:
    """How a time or a date is written, where not as everybody would."""
    zone = f" Without an offset it is of {column.timezone}." if column.timezone else ""
    return f"Written as {column.format or 'RFC 3339'}.{zone}"
