"""How a command speaks: results to standard output, everything else to standard error."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def say(sentence: str) -> None:
    """A line about what is going on."""
    ERR.print(printable(sentence), markup=False)


def warn(warning: str | None) -> None:
    """Say what did not go as it should and stopped nothing, if there is such a thing."""
    if warning is not None:
        say(f"warning: {warning}")


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None
) -> None:
    """A table of results; numbers stand to the right."""
    kept = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", header_style="bold")
    for index, column in enumerate(columns):
        is_number = bool(kept) and all(
            isinstance(row[index], int | float) and not isinstance(row[index], bool)
            for row in kept
            if row[index] is not None
        )
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in kept:
        table.add_row(*(Text(_cell(value)) for value in row))
    OUT.print(table)


def _cell(value: object) -> str:
    return "NULL" if value is None else printable(str(value))


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


class PrintableFormatter(logging.Formatter):
    """Log lines repeat the words of brokers, stores and senders: see `printable`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with nothing in it that steers a terminal."""
        return printable(super().format(record))


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar; call what it gives with what happens now, how much is done, and how much there is."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=ERR,
    ) as progress:
        task = progress.add_task(what, total=None)

        def update(description: str, done: int, total: int) -> None:
            progress.update(task, description=description, completed=done, total=total)

        yield update
