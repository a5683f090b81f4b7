"""How a command speaks: results to standard output, everything else to standard error."""

from __future__ import annotations

import datetime as dt
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)

_GAP = 2  # between two columns
_LEAST_SENTENCE = 24  # narrower, sentences are hard to read


def say(sentence: str) -> None:
    """A line about what is going on."""
    ERR.print(printable(sentence), markup=False)


def warn(warning: str | None) -> None:
    """Say what did not go as it should and stopped nothing, if there is such a thing."""
    if warning is not None:
        say(f"warning: {warning}")


def show_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    title: str | None = None,
    *,
    cut: str | None = None,
) -> None:
    """A table of results; numbers stand to the right.

    On a narrow screen sentences wrap between words, and nothing else does. What does not fit
    even so is shown row by row, with a column a line.

    Args:
        columns: The heads of the columns.
        rows: A value for each of them.
        title: A line above the table.
        cut: A column whose text is cut where the line ends, so that a row is one line.
    """
    if title is not None:
        OUT.print(Text(printable(title), style="bold"))
    values = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in values]
    widths = _fitted(columns, cells, cut)
    if widths is None:
        _show_records(columns, cells)
        return
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),  # beside the box's own blank
        header_style="bold",
    )
    table.width = sum(widths) + _GAP * (len(widths) - 1)
    for index, (head, width) in enumerate(zip(columns, widths, strict=True)):
        table.add_column(
            head,
            width=width,
            justify="right" if _is_numbers(values, index) else "left",
            overflow="ellipsis" if head == cut else "fold",
            no_wrap=head == cut,
        )
    for row in cells:
        table.add_row(*map(Text, row))
    OUT.print(table)


def _fitted(columns: Sequence[str], cells: list[list[str]], cut: str | None) -> list[int] | None:
    """How wide each column is; None if they do not fit on the screen side by side."""
    rows = [list(columns), *cells]
    widths = [max(_width(row[index]) for row in rows) for index in range(len(columns))]
    limit = _limit()
    room = sum(widths) if limit is None else limit - _GAP * (len(columns) - 1)
    if sum(widths) <= room:
        return widths
    flexible = [
        index
        for index, head in enumerate(columns)
        if widths[index] > _LEAST_SENTENCE
        and (head == cut or any(" " in row[index] for row in cells))
    ]
    room -= sum(width for index, width in enumerate(widths) if index not in flexible)
    # The narrowest first: what one does not need is the others'.
    for left, index in zip(
        range(len(flexible), 0, -1), sorted(flexible, key=widths.__getitem__), strict=True
    ):
        widths[index] = min(widths[index], room // left)
        room -= widths[index]
    return (
        widths if room >= 0 and all(widths[each] >= _LEAST_SENTENCE for each in flexible) else None
    )


def _show_records(columns: Sequence[str], rows: list[list[str]]) -> None:
    for number, row in enumerate(rows, start=1):
        OUT.print(Text(f"row {number} of {len(rows)}", style="bold"))
        show_facts(zip(columns, row, strict=True))
    if not rows:
        show_facts([("no rows of", ", ".join(columns))])


def show_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Names and values, one below the other; on a narrow screen values wrap between words."""
    kept = [(printable(name), printable(value)) for name, value in facts]
    name_width = max((_width(name) for name, _ in kept), default=0)
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    grid.add_column(no_wrap=True, min_width=name_width)
    grid.add_column(overflow="fold")
    if _limit() is None:
        grid.width = name_width + _GAP + max((_width(value) for _, value in kept), default=0)
    for name, value in kept:
        grid.add_row(Text(name), Text(value))
    OUT.print(grid)


def _limit() -> int | None:
    """How wide a line may be; None where nobody looks at a screen."""
    return OUT.width if OUT.is_terminal or "COLUMNS" in os.environ else None


def _width(text: str) -> int:
    return max(map(cell_len, text.split("\n")))


def _is_numbers(rows: list[list[object]], index: int) -> bool:
    found = [row[index] for row in rows if row[index] is not None]
    return bool(rows) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in found
    )


def _cell(value: object) -> str:
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return utc(value, is_exact=True)
    return "NULL" if value is None else printable(str(value))


def utc(at: dt.datetime, *, is_exact: bool = False) -> str:
    """A time as people see it in every command: in UTC, which it says, and to the second."""
    at = at.astimezone(dt.UTC)
    fraction = f".{at.microsecond:06d}" if is_exact and at.microsecond else ""
    return f"{at:%Y-%m-%d %H:%M:%S}{fraction} UTC"


def printable(text: str) -> str:
    """Text of any origin with nothing in it that steers a terminal; its lines stay lines.

    Control characters, marks that turn the direction of writing, invisible ones and halves
    of surrogate pairs are written as escapes.
    """
    return "\n".join(
        line
        if line.isprintable()
        else "".join(
            character
            if character.isprintable()
            else character.encode("unicode_escape").decode("ascii")
            for character in line
        )
        for line in text.split("\n")
    )


class LogFormatter(logging.Formatter):
    """Log lines, with their times in UTC, and nothing in them that steers a terminal.

    They repeat the words of brokers, stores and senders: see `printable`.
    """

    converter = time.gmtime  # type: ignore[assignment]  # typeshed takes it for a method
    default_time_format = "%Y-%m-%d %H:%M:%S"
    default_msec_format = "%s.%03d UTC"

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return printable(super().format(record))


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar; call what it gives with what happens now, how much is done, and how much there is.

    Where nobody knows how much there is, None, what is done is told by number.
    """
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, table_column=Column(max_width=40)),  # gives way to the text
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=ERR,
    ) as progress:
        task = progress.add_task(what, total=None)

        def update(description: str, done: int, total: int | None) -> None:
            told = description if total is not None else f"{description} {done:,}"
            progress.update(task, description=told, completed=done, total=total)

        yield update
