"""What moves the scores of a network, over many payments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels, Matrix
from fraudline.training.reason_files import graphs_of, spread

MOST_ROWS = 1_000
"""Of each kind, so many payments are looked at."""


@dataclass(frozen=True)
class Importance:
    """How far a feature moves scores.

    Attributes:
        name: Of the feature.
        of_legitimate: Mean size of what it adds to the log-odds of a legitimate payment, or takes
            from them, by the reasons that decisions carry.
        of_frauds: Likewise of a fraud.
    """

    name: str
    of_legitimate: float
    of_frauds: float

    @property
    def mean(self) -> float:
        """Over both kinds, as if there were as many of each."""
        return (self.of_legitimate + self.of_frauds) / 2


def measure_importance(
    directory: Path, contract: Contract, features: Matrix, labels: Labels
) -> list[Importance]:
    """How far each feature moves scores, the farthest first.

    Args:
        directory: Of the version, with its graphs.
        contract: Names the features.
        features: Of the part that judges, shape (rows, features).
        labels: 1 for fraud, of both kinds.
    """
    graphs = graphs_of(directory)
    sizes = []
    for kind in (0, 1):
        contributions = graphs.contributions(
            features[spread(np.flatnonzero(labels == kind), MOST_ROWS)]
        )
        sizes.append(np.abs(contributions).mean(axis=0).tolist())
    found = [Importance(*each) for each in zip(contract.features, *sizes, strict=True)]
    return sorted(found, key=lambda each: -each.mean)
