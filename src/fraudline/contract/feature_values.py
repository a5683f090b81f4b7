"""Values of features as numbers, and derived ones as people read them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.array_types import Floats
from fraudline.contract.columns import Column
from fraudline.contract.level_codes import level_codes
from fraudline.errors import InputError


def as_floats(values: pa.Array | pa.ChunkedArray, column: Column) -> pa.Array:
    """The values of a feature as a model is given them, float64; a null stays null.

    Raises:
        InputError: one is null where the contract permits none.
    """
    if values.null_count and not column.is_nullable:
        raise InputError(
            f"column '{column.name}' is null in {values.null_count:,} rows; a network sees it, and "
            "the contract permits no null of it. Leave these rows out, or set nullable = true and "
            "train anew."
        )
    values = whole_array(values)
    kind = column.type
    if column.seen_as == "level":
        return level_codes(values)
    if column.seen_as == "second of the day":
        midnight = pc.floor_temporal(values, unit="day")
        since_midnight = pc.subtract(values.cast(pa.int64()), midnight.cast(pa.int64()))
        return pc.divide(since_midnight.cast(pa.float64()), 1e6)
    if kind == "bool":
        values = values.cast(pa.int8())
    return values if kind == "float64" else values.cast(pa.float64(), safe=False)


def whole_array(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def permitted(values: Floats, column: Column) -> pa.Array:
    """The values of a derived feature, NaN for null.

    Raises:
        InputError: one is null where the contract permits none.
    """
    nulls = int(np.isnan(values).sum())
    if nulls and not column.is_nullable:
        raise InputError(
            f"derived column '{column.name}' is null in {nulls:,} rows, and the contract permits "
            "none. Leave these rows out, or set nullable = true and train anew."
        )
    return pa.array(values)


def shown_values(values: Floats, column: Column) -> list[Any]:
    """The values of a derived column as people read them, None for null."""
    as_python = bool if column.type == "bool" else float
    return [None if math.isnan(each) else as_python(each) for each in values.tolist()]
