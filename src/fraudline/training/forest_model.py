"""A forest and what prepares its inputs: what `Model` is of a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fraudline.contract.array_types import Floats, Matrix
from fraudline.training.calibration import Platt
from fraudline.training.contributions_graph import log_odds
from fraudline.training.fitted import Reasons
from fraudline.training.forest import Forest
from fraudline.training.forest_graph import write_forest, write_forest_reasons
from fraudline.training.preparation import Preparation


@dataclass
class ForestModel:
    """A preparation and a forest over its inputs; see `Model` for what each method means."""

    preparation: Preparation
    forest: Forest

    def log_odds(self, features: Matrix) -> Floats:
        """What the forest gives before the sigmoid, by the graph, float64, shape (rows,)."""
        return log_odds(self.graph(features.shape[1]), features)

    def calibrate(self, line: Platt) -> None:
        """Put the line into the leaves."""
        self.forest = self.forest.calibrated(line)

    def graph(self, n_features: int) -> bytes:
        """The graph of scores."""
        return write_forest(self.preparation, self.forest, n_features)

    def reasons(self, background: Matrix) -> Reasons:
        """The graph of contributions, exact Shapley values along the ways that rows took.

        They are measured from all rows that were learned, of the background only the width counts.
        """
        n_features = background.shape[1]
        return Reasons(
            write_forest_reasons(self.preparation, self.forest, n_features),
            self.forest.expected,
            int(self.forest.covers[0]),
        )

    def save(self, directory: Path, n_features: int) -> None:
        """Nothing: all of a forest is in its graph, and it learns from the start each time."""
