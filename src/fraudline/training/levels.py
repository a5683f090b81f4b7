"""The levels of categories: which ones a version knows, and what stands for each of them.

A contract turns a level into a code without knowing any version (`contract/level_codes.py`). Here a
code becomes a row of a table, by the same arithmetic offline and in the graph: its remainder by a
number that tells the known codes apart is a slot, and the slot says which code it is for and which
row that has. Nothing is searched, so a level costs the same whichever it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fraudline.contract.array_types import Flags, Integers, Matrix, Vector

# Numbers that stand for a level.
WIDTH = 4
# What fewer rows of the train part show is not learned: it would be learned by heart.
LEAST_ROWS = 10
_NO_CODE = -1.0

Table = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LevelInput:
    """A category that the network sees.

    Attributes:
        feature: Its index among the contract's features.
        max_levels: How many levels are told apart at most.
        buckets: Into how many buckets levels are sorted by their codes; None: into none.
    """

    feature: int
    max_levels: int
    buckets: int | None


@dataclass(frozen=True)
class Levels:
    """What stands for each level, of all categories.

    Attributes:
        features: Which features they are.
        moduli: Slots of each category, int32, shape (categories,).
        are_hashed: Whether a slot of the category is for all codes that lead there.
        others: Row of the table for what is none of the known levels.
        nulls: Row for a null.
        keys: The code that each slot is for, one category after the other, float32.
        rows: Row of the table that each slot leads to.
        table: What stands for a level: float32, shape (rows, `WIDTH`).
    """

    features: tuple[int, ...]
    moduli: npt.NDArray[np.int32]
    are_hashed: Flags
    others: Integers
    nulls: Integers
    keys: Vector
    rows: Integers
    table: Table

    @classmethod
    def fit(cls, inputs: Sequence[LevelInput], features: Matrix) -> Levels:
        """Choose the levels by the train rows, and by no others; nothing stands for them yet.

        A level, or a bucket, is told apart if at least `LEAST_ROWS` rows have it, and of levels if
        it is among the `max_levels` most frequent. All others, and those that come later, are one.
        """
        keys, rows, moduli, others = [], [], [], []
        used = 0
        for each in inputs:
            given = features[:, each.feature]
            codes: Integers = given[~np.isnan(given)].astype(np.int64)
            if each.buckets is not None:
                modulus = each.buckets
                slots, counts = np.unique(codes % modulus, return_counts=True)
                slots = slots[counts >= LEAST_ROWS]
                of_slots = np.full(modulus, _NO_CODE)
                count = len(slots)
            else:
                kept = most_frequent(codes, each.max_levels)
                modulus = _telling_apart(kept)
                slots = kept % modulus
                of_slots = np.full(modulus, _NO_CODE)
                of_slots[slots] = kept
                count = len(kept)
            leading = np.full(modulus, used)  # to the row of the others
            leading[slots] = used + 2 + np.arange(count)
            keys.append(of_slots)
            rows.append(leading)
            moduli.append(modulus)
            others.append(used)
            used += 2 + count
        return cls(
            features=tuple(each.feature for each in inputs),
            moduli=np.array(moduli, np.int32),
            are_hashed=np.array([each.buckets is not None for each in inputs], np.bool_),
            others=np.array(others, np.int64),
            nulls=np.array(others, np.int64) + 1,
            keys=np.concatenate(keys).astype(np.float32),
            rows=np.concatenate(rows).astype(np.int64),
            table=np.zeros((used, WIDTH), np.float32),
        )

    @property
    def sources(self) -> tuple[int, ...]:
        """The feature of each number that stands for a level."""
        return tuple(feature for feature in self.features for _ in range(self.table.shape[1]))

    @property
    def offsets(self) -> npt.NDArray[np.int32]:
        """The first slot of each category."""
        return np.concatenate([[0], np.cumsum(self.moduli)[:-1]]).astype(np.int32)

    def known_codes(self, feature: int) -> Integers:
        """The codes that are told apart of a category, the most frequent first; none of buckets."""
        at = self.features.index(feature)
        own = slice(self.offsets[at], self.offsets[at] + self.moduli[at])
        keys, rows = self.keys[own], self.rows[own]
        is_known = keys != _NO_CODE
        known: Integers = keys[is_known][np.argsort(rows[is_known])].astype(np.int64)
        return known

    def places(self, features: Any, ops: Any = np) -> Any:
        """The row of the table for each level, shape (rows, categories).

        Args:
            features: Array or symbolic tensor, shape (rows, features).
            ops: `numpy`, or `keras.ops`.
        """
        seen = ops.take(features, self.features, axis=1)
        is_null = ops.isnan(seen)
        codes = ops.where(is_null, np.float32(0), seen)
        slots = _whole(codes, ops) % self.moduli + self.offsets
        is_known = ops.logical_or(
            ops.equal(ops.take(self.keys, slots, axis=0), codes), self.are_hashed
        )
        rows = ops.where(is_known, ops.take(self.rows, slots, axis=0), self.others)
        return ops.where(is_null, self.nulls, rows)

    def vectors(self, features: Any, ops: Any = np) -> Any:
        """What stands for the levels of each row, float32, shape (rows, categories x `WIDTH`)."""
        found = ops.take(self.table, self.places(features, ops), axis=0)
        return ops.reshape(found, (-1, len(self.sources)))

    def learned(self, table: Table, places: Integers) -> Levels:
        """The same with what was learned of each level.

        What hardly a row showed stands where the category's mean row stands, so that it says
        nothing.

        Args:
            table: What was learned, shape (rows, `WIDTH`).
            places: As `places` gives them of the train rows.
        """
        counts = np.bincount(places.ravel(), minlength=len(table))
        table = table.astype(np.float32).copy()
        ends = [*self.others[1:], len(table)]
        for start, end in zip(self.others, ends, strict=True):
            own, seen = table[start:end], counts[start:end]
            own[seen < LEAST_ROWS] = seen @ own.astype(np.float64) / max(seen.sum(), 1)
        return replace(self, table=table)


def most_frequent(codes: Integers, most: int) -> Integers:
    """The codes that enough rows have, the most frequent first."""
    found, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    kept: Integers = found[order][counts[order] >= LEAST_ROWS]
    return kept


def _telling_apart(codes: Integers) -> int:
    """The least number by which no two of the codes have the same remainder, or one near to it."""
    modulus = max(len(codes) ** 2 // 8, len(codes), 1)  # below that, hardly ever
    while len(np.unique(codes % modulus)) < len(codes):
        modulus += 1
    return modulus


def _whole(codes: Any, ops: Any) -> Any:
    return codes.astype(np.int32) if ops is np else ops.cast(codes, "int32")
