"""A table as it came from a file, made to fit the contract, row by row."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.columns import Column, arrow_schema
from fraudline.contract.conform_times import read_times
from fraudline.contract.exactness import altered
from fraudline.contract.found_words import (
    found_words,
    hint,
    is_bytes,
    is_text,
    type_hint,
    type_name,
)
from fraudline.contract.ids import are_blank
from fraudline.contract.number_words import number_words
from fraudline.contract.refusals import Refusal, RefusalReason
from fraudline.contract.time_formats import COUNTS
from fraudline.errors import ContractError


def conform(
    table: pa.Table,
    columns: Sequence[Column],
    on_note: Callable[[str], None] = lambda _: None,
    *,
    id_columns: Sequence[str] = (),
) -> tuple[pa.Table, list[Refusal]]:
    """Give a table exactly these columns and types; refuse each row that does not fit.

    No whole number, text or time is altered: one that its column's type cannot hold exactly is
    refused. A decimal with more digits than a float64 has is taken as the nearest one, and what is
    finer than a microsecond is cut from a time, as from that of a message; both are told.

    Args:
        table: Columns of any order; a column of text, also as bytes, is parsed. A timestamp
            without a time zone is of the column's.
        columns: What the result is to have.
        on_note: Called with a sentence for each column in which something was assumed.
        id_columns: Which of them identify a transaction: a row with a blank text in one is refused.

    Returns:
        The rows that fit, in their order, and a refusal for each row that does not, with
        its first fault.

    Raises:
        ContractError: a column is missing, unknown, there twice, or of a type that cannot
            hold what it should, so no row can fit; or times have no zone, and the contract names
            none.
    """
    expected = [column.name for column in columns]
    _check_names(table.column_names, expected)
    faults: dict[int, Refusal] = {}
    cast = [_cast(table.column(column.name), column, faults, on_note) for column in columns]
    for values, column in zip(cast, columns, strict=True):
        _check(values, column, faults, is_id=column.name in id_columns)
    conformed = pa.Table.from_arrays(cast, schema=_all_nullable(arrow_schema(columns)))
    if faults:
        keep = np.ones(table.num_rows, dtype=bool)
        keep[[refusal.row - 1 for refusal in faults.values()]] = False
        conformed = conformed.filter(pa.array(keep))
    return conformed.cast(arrow_schema(columns)), [faults[row] for row in sorted(faults)]


def _check_names(found: Sequence[str], expected: Sequence[str]) -> None:
    faults = {
        "missing": [name for name in expected if name not in found],
        "unknown": [name for name in found if name not in expected],
        "there twice": [name for name, times in Counter(found).items() if times > 1],
    }
    if any(faults.values()):
        raise ContractError(
            "the columns are not those of the contract: "
            + "; ".join(
                f"{fault} {', '.join(map(repr, names))}" for fault, names in faults.items() if names
            )
            + f". Expected exactly: {', '.join(expected)}."
        )


def _all_nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])


def _cast(
    values: pa.ChunkedArray,
    column: Column,
    faults: dict[int, Refusal],
    on_note: Callable[[str], None],
) -> pa.ChunkedArray:
    refuse_type = partial(_refuse, faults, column, RefusalReason.WRONG_TYPE, column.type)
    values = _as_plain(
        values, partial(_refuse, faults, column, RefusalReason.INVALID_UTF8, "UTF-8")
    )
    if is_text(values.type):
        if column.type != "string":
            values = pc.utf8_trim_whitespace(values.cast(pa.string()))
            values = pc.if_else(pc.equal(values, ""), None, values)
    elif not _is_readable(values.type, column):
        raise ContractError(
            f"column '{column.name}' is {type_name(values.type)}, which cannot be read as "
            f"{column.type}{type_hint(values.type, column)}."
        )
    elif column.type == "bool" and not pa.types.is_boolean(values.type):
        # As a number, whatever is not 0 would be taken for true; as text, only 1 is.
        values = _convert(values, pa.int64(), refuse_type).cast(pa.string())
    if column.type in {"timestamp", "date"}:
        values = read_times(values, column, partial(_refuse, faults, column), on_note)
    converted = _convert(values, column.arrow_type, refuse_type)
    if column.type == "float64":
        _tell_altered(values, converted, column, refuse_type, on_note)
    return converted


def _refuse(
    faults: dict[int, Refusal],
    column: Column,
    reason: RefusalReason,
    expected: str,
    row: int,
    value: pa.Scalar,
) -> None:
    found = f"{found_words(value)}{hint(value, column)}"
    fault = f"column '{column.name}': expected {expected}, found {found}"
    faults.setdefault(row, Refusal(row, reason, fault, column.name))


def _as_plain(
    values: pa.ChunkedArray, refuse_utf8: Callable[[int, pa.Scalar], None]
) -> pa.ChunkedArray:
    """Values without a dictionary; bytes as the text that they are."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    return _convert(values, pa.string(), refuse_utf8) if is_bytes(values.type) else values


