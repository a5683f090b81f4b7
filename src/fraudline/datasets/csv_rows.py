"""The rows of a CSV file. A malformed row is the fault of that row: it never takes others along.

A row is a line, so a quote that is not closed ends with its line. Only where the caller says so
may a text have line ends in quotes; then a quote at fault makes it uncertain where every later
row begins, and the file is refused as a whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from fraudline.contract import Refusal, RefusalReason
from fraudline.datasets.file_content import conversion
from fraudline.errors import InputError

# A line of a file, as a message of a topic, has at most so many bytes.
MAX_LINE_BYTES = 1024 * 1024
_PIECE_BYTES = 16 * 1024 * 1024
_LINE_ENDS = re.compile(rb"\r\n|\n|\r")
# Fields in which every quote that begins one is closed again, as Arrow reads them.
_FIELD = rb'(?:"(?:[^"]|"")*+"[^,]*+|[^",][^,]*+|)'
_CLOSED = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+", re.DOTALL)
_DECIMAL_COMMA = r"([+-]?\d+),(\d+)"
_HEAD = 20  # lines that show by what values are separated
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


def read_csv(
    path: Path, content: memoryview, names: Collection[str], quoted: Mapping[str, int] | None
) -> tuple[pa.Table, list[Refusal]]:
    """Read all columns as bytes, so that a malformed value is the fault of its row only.

    Args:
        path: For messages.
        content: The file, in UTF-8, without a mark at its begin.
        names: Columns that are expected, to tell another separator by; none: nobody knows.
        quoted: Columns in which a value in quotes may have line ends, each with the most
            characters that it may have; None: a row is a line.

    Returns:
        The rows that are whole, and a refusal for each other one.

    Raises:
        InputError: there is no header, or with `quoted`, a quote is at fault or seems to be.
    """
    _check_header(path, content, names)
    if quoted is not None:
        return _read_quoted(path, content, quoted)
    lines, longest = _measure(content)
    if longest <= MAX_LINE_BYTES:
        try:
            table, ragged = _parse(content)
            if table.num_rows + len(ragged) == lines - 1:
                return table, ragged
        except pa.ArrowInvalid:
            pass  # a quote that is not closed can leave the parser without a row's end, too
    _refuse_quoted_line_ends(path, content)
    kept, broken = _without_broken_lines(path, content)
    table, ragged = _parse(kept)
    if table.num_rows + len(ragged) + len(broken) != lines - 1:
        raise InputError(
            f"{path}: {lines - 1:,} lines follow the header, but only "
            f"{table.num_rows + len(ragged) + len(broken):,} rows can be told apart. Nothing of "
            "it was taken; write the file anew with another program."
        )
    return table, merged(ragged, broken)


def merged(refusals: Sequence[Refusal], skipped: Sequence[Refusal]) -> list[Refusal]:
    """Number refusals as the file does: rows that were skipped before them count too.

    Args:
        refusals: Numbered among the rows that were not skipped, in order.
        skipped: Those that were, numbered as in the file, in order.
    """
    renumbered = []
    before = 0
    for refusal in refusals:
        while before < len(skipped) and skipped[before].row <= refusal.row + before:
            before += 1
        renumbered.append(replace(refusal, row=refusal.row + before))
    return sorted([*renumbered, *skipped], key=lambda refusal: refusal.row)


def _check_header(path: Path, content: memoryview, names: Collection[str]) -> None:
    """Say what is wrong with a first line that names no column, if that is known."""
    begin = bytes(content[:MAX_LINE_BYTES])
    line = next((each for each in _LINE_ENDS.split(begin) if each), None)
    if line is None:
        raise InputError(f"{path} is empty; expected a first line that names its columns.")
    try:
        header = line.decode()
    except UnicodeDecodeError:
        raise InputError(
            f"{path}: the header is not UTF-8. If the file is from Windows, convert it: "
            f"`{conversion('iconv -f WINDOWS-1252 -t UTF-8', path, 'utf8-')}`."
        ) from None
    if excel := re.fullmatch(r'"?sep=(.)"?', header):
        raise InputError(
            f"{path} begins with '{header}', which only Excel understands. Delete this line"
            + ("." if excel[1] == "," else f", and write commas in place of '{excel[1]}'.")
        )
    found = len(set(_split(header, ",")) & set(names))
    for separator, word in _SEPARATORS.items():
        is_parted = len(set(_split(header, separator)) & set(names)) > max(found, 1)
        if is_parted or (not names and _parts_each_line(begin, separator)):
            raise InputError(
                f"{path} is separated by {word}, expected commas"
                + _conversion(path, begin.decode(errors="replace"), separator)
            )


def _parts_each_line(begin: bytes, separator: str) -> bool:
    """Whether it gives the first lines alike many values, and more than commas give the header."""
    lines = [line.decode(errors="replace") for line in _LINE_ENDS.split(begin) if line][:_HEAD]
    counts = {len(_split(line, separator)) for line in lines}
    return len(lines) > 1 and len(counts) == 1 and counts.pop() > len(_split(lines[0], ","))


def _conversion(path: Path, begin: str, separator: str) -> str:
    """How to write a file with commas between its values, and with points in its decimals."""
    read = f"csv.reader(sys.stdin, delimiter={_shown(separator)})"
    words, modules = ".", "csv, sys"
    rows = csv.reader(begin.splitlines()[1:100], delimiter=separator)
    if any(re.fullmatch(_DECIMAL_COMMA, value) for row in rows for value in row):
        words = (
            ", and its decimals have commas, expected points. The command below writes each value "
            "such as 12,50 with a point, in columns of text, too."
        )
        modules = "csv, re, sys"
        read = f'([re.sub(r"^{_DECIMAL_COMMA}$", r"\\1.\\2", x) for x in row] for row in {read})'
    command = f"python3 -c 'import {modules}; csv.writer(sys.stdout).writerows({read})'"
    return f"{words} Convert it: `{conversion(command, path, 'commas-')}`."


def _shown(separator: str) -> str:
    return '"\\t"' if separator == "\t" else f'"{separator}"'


def _split(header: str, separator: str) -> list[str]:
    return next(csv.reader([header], delimiter=separator), [])


def _measure(content: memoryview) -> tuple[int, int]:
    """How many lines that are not empty, and how many bytes the longest has."""
    lines = longest = open_bytes = 0
    for start in range(0, len(content), _PIECE_BYTES):
        piece = np.frombuffer(content[start : start + _PIECE_BYTES], np.uint8)
        ends = np.flatnonzero((piece == ord("\n")) | (piece == ord("\r")))
        if len(ends):
            lengths: npt.NDArray[np.int64] = np.diff(ends, prepend=-1 - open_bytes) - 1
            lines += int(np.count_nonzero(lengths))
            longest = max(longest, int(lengths.max()))
            open_bytes = len(piece) - 1 - int(ends[-1])
        else:
            open_bytes += len(piece)
    return lines + (open_bytes > 0), max(longest, open_bytes)


def _parse(content: memoryview | bytes) -> tuple[pa.Table, list[Refusal]]:
    ragged: list[Refusal] = []

    def refuse(row: pa.csv.InvalidRow) -> str:
        ragged.append(_ragged(row.number - 1, row.actual_columns, row.expected_columns))
        return "skip"  # the header is its row 1

    first = next(each for each in _LINE_ENDS.split(bytes(content[:MAX_LINE_BYTES])) if each)
    names = _split(first.decode(errors="replace"), ",")
    table = pa.csv.read_csv(
        pa.BufferReader(pa.py_buffer(content)),
        # Row numbers need one thread; a block holds the longest line that is taken.
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=2 * MAX_LINE_BYTES),
        parse_options=pa.csv.ParseOptions(invalid_row_handler=refuse),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False
        ),
    )
    return table, ragged


def _ragged(row: int, found: int, expected: int) -> Refusal:
    reason = RefusalReason.MISSING_COLUMN if found < expected else RefusalReason.UNKNOWN_COLUMN
    return Refusal(row, reason, f"expected {expected} values, found {found}")


def _refuse_quoted_line_ends(path: Path, content: memoryview) -> None:
    """Refuse a sound file whose texts have line ends: what lies between them is no row.

    Raises:
        InputError: it is one.
    """
    reader = _strict_reader(content)
    ended_at = 0
    multiline = None
    try:
        for row in reader:
            if any("\n" in value or "\r" in value for value in row):
                multiline = multiline or ended_at + 1
            ended_at = reader.line_num
    except csv.Error:
        return  # a quote is at fault, which its line is refused for
    if multiline is not None:
        raise InputError(
            f"{path}, line {multiline:,}: a text has line ends in quotes. If it should, give "
            "--quoted-newlines; otherwise close the quotes on their line. Nothing of the file was "
            "taken."
        )


def _strict_reader(content: memoryview) -> Any:
    text = io.TextIOWrapper(
        io.BytesIO(content), encoding="utf-8", errors="surrogateescape", newline=""
    )
    return csv.reader(text, strict=True)


def _without_broken_lines(path: Path, content: memoryview) -> tuple[bytes, list[Refusal]]:
    """The lines that are rows on their own, and why each other one is none."""
    kept: list[bytes] = []
    broken: list[Refusal] = []
    row = -1  # of the header, after it was counted
    for number, line in enumerate(_LINE_ENDS.split(bytes(content)), start=1):
        if not line:
            continue
        row += 1
        fault = _line_fault(line, number)
        if fault is None:
            kept.append(line)
        elif row == 0:
            raise InputError(f"{path}: the header is no row of names: {fault[1]}.")
        else:
            broken.append(Refusal(row, *fault))
    return b"".join(line + b"\n" for line in kept), broken  # Arrow reads no header without an end


def _line_fault(line: bytes, number: int) -> tuple[RefusalReason, str] | None:
    if len(line) > MAX_LINE_BYTES:
        return (
            RefusalReason.TOO_LARGE,
            f"line {number:,} has {len(line):,} bytes, at most {MAX_LINE_BYTES:,} are allowed",
        )
    if b'"' in line and not _CLOSED.fullmatch(line):
        return (
            RefusalReason.UNCLOSED_QUOTE,
            f"line {number:,} ends within quotes: {line[:80].decode(errors='replace')!r}; close "
            "them, or give --quoted-newlines if texts in this file have line ends",
        )
    return None


def _read_quoted(
    path: Path, content: memoryview, quoted: Mapping[str, int]
) -> tuple[pa.Table, list[Refusal]]:
    """Rows that may go over several lines, by a parser that takes no malformed quote."""
    reader = _strict_reader(content)
    rows: list[list[str]] = []
    refused: list[Refusal] = []
    names: list[str] = []
    try:
        names = next(row for row in reader if row)
        places = [index for index, name in enumerate(names) if name not in quoted]
        for number, row in enumerate((row for row in reader if row), start=1):
            _refuse_swallowed_rows(path, row, names, quoted, reader.line_num)
            fault = _quoted_fault(row, names, places, number, reader.line_num)
            if fault is None:
                rows.append(row)
            else:
                refused.append(fault)
    except csv.Error as error:
        raise InputError(
            f"{path}, line {reader.line_num:,}: {error}. With line ends in quotes nobody can tell "
            "where the next row begins, so nothing of the file was taken; mend the quotes."
        ) from None
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays = [
        pa.array([value.encode("utf-8", "surrogateescape") for value in column], pa.binary())
        for column in columns
    ]
    return pa.Table.from_arrays(arrays, names=names), refused


def _refuse_swallowed_rows(
    path: Path, row: list[str], names: list[str], quoted: Mapping[str, int], line: int
) -> None:
    """Refuse a text that is too long, or has a row in it: two stray quotes make such a one.

    Raises:
        InputError: it is one.
    """
    for name, value in zip(names, row, strict=False):
        lines = value.splitlines()
        if len(lines) > 1 and (
            len(value) > quoted.get(name, len(value))
            or any(each.count(",") >= len(names) - 1 for each in lines)
        ):
            raise InputError(
                f"{path}, line {line:,}: column '{name}' has a text in quotes of {len(lines):,} "
                f"lines and {len(value):,} characters that holds other rows or is too long for "
                "its column. Nothing of the file was taken; close the quotes, or take the line "
                "ends out of this text."
            )


def _quoted_fault(
    row: list[str], names: list[str], places: list[int], number: int, line: int
) -> Refusal | None:
    if len(row) != len(names):
        return _ragged(number, len(row), len(names))
    for place in places:
        if "\n" in row[place] or "\r" in row[place]:
            return Refusal(
                number,
                RefusalReason.WRONG_TYPE,
                f"column '{names[place]}': a line end in quotes, before line {line:,}, in a "
                "column that is no string",
                names[place],
            )
    return None
