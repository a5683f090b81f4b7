"""Levels of a category as the numbers that a model is given: the same for every version.

A level's code is the upper 24 bits of the CRC-32 of its UTF-8 bytes, which a float32 holds exactly.
A whole number is taken as its decimal digits, and a bool as `true` or `false`. Nothing is trimmed,
folded or normalised: what differs by a byte is another level, and an empty text is a level, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import nan
from typing import Any
from zlib import crc32

import numpy as np
import pyarrow as pa

from fraudline.contract.array_types import Floats

_LOWER_BITS = 8  # of the 32; the other 24 are what a float32 holds
_BOOLS = {True: "true", False: "false"}
_TEXT_OF_NULL: dict[Any, Any] = {None: ""}
_NUMBER_OF_NULL: dict[Any, float] = {None: nan}

Level = str | int | bool
"""A level as Python has it."""


def level_text(level: Level) -> str:
    """A level as it is hashed, and as people read it."""
    return _BOOLS[level] if isinstance(level, bool) else str(level)


def level_code(level: Level) -> int:
    """The code of a level: from 0 to below 2^24."""
    return crc32(level_text(level).encode()) >> _LOWER_BITS


def level_codes(levels: pa.Array) -> pa.Array:
    """The codes of a column, float64; a null stays null. Each level that differs is hashed once."""
    encoded = levels.dictionary_encode()
    codes = [float(level_code(level)) for level in encoded.dictionary.to_pylist()]
    return pa.array(codes, pa.float64()).take(encoded.indices)


def codes_from(kind: str, *, is_nullable: bool) -> Callable[[Sequence[Any]], Floats]:
    """What turns values into the codes of their levels, without Python for each of them.

    Args:
        kind: The type of the values: `string`, `int64` or `bool`.
        is_nullable: Whether there may be nulls, which become NaN.
    """
    if kind == "bool":
        known: dict[Any, float] = {level: level_code(level) for level in _BOOLS}
        code = (known | _NUMBER_OF_NULL).__getitem__
        return lambda values: np.fromiter(map(code, values), np.float64, len(values))
    as_text: Callable[[Iterable[Any]], Iterable[str]] = (
        (lambda values: map(str, values)) if kind == "int64" else iter
    )

    def codes(values: Sequence[Any]) -> Floats:
        crcs = np.fromiter(map(crc32, map(str.encode, as_text(values))), np.uint32, len(values))
        return (crcs >> _LOWER_BITS).astype(np.float64)

    def codes_or_nan(values: Sequence[Any]) -> Floats:
        texts = as_text(map(_TEXT_OF_NULL.get, values, values))
        # A level is not in the dictionary, and its own CRC stands for it.
        crcs = map(_NUMBER_OF_NULL.get, values, map(crc32, map(str.encode, texts)))
        found: Floats = np.floor(np.fromiter(crcs, np.float64, len(values)) / 2.0**_LOWER_BITS)
        return found

    return codes_or_nan if is_nullable else codes
