"""What the values of a column of times or dates mean, however they are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

import numpy as np

from fraudline.contract.array_types import Flags, Integers
from fraudline.contract.columns import EARLIEST, LATEST, Column
from fraudline.contract.local_times import UTC, LocalTimes
from fraudline.contract.time_formats import CLOCK, DAY_US, ISO_DATE, RFC_3339, time_format

_US = dt.timedelta(microseconds=1)
_EARLIEST, _LATEST = (
    (each - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // _US for each in (EARLIEST, LATEST)
)
_in_utc = methodcaller("replace", tzinfo=dt.UTC)


@dataclass(frozen=True)
class Times:
    """Values of a column as they were read, each of shape (rows,).

    Attributes:
        values: Microseconds since 1970 in UTC, or days since 1970; of what is no value, anything.
        is_read: Whether the text is a time or a date.
        is_possible: Whether clocks ever showed it, and a calendar has it.
        is_twice: Whether they did twice; it is the earlier one then.
    """

    values: Integers
    is_read: Flags
    is_possible: Flags
    is_twice: Flags


class TimesOfColumn:
    """Reads the times of a column with a format or a time zone, or its dates.

    Args:
        column: A `timestamp` or a `date`.
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self._is_date = column.type == "date"
        self._local = LocalTimes(column.timezone or UTC)
        plain = (ISO_DATE,) if self._is_date else RFC_3339
        own = (column.format,) if column.format else () if self._is_date else CLOCK
        self._formats = [time_format(each) for each in (*own, *plain)]

    @property
    def words(self) -> str:
        """How a value is written, for people."""
        plain = "2026-01-02" if self._is_date else "2026-01-02T03:04:05Z"
        return f"{self._column.format} or such as {plain}" if self._column.format else plain

    @property
    def possible_words(self) -> str:
        """What a value may be that is written well, for people."""
        zone = self._column.timezone
        shown = f" that the clocks of {zone} have shown" if zone else ""
        return f"a time of the years 1 to 9999 in UTC{shown}"

    def of_texts(self, texts: Sequence[str | None]) -> Times:
        """Read texts in the column's format, or as RFC 3339; a date as ISO 8601.

        What has no offset tells what clocks of the column's time zone show.
        """
        shown, offset = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.int64)
        is_read, is_local = np.zeros(len(texts), np.bool_), np.zeros(len(texts), np.bool_)
        left = np.arange(len(texts))
        for place, each in enumerate(self._formats):
            is_plain = place > 0 or not self._column.format
            some = [texts[at] for at in left.tolist()] if len(left) < len(texts) else texts
            some = list(map(_with_t, some)) if is_plain else some
            shown[left], offset[left], is_read[left] = each.read(some)
            is_local[left] = not each.has_offset
            left = left[~is_read[left]]
            if not len(left):
                break
        if self._is_date:
            always = np.ones(len(texts), np.bool_)
            return Times(shown // DAY_US, is_read, always, ~always)
        local = self.of_clocks(shown)
        values = np.where(is_local, local.values, shown - offset)
        return Times(
            values,
            is_read,
            (local.is_possible | ~is_local) & (values >= _EARLIEST) & (values <= _LATEST),
            local.is_twice & is_local,
        )

    def of_clocks(self, shown: Integers) -> Times:
        """Take times for what clocks of the column's time zone show.

        Args:
            shown: Microseconds since 1970 on them.
        """
        values, is_possible, is_twice = self._local.moments(shown)
        is_possible = is_possible & (values >= _EARLIEST) & (values <= _LATEST)
        return Times(values, np.ones(len(shown), np.bool_), is_possible, is_twice)

    def as_python(self, values: Integers) -> list[dt.datetime] | list[dt.date]:
        """Values as Python has them; each is one of a calendar."""
        if self._is_date:
            days: list[dt.date] = values.astype("datetime64[D]").tolist()
            return days
        return list(map(_in_utc, values.astype("datetime64[us]").tolist()))


def put_times(
    rows: list[tuple[Any, ...]], index: int, times: TimesOfColumn, *, is_text: bool
) -> list[tuple[int, bool, str]]:
    """Put the times of a column into decoded rows, and null in the place of what is none.

    Args:
        rows: The values of each message.
        index: Which of them.
        times: What reads them.
        is_text: Whether they are texts, or numbers that count; else they are times, some without
            a zone.

    Returns:
        Of each that is no time its row, whether it is written like one, and what was found.
    """
    there = [
        (row, values[index])
        for row, values in enumerate(rows)
        if values[index] is not None
        and (not isinstance(values[index], dt.datetime) or values[index].tzinfo is None)
    ]
    if not there:
        return []
    found = [value for _, value in there]
    read = times.of_texts(list(map(str, found))) if is_text else times.of_clocks(_on_clock(found))
    is_good = read.is_read & read.is_possible
    values = times.as_python(np.where(is_good, read.values, 0))
    for (row, _), value, is_value in zip(there, values, is_good.tolist(), strict=True):
        of_row = rows[row]
        rows[row] = (*of_row[:index], value if is_value else None, *of_row[index + 1 :])
    return [
        (there[at][0], bool(read.is_read[at]), str(found[at]))
        for at in np.flatnonzero(~is_good).tolist()
    ]


def _on_clock(times: Sequence[dt.datetime]) -> Integers:
    """Times without a zone as microseconds since 1970 on their clock."""
    found: Integers = np.array(times, "datetime64[us]").astype(np.int64)
    return found


def _with_t(text: str | None) -> str:
    """A text with T between day and time, where it has a space there."""
    if text is None:
        return ""
    return f"{text[:10]}T{text[11:]}" if text[10:11] == " " else text
