"""A level has one code, however it comes, and whatever is sent, few levels are kept in memory."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from fraudline.contract.columns import Category, Column, ColumnType
from fraudline.contract.level_codes import codes_from, level_code, level_codes

LEVELS: dict[ColumnType, list[object]] = {
    "string": [*(f"m-{number}" for number in range(5000)), "", "Ü", "é" * 500, "\N{GRINNING FACE}"],
    "int64": [*range(-5, 4995), 2**63 - 1, -(2**63)],
    "bool": [True, False],
}


@pytest.mark.parametrize("buckets", [None, 64], ids=["by name", "in buckets"])
@pytest.mark.parametrize("kind", LEVELS)
def test_a_level_has_its_code_the_first_time_and_every_other(
    kind: ColumnType, buckets: int | None
) -> None:
    levels = LEVELS[kind]
    convert = codes_from(Column("c", kind, is_feature=True, category=Category(buckets=buckets)))
    expected = [level_code(level) for level in levels]
    assert list(convert(levels)) == expected
    assert list(convert(levels[::-1])) == expected[::-1]
    assert level_codes(pa.array(levels)).to_pylist() == expected


@pytest.mark.parametrize("buckets", [None, 64], ids=["by name", "in buckets"])
@pytest.mark.parametrize("kind", LEVELS)
def test_a_null_has_no_code(kind: ColumnType, buckets: int | None) -> None:
    one = LEVELS[kind][0]
    category = Category(buckets=buckets)
    convert = codes_from(Column("c", kind, is_nullable=True, is_feature=True, category=category))
    first, null, again = convert([one, None, one])
    assert (first, again) == (level_code(one), level_code(one))
    assert math.isnan(null)


def test_of_levels_that_never_end_and_of_long_ones_few_are_kept() -> None:
    convert = codes_from(Column("c", "string", is_feature=True, category=Category()))
    kept = convert.args[0].__self__  # type: ignore[attr-defined] # map, and a dictionary's look-up
    list(convert(["x" * 1000 + str(number) for number in range(100)]))
    assert len(kept) == 1
    list(convert([f"m-{number}" for number in range(100_000)]))
    assert len(kept) == 4096
