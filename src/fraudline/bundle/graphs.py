"""A bundle's two graphs at work: scores, and on demand what each feature contributed to one.

The graph of contributions takes what the graph of scores has inside, by the names that it has
there, so that nothing is computed twice. That of an earlier version takes the features, and
computes all of it anew.
"""

from __future__ import annotations

import numpy as np

from fraudline.contract.array_types import Floats, Matrix

FEATURES = "features"
# Rows in another number than a multiple of this take kernels that round in another way. There are
# always as many, so that a score does not depend on a row's company, not even in its last bit.
_ALIKE_ROWS = 4
# A larger piece falls out of the processor's cache: the best of the sizes measured.
CHUNK_ROWS = 256
# Likewise of rows to be explained, each of which meets every background row.
REASONS_CHUNK_ROWS = 8

Inner = tuple[Matrix, ...]
"""What the graph of scores has inside of some rows, as the graph of contributions takes it."""


class Graphs:
    """The graphs of scores and of contributions, opened.

    Args:
        scores: The one, serialised.
        reasons: The other.
    """

    def __init__(self, scores: bytes, reasons: bytes) -> None:
        from fraudline.bundle.onnx_runtime import opened  # noqa: PLC0415 - 134 MiB, only to score

        self._reasons = opened(reasons)
        self._taken = [each.name for each in self._reasons.get_inputs()]
        self._is_of_features = self._taken == [FEATURES]
        self._scores = opened(scores, () if self._is_of_features else self._taken)
        self._outputs = [each.name for each in self._scores.get_outputs()]

    def scored(self, features: Matrix) -> tuple[Floats, Inner | None]:
        """A score for each row and, if they are one chunk, what the graph has inside of them.

        Of more rows few are ever explained, and to keep it of all would cost more than it saves.

        Args:
            features: float32, shape (rows, features).

        Returns:
            float64, shape (rows,); and what `contributions` takes, if it is kept.
        """
        rows = len(features)
        is_kept = rows <= CHUNK_ROWS and not self._is_of_features
        outputs = self._outputs if is_kept else self._outputs[:1]
        scores = np.empty(rows, dtype=np.float64)
        inner: list[Matrix] = []
        for start in range(0, rows, CHUNK_ROWS):
            chunk = features[start : start + CHUNK_ROWS]
            found, *inner = self._scores.run(outputs, {FEATURES: filled_up(chunk)})
            scores[start : start + CHUNK_ROWS] = found.reshape(-1)[: len(chunk)]
        return scores, tuple(each[:rows] for each in inner) if is_kept and rows else None

    def contributions(self, features: Matrix, inner: Inner | None = None) -> Matrix:
        """What each feature adds to the log-odds of each row, float32, as `features` are shaped.

        Args:
            features: As for `scored`.
            inner: What that gave of these rows; worked out anew if it is not known.
        """
        contributions = np.empty_like(features)
        for start in range(0, len(features), REASONS_CHUNK_ROWS):
            rows = slice(start, start + REASONS_CHUNK_ROWS)
            if self._is_of_features:
                taken: Inner | None = (features[rows],)
            elif inner is None:
                taken = self.scored(features[rows])[1]
            else:
                taken = tuple(each[rows] for each in inner)
            given = dict(zip(self._taken, taken or (), strict=True))
            (contributions[rows],) = self._reasons.run(None, given)
        return contributions


def filled_up(features: Matrix) -> Matrix:
    """The rows, and rows of zeros until there are as many as take the same kernels."""
    rows, width = features.shape
    if not rows % _ALIKE_ROWS:
        return features
    filled = np.zeros((rows + -rows % _ALIKE_ROWS, width), np.float32)
    filled[:rows] = features
    return filled
