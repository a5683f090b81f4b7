"""A table of 40 columns as a team's own may be, and one of 40 floats: made up, to measure by.

The one has 12 categories, of which one has 100,000 levels, and 10 features that may be null. The
other has as many columns, all of them numbers. Nothing that is learned of either says anything
about real fraud.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

COLUMNS = 40
LEVELS = 100_000  # of one category; the others have `_FEW`, but for a whole number and a bool
MIXED, FLOATS = "mixed40", "floats40"
_FEW = 60
_NULL_SHARE = 0.15
_TEXTS = ("channel", "country", "currency", "device", "issuer", "product", "scheme", "segment")
_NULLABLE = tuple(f"n{index}" for index in range(8))
_PLAIN = tuple(f"v{index}" for index in range(COLUMNS - 2 - 12 - 10))
_ALL = tuple(f"v{index}" for index in range(COLUMNS - 2))


def contract_text(name: str) -> str:
    """The contract file of one of the two, `MIXED` or `FLOATS`."""
    number = 'type = "float64", min = -1e4, max = 1e4'
    if name == FLOATS:
        columns = [f"{each} = {{ {number} }}" for each in _ALL]
    else:
        columns = [
            'merchant = { type = "category", buckets = 4096 }',
            *(f'{each} = {{ type = "category" }}' for each in _TEXTS),
            'city = { type = "category", max_levels = 50 }',
            'code = { type = "category", of = "int64" }',
            'is_gift = { type = "category", of = "bool" }',
            *(f"{each} = {{ {number}, nullable = true }}" for each in _NULLABLE),
            'items = { type = "int64", min = 0, nullable = true }',
            'is_known = { type = "bool", nullable = true }',
            *(f"{each} = {{ {number} }}" for each in _PLAIN),
        ]
    return "\n".join(
        [
            f'name = "{name}"',
            'description = "Made up, to measure by."',
            '[roles]\nlabel = "is_fraud"\namount = "amount"\nevent_time = "second"',
            "[columns]",
            'second = { type = "float64", unit = "s", min = 0, max = 1e9 }',
            *columns,
            'amount = { type = "float64", unit = "EUR", min = 0, max = 1e7 }',
            'is_fraud = { type = "int64", min = 0, max = 1 }',
        ]
    )


def made_rows(name: str, rows: int, seed: int = 0) -> pa.Table:
    """Labelled rows of one of the two, the same ones for a seed, some 2 in 100 of them fraud."""
    random = np.random.default_rng(seed)

    def numbers() -> pa.Array:
        return pa.array(random.standard_normal(rows).round(6))

    def levels(word: str, count: int) -> pa.Array:
        return pa.array([f"{word}_{place}" for place in random.integers(0, count, rows).tolist()])

    def with_nulls(values: pa.Array) -> pa.Array:
        is_null = pa.array(random.random(rows) < _NULL_SHARE)
        return pa.compute.if_else(is_null, pa.scalar(None, values.type), values)

    found: dict[str, pa.Array] = {"second": pa.array(np.arange(rows, dtype=np.float64))}
    if name == FLOATS:
        found |= {each: numbers() for each in _ALL}
    else:
        found["merchant"] = levels("merchant", LEVELS)
        found |= {each: levels(each, _FEW) for each in (*_TEXTS, "city")}
        found["code"] = pa.array(random.integers(1000, 1000 + _FEW, rows))
        found["is_gift"] = pa.array(random.random(rows) < 0.3)
        found |= {each: with_nulls(numbers()) for each in _NULLABLE}
        found["items"] = with_nulls(pa.array(random.poisson(3, rows)))
        found["is_known"] = with_nulls(pa.array(random.random(rows) < 0.7))
        found |= {each: numbers() for each in _PLAIN}
    found["amount"] = pa.array(random.exponential(80, rows).round(2))
    told = np.asarray(found["v0"]) + np.asarray(found["v1"]) > 2.9
    found["is_fraud"] = pa.array(told.astype(np.int64))
    return pa.table(found)
