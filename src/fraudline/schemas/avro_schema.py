"""A contract as an Avro schema: what a transaction in flight is."""

from __future__ import annotations

import json
from typing import Any

from fraudline.contract import Column, Contract
from fraudline.schemas.column_words import column_words

_TYPES: dict[str, Any] = {
    "float64": "double",
    "int64": "long",
    "bool": "boolean",
    "string": "string",
    "timestamp": {"type": "long", "logicalType": "timestamp-micros"},
    "date": {"type": "int", "logicalType": "date"},
}


def avro_schema(contract: Contract) -> str:
    """An Avro schema, as JSON, of a transaction without its label.

    Avro has no limits and no units; they stand in each field's `doc`, and what lies outside is
    rejected when it is decoded.
    """
    record = {
        "type": "record",
        "name": contract.name,
        **({"doc": contract.description} if contract.description else {}),
        "fields": [_field(column) for column in contract.transaction_columns],
    }
    return json.dumps(record, indent=2, ensure_ascii=False)


def _field(column: Column) -> dict[str, Any]:
    words, kind = column_words(column), _TYPES[column.type]
    field = {"name": column.name, "type": ["null", kind] if column.is_nullable else kind}
    if words:
        field["doc"] = words
    if column.is_nullable:
        field["default"] = None
    return field
