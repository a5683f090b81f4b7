"""A contract as a Protobuf schema: what a transaction in flight is."""

from __future__ import annotations

from collections.abc import Iterator

from fraudline.contract import Contract
from fraudline.schemas.column_words import column_words

_MOMENT = "google.protobuf.Timestamp"
_TYPES = {
    "float64": "double",
    "int64": "int64",
    "bool": "bool",
    "string": "string",
    "timestamp": _MOMENT,
    "date": "string",
}


def protobuf_schema(contract: Contract) -> str:
    """A .proto file of a transaction without its label.

    Every field is `optional`, so that one that is absent is told from a zero: it is a null.
    """
    return "\n".join(_lines(contract))


def _lines(contract: Contract) -> Iterator[str]:
    yield 'syntax = "proto3";'
    columns = contract.transaction_columns
    if any(_TYPES[column.type] == _MOMENT for column in columns):
        yield 'import "google/protobuf/timestamp.proto";'
    yield ""
    yield "// A field keeps its number for ever; give a new column the next one."
    yield f"message {contract.name} {{"
    for number, column in enumerate(columns, start=1):
        for line in column_words(column).splitlines():
            yield f"  // {line}"
        kind = _TYPES[column.type]
        optional = "" if kind == _MOMENT else "optional "
        yield f"  {optional}{kind} {column.name} = {number};"
    yield "}"
