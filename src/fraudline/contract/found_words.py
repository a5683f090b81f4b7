"""What was found in a file, in the contract's words, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pyarrow as pa

from fraudline.contract.columns import Column

_NUMBERS = ("float64", "int64")
# What a text is that cannot be read, in a column of which type, and how to write it instead.
_HINTS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = tuple(
    (types, re.compile(pattern, re.IGNORECASE), words)
    for types, pattern, words in (
        (
            (*_NUMBERS, "bool", "timestamp", "date"),
            r"na|n/a|#n/a|nan|null|none|\\n|-",
            "; leave a value that is not there empty",
        ),
        (
            _NUMBERS,
            r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?",
            "; write it without thousands separators and with a decimal point",
        ),
        (_NUMBERS, r"[+-]?[\d. '\u00a0\u202f]*\d,\d+", "; write a decimal point, no comma"),
        (("int64",), r"[+-]?\d+\.0+", "; write it without decimals"),
        (("float64",), r"[+-]?\d+(\.0*)?", ", a whole number that no float64 is"),
        (
            ("timestamp",),
            r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?",
            "; add the offset from UTC, such as 2026-01-02T03:04:05Z, or say in the contract whose "
            'clock it is, such as timezone = "Europe/Vienna"',
        ),
        (
            ("timestamp",),
            r"\d{1,4}[-/. ](\d{1,2}|[a-z]{3})[-/. ]\d{1,4}.*",
            '; say in the contract how it is written, such as format = "%d/%m/%Y %H:%M:%S", and '
            'whose clock it is, such as timezone = "Europe/Vienna"',
        ),
        (
            ("date",),
            r"\d{1,4}[-/. ]?(\d{1,2}|[a-z]{3})[-/. ]?\d{1,4}",
            '; say in the contract how it is written, such as format = "%d/%m/%Y"',
        ),
    )
)


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values are bytes of any kind."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_text(kind: pa.DataType) -> bool:
    """Whether values are text of any kind."""
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


_TYPE_NAMES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_integer, "int64"),
    (pa.types.is_floating, "float64"),
    (pa.types.is_boolean, "bool"),
    (pa.types.is_timestamp, "timestamp"),
    (is_text, "string"),
    (is_bytes, "bytes"),
    (pa.types.is_decimal, "a decimal"),
    (pa.types.is_date, "a date"),
    (pa.types.is_time, "a time of day"),
    (pa.types.is_duration, "a duration"),
    (pa.types.is_struct, "a record"),
    (pa.types.is_nested, "a list"),
)


def type_name(kind: pa.DataType) -> str:
    """A type of a file as a contract calls it, or would."""
    return next((name for is_kind, name in _TYPE_NAMES if is_kind(kind)), str(kind))


def type_hint(kind: pa.DataType, column: Column) -> str:
    """What to do about a column of a type that means something else."""
    if column.type == "timestamp" and pa.types.is_integer(kind):
        return (
            '; say in the contract what it counts, such as format = "unix_s" or "unix_ms", or that '
            'it is int64 and in which unit (unit = "s" or "ms"), or write times in the file'
        )
    if column.type in _NUMBERS and pa.types.is_timestamp(kind):
        return '; say in the contract that it is type = "timestamp"'
    if column.type == "date" and pa.types.is_timestamp(kind):
        return "; its day depends on the time zone: write dates in the file"
    if column.type == "string" and pa.types.is_floating(kind):
        return "; a number with decimals has no one way to be written: write it as text"
    return ""


def found_words(value: pa.Scalar) -> str:
    """A value as it was found, for people."""
    try:
        return repr(value.as_py())[:100] if value.is_valid else "nothing"
    except (OverflowError, ValueError):  # a time that Python cannot tell
        return f"{value.value} {value.type}"


def hint(value: pa.Scalar, column: Column) -> str:
    """How to write a value that is at fault, where that is known; else empty."""
    if is_bytes(value.type):
        return f"; {_as_windows_1252(value.as_py())}"
    if is_text(value.type):
        text = value.as_py().strip()
        for types, pattern, words in _HINTS:
            if column.type in types and pattern.fullmatch(text):
                return words
    return ""


def _as_windows_1252(text: bytes) -> str:
    return (
        f"in Windows-1252 it would be {text[:100].decode('cp1252', 'replace')!r}; convert such a "
        "file with `iconv -f WINDOWS-1252 -t UTF-8`"
    )
