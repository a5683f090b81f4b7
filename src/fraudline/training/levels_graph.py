"""Levels as a piece of an ONNX graph, and read back from one: the arithmetic of `Levels.places`.

Each step costs the same whatever the level is, so that what rows of zeros take, all others take.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto

from fraudline.training.levels import Levels

if TYPE_CHECKING:
    from fraudline.training.graph import Writer


def write_levels(writer: Writer, levels: Levels) -> str:
    """Write what stands for the levels of a row; gives the name of the output."""
    constant, add = writer.constant, writer.add
    seen = add("Gather", "features", constant(levels.features, np.int64), axis=1)
    is_null = add("IsNaN", seen)
    codes = add("Where", is_null, constant(0), seen)
    whole = add("Cast", codes, to=TensorProto.INT32)
    remainder = add("Mod", whole, constant(levels.moduli, np.int32))
    slots = add("Add", remainder, constant(levels.offsets, np.int32))
    is_key = add("Equal", add("Gather", constant(levels.keys), slots, axis=0), codes)
    is_known = add("Or", is_key, constant(levels.are_hashed, np.bool_))
    leading = add("Gather", constant(levels.rows, np.int64), slots, axis=0)
    known = add("Where", is_known, leading, constant(levels.others, np.int64))
    rows = add("Where", is_null, constant(levels.nulls, np.int64), known)
    found = add("Gather", constant(levels.table), rows, axis=0)
    return add("Reshape", found, constant([-1, len(levels.sources)], np.int64))


def read_levels(made_by: dict[str, Any], values: dict[str, Any], reshaped: Any) -> Levels:
    """The levels that `write_levels` wrote, number by number.

    Args:
        made_by: The node that makes each tensor.
        values: Of the constants.
        reshaped: The last node of them.

    Raises:
        KeyError: these are none.
    """
    found = made_by[reshaped.input[0]]
    rows = made_by[found.input[1]]
    seen = made_by[made_by[rows.input[0]].input[0]]
    known = made_by[rows.input[2]]
    is_known, leading = made_by[known.input[0]], made_by[known.input[1]]
    key = made_by[made_by[is_known.input[0]].input[0]]
    remainder = made_by[made_by[leading.input[1]].input[0]]
    return Levels(
        features=tuple(map(int, values[seen.input[1]])),
        moduli=values[remainder.input[1]],
        are_hashed=values[is_known.input[1]],
        others=values[known.input[2]],
        nulls=values[rows.input[1]],
        keys=values[key.input[0]],
        rows=values[leading.input[0]],
        table=values[found.input[0]],
    )
