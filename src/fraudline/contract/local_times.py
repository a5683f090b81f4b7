"""What the clocks of a place show, and which moment that was: the one way for files and messages.

The rule where clocks are changed: a time that they showed twice is the earlier of the two, and one
that they never showed is no time. Offsets are those of Python's `zoneinfo`.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from fraudline.contract.array_types import Flags, Integers

UTC = "UTC"
_SECOND_US = 1_000_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# No zone changes its offset twice within it, and goes back: each change is seen.
_STEP = dt.timedelta(days=3)


def is_zone(name: str) -> bool:
    """Whether a time zone of that name is known here, such as `Europe/Vienna`."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # no such zone, or a name that leads elsewhere
        return False
    return True


def zone_names() -> set[str]:
    """The names of all time zones that are known here."""
    return available_timezones()


class LocalTimes:
    """Turns moments into what the clocks of a time zone show, and back. Knows no column.

    Args:
        zone: Its IANA name.
    """

    def __init__(self, zone: str) -> None:
        self._zone = zone

    def shown(self, moments: Integers) -> Integers:
        """What the clocks show, as microseconds since 1970 on them, shape (rows,).

        Args:
            moments: Microseconds since 1970 in UTC.
        """
        if self._zone == UTC or not len(moments):
            return moments
        changes, offsets = self._changes(moments)
        found: Integers = moments + offsets[np.searchsorted(changes, moments, "right")]
        return found

    def moments(self, shown: Integers) -> tuple[Integers, Flags, Flags]:
        """Which moments they are at which the clocks show something.

        Args:
            shown: Microseconds since 1970 on the clocks.

        Returns:
            Microseconds since 1970 in UTC, the earlier ones where there are two; whether the
            clocks ever showed it; and whether they did twice. Each of shape (rows,).
        """
        never = np.zeros(len(shown), dtype=np.bool_)
        if self._zone == UTC or not len(shown):
            return shown, ~never, never
        changes, offsets = self._changes(shown)
        # By the clocks before a change and by those after it, what they show when it happens.
        ends, begins = changes + offsets[:-1], changes + offsets[1:]
        after = np.searchsorted(begins, shown, "right")  # changes after which clocks showed it
        before = np.searchsorted(ends, shown, "right")  # changes before which they did
        moments: Integers = shown - offsets[np.minimum(after, before)]
        return moments, after >= before, after > before

    def _changes(self, times: Integers) -> tuple[Integers, Integers]:
        """When the offset changes around some times, and the offsets before, between and after."""
        years = np.unique(times.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64))
        near = np.unique([years - 1, years, years + 1]) + _EPOCH.year
        changes: list[int] = []
        offsets: list[int] = []
        for year in near[(near >= dt.MINYEAR) & (near <= dt.MAXYEAR)].tolist():
            first, of_year = _changes_of_year(self._zone, year)
            if not offsets:
                offsets.append(first)
            elif offsets[-1] != first:  # it changed as the year did
                changes.append(int(np.datetime64(f"{year:04d}-01-01", "us").astype(np.int64)))
                offsets.append(first)
            changes += (at for at, _ in of_year)
            offsets += (offset for _, offset in of_year)
        return np.array(changes, np.int64), np.array(offsets, np.int64)


@cache  # a calendar has 9,999 years
def _changes_of_year(zone: str, year: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The offset with which a year of UTC begins, and each moment of it with a new one; us."""
    known = ZoneInfo(zone)
    at = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    end = dt.datetime(year, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    first = offset = _offset(known, at)
    changes = []
    while at < end:
        until = min(at + _STEP, end) if end - at > _STEP else end
        if (then := _offset(known, until)) != offset:
            changes.append((_change_between(known, at, until), then))
            offset = then
        at = until
    return first, tuple(changes)


def _change_between(zone: ZoneInfo, early: dt.datetime, late: dt.datetime) -> int:
    """The second at which the offset becomes that of the later moment."""
    low, high = (int((each - _EPOCH).total_seconds()) for each in (early, late))
    offset = _offset(zone, late)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, _EPOCH + dt.timedelta(seconds=middle)) == offset:
            high = middle
        else:
            low = middle
    return high * _SECOND_US


def _offset(zone: ZoneInfo, at: dt.datetime) -> int:
    """How far the clocks are from UTC, us."""
    try:
        offset = at.astimezone(zone).utcoffset()
    except OverflowError:  # they show a year that no calendar here has
        return 0
    return 0 if offset is None else round(offset.total_seconds() * _SECOND_US)
