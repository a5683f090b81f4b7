"""Which decimals of a file a float64 cannot tell as they are written."""

from __future__ import annotations

import decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.array_types import Integers

# A float64 gives any decimal of 15 digits back, and no whole number below 2^53 has more than 16.
_MANY_DIGITS = r"[1-9](?:\.?\d){15}"
_DIGITS = decimal.Context(prec=1000)


def altered(texts: pa.ChunkedArray, floats: pa.ChunkedArray) -> list[tuple[int, bool]]:
    """Values that a float64 does not hold as they are written.

    A float holds a decimal if it gives the same one, printed with as many digits: 0.1, and
    0.10000000000000001, which is how some programs write 0.1, but not 0.100000000000000004.

    Args:
        texts: Numbers as text.
        floats: The same as float64, null where they are none.

    Returns:
        The index of each one, and whether it is a whole number.
    """
    # Three sieves, the cheapest first: most tables end in the first two.
    candidates = _where(pc.greater(pc.utf8_length(pc.utf8_ltrim(texts, "-0.")), 15))
    some = pa.array(candidates)
    shortest = floats.take(some).cast(pa.string())
    candidates = candidates[_where(pc.not_equal(texts.take(some), shortest))]
    some = pa.array(candidates)
    candidates = candidates[_where(pc.match_substring_regex(texts.take(some), _MANY_DIGITS))]
    found = []
    chosen = pa.array(candidates)
    for index, text, number in zip(
        candidates.tolist(), texts.take(chosen).to_pylist(), floats.take(chosen).to_pylist(),
        strict=True,
    ):  # fmt: skip
        if number is None or not np.isfinite(number):
            continue  # refused for another reason
        written = _DIGITS.create_decimal(text)
        digits = len(written.normalize(_DIGITS).as_tuple().digits)
        if decimal.Decimal(f"{number:.{digits - 1}e}") != written:
            found.append((index, written == written.to_integral_value()))
    return found


def _where(mask: pa.ChunkedArray) -> Integers:
    indices: Integers = np.flatnonzero(pc.fill_null(mask, False).to_numpy())
    return indices
