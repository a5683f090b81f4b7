"""A contract as an Open Data Contract, for catalogues and people of other teams."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fraudline.contract import Column, Contract
from fraudline.contract.seen_words import seen_words

_STANDARD = "v3.1.0"
_LOGICAL_TYPES = {
    "float64": "number",
    "int64": "integer",
    "bool": "boolean",
    "string": "string",
    "timestamp": "timestamp",
    "date": "date",
}
_JSON_TYPES = {"float64": "number", "int64": "number", "bool": "boolean"}
_TABLE_TYPES = {
    "float64": "FLOAT64",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "STRING",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
}


def data_contract(
    contract: Contract, *, topic: str, table: str, columns: Mapping[str, str] | None = None
) -> str:
    """The contract in the Open Data Contract Standard (ODCS), as YAML.

    Its version is the contract's fingerprint, so it changes when the data do.

    Args:
        contract: What a transaction looks like.
        topic: Where transactions arrive.
        table: Where labelled history is.
        columns: Where this is somebody else's table or view, by column of the contract what it is
            called there, if otherwise; no types are told of it then. None: it is ours.
    """
    about = {"description": {"purpose": contract.description}} if contract.description else {}
    content = {
        "apiVersion": _STANDARD,
        "kind": "DataContract",
        "id": f"fraudline:{contract.name}",
        "name": contract.name,
        "version": contract.fingerprint[:12],
        "status": "active",
        **about,
        "schema": [
            {
                "name": "transactions",
                "physicalName": topic,
                "physicalType": "topic",
                "logicalType": "object",
                "description": "Transactions in flight, one a message.",
                "properties": [
                    _property(contract, column, _JSON_TYPES.get(column.type, "string"))
                    for column in contract.transaction_columns
                ],
            },
            {
                "name": "history",
                "physicalName": table,
                "physicalType": "table",
                "logicalType": "object",
                "description": "Transactions with their labels, to learn from.",
                "properties": [
                    _property(contract, column, _TABLE_TYPES[column.type])
                    if columns is None
                    else _property(contract, column, None, columns.get(column.name))
                    for column in contract.columns
                ],
            },
        ],
    }
    return "\n".join(_yaml(content))


def _property(
    contract: Contract, column: Column, physical_type: str | None, physical_name: str | None = None
) -> dict[str, Any]:
    physical = {"physicalName": physical_name, "physicalType": physical_type}
    found: dict[str, Any] = {
        "name": column.name,
        "logicalType": _LOGICAL_TYPES[column.type],
        **{key: value for key, value in physical.items() if value is not None},
        "required": not column.is_nullable,
    }
    if column.name == contract.id:
        found["unique"] = True
    elif column.name in contract.id_columns:
        found["primaryKey"] = True
        found["primaryKeyPosition"] = contract.id_columns.index(column.name) + 1
    if column.description:
        found["description"] = column.description
    if options := _options(column):
        found["logicalTypeOptions"] = options
    if told := list(_told(contract, column)):
        found["customProperties"] = [{"property": key, "value": value} for key, value in told]
    return found


def _options(column: Column) -> dict[str, Any]:
    limits = column.limits
    if column.type == "timestamp":
        return {"timezone": True}
    if column.type == "date":
        return {}
    if column.type == "string":
        return {"maxLength": limits.most_characters}
    named = (("minimum", column.min), ("maximum", column.max))
    return {name: limit for name, limit in named if limit is not None}


def _told(contract: Contract, column: Column) -> Iterator[tuple[str, Any]]:
    """What the standard has no word for."""
    for key in ("unit", "format", "timezone"):
        if value := getattr(column, key):
            yield key, value
    for role in ("label", "amount", "event_time", "id"):
        if getattr(contract, role) == column.name:
            yield "role", role
    if column.is_feature:
        yield "networkSees", seen_words(column)


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # To YAML 1.1 a number with an exponent has a point.
    is_float = isinstance(value, float)
    return text.replace("e", ".0e") if is_float and "." not in text else text


def _yaml(value: Any) -> list[str]:
    """Mappings and lists in blocks; a scalar is as in JSON, which is YAML, too."""
    lines: list[str] = []
    for key, inner in value.items() if isinstance(value, dict) else ((None, one) for one in value):
        head = "-" if key is None else f"{key}:"
        if not isinstance(inner, dict | list):
            lines.append(f"{head} {_scalar(inner)}")
        elif key is None:
            first, *others = _yaml(inner)
            lines += [f"- {first}", *(f"  {line}" for line in others)]
        else:
            lines += [head, *(f"  {line}" for line in _yaml(inner))]
    return lines
