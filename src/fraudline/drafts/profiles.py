"""What a sample shows of a column: its type, and what a network could do with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Column, conform
from fraudline.contract.array_types import Floats
from fraudline.contract.columns import ColumnType
from fraudline.contract.found_words import is_bytes, is_text, type_name
from fraudline.contract.local_times import UTC
from fraudline.drafts.time_guess import guess_written
from fraudline.errors import ContractError

_HEAD = 1000
_PROBE = 40
_MOST_UNREADABLE = 0.01  # of the rows, as `load` allows
# What a text may be read as, the narrowest first; of a file that has types, times alone.
_OF_CSV: tuple[ColumnType, ...] = ("int64", "float64", "bool", "timestamp", "string")
_OF_TEXT: tuple[ColumnType, ...] = ("timestamp", "string")
_NOTHING = {"na", "n/a", "nan", "null", "none", "nil", "?", "-", "\\n", "missing"}
_LEADING_ZERO = re.compile(r"[+-]?0\d+(\.0*)?")
_LOCAL_TIME = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ]\d{1,2}:\d\d(:\d\d(\.\d+)?)?)?")
# With groups of three digits, a decimal comma or a currency; or plain, as Parquet's texts may be.
_CURRENCY = r"(?:[€$£¥]|EUR|USD|GBP|CHF|JPY|SEK|DKK|NOK|PLN|CZK|HUF|CAD|AUD|INR)"
_OTHER_NUMBER = re.compile(
    rf"{_CURRENCY}?\s?[+-]?\s?{_CURRENCY}?\s?(?!0\d)\d+(?:[.,'\u2019\s]\d{{3}})*(?:[.,]\d+)?"
    rf"\s?{_CURRENCY}?"
)
# Without one of these it may be a code, which counts nothing.
_NUMBER_MARK = rf"[.,'\u2019]|{_CURRENCY}"
_CARD = re.compile(r"\d{13,19}")
_CARDS_SHARE = 0.9  # one number in ten passes the check by chance
_LEAST_CARDS = 20


@dataclass(frozen=True)
class Profile:
    """A column of a sample.

    Attributes:
        name: Its name.
        type: What its values are as a contract has it; None: nothing that a contract can hold.
        values: As that type; null where there is none, or none that can be read.
        nulls: How many are missing, in all rows that there are.
        unreadable: How many are there and cannot be read as the type.
        fault: What the first of these is, or why there is no type, in words.
        is_naive: Whether it has times without a time zone.
        local_time: A text of it that looks like a time and may be read in two ways, or in none;
            None: its texts are no such.
        other_number: A text of it that is a number in another writing than is read, such as
            1,234.50 or 12,50; None: its texts are no such.
        empty: How many are texts of a CSV file that are empty, in all rows that there are.
        format: How its times or dates are written; empty: as RFC 3339, or ISO 8601.
    """

    name: str
    type: ColumnType | None
    values: pa.ChunkedArray
    nulls: int
    unreadable: int = 0
    fault: str = ""
    is_naive: bool = False
    local_time: str | None = None
    other_number: str | None = None
    empty: int = 0
    format: str = ""

    @cached_property
    def distinct(self) -> int:
        """How many values it has, nulls left out."""
        return int(pc.count_distinct(self.values, mode="only_valid").as_py())

    @cached_property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.type in {"int64", "float64"}

    @cached_property
    def is_flag(self) -> bool:
        """Whether it could be a label: no value but 0 and 1, and none missing."""
        if self.nulls or self.unreadable or not len(self.values):
            return False
        return self.type == "bool" or (
            self.is_number and {*self.spread} <= {0, 1} and self._is_whole
        )

    @cached_property
    def _is_whole(self) -> bool:
        return bool((self.numbers == np.floor(self.numbers)).all())

    @cached_property
    def spread(self) -> tuple[Any, Any]:
        """The smallest value and the largest, None where there is none."""
        found = pc.min_max(self.values).as_py()
        return found["min"], found["max"]

    @cached_property
    def numbers(self) -> Floats:
        """Numbers, flags and times as a network may sort them, NaN for null, shape (rows,)."""
        values = self.values
        if pa.types.is_date(values.type):
            values = values.cast(pa.int32())
        if pa.types.is_timestamp(values.type) or pa.types.is_boolean(values.type):
            values = values.cast(pa.int64())
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)

    @cached_property
    def are_cards(self) -> bool:
        """Whether its values look like card numbers."""
        if self.type not in {"string", "int64"}:
            return False
        texts = pc.unique(_spread(self.values.drop_null()))
        words = [re.sub(r"[ -]", "", str(value)) for value in texts.to_pylist()]
        passed = sum(_CARD.fullmatch(word) is not None and _is_luhn(word) for word in words)
        return len(words) >= _LEAST_CARDS and passed >= _CARDS_SHARE * len(words)


def profile_column(
    name: str, values: pa.ChunkedArray, step: int, *, are_texts_read: bool = True
) -> Profile:
    """Find out what a column holds.

    Args:
        name: Its name.
        values: All there are; those of a CSV file as bytes.
        step: Every so manyth is looked at, but for nulls, of which one alone changes the contract.
        are_texts_read: Whether what reads the history finds times in texts.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = values.type
    rows = np.arange(0, len(values), step)
    sample = values if step == 1 else values.take(pa.array(rows))
    if pa.types.is_null(kind):
        return Profile(name, "string", sample.cast(pa.string()), len(values))
    candidates = _candidates(kind) if are_texts_read or not is_text(kind) else ("string",)
    if not candidates:
        fault = f"it is {type_name(kind)}, which no column of a contract can hold"
        return Profile(name, None, sample, values.null_count, fault=fault)
    nulls = values.null_count
    if is_bytes(kind):
        nulls += int(pc.sum(pc.equal(values.cast(pa.large_binary()), b"")).as_py() or 0)
    for candidate in candidates:
        found = _read(name, sample, candidate, is_last=candidate == candidates[-1])
        if found is not None:
            if candidate == "string":
                as_times = _as_times(name, sample, nulls) if are_texts_read else None
                return as_times or _of_texts(name, found, nulls, is_of_csv=is_bytes(kind))
            read, unreadable, fault = found
            return Profile(name, candidate, read, nulls, unreadable, fault, _is_naive(kind))
    raise AssertionError("the last candidate is taken whatever it holds")


