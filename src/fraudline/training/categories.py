"""What the levels of categories are: their names, and what a person is told of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.contract.level_codes import level_code, level_text
from fraudline.training.levels import LEAST_ROWS, LevelInput, Levels


@dataclass(frozen=True)
class CategoryLevels:
    """The levels of a category in the train part.

    Attributes:
        name: Of the feature.
        levels: How many there are.
        known: How many of them, or buckets, are told apart.
        other_share: Share of the payments whose level is told apart from no other rare one.
        buckets: How many buckets there may be; None where levels are told apart by name.
    """

    name: str
    levels: int
    known: int
    other_share: float
    buckets: int | None


def level_inputs(contract: Contract) -> tuple[LevelInput, ...]:
    """The categories of a contract as inputs, in the order of the features."""
    return tuple(
        LevelInput(contract.features.index(name), category.max_levels, category.buckets)
        for name, category in contract.categories.items()
    )


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
    contract: Contract,
    features: Matrix,
    labels: Labels,
    fraud_share: float,
    levels: Levels | None,
) -> list[CategoryLevels]:
    """Look at each category.

    Args:
        contract: What a transaction looks like.
        features: Of the train part.
        labels: Likewise.
        fraud_share: Share of frauds among payments; legitimate rows may be a draw.
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
        among_frauds, among_others = (is_other[labels == kind].mean() for kind in (1, 0))
        share = float(fraud_share * among_frauds + (1 - fraud_share) * among_others)
        count = len(np.unique(codes[~np.isnan(codes)]))
        found.append(CategoryLevels(name, count, known, share, category.buckets))
    return found


def told_levels(
    contract: Contract, features: Matrix, labels: Labels, fraud_share: float
) -> list[str]:
    """A sentence for each category: how many levels there are, and what becomes of them.

    Args:
        contract: What a transaction looks like.
        features: Of the train part.
        labels: Likewise.
        fraud_share: As for `measure_categories`.
    """
    inputs = level_inputs(contract)
    levels = Levels.fit(inputs, features) if inputs else None
    told = []
    for each in measure_categories(contract, features, labels, fraud_share, levels):
        ways = f"{each.known:,} are told apart"
        if each.buckets is not None:
            ways = f"sorted into {each.buckets:,} buckets by their codes, of which {ways}"
        told.append(
            f"column '{each.name}' has {each.levels:,} levels in the train part: {ways}, the "
            f"others are {100 * each.other_share:.3g} % of rows"
        )
    return told
