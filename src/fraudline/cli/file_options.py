"""What commands that read a file have in common: options, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import say

if TYPE_CHECKING:  # Arrow comes with it
    from fraudline.datasets.files import RowFile

MaxRefused = Annotated[
    float,
    typer.Option(
        min=0,
        max=100,
        help="Percent of the rows that may be refused; above it nothing is done, with exit code 1.",
    ),
]
QuotedNewlines = Annotated[
    bool,
    typer.Option("--quoted-newlines", help="Texts of a CSV file may have line ends in quotes."),
]


def show_file(read: RowFile) -> None:
    """Say what was assumed of a file, and which of its rows were refused for which reason."""
    for note in read.notes:
        say(f"note: {read.path}, {note}.")
    if not read.refusals:
        return
    say(
        f"{len(read.refusals):,} of {read.row_count:,} rows of {read.path} were refused "
        f"({100 * read.refused_share:.3g} %):"
    )
    for group in read.groups:
        labels = ""
        if read.is_labelled:  # where a row is cut short, even its label cannot be read
            labels = f", {group.frauds:,} of them labelled fraud"
            if group.unlabelled:
                labels += f", {group.unlabelled:,} without a label that can be read"
        say(
            f"  {group.rows:,} ({100 * group.rows / read.row_count:.3g} %) {group.reason}"
            f"{labels}; the first is row {group.first.row}: {group.first.message}"
        )
