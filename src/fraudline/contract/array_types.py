"""Names for the kinds of arrays that travel between rooms."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""Scores, thresholds, amounts, costs: a number a row."""

Matrix = npt.NDArray[np.float32]
"""Features, or what each contributes: shape (rows, features)."""

Vector = npt.NDArray[np.float32]
"""One feature: a number a row."""

Labels = npt.NDArray[np.int8]
"""1 for fraud, 0 for none: a label a row."""

DecisionCodes = npt.NDArray[np.int8]
"""Places in `DECISIONS`: one a row."""

Integers = npt.NDArray[np.int64]
"""Row numbers, offsets, counts."""

Flags = npt.NDArray[np.bool_]
"""Yes or no: one a row."""
