"""A refusal: why a row of a file is not what it should be, and how refusals add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fraudline.contract.rejects import RejectReason


class RefusalReason(StrEnum):
    """Why a row of a table that a file holds is not what it should be."""

    NULL_VALUE = "null_value"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    INVALID_UTF8 = "invalid_utf8"
    # Of a whole row:
    MISSING_COLUMN = "missing_column"
    UNKNOWN_COLUMN = "unknown_column"
    UNCLOSED_QUOTE = "unclosed_quote"
    TOO_LARGE = "too_large"


@dataclass(frozen=True)
class Refusal:
    """A row of a file that is not a transaction, or not a label.

    Attributes:
        row: Its number in the file, counted from 1, without a header.
        reason: The kind of fault; of a line that is a message, the one it would be rejected for.
        message: The fault in words.
        column: Which column is at fault; None where it is the row as a whole.
        is_fraud: What its label says; None where no label can be read.
    """

    row: int
    reason: RefusalReason | RejectReason
    message: str
    column: str | None = None
    is_fraud: bool | None = None


@dataclass(frozen=True)
class RefusalGroup:
    """The refused rows of one reason and column.

    Attributes:
        reason: The kind of fault.
        column: Which column is at fault; None where it is the row as a whole.
        rows: How many.
        frauds: How many of them are labelled as fraud.
        unlabelled: Of how many no label can be read.
        first: The first of them.
    """

    reason: RefusalReason | RejectReason
    column: str | None
    rows: int
    frauds: int
    unlabelled: int
    first: Refusal


def group_refusals(refusals: Iterable[Refusal]) -> list[RefusalGroup]:
    """Refusals by reason and column, the largest group first."""
    grouped: dict[tuple[RefusalReason | RejectReason, str | None], list[Refusal]] = {}
    for refusal in refusals:
        grouped.setdefault((refusal.reason, refusal.column), []).append(refusal)
    groups = [
        RefusalGroup(
            reason,
            column,
            rows=len(members),
            frauds=sum(each.is_fraud is True for each in members),
            unlabelled=sum(each.is_fraud is None for each in members),
            first=members[0],
        )
        for (reason, column), members in grouped.items()
    ]
    return sorted(groups, key=lambda group: (-group.rows, group.first.row))
