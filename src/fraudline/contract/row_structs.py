"""Columns as msgspec decodes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from fraudline.contract.columns import NUMERIC_TYPES, Column
from fraudline.contract.time_formats import COUNTS

PYTHON_TYPES = {
    "float64": float,
    "int64": int,
    "bool": bool,
    "string": str,
    "timestamp": dt.datetime,
    "date": dt.date,
    "bytes": bytes,
}
_MOST_TIME_CHARACTERS = 128  # of a time in a format of its own


def row_struct(
    columns: Sequence[Column], *, always: int | None = None, is_open: bool = False
) -> type[msgspec.Struct]:
    """What msgspec decodes a message to; its fields are in the order of the columns.

    Args:
        columns: What a message has.
        always: How many of the first columns must be there, nullable or not; None: all.
        is_open: Whether other columns may be there, which are ignored.
    """
    return msgspec.defstruct(
        "Row",
        [
            (f"column_{index}", _python_type(column), None)
            if column.is_nullable and always is not None and index >= always
            else (f"column_{index}", _python_type(column))
            for index, column in enumerate(columns)
        ],
        # A column may be called `from` or `class`, which no Python attribute can be.
        rename={f"column_{index}": column.name for index, column in enumerate(columns)},
        forbid_unknown_fields=not is_open,
        kw_only=always is not None,  # one with a default may stand before one without
        gc=False,
    )


def _python_type(column: Column) -> Any:
    limits = column.limits
    kind: Any = PYTHON_TYPES[column.type]
    if column.type in NUMERIC_TYPES:  # what is not finite is no number in JSON
        kind = Annotated[kind, msgspec.Meta(ge=limits.least, le=limits.most)]  # type: ignore[arg-type] # numbers
    elif column.format:
        kind = Annotated[str, msgspec.Meta(max_length=_MOST_TIME_CHARACTERS)]
        if column.format in COUNTS:
            kind |= int
    elif column.type == "timestamp" and not column.timezone:  # see `_beyond` for its limits
        kind = Annotated[kind, msgspec.Meta(tz=True)]
    elif limits.words:
        kind = Literal[limits.words]
    elif limits.most_characters is not None:
        kind = Annotated[kind, msgspec.Meta(max_length=limits.most_characters)]
    return kind | None if column.is_nullable else kind
