"""Levels of a category as the numbers that a model is given: the same for every version.

A level's code is the upper 24 bits of the CRC-32 of its UTF-8 bytes, which a float32 holds exactly.
A whole number is taken as its decimal digits, and a bool as `true` or `false`. Nothing is trimmed,
folded or normalised: what differs by a byte is another level, and an empty text is a level, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import repeat
from math import nan
from operator import rshift
from typing import Any
from zlib import crc32

import pyarrow as pa

from fraudline.contract.columns import Column

_LOWER_BITS = 8  # of the 32; the other 24 are what a float32 holds
# Of the levels of a column: whatever is sent, they take less than two megabytes.
_MOST_KEPT, _LONGEST_KEPT = 4096, 64
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


def codes_from(column: Column) -> Callable[[Sequence[Any]], Iterable[float]]:
    """What turns the values of a category into the codes of their levels; a null becomes NaN.

    Levels that come again and again are looked up. Where they are sorted into buckets there may be
    any number of them, and each is hashed, without Python for it.
    """
    assert column.category is not None
    if column.category.buckets is None or column.type == "bool":
        return partial(map, _Codes().__getitem__)
    as_text: Callable[[Iterable[Any]], Iterable[str]] = (
        partial(map, str) if column.type == "int64" else iter
    )

    def codes(values: Iterable[Any]) -> Iterable[int]:
        return map(rshift, map(crc32, map(str.encode, as_text(values))), repeat(_LOWER_BITS))

    if not column.is_nullable:
        return codes
    # What is no null is not in the dictionaries, and its own text and code stand for it.
    return lambda values: map(
        _NUMBER_OF_NULL.get, values, codes(map(_TEXT_OF_NULL.get, values, values))
    )


class _Codes(dict[Any, float]):
    """The codes of the levels that came first, and the way to that of each other one."""

    def __init__(self) -> None:
        self[None] = nan

    def __missing__(self, level: Level) -> float:
        code = float(level_code(level))
        if len(self) < _MOST_KEPT and len(str(level)) <= _LONGEST_KEPT:
            self[level] = code
        return code
