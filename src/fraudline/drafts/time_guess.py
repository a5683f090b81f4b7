"""How the times and dates of a column of texts are written."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from fraudline.contract import Column
from fraudline.contract.array_types import Flags
from fraudline.contract.columns import ColumnType
from fraudline.contract.time_formats import time_format
from fraudline.contract.times_of_column import TimesOfColumn

_DAYS = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d-%b-%Y", "%d %b %Y", "%b %d %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%y"),
    "%Y-%m-%d",
)
_CLOCKS = tuple(
    f"{clock}{offset}"
    for clock, offset in product(
        ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%H%M%S"), ("", "%z", " %z")
    )
)
_FIRST = 20  # texts by which most formats are ruled out
_MOST_OTHER = 0.01


class GuessedForm(NamedTuple):
    """How a column is written.

    Attributes:
        type: `timestamp` or `date`.
        format: As a contract has it; empty: as RFC 3339, or ISO 8601.
        has_zone: Whether the texts say how far their clock is from UTC.
    """

    type: ColumnType
    format: str
    has_zone: bool


def guess_written(texts: Sequence[str]) -> GuessedForm | None:
    """How texts are written; None: they are no times, or may be read in two ways.

    Args:
        texts: Some of a column, without what is empty.
    """
    if not texts:
        return None
    for kind in ("timestamp", "date"):
        column = Column("", kind, timezone="UTC" if kind == "timestamp" else "")
        if _fits(TimesOfColumn(column).of_texts(texts).is_read):
            return GuessedForm(kind, "", has_zone=kind == "date")
    first = texts[:_FIRST]
    forms = [each for each in _forms() if time_format(each).read(first)[2].any()]
    found = [each for each in forms if _fits(time_format(each).read(texts)[2])]
    if len(found) != 1:  # 02/03 may be of February and of March
        return None
    (form,) = found
    is_clock = any(each in form for each in ("%H", "%I"))
    return GuessedForm("timestamp" if is_clock else "date", form, "%z" in form or not is_clock)


def _forms() -> list[str]:
    times = (f"{day}{gap}{clock}" for day, gap, clock in product(_DAYS, (" ", "T"), _CLOCKS))
    return [*_DAYS, *times]


def _fits(is_read: Flags) -> bool:
    return bool((~is_read).sum() <= _MOST_OTHER * len(is_read))
