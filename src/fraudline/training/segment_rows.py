"""The levels by which scored rows are told apart, for the categories that tell most of fraud."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from fraudline.contract import Contract
from fraudline.contract.array_types import Labels
from fraudline.contract.level_codes import level_text
from fraudline.measures.scored_rows import SEGMENT
from fraudline.measures.segments import MOST_CATEGORIES, NULL, OTHERS, grouped, information
from fraudline.training.split import Rows

_LEAST_NAMED = 0.5


def segments_of(
    history: pa.Table, contract: Contract, labels: Labels, rows: Rows, known: Rows
) -> dict[str, np.ndarray[Any, Any]]:
    """The levels of up to three categories, those that tell most of fraud in the rows to choose by.

    Of each the most frequent levels are there by name, the others as one. A category that names who
    takes part (an entity), or whose others are most rows that have a level, is none of them: it
    tells payments from each other, and no kinds of payments.

    Args:
        history: With the columns of a transaction.
        contract: Which of them are categories.
        labels: Of every row of the history.
        rows: Which rows are wanted.
        known: Which rows the categories are chosen by: none of the test part.

    Returns:
        By the column's name in a table of scored rows, text of shape (len(rows),).
    """
    kinds = contract.categories.keys() - {
        name for each in contract.entities for name in each.columns
    }
    levels = {name: grouped(_texts(history.column(name))) for name in sorted(kinds)}
    best = sorted(levels, key=lambda name: -information(levels[name][known], labels[known]))
    best = [name for name in best if _names_most(levels[name])]
    return {f"{SEGMENT}{name}": levels[name][rows] for name in best[:MOST_CATEGORIES]}


def _names_most(levels: np.ndarray[Any, Any]) -> bool:
    there = levels[levels != NULL]
    return bool(len(there)) and bool((there != OTHERS).mean() >= _LEAST_NAMED)


def _texts(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    coded = column.combine_chunks().dictionary_encode()
    names = [level_text(level) for level in coded.dictionary.to_pylist()]
    texts: np.ndarray[Any, Any] = np.array([*names, NULL])
    of_rows: np.ndarray[Any, Any] = texts[coded.indices.fill_null(len(names)).to_numpy()]
    return of_rows