def _tell_altered(
    values: pa.ChunkedArray,
    floats: pa.ChunkedArray,
    column: Column,
    refuse: Callable[[int, pa.Scalar], None],
    on_note: Callable[[str], None],
) -> None:
    """Refuse whole numbers that no float64 is, and tell decimals that it only comes near."""
    if not (is_text(values.type) or pa.types.is_decimal(values.type)):
        return
    texts, rounded = values.cast(pa.string()), []
    for index, is_whole in altered(texts, floats):
        if is_whole:
            refuse(index + 1, texts[index])
        else:
            rounded.append(index)
    if rounded:
        first = rounded[0]
        on_note(
            f"column '{column.name}': {len(rounded):,} of its values with more digits than a "
            f"float64 holds are taken as the nearest one; the first is "
            f"{texts[first].as_py()[:60]}, taken as {floats[first].as_py()!r}"
        )


def _convert(
    values: pa.ChunkedArray,
    target: pa.DataType,
    refuse: Callable[[int, pa.Scalar], None],
    first_row: int = 1,
) -> pa.ChunkedArray:
    """Cast all at once, or, when that fails, in halves, until each fault is found.

    A value that is at fault is refused, and null in the result.
    """
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if len(values) == 1:
            refuse(first_row, values[0])
            return pa.chunked_array([pa.nulls(1, target)])
    half = len(values) // 2
    return pa.chunked_array(
        [
            *_convert(values.slice(0, half), target, refuse, first_row).chunks,
            *_convert(values.slice(half), target, refuse, first_row + half).chunks,
        ]
    )


_NUMBERS = (*(pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean),)
# What may stand in a file, beside text, for a column of each type of a contract.
_READABLE: dict[str, tuple[Callable[[pa.DataType], bool], ...]] = {
    "float64": _NUMBERS,
    "int64": _NUMBERS,
    "bool": _NUMBERS,
    "string": (pa.types.is_integer,),
    "timestamp": (pa.types.is_timestamp, pa.types.is_date),
    "date": (pa.types.is_date, lambda kind: pa.types.is_timestamp(kind) and kind.tz is None),
}


def _is_readable(kind: pa.DataType, column: Column) -> bool:
    """Whether values of a type mean what the column means: no number is a time by itself."""
    if column.format in COUNTS and pa.types.is_integer(kind):
        return True
    return pa.types.is_null(kind) or any(is_kind(kind) for is_kind in _READABLE[column.type])


def _check(
    values: pa.ChunkedArray, column: Column, faults: dict[int, Refusal], *, is_id: bool
) -> None:
    def refuse(mask: pa.ChunkedArray, reason: RefusalReason, expected: str) -> None:
        for index in _where(mask):
            faults.setdefault(
                index + 1,
                Refusal(
                    index + 1,
                    reason,
                    f"column '{column.name}': expected {expected}, "
                    f"found {found_words(values[index])}",
                    column.name,
                ),
            )

    if not column.is_nullable:
        refuse(pc.is_null(values), RefusalReason.NULL_VALUE, "a value")
    limits = column.limits
    if limits.is_finite:
        refuse(pc.invert(pc.is_finite(values)), RefusalReason.OUT_OF_RANGE, "a finite number")
    for limit, is_beyond, side in (
        (limits.least, pc.less, "at least"),
        (limits.most, pc.greater, "at most"),
    ):
        if limit is not None:
            beyond = is_beyond(values, pa.scalar(limit, column.arrow_type))
            refuse(beyond, RefusalReason.OUT_OF_RANGE, _in_words(side, limit))
    if limits.most_characters is not None:
        refuse(
            pc.greater(pc.utf8_length(values), limits.most_characters),
            RefusalReason.OUT_OF_RANGE,
            f"at most {limits.most_characters} characters",
        )
    if is_id and column.type == "string":
        refuse(are_blank(values), RefusalReason.OUT_OF_RANGE, "an id that is not empty")
    if limits.words:
        is_other = pc.invert(pc.is_in(values, pa.array(limits.words, column.arrow_type)))
        refuse(
            pc.and_(pc.is_valid(values), is_other),
            RefusalReason.OUT_OF_RANGE,
            f"one of {', '.join(limits.words)}",
        )


def _in_words(side: str, limit: float | dt.date) -> str:
    if isinstance(limit, dt.datetime):  # a contract sets none: it is the calendar's
        return "a time of the years 1 to 9999 in UTC"
    if isinstance(limit, dt.date):
        return "a date of the years 1 to 9999"
    return f"{side} {number_words(limit)}"


def _where(mask: pa.ChunkedArray) -> list[int]:
    indices: list[int] = np.flatnonzero(mask.fill_null(False).to_numpy()).tolist()
    return indices
