"""A period: the unit in which the stream is judged and watched, and how a row of one begins."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Self

from fraudline.contract.columns import Column

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)

PERIOD_COLUMNS: tuple[Column, ...] = (
    Column("row_key", "string", "What the row is of: there is one row of each key."),
    Column("contract", "string", "Name of the contract of the transactions.", max_length=128),
    Column("period_start", "timestamp", "Begin of the period, by decided_at."),
    Column("period_end", "timestamp", "Its end, which is the begin of the next one."),
)
"""What each row begins with that tells something of a period."""

WRITTEN_COLUMN = Column("written_at", "timestamp", "When the row was written, by BigQuery's clock.")


@dataclass(frozen=True, order=True)
class Period:
    """A stretch of time in which transactions were decided.

    Attributes:
        start: Its first moment, UTC.
        end: The first moment after it, UTC.
    """

    start: dt.datetime
    end: dt.datetime

    @classmethod
    def holding(cls, at: dt.datetime, length_s: float) -> Self:
        """The period of a moment: they follow one another from midnight of 1970 on, UTC.

        Args:
            at: The moment.
            length_s: How long a period is, seconds, to the microsecond.
        """
        length_us = round(length_s * 1e6)
        start = _EPOCH + (at - _EPOCH) // _MICROSECOND // length_us * length_us * _MICROSECOND
        return cls(start, start + length_us * _MICROSECOND)

    @property
    def length(self) -> dt.timedelta:
        """How long it is."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M:%S} UTC"
