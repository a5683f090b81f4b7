"""What the levels of categories are: their names, and what a person is told of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Contract
from fraudline.contract.array_types import Integers, Matrix
from fraudline.contract.level_codes import level_code, level_text
from fraudline.training.levels import LEAST_ROWS, Levels, most_frequent


@dataclass(frozen=True)
class CategoryLevels:
    """The levels of a category in the train part.

    Attributes:
        name: Of the feature.
        levels: How many there are.
        known: How many of them, or buckets, are told apart.
        other_share: Share of the rows whose level is told apart from no other rare one.
        buckets: How many buckets there may be; None where levels are told apart by name.
    """

    name: str
    levels: int
    known: int
    other_share: float
    buckets: int | None


def level_names(values: pa.ChunkedArray | pa.Array) -> dict[int, str]:
    """Level by code; of levels that share a code, the most frequent one."""
    counted = pc.value_counts(values).to_pylist()
    counted = [(each["counts"], each["values"]) for each in counted if each["values"] is not None]
    by_count = sorted(counted, key=lambda each: (each[0], level_text(each[1])))
    return {level_code(level): level_text(level) for _, level in by_count}


def shared_codes(contract: Contract, history: pa.Table) -> list[str]:
    """A sentence for each two frequent levels that share a code, which no model tells apart."""
    told = []
    for name, category in contract.categories.items():
        if category.buckets is not None:
            continue
        by_code: dict[int, str] = {}
        for each in pc.value_counts(history.column(name)).to_pylist():
            if each["values"] is None or each["counts"] < LEAST_ROWS:
                continue
            code, text = level_code(each["values"]), level_text(each["values"])
            if code in by_code:
                told.append(
                    f"LOOK: column '{name}': {by_code[code]!r} and {text!r} have one code by "
                    "chance, so they count as one level. Write one of them in another way, or "
                    "make one level of them"
                )
            by_code[code] = text
    return told


def measure_categories(
    contract: Contract, features: Matrix, levels: Levels | None
) -> list[CategoryLevels]:
    """Look at each category.

    Args:
        contract: What a transaction looks like.
        features: Of the train part.
        levels: Those of the model; None where there is no category.
    """
    if levels is None:
        return []
    places, found = levels.places(features), []
    for at, (name, category) in enumerate(contract.categories.items()):
        codes = features[:, levels.features[at]]
        own = slice(levels.offsets[at], levels.offsets[at] + levels.moduli[at])
        known = len(np.setdiff1d(levels.rows[own], levels.others[at]))
        is_other = places[:, at] == levels.others[at]
        count = len(np.unique(codes[~np.isnan(codes)]))
        found.append(CategoryLevels(name, count, known, float(is_other.mean()), category.buckets))
    return found


def told_levels(contract: Contract, features: Matrix) -> list[str]:
    """A sentence for each category: how many levels there are, and what becomes of them.

    Args:
        contract: What a transaction looks like.
        features: Of the train part.
    """
    told = []
    for name, category in contract.categories.items():
        given = features[:, contract.features.index(name)]
        codes: Integers = given[~np.isnan(given)].astype(np.int64)
        levels = len(np.unique(codes))
        if category.buckets is not None:
            ways = f"sorted into {category.buckets:,} buckets by their codes"
        else:
            kept = most_frequent(codes, category.max_levels)
            share = float(np.isin(codes, kept, invert=True).mean()) if len(codes) else 0.0
            ways = f"{len(kept):,} are told apart, the others are {100 * share:.3g} % of rows"
        told.append(f"column '{name}' has {levels:,} levels in the train part: {ways}")
    return told
