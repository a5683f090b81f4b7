"""A table as it came from a file, made to fit the contract, row by row."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract.columns import Column, arrow_schema
from fraudline.contract.rejects import RejectReason
from fraudline.errors import ContractError


@dataclass(frozen=True)
class Refusal:
    """A row of a file that is not a transaction.

    Attributes:
        row: Its number in the file, counted from 1, without a header.
        reason: The kind of fault, as for a rejected message.
        message: The fault in words.
    """

    row: int
    reason: RejectReason
    message: str


def conform(table: pa.Table, columns: Sequence[Column]) -> tuple[pa.Table, list[Refusal]]:
    """Give a table exactly these columns and types; refuse each row that does not fit.

    No value is altered: a number that its column's type cannot hold exactly is refused. Only
    what is finer than a microsecond is cut from a time, as it is from that of a message.

    Args:
        table: Columns of any order; a column of text, also as bytes, is parsed. A timestamp
            without a time zone is taken as UTC.
        columns: What the result is to have.

    Returns:
        The rows that fit, in their order, and a refusal for each row that does not, with
        its first fault.

    Raises:
        ContractError: a column is missing, unknown, there twice, or of a type that cannot
            hold what it should, so no row can fit.
    """
    expected = [column.name for column in columns]
    _check_names(table.column_names, expected)
    faults: dict[int, Refusal] = {}
    cast = [_cast(table.column(column.name), column, faults) for column in columns]
    for values, column in zip(cast, columns, strict=True):
        _check(values, column, faults)
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


def _cast(values: pa.ChunkedArray, column: Column, faults: dict[int, Refusal]) -> pa.ChunkedArray:
    def refuse(row: int, value: pa.Scalar, reason: RejectReason, expected: str) -> None:
        fault = f"column '{column.name}': expected {expected}, found {_found(value)}"
        faults.setdefault(row, Refusal(row, reason, fault))

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if _is_bytes(values.type):
        values = _convert(
            values,
            pa.string(),
            lambda row, value: refuse(row, value, RejectReason.INVALID_UTF8, "UTF-8"),
        )

    def refuse_type(row: int, value: pa.Scalar) -> None:
        refuse(row, value, RejectReason.WRONG_TYPE, column.type)

    if _is_text(values.type):
        if column.type != "string":
            values = pc.utf8_trim_whitespace(values.cast(pa.string()))
            values = pc.if_else(pc.equal(values, ""), None, values)
    elif not _is_readable(values.type, column):
        raise ContractError(
            f"column '{column.name}' is {values.type}, which cannot be read as {column.type}."
        )
    elif column.type == "bool" and not pa.types.is_boolean(values.type):
        # As a number, whatever is not 0 would be taken for true; as text, only 1 is.
        values = _convert(values, pa.int64(), refuse_type).cast(pa.string())
    if column.type == "timestamp":
        values = _cut(values)
    return _convert(values, column.arrow_type, refuse_type)


def _cut(times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times without what is finer than a microsecond, which is cut and never rounded."""
    if _is_text(times.type):
        return pc.replace_substring_regex(times, r"(\.\d{6})\d+", r"\1")
    if pa.types.is_timestamp(times.type) and times.type.unit == "ns":
        return pc.floor_temporal(times, unit="microsecond")
    return times


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


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


_NUMBERS = (*(pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean),)
# What may stand in a file, beside text, for a column of each type of a contract.
_READABLE: dict[str, tuple[Callable[[pa.DataType], bool], ...]] = {
    "float64": _NUMBERS,
    "int64": _NUMBERS,
    "bool": _NUMBERS,
    "string": (pa.types.is_integer,),
    "timestamp": (pa.types.is_timestamp, pa.types.is_date),
}


def _is_readable(kind: pa.DataType, column: Column) -> bool:
    """Whether values of a type mean what the column means: no number is a time."""
    return pa.types.is_null(kind) or any(is_kind(kind) for is_kind in _READABLE[column.type])


def _check(values: pa.ChunkedArray, column: Column, faults: dict[int, Refusal]) -> None:
    def refuse(mask: pa.ChunkedArray, reason: RejectReason, expected: str) -> None:
        for index in _where(mask):
            faults.setdefault(
                index + 1,
                Refusal(
                    index + 1,
                    reason,
                    f"column '{column.name}': expected {expected}, found {_found(values[index])}",
                ),
            )

    if not column.is_nullable:
        refuse(pc.is_null(values), RejectReason.MISSING_COLUMN, "a value")
    limits = column.limits
    if limits.is_finite:
        refuse(pc.invert(pc.is_finite(values)), RejectReason.OUT_OF_RANGE, "a finite number")
    for limit, is_beyond, side in (
        (limits.least, pc.less, "at least"),
        (limits.most, pc.greater, "at most"),
    ):
        if limit is not None:
            beyond = is_beyond(values, pa.scalar(limit, column.arrow_type))
            refuse(beyond, RejectReason.OUT_OF_RANGE, _in_words(side, limit))
    if limits.most_characters is not None:
        refuse(
            pc.greater(pc.utf8_length(values), limits.most_characters),
            RejectReason.OUT_OF_RANGE,
            f"at most {limits.most_characters} characters",
        )


def _in_words(side: str, limit: float | dt.datetime) -> str:
    if isinstance(limit, dt.datetime):  # a contract sets none: it is the calendar's
        return "a time of the years 1 to 9999 in UTC"
    return f"{side} {limit:g}"


def _found(value: pa.Scalar) -> str:
    try:
        return repr(value.as_py())[:100] if value.is_valid else "nothing"
    except (OverflowError, ValueError):  # a time that Python cannot tell
        return f"{value.value} {value.type}"


def _where(mask: pa.ChunkedArray) -> list[int]:
    indices: list[int] = np.flatnonzero(mask.fill_null(False).to_numpy()).tolist()
    return indices
