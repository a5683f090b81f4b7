"""A column: its name, its type, its limits. Schemas are lists of columns."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

ColumnType = Literal["float64", "int64", "bool", "string", "timestamp", "date", "bytes"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)
NUMERIC_TYPES = frozenset({"float64", "int64"})
# What a contract file may name, beside `category`. A new type is added here last, when all that
# reads it knows it.
CONTRACT_TYPES: tuple[ColumnType, ...] = (
    *("float64", "int64", "bool", "string", "timestamp", "date"),
)
# What the levels of a category may be.
LEVEL_TYPES: tuple[ColumnType, ...] = ("string", "int64", "bool")
# What a network may see, and as what, if it is no category.
FEATURE_TYPES: dict[str, Literal["number", "second of the day"]] = {
    "float64": "number",
    "int64": "number",
    "bool": "number",
    "timestamp": "second of the day",
}

# What a network may see of a timestamp instead, each as a circle: where on it the hand stands.
PARTS = ("hour", "weekday")

# What BigQuery and Python can tell of time.
EARLIEST = dt.datetime.min.replace(tzinfo=dt.UTC)
LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)
# A network sees float32: a larger number would be infinite to it, and its score no number.
FLOAT32_MAX = 3.4028234663852886e38
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1

_ARROW_TYPES: dict[str, pa.DataType] = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "bytes": pa.binary(),
}


@dataclass(frozen=True)
class Limits:
    """What the values of a column may be, whoever checks them.

    The decoder of messages, the check of files and the SQL of the quality report each have
    their own way to ask; a table of cases holds their answers together.

    Attributes:
        least: Smallest number, or earliest time or date, that is no fault; None: there is none.
        most: Largest number, or latest time or date; likewise.
        is_finite: Whether NaN and the infinities are faults.
        most_characters: How long a text may be.
        words: The only ones that a text may be; empty: any.
    """

    least: float | dt.date | None = None
    most: float | dt.date | None = None
    is_finite: bool = False
    most_characters: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Category:
    """How the levels of a category are told apart by a model.

    Attributes:
        max_levels: At most so many, the most frequent ones; all others are one.
        buckets: Instead, levels are sorted into so many buckets by their codes; None: they are not.
    """

    max_levels: int = 100
    buckets: int | None = None


@dataclass(frozen=True)
class Column:
    """One column of a transaction, a decision, a reject or a label.

    Attributes:
        name: As it stands in the message and in the table.
        type: What a value is. A `timestamp` has microseconds and is in UTC; one that is finer,
            in a message or a file, is cut to the microsecond before it, never rounded.
        description: What a value means, for people.
        unit: Of a number: `s`, `EUR`, …
        min: Smallest number that is plausible; a smaller one is refused.
        max: Largest number that is plausible; a larger one is refused.
        max_length: Most characters of a string.
        words: Of a string: its only values; empty: any. No contract has such a column.
        category: How its values are told apart if they are levels, of a type of `LEVEL_TYPES`.
        format: Of a time or date as text: how it is written, in directives of `strftime`. Empty: as
            RFC 3339, or ISO 8601.
        timezone: Whose clock a timestamp without an offset is of, an IANA name; empty: there is
            none without. Also the one in which `parts` are.
        parts: What of a timestamp a network sees, of `PARTS`; empty: what `is_feature` says.
        source: Where a message has it, keys with dots between, and what it is called in files;
            empty: under its name.
        is_lenient: Whether a number may come in quotes, and a bool as 0 or 1.
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
    words: tuple[str, ...] = ()
    category: Category | None = None
    format: str = ""
    timezone: str = ""
    parts: tuple[str, ...] = ()
    source: str = ""
    is_lenient: bool = False

    @property
    def place(self) -> str:
        """Where a message has it, keys with dots between."""
        return self.source or self.name

    @property
    def seen_as(self) -> Literal["number", "second of the day", "level"]:
        """What a network sees of a feature.

        Raises:
            KeyError: no network can see it.
        """
        return "level" if self.category is not None else FEATURE_TYPES[self.type]

    @property
    def limits(self) -> Limits:
        """What its values may be, where they are not null."""
        if self.type == "float64":
            least, most = (None if it is None else float(it) for it in (self.min, self.max))
            return Limits(least, most, is_finite=True)
        if self.type == "int64":
            return Limits(
                _INT64_MIN if self.min is None else math.ceil(self.min),
                _INT64_MAX if self.max is None else math.floor(self.max),
            )
        if self.type == "timestamp":
            return Limits(EARLIEST, LATEST)
        if self.type == "date":
            return Limits(dt.date.min, dt.date.max)
        if self.type == "string":
            return Limits(most_characters=self.max_length, words=self.words)
        return Limits()

    @property
    def arrow_type(self) -> pa.DataType:
        """The Arrow type of its values."""
        return _ARROW_TYPES[self.type]


MAX_OFFSET = 2**53
"""No partition gets that far: at a billion messages a second it takes a hundred days. Differences
and sums of offsets below do not overflow, and a float holds each exactly."""

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
