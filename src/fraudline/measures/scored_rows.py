"""Scored transactions with labels, as a version keeps them: what its policy is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraudline.measures.days import days_covered

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    import pyarrow as pa

    from fraudline.contract.array_types import Floats, Labels

VALIDATION, TEST = "validation", "test"


@dataclass(frozen=True)
class ScoredRows:
    """Scored transactions with labels: what a policy is chosen or judged by.

    Attributes:
        scores: Calibrated, by a model that had not learned from these rows, shape (rows,).
        labels: 1 for fraud.
        amounts: In the contract's unit.
        days: How long the rows took to come.
        part: Which part of the history they are.
    """

    scores: Floats
    labels: Labels
    amounts: Floats
    days: float
    part: str = TEST


def part_of(rows: pa.Table, part: str) -> ScoredRows | None:
    """The scored rows of one part, if there are any.

    Args:
        rows: Columns `part`, `event_s`, `score`, `amount` and `label`.
        part: `VALIDATION` or `TEST`.
    """
    is_of_part = rows.column("part").to_numpy() == part
    if not is_of_part.any():
        return None
    event_s, scores, labels, amounts = (
        rows.column(name).to_numpy()[is_of_part] for name in ("event_s", "score", "label", "amount")
    )
    return ScoredRows(scores, labels, amounts, days_covered(event_s), part)


def judging_rows(rows: pa.Table) -> ScoredRows:
    """The rows whose figures stand for a version: the test part, or the validation part."""
    judged = part_of(rows, TEST) or part_of(rows, VALIDATION)
    assert judged is not None  # a split has one of them
    return judged
