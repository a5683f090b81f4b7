"""Rows of which the legitimate ones were drawn, one in so many: each stands for as many.

Figures are taken of arrays in which such a row is there as often as it counts. These have few
columns, so that this costs little, and each figure is the same code as without a draw. Only the
interval of a figure has to know: it is as wide as the rows that were drawn allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    from fraudline.contract.array_types import Integers, Labels


def times(labels: Labels, one_in: int) -> Integers:
    """How often each row counts, shape (rows,).

    Args:
        labels: 1 for fraud, of which all were drawn, shape (rows,).
        one_in: Of the others, one in so many was.
    """
    often: Integers = np.where(labels == 1, 1, one_in)
    return often


def repeated(labels: Labels, one_in: int, *columns: Any) -> tuple[Any, ...]:
    """The labels, and columns beside them, with each row as often as it counts, in their order."""
    if one_in == 1:
        return (labels, *columns)
    often = times(labels, one_in)
    return tuple(np.repeat(each, often) for each in (labels, *columns))