def _of_texts(
    name: str, found: tuple[pa.ChunkedArray, int, str], nulls: int, *, is_of_csv: bool
) -> Profile:
    """A column of texts that are nothing else."""
    texts, unreadable, fault = found
    return Profile(
        *(name, "string", texts),
        nulls=0 if is_of_csv else nulls,
        unreadable=unreadable,
        fault=fault,
        empty=nulls if is_of_csv else 0,  # such a one is a text, but for a category
        local_time=_like(_LOCAL_TIME, texts),
        other_number=_like(_OTHER_NUMBER, texts, _NUMBER_MARK),
    )


def _as_times(name: str, texts: pa.ChunkedArray, nulls: int) -> Profile | None:
    """A column of texts that are times or dates in a way that a contract can say."""
    told, words, _ = _without_words(texts)
    if not is_text(told.type):
        return None
    written = guess_written(_spread(told.drop_null()).cast(pa.string()).to_pylist())
    if written is None:
        return None
    kind, form, has_zone = written
    read, unreadable, fault = _conformed(name, told, kind, form, "" if has_zone else UTC)
    if unreadable + words > _MOST_UNREADABLE * len(texts):
        return None
    is_naive = not has_zone
    return Profile(name, kind, read, nulls, unreadable + words, fault, is_naive, format=form)


def _is_naive(kind: pa.DataType) -> bool:
    """Whether values are times of a clock that nobody names."""
    return bool(pa.types.is_timestamp(kind) and kind.tz is None)


