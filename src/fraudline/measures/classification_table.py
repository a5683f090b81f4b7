"""Precision and recall of both classes as a table of text, as scikit-learn prints it."""

from __future__ import annotations

from typing import NamedTuple

_DIGITS = 4
_WIDTH = len("weighted avg")


class ConfusionCounts(NamedTuple):
    """Transactions by what they are and whether they were stopped."""

    legitimate_approved: int
    legitimate_stopped: int
    frauds_missed: int
    frauds_caught: int


class _Class(NamedTuple):
    precision: float
    recall: float
    f1: float
    rows: int


def classification_table(counts: ConfusionCounts) -> str:
    """The table; a precision of nothing is 0."""
    approved, stopped, missed, caught = counts
    legitimate = _measured(approved, missed, stopped)
    fraud = _measured(caught, stopped, missed)
    rows = legitimate.rows + fraud.rows
    accuracy = (approved + caught) / rows
    macro = [(a + b) / 2 for a, b in zip(legitimate[:3], fraud[:3], strict=True)]
    weighted = [
        (a * legitimate.rows + b * fraud.rows) / rows
        for a, b in zip(legitimate[:3], fraud[:3], strict=True)
    ]
    head = f"{'':>{_WIDTH}} " + "".join(
        f" {name:>9}" for name in ("precision", "recall", "f1-score", "support")
    )
    return "\n".join(
        [
            head,
            "",
            _line("legitimate", *legitimate),
            _line("fraud", *fraud),
            "",
            f"{'accuracy':>{_WIDTH}} {'':>10}{'':>10} {accuracy:>9.{_DIGITS}f} {rows:>9}",
            _line("macro avg", *macro, rows),
            _line("weighted avg", *weighted, rows),
            "",
        ]
    )


def precision_recall_f1(right: int, wrong: int, missed: int) -> tuple[float, float, float]:
    """Of a class: so many told rightly, so many told to be of it wrongly, so many not told.

    Returns:
        Precision and F1, which are 0 where there is nothing to divide by, and between them
        recall.
    """
    precision = right / (right + wrong) if right + wrong else 0.0
    recall = right / (right + missed) if right + missed else 0.0
    f1 = 2 * right / (2 * right + wrong + missed) if right + wrong + missed else 0.0
    return precision, recall, f1


def _measured(right: int, wrong: int, missed: int) -> _Class:
    return _Class(*precision_recall_f1(right, wrong, missed), right + missed)


def _line(name: str, *measures: float) -> str:
    *figures, rows = measures
    return (
        f"{name:>{_WIDTH}} " + "".join(f" {each:>9.{_DIGITS}f}" for each in figures) + f" {rows:>9}"
    )
