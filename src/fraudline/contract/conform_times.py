"""Times and dates of a file, read as the contract says they are written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.array_types import Flags
from fraudline.contract.columns import Column
from fraudline.contract.found_words import is_text
from fraudline.contract.refusals import RefusalReason
from fraudline.contract.time_formats import COUNTS
from fraudline.contract.times_of_column import Times, TimesOfColumn
from fraudline.errors import ContractError

Refuse = Callable[[RefusalReason, str, int, pa.Scalar], None]
"""Takes a reason, what was expected, a row from 1 and the value that was found."""
_PIECE = 100_000  # texts that are Python's at a time
_CLOCK = pa.timestamp("us")


def read_times(
    values: pa.ChunkedArray, column: Column, refuse: Refuse, on_note: Callable[[str], None]
) -> pa.ChunkedArray:
    """Times and dates that have to be read in the column's way; others as they are.

    Args:
        values: Text, numbers that count, times or dates.
        column: A `timestamp` or a `date`.
        refuse: Called for each value that is none.
        on_note: Called with a sentence where something was cut or assumed.

    Raises:
        ContractError: times have no time zone, and the contract does not say whose they are.
    """
    kind = values.type
    if pa.types.is_integer(kind) or (is_text(kind) and (column.format or column.timezone)):
        return _of_texts(values, column, refuse, on_note)
    if column.type == "date":
        is_clock = pa.types.is_timestamp(kind) and kind.tz is None
        return _days(values, column, refuse) if is_clock else values
    if not (pa.types.is_date(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)):
        return _cut(values, column, on_note)
    if not column.timezone:
        raise ContractError(
            f"column '{column.name}' has times without a time zone, so nobody can tell when they "
            f"were. Say in the contract whose clock they are of: {column.name} = {{ type = "
            '"timestamp", timezone = "UTC" }, or such as "Europe/Vienna".'
        )
    shown = _cut(values, column, on_note)
    try:
        numbers = np.asarray(shown.cast(_CLOCK).cast(pa.int64()).fill_null(0))
    except pa.ArrowInvalid:
        raise ContractError(
            f"column '{column.name}' has times that no calendar has, beyond the year 9999; write "
            "nothing where there is no time."
        ) from None
    times = TimesOfColumn(column)
    return _moments(times.of_clocks(numbers), values, column, refuse, on_note)


def _of_texts(
    texts: pa.ChunkedArray, column: Column, refuse: Refuse, on_note: Callable[[str], None]
) -> pa.ChunkedArray:
    reader = TimesOfColumn(column)
    pieces = [
        reader.of_texts(texts.slice(start, _PIECE).cast(pa.string()).to_pylist())
        for start in range(0, max(len(texts), 1), _PIECE)
    ]
    read = Times(
        np.concatenate([each.values for each in pieces]),
        np.concatenate([each.is_read for each in pieces]),
        np.concatenate([each.is_possible for each in pieces]),
        np.concatenate([each.is_twice for each in pieces]),
    )
    _tell_finer(texts, column, on_note)
    return _moments(read, texts, column, refuse, on_note)


def _moments(
    read: Times,
    values: pa.ChunkedArray,
    column: Column,
    refuse: Refuse,
    on_note: Callable[[str], None],
) -> pa.ChunkedArray:
    reader = TimesOfColumn(column)
    is_there: Flags = np.asarray(pc.is_valid(values))
    for row in np.flatnonzero(is_there & ~read.is_read).tolist():
        expected = f"a {'date' if column.type == 'date' else 'time'}, {reader.words}"
        refuse(RefusalReason.WRONG_TYPE, expected, row + 1, values[row])
    for row in np.flatnonzero(is_there & read.is_read & ~read.is_possible).tolist():
        refuse(RefusalReason.OUT_OF_RANGE, reader.possible_words, row + 1, values[row])
    if twice := int((is_there & read.is_read & read.is_twice).sum()):
        on_note(
            f"column '{column.name}' has {twice:,} times that the clocks of {column.timezone} "
            "showed twice, as they were put back; they are taken as the earlier ones"
        )
    is_null = ~(is_there & read.is_read & read.is_possible)
    numbers = pa.array(read.values, mask=is_null)
    if column.type == "date":
        return pa.chunked_array([numbers.cast(pa.int32()).cast(column.arrow_type)])
    return pa.chunked_array([numbers.cast(column.arrow_type)])


def _days(values: pa.ChunkedArray, column: Column, refuse: Refuse) -> pa.ChunkedArray:
    """The days of times without a zone, which is how many programs write a date."""
    days = pc.floor_temporal(values, unit="day")
    is_other = np.asarray(pc.not_equal(days, values).fill_null(False))
    for row in np.flatnonzero(is_other).tolist():
        refuse(RefusalReason.WRONG_TYPE, "a date, with no time of day", row + 1, values[row])
    return pc.if_else(pa.chunked_array([pa.array(is_other)]), None, days).cast(column.arrow_type)


def _cut(times: pa.ChunkedArray, column: Column, on_note: Callable[[str], None]) -> pa.ChunkedArray:
    """Times without what is finer than a microsecond, which is cut and never rounded; told."""
    if is_text(times.type):
        cut = pc.replace_substring_regex(times, r"(\.\d{6})\d+", r"\1")
    elif pa.types.is_timestamp(times.type) and times.type.unit == "ns":
        cut = pc.floor_temporal(times, unit="microsecond")
    else:
        return times
    count = pc.sum(pc.not_equal(cut, times)).as_py() or 0
    _tell_cut(count, column, on_note)
    return cut


def _tell_finer(texts: pa.ChunkedArray, column: Column, on_note: Callable[[str], None]) -> None:
    texts = texts.cast(pa.string())
    if column.format == "unix_ns":
        finer = pc.invert(pc.match_substring_regex(texts, r"000$|^-?0+$"))
    elif column.format in COUNTS:
        return
    else:
        finer = pc.match_substring_regex(texts, r"[.,:]\d{6}\d*[1-9]")
    _tell_cut(pc.sum(finer).as_py() or 0, column, on_note)


def _tell_cut(count: int, column: Column, on_note: Callable[[str], None]) -> None:
    if count:
        on_note(
            f"column '{column.name}' has {count:,} times finer than a microsecond, which are cut"
        )
