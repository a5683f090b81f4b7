"""A column: its name, its type, its limits. Schemas are lists of columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

ColumnType = Literal["float64", "int64", "bool", "string", "timestamp", "bytes"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)
NUMERIC_TYPES = frozenset({"float64", "int64"})

# What BigQuery and Python can tell of time.
EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)

_ARROW_TYPES: dict[str, pa.DataType] = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "bytes": pa.binary(),
}


@dataclass(frozen=True)
class Column:
    """One column of a transaction, a decision or a reject.

    Attributes:
        name: As it stands in the message and in the table.
        type: What a value is. A `timestamp` has microseconds and is in UTC.
        description: What a value means, for people.
        unit: Of a number: `s`, `EUR`, …
        min: Smallest number that is plausible; a smaller one is refused.
        max: Largest number that is plausible; a larger one is refused.
        max_length: Most characters of a string.
        is_nullable: Whether a value may be null. The column itself must always be there.
        is_feature: Whether a network sees it.
    """

    name: str
    type: ColumnType
    description: str = ""
    unit: str = ""
    min: float | None = None
    max: float | None = None
    max_length: int = 1024
    is_nullable: bool = False
    is_feature: bool = False

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of its values."""
        return _ARROW_TYPES[self.type]


POSITION_COLUMNS: tuple[Column, ...] = (
    Column("source_topic", "string", "Topic in which the message arrived."),
    Column("source_partition", "int64", "Partition of that topic.", min=0),
    Column("source_offset", "int64", "Offset in that partition.", min=0),
)


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of a batch with these columns, in this order."""
    return pa.schema(
        [
            pa.field(
                column.name,
                column.arrow_type,
                nullable=column.is_nullable,
                metadata={"description": _described(column)} if column.description else None,
            )
            for column in columns
        ]
    )


def _described(column: Column) -> str:
    return f"{column.description} Unit: {column.unit}." if column.unit else column.description
