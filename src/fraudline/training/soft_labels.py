"""What blocked payments are likely to be: by those that were reviewed in place of being blocked.

A blocked payment never shows whether it was a fraud. A model that learns without it forgets its own
catches; one that learns it as a fraud never finds out where it was wrong. So it is learned as a
fraud with the share of frauds among the reviewed ones that the network takes for most like it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from sklearn.neighbors import NearestNeighbors

from fraudline.contract.array_types import Floats, Labels, Matrix
from fraudline.training.reason_files import graphs_of

NEAREST = 10
LEAST_EXPLORED = NEAREST
"""Reviewed payments with a label without which nothing is said of the others."""


class Likeness(Protocol):
    """What tells which payments a version takes for alike."""

    def hidden(self, features: Matrix) -> Matrix:
        """Where payments lie, shape (rows, numbers): alike is what is near."""


class ByReasons:
    """Payments of a version without a last layer are alike if the same speaks for fraud in them.

    Args:
        directory: The version's.
    """

    def __init__(self, directory: Path) -> None:
        self._graphs = graphs_of(directory)

    def hidden(self, features: Matrix) -> Matrix:
        """What each feature adds to the log-odds, shape (rows, features)."""
        return self._graphs.contributions(features)  # a few rows at a time


def shares_of_frauds(
    model: Likeness, explored: Matrix, labels: Labels, never_labelled: Matrix
) -> Floats | None:
    """How likely each payment is a fraud, by the reviewed ones that are nearest.

    Args:
        model: By which is near: a network by its last hidden layer.
        explored: Features of payments that would have been blocked, were reviewed in place of it
            and labelled, shape (rows, features).
        labels: Of those, 1 for fraud.
        never_labelled: Features of the payments in question, shape (others, features).

    Returns:
        The share of frauds among the `NEAREST`, shape (others,); None where fewer than
        `LEAST_EXPLORED` are labelled.
    """
    if len(labels) < LEAST_EXPLORED:
        return None
    if not len(never_labelled):
        return labels[:0].astype("f8")
    near = NearestNeighbors(n_neighbors=NEAREST).fit(model.hidden(explored))
    _, nearest = near.kneighbors(model.hidden(never_labelled))
    shares: Floats = labels[nearest].mean(axis=1)
    return shares


def among_drawn(shares: Floats, drawn_share: float) -> Floats:
    """The same shares where all frauds are learned, and of what is legitimate a share is drawn.

    Args:
        shares: Of frauds among payments, shape (rows,).
        drawn_share: Which share of the legitimate payments is learned, above 0.
    """
    return shares / (shares + (1 - shares) * drawn_share)