def _candidates(kind: pa.DataType) -> tuple[ColumnType, ...]:
    if is_bytes(kind):
        return _OF_CSV
    if is_text(kind):
        return _OF_TEXT
    checks: tuple[tuple[Any, ColumnType], ...] = (
        (pa.types.is_boolean, "bool"),
        (pa.types.is_integer, "int64"),
        (pa.types.is_floating, "float64"),
        (pa.types.is_decimal, "float64"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
    )
    return tuple(candidate for is_kind, candidate in checks if is_kind(kind))


def _read(
    name: str, values: pa.ChunkedArray, kind: ColumnType, *, is_last: bool
) -> tuple[pa.ChunkedArray, int, str] | None:
    """Values as a type, how many of them are no such, and the first that is not; None: too many."""
    if is_last:
        return _conformed(name, values, kind)
    told, words, word = _without_words(values)
    head = _spread(told.drop_null())
    if not len(head) or (kind in {"int64", "float64"} and _has_leading_zero(head)):
        return None
    probe = _spread(head, _PROBE)  # each value that does not fit costs
    if _conformed(name, probe, kind)[1] > len(probe) / 5:
        return None
    if _conformed(name, head, kind)[1] > _MOST_UNREADABLE * len(head):
        return None
    read, unreadable, fault = _conformed(name, told, kind)
    if unreadable > _MOST_UNREADABLE * len(values):
        return None
    if words:
        fault = f"expected {kind} or nothing, found {word!r}; leave a value that is not there empty"
    return read, unreadable + words, fault


def _spread(values: pa.ChunkedArray, count: int = _HEAD) -> pa.ChunkedArray:
    """So many values or up to twice as many, from the first to the last."""
    step = max(1, len(values) // count)
    return values if step == 1 else values.take(pa.array(np.arange(0, len(values), step)))


def _without_words(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int, str]:
    """Texts with null for each that is empty or a word for nothing; how many words, and one."""
    if not (is_text(values.type) or is_bytes(values.type)):
        return values, 0, ""
    try:
        texts = pc.utf8_trim_whitespace(values.cast(pa.string()))
    except pa.ArrowInvalid:  # not UTF-8: whatever it is, it is no number
        return values, 0, ""
    is_word = pc.is_in(pc.utf8_lower(texts), pa.array(sorted(_NOTHING)))
    words = texts.filter(is_word)
    is_nothing = pc.or_(is_word, pc.equal(texts, "").fill_null(False))
    told = pc.if_else(is_nothing, pa.scalar(None, pa.string()), texts)
    return told, len(words), words[0].as_py() if len(words) else ""


def _has_leading_zero(values: pa.ChunkedArray) -> bool:
    """Whether texts are codes such as 0042, which are no numbers."""
    if not (is_text(values.type) or is_bytes(values.type)):
        return False
    texts = values.cast(pa.binary()).to_pylist()
    return any(_LEADING_ZERO.fullmatch(text.decode(errors="replace").strip()) for text in texts)


def _conformed(
    name: str, values: pa.ChunkedArray, kind: ColumnType, form: str = "", zone: str = ""
) -> tuple[pa.ChunkedArray, int, str]:
    """Values as `load` would read them, null where it would refuse the row."""
    # `load` takes times without a zone if the contract names one.
    if kind == "timestamp" and _is_naive(values.type):
        zone = UTC
    column = Column(name, kind, is_nullable=True, max_length=2**31, format=form, timezone=zone)
    table = pa.table({name: values})
    try:
        rows, refusals = conform(table, [column])
    except ContractError as error:
        return values, len(values), str(error)
    read = rows.column(0)
    if not refusals:
        return read, 0, ""
    keeps = np.ones(len(values), dtype=bool)
    keeps[[refusal.row - 1 for refusal in refusals]] = False
    places = np.cumsum(keeps) - 1
    return read.take(pa.array(places, mask=~keeps)), len(refusals), refusals[0].message


def _like(form: re.Pattern[str], texts: pa.ChunkedArray, mark: str = "") -> str | None:
    """The first of texts that look like that, if nearly all do that are not empty.

    Args:
        form: What they look like.
        texts: All there are.
        mark: What one of them has to have in it.
    """
    head = [text.strip() for text in _spread(texts.drop_null()).to_pylist()]
    head = [text for text in head if text and text.lower() not in _NOTHING]
    found = [text for text in head if form.fullmatch(text)]
    if not found or len(found) < (1 - _MOST_UNREADABLE) * len(head):
        return None
    return next((text for text in found if re.search(mark, text)), None)


def _is_luhn(digits: str) -> bool:
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    total = sum(map(int, digits[-1::-2])) + sum(each - 9 * (each > 9) for each in doubled)
    return total % 10 == 0
