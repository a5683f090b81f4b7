"""Texts of times and dates in a format of somebody else's: the one way for files and messages.

A format is written with the directives of `strftime`. Nothing of a text is ignored or altered but
what is finer than a microsecond, which is cut and never rounded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import repeat

import numpy as np

from fraudline.contract.array_types import Flags, Integers

_SECOND_US = 1_000_000
_FAR = 2**62
DAY_US = 86_400 * _SECOND_US
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# What stands for a directive: alone, and where a digit may stand beside it.
_DIRECTIVES: dict[str, tuple[str, str]] = {
    "Y": (r"\d{4}", r"\d{4}"),
    "y": (r"\d\d", r"\d\d"),
    "m": (r"\d{1,2}", r"\d\d"),
    "d": (r"\d{1,2}", r"\d\d"),
    "b": ("|".join(_MONTHS), "|".join(_MONTHS)),
    "H": (r"\d{1,2}", r"\d\d"),
    "I": (r"\d{1,2}", r"\d\d"),
    "p": ("am|pm", "am|pm"),
    "M": (r"\d{1,2}", r"\d\d"),
    "S": (r"\d{1,2}", r"\d\d"),
    "f": (r"\d+", r"\d+"),
    "z": (r"z|[+-]\d\d:?\d\d", r"z|[+-]\d\d:?\d\d"),
}
_CLOCK = frozenset("HIpMSfz")
_TWO_DIGITS_FROM = 69  # the year 69 is 1969, and 68 is 2068, as in POSIX
RFC_3339 = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")
CLOCK = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")
"""As RFC 3339, but of a clock that somebody else names."""
ISO_DATE = "%Y-%m-%d"


# Times that are counted from 1970 in UTC, in whole numbers: how many make a second.
COUNTS = {"unix_s": 1, "unix_ms": 1000, "unix_us": 1_000_000, "unix_ns": 1_000_000_000}
_WHOLE = re.compile(r"-?\d{1,19}", re.ASCII)


def format_fault(text: str, *, is_date: bool) -> str:
    """What is wrong with a format of directives, as the end of a sentence; empty: nothing.

    Args:
        text: The format.
        is_date: Whether it is to tell a day and nothing of a clock.
    """
    found = re.findall(r"%(.?)", text.replace("%%", ""))
    if unknown := sorted({each for each in found if each not in _DIRECTIVES}):
        named = ", ".join(f"%{each}" for each in unknown)
        known = ", ".join(f"%{each}" for each in (*_DIRECTIVES, "%"))
        return f"{named} is not known; known are {known}"
    if twice := sorted({each for each in found if found.count(each) > 1}):
        return f"%{twice[0]} is there twice"
    for choice in (("Y", "y"), ("m", "b"), ("d",), *(() if is_date else (("H", "I"),))):
        if sum(each in found for each in choice) != 1:
            return f"it needs one of {' or '.join(f'%{each}' for each in choice)}"
    clock = [each for each in found if each in _CLOCK]
    if is_date and clock:
        return f'%{clock[0]} is of a clock, and a date has none; write type = "timestamp"'
    beside = {"I": "p", "p": "I", "S": "M", "f": "S"}
    lacking = ((each, beside[each]) for each in clock if beside.get(each, each) not in found)
    return next((f"%{one} needs %{other}" for one, other in lacking), "")


def has_offset(text: str) -> bool:
    """Whether a format says how far the clock is from UTC."""
    return text in COUNTS or "%z" in text.replace("%%", "")


@lru_cache(maxsize=256)
def time_format(text: str) -> TimeFormat | CountedTimes:
    """The reader of a format, which is one that `format_fault` finds no fault with."""
    return CountedTimes(COUNTS[text]) if text in COUNTS else TimeFormat(text)


class CountedTimes:
    """Reads whole numbers that count from 1970 in UTC.

    Args:
        per_second: How many make a second.
    """

    has_offset = True

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second

    def read(self, texts: Sequence[str | None]) -> tuple[Integers, Integers, Flags]:
        """What texts say; as `TimeFormat.read`."""
        found = [None if text is None else _WHOLE.fullmatch(text) for text in texts]
        is_read = np.fromiter((each is not None for each in found), np.bool_, len(found))
        numbers = [0 if each is None else int(each[0]) for each in found]
        # Cut to the microsecond before it, and to what an int64 holds: no calendar reaches so far.
        counted = (each * _SECOND_US // self._per_second for each in numbers)
        limited = (max(-_FAR, min(_FAR, each)) for each in counted)
        moments = np.fromiter(limited, np.int64, len(numbers))
        return moments, np.zeros(len(numbers), np.int64), is_read


class TimeFormat:
    """Reads texts of one format.

    Args:
        text: The format.
    """

    def __init__(self, text: str) -> None:
        self._directives: list[str] = []
        self._pattern = re.compile(self._regex(text), re.IGNORECASE | re.ASCII)

    def _regex(self, text: str) -> str:
        pieces = re.findall(r"%%|%.|[^%]", text, re.DOTALL)
        parts = []
        for place, piece in enumerate(pieces):
            if len(piece) == 1 or piece == "%%":
                parts.append(re.escape(piece[-1]))
                continue
            beside = (*pieces[max(place - 1, 0) : place], *pieces[place + 1 : place + 2])
            is_close = any(re.fullmatch(r"%[^%bpz]|\d", each) for each in beside)
            self._directives.append(piece[1])
            parts.append(f"({_DIRECTIVES[piece[1]][is_close]})")
        return "".join(parts)

    def read(self, texts: Sequence[str | None]) -> tuple[Integers, Integers, Flags]:
        """What texts say.

        Returns:
            Of each text the microseconds since 1970 on its clock; how far that is ahead of UTC,
            us, or 0 where the format does not say; and whether it is a time of this format. Each
            of shape (rows,); of what is none, the first two are 0.
        """
        blank = ("",) * len(self._directives)
        found = map(self._pattern.fullmatch, ["" if text is None else text for text in texts])
        matched = [None if each is None else each.groups() for each in found]
        is_read = np.fromiter((each is not None for each in matched), np.bool_, len(matched))
        columns = zip(*(each or blank for each in matched), strict=True)
        fields = dict(zip(self._directives, columns, strict=False)) if matched else {}
        return _moments(fields, is_read)

    @cached_property
    def has_offset(self) -> bool:
        """Whether its texts say how far their clock is from UTC."""
        return "z" in self._directives


def _moments(
    fields: dict[str, tuple[str, ...]], is_read: Flags
) -> tuple[Integers, Integers, Flags]:
    """Fields of texts, by directive, to times."""

    def number(directive: str, default: int = 0) -> Integers:
        if directive not in fields:
            return np.full(len(is_read), default, np.int64)
        texts = ("0" if each == "" else each for each in fields[directive])
        return np.fromiter(map(int, texts), np.int64, len(is_read))

    def one_of(directive: str, words: dict[str, int]) -> Integers:
        texts = map(str.lower, fields[directive])
        return np.fromiter(map(words.get, texts, repeat(0)), np.int64, len(is_read))

    year = number("Y")
    if "y" in fields:
        short = number("y")
        year = np.where(short < _TWO_DIGITS_FROM, 2000, 1900) + short
    month = number("m")
    if "b" in fields:
        month = one_of("b", {word: place for place, word in enumerate(_MONTHS, 1)})
    day, hour, minute, second = number("d"), number("H"), number("M"), number("S")
    is_time = is_read & (hour < 24)
    if "I" in fields:
        half = number("I")
        is_time &= (half >= 1) & (half <= 12)
        hour = half % 12 + 12 * one_of("p", {"pm": 1})
    is_time &= (minute < 60) & (second < 60) & _is_day(year, month, day)
    fraction = np.zeros(len(is_read), np.int64)
    if "f" in fields:
        cut = (f"{each[:6]:0<6}" for each in fields["f"])
        fraction = np.fromiter(map(int, cut), np.int64, len(is_read))
    seconds = (hour * 60 + minute) * 60 + second
    days = _days(year, month, day)
    shown = days * DAY_US + seconds * _SECOND_US + fraction
    offset = np.zeros(len(is_read), np.int64)
    if "z" in fields:
        offset = np.fromiter(map(_offset_us, fields["z"]), np.int64, len(is_read))
        is_time &= np.abs(offset) < DAY_US
    return np.where(is_time, shown, 0), np.where(is_time, offset, 0), is_time


def _is_day(year: Integers, month: Integers, day: Integers) -> Flags:
    is_month = (year >= 1) & (month >= 1) & (month <= 12)
    safe = np.where(is_month, month, 1)
    following = np.where(safe == 12, 1, safe + 1)
    length = _days(year + (safe == 12), following, np.ones_like(day)) - _days(
        year, safe, np.ones_like(day)
    )
    is_day: Flags = is_month & (day >= 1) & (day <= length)
    return is_day


def _days(year: Integers, month: Integers, day: Integers) -> Integers:
    """Days since 1970 in the Gregorian calendar."""
    months = (year - 1970) * 12 + month - 1
    found: Integers = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return found + day - 1


@lru_cache(maxsize=4096)  # there are few of them
def _offset_us(text: str) -> int:
    if text in {"", "z", "Z"}:
        return 0
    hours, minutes = int(text[1:3]), int(text[-2:])
    if minutes >= 60:
        return DAY_US  # no offset
    return (-1 if text[0] == "-" else 1) * (hours * 60 + minutes) * 60 * _SECOND_US
