"""Scored transactions with labels, as a version keeps them: what its policy is judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fraudline.measures.days import days_covered
from fraudline.measures.drawn_rows import repeated

if TYPE_CHECKING:  # the room of the names brings Arrow, which no measure needs
    import pyarrow as pa

    from fraudline.contract.array_types import Floats, Labels

VALIDATION, TEST = "validation", "test"
UNLABELLED = "unlabelled"
"""Part of rows of the validation part's time whose labels nobody knows, as they were blocked."""
# Of a table of scored rows: which share of the history's rows they are, where they were drawn at
# random. Metadata of its schema; a table of rows that follow each other in time has none.
DRAWN_SHARE = b"fraudline.drawn_share"
# Likewise: of the legitimate ones one in so many was drawn, and counts as often. Without it all are
# there.
ONE_IN = b"fraudline.legitimate_one_in"
SEGMENT = "segment."
"""What a column of scored rows begins with that has the levels of a category, as text."""


@dataclass(frozen=True)
class ScoredRows:
    """Scored transactions with labels: what a policy is chosen or judged by.

    Attributes:
        scores: Calibrated, by a model that had not learned from these rows, shape (rows,).
        labels: 1 for fraud.
        amounts: In the contract's unit.
        days: How long the rows took to come; of rows drawn at random, how long as many take.
        part: Which part of the history they are.
        is_drawn: Whether they were drawn at random from all of its time.
        one_in: Of the legitimate ones one in so many was drawn, and is there as often.
        unlabelled_scores: Of payments of the same time that nobody labelled, as they were blocked,
            shape (others,). What is decided of them counts, and what they were is in no figure.
        unlabelled_amounts: Likewise.
        segments: Of the categories that tell most of fraud, each row's level as text, shape
            (rows,).
    """

    scores: Floats
    labels: Labels
    amounts: Floats
    days: float
    part: str = TEST
    is_drawn: bool = False
    one_in: int = 1
    unlabelled_scores: Floats = field(default_factory=lambda: np.zeros(0))
    unlabelled_amounts: Floats = field(default_factory=lambda: np.zeros(0))
    segments: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    @property
    def all_scores(self) -> Floats:
        """Of both, shape (rows + others,)."""
        return np.concatenate([self.scores, self.unlabelled_scores])

    @property
    def all_amounts(self) -> Floats:
        """Of both, in the order of `all_scores`."""
        return np.concatenate([self.amounts, self.unlabelled_amounts])


def part_of(rows: pa.Table, part: str) -> ScoredRows | None:
    """The scored rows of one part, if there are any.

    Args:
        rows: Columns `part`, `event_s`, `score`, `amount` and `label`; perhaps some that begin
            with `SEGMENT`.
        part: `VALIDATION` or `TEST`.
    """
    parts = rows.column("part").to_numpy()
    is_of_part = parts == part
    if not is_of_part.any():
        return None
    one_in = one_in_of(rows)
    is_unlabelled = (parts == UNLABELLED) & (part == VALIDATION)
    event_s, scores, labels, amounts = (
        rows.column(name).to_numpy() for name in ("event_s", "score", "label", "amount")
    )
    drawn = (rows.schema.metadata or {}).get(DRAWN_SHARE)
    days = days_covered(event_s[is_of_part | is_unlabelled])
    names = [name for name in rows.column_names if name.startswith(SEGMENT)]
    levels = (rows.column(name).to_numpy()[is_of_part].astype(str) for name in names)
    of_part, of_scores, of_amounts, *of_levels = repeated(
        labels[is_of_part], one_in, scores[is_of_part], amounts[is_of_part], *levels
    )
    return ScoredRows(
        of_scores,
        of_part,
        of_amounts,
        days * (1.0 if drawn is None else float(drawn)),
        part,
        drawn is not None,
        one_in,
        scores[is_unlabelled],
        amounts[is_unlabelled],
        {name.removeprefix(SEGMENT): each for name, each in zip(names, of_levels, strict=True)},
    )


def one_in_of(rows: pa.Table) -> int:
    """Of the legitimate ones among scored rows, one in how many was drawn."""
    return int((rows.schema.metadata or {}).get(ONE_IN, 1))


def judging_rows(rows: pa.Table) -> ScoredRows:
    """The rows whose figures stand for a version: the test part, or the validation part."""
    judged = part_of(rows, TEST) or part_of(rows, VALIDATION)
    assert judged is not None  # a split has one of them
    return judged
