"""A forest: trees whose leaves add up to the log-odds of a fraud, without what fitted them.

Thresholds are the largest 32-bit numbers at or below those that were found. So of every 32-bit
number the forest says on which side it is exactly as the 64-bit thresholds did.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fraudline.contract.array_types import Floats, Integers, Matrix
from fraudline.training.calibration import Platt

LEAF = -1


@dataclass(frozen=True)
class Forest:
    """Trees, node by node: those of one tree follow each other, its root first.

    Attributes:
        trees: The tree of each node, shape (nodes,).
        inputs: The input that a node asks about; `LEAF` of a leaf.
        thresholds: A row goes left where its input is at most this, float32.
        lefts: The node on the left.
        rights: That on the right.
        values: What a leaf adds to the log-odds; 0 of other nodes.
        covers: How many of the rows that were learned came by.
        base: Added to the log-odds of every row.
    """

    trees: Integers
    inputs: Integers
    thresholds: npt.NDArray[np.float32]
    lefts: Integers
    rights: Integers
    values: Floats
    covers: Floats
    base: float = 0.0

    @property
    def is_leaf(self) -> npt.NDArray[np.bool_]:
        """Which nodes are leaves."""
        found: npt.NDArray[np.bool_] = self.inputs == LEAF
        return found

    @property
    def roots(self) -> Integers:
        """The first node of each tree."""
        return np.unique(self.trees, return_index=True)[1]

    @property
    def expected(self) -> float:
        """The mean log-odds of the rows that were learned: what contributions are measured from."""
        leaf = self.is_leaf
        share = self.covers[leaf] / self.covers[self.roots][self.trees[leaf]]
        return float(self.base + (self.values[leaf] * share).sum())

    def calibrated(self, line: Platt) -> Forest:
        """The same with log-odds on a straight line."""
        base = float(self.base * line.slope + line.intercept)
        return replace(self, values=self.values * line.slope, base=base)


@dataclass
class _Grown:
    """A forest while its nodes are read, in lists of one length."""

    trees: list[int] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    thresholds: list[float] = field(default_factory=list)
    lefts: list[int] = field(default_factory=list)
    rights: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    covers: list[float] = field(default_factory=list)

    def add(self, tree: int, node: dict[str, Any]) -> int:
        """Read a node of LightGBM and what is below it; gives its number."""
        number = len(self.trees)
        is_leaf = "leaf_value" in node
        self.trees.append(tree)
        self.inputs.append(LEAF if is_leaf else node["split_feature"])
        self.thresholds.append(0.0 if is_leaf else node["threshold"])
        self.lefts.append(number)
        self.rights.append(number)
        self.values.append(node["leaf_value"] if is_leaf else 0.0)
        # A tree that is a single leaf says nothing of rows; all came by.
        self.covers.append(node.get("leaf_count", 1) if is_leaf else node["internal_count"])
        if not is_leaf:
            self.lefts[number] = self.add(tree, node["left_child"])
            self.rights[number] = self.add(tree, node["right_child"])
        return number


def read_booster(booster: Any, count: int) -> Forest:
    """The trees of a booster of LightGBM.

    Args:
        booster: Fitted on numbers alone, without nulls.
        count: How many of its trees, the first ones.
    """
    grown = _Grown()
    for number, tree in enumerate(booster.dump_model(num_iteration=count)["tree_info"]):
        grown.add(number, tree["tree_structure"])
    return Forest(
        trees=np.array(grown.trees),
        inputs=np.array(grown.inputs),
        thresholds=at_or_below(np.array(grown.thresholds)),
        lefts=np.array(grown.lefts),
        rights=np.array(grown.rights),
        values=np.array(grown.values),
        covers=np.array(grown.covers, np.float64),
    )


def at_or_below(thresholds: Floats) -> npt.NDArray[np.float32]:
    """The largest float32 at or below each number: `x <= threshold` is the same of every float32.

    A number beyond all of float32 becomes the largest, which every finite one is at most.
    """
    largest = np.finfo(np.float32).max
    nearest = np.clip(thresholds, -largest, largest).astype(np.float32)
    with np.errstate(over="ignore"):  # below the least of all numbers lies minus infinity
        below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest.astype(np.float64) > thresholds, below, nearest).astype(np.float32)


@dataclass(frozen=True)
class Leaf:
    """A leaf, and what leads there.

    Attributes:
        value: What it adds to the log-odds.
        inputs: The inputs that are asked about on the way, each once.
        lows: Each has to be above this.
        highs: And at most this.
        shares: Of the learned rows that came to where it is asked about, the share that went on
            towards the leaf; a product where an input is asked about again.
    """

    value: float
    inputs: tuple[int, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    shares: tuple[float, ...]


def leaves_of(forest: Forest) -> Iterator[Leaf]:
    """The leaves of a forest, tree by tree."""
    for root in forest.roots.tolist():
        waiting: list[tuple[int, dict[int, tuple[float, float, float]]]] = [(root, {})]
        while waiting:
            node, way = waiting.pop()
            asked = int(forest.inputs[node])
            if asked == LEAF:
                of = list(zip(*way.values(), strict=True)) or [(), (), ()]
                yield Leaf(float(forest.values[node]), tuple(way), of[0], of[1], of[2])
                continue
            threshold = float(forest.thresholds[node])
            low, high, share = way.get(asked, (-np.inf, np.inf, 1.0))
            left, right = int(forest.lefts[node]), int(forest.rights[node])
            shares = forest.covers[[left, right]] / forest.covers[node]
            waiting += [
                (right, way | {asked: (max(low, threshold), high, share * float(shares[1]))}),
                (left, way | {asked: (low, min(high, threshold), share * float(shares[0]))}),
            ]


def log_odds_by_walking(forest: Forest, seen: Matrix) -> Floats:
    """What the forest says of each row, by walking each tree; what a graph has to agree with.

    Args:
        forest: It.
        seen: The inputs, float32, shape (rows, inputs).
    """
    found = np.full(len(seen), forest.base)
    every = np.arange(len(seen))
    for root in forest.roots.tolist():
        at = np.full(len(seen), root)
        while (asked := forest.inputs[at] != LEAF).any():
            is_left = seen[every, np.where(asked, forest.inputs[at], 0)] <= forest.thresholds[at]
            at = np.where(asked, np.where(is_left, forest.lefts[at], forest.rights[at]), at)
        found += forest.values[at]
    return found
