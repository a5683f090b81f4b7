"""`dataset`, `generate`, `load`, `check`: labelled history, from a file into BigQuery."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fraudline.cli.file_options import MaxRefused, QuotedNewlines, show_file
from fraudline.cli.screen import OUT, progress_bar, say, show_facts, show_table, warn
from fraudline.use_cases.project import Project


def dataset(
    name: Annotated[str, typer.Argument(help="Name of the data set: creditcard.")],
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Take it from this file, if you have it already."),
    ] = None,
) -> None:
    """Fetch a public data set, verify it, and print the path of its file.

    It is kept in your cache directory and shared by all projects. A fetch that was cut
    short goes on where it stopped.
    """
    OUT.print(fetch_dataset(name, source))


def generate(
    file: Annotated[Path, typer.Argument(help="Where to: a new .csv or .parquet.")],
    rows: Annotated[int, typer.Option(help="How many payments.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same file.")] = 1,
) -> None:
    """Write made-up card payments to a file, to try things with where you have no table.

    They have customers, cards, merchants, places, categories, missing values, four kinds of fraud,
    and a change from day 60 on. What is learned of them says nothing about real fraud.
    """
    from fraudline.use_cases.generate_payments import generate_payments

    made = generate_payments(file, rows, seed)
    say(
        f"{made.rows:,} payments that nobody made are in {made.file}, {made.frauds:,} of them "
        f"fraud. Go on with `fraudline contract init {made.file}`."
    )


def fetch_dataset(name: str, source: Path | None = None) -> Path:
    """Fetch a data set with a progress bar."""
    from fraudline.use_cases.fetch_dataset import fetch_dataset as fetch

    with progress_bar(f"data set {name}") as bar:
        fetched = fetch(name, source, bar)
    say(f"{fetched.dataset.credit} Licence: {fetched.dataset.licence}.")
    return fetched.path


def load(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="CSV or Parquet, also as .gz, with the contract's columns; a folder of them, or a "
            "pattern in quotes."
        ),
    ],
    append: Annotated[
        bool,
        typer.Option("--append", help="Keep the rows that are there, and add those of the files."),
    ] = False,
    max_refused: MaxRefused = 1.0,
    quoted_newlines: QuotedNewlines = False,
) -> None:
    """Make the history table in BigQuery hold exactly the rows of the files, or add them.

    A row that does not fit the contract is not loaded. Refused rows are told by file, reason and
    column, with how many of them are labelled fraud. The same files again change nothing, nor do
    files of which more rows are refused than --max-refused allows.
    """
    load_file(Project(), files, max_refused, append=append, quoted_newlines=quoted_newlines)


def load_file(
    project: Project,
    files: Path | list[Path],
    max_refused: float = 1.0,
    *,
    append: bool = False,
    quoted_newlines: bool = False,
) -> None:
    """Load files, and say what became of their rows."""
    from fraudline.use_cases.load_history import load_history

    loaded = load_history(
        project,
        files,
        append=append,
        max_refused=max_refused / 100,
        quoted_newlines=quoted_newlines,
        on_read=show_file,
        on_note=lambda note: say(f"note: {note}."),
    )
    if loaded.refusals:
        say(f"Each refused row is listed in {loaded.account}.")
    warn(loaded.warning)
    named = loaded.files[0].name if len(loaded.files) == 1 else f"{len(loaded.files):,} files"
    if not append:
        say(
            f"{loaded.table} holds {loaded.rows:,} rows of {named}"
            + ("." if loaded.is_new else ": loaded before, nothing to do.")
        )
        return
    for known in loaded.known:
        say(f"{known} is in {loaded.table} already: nothing was added of it.")
    new = len(loaded.files) - len(loaded.known)
    say(
        f"{loaded.table} holds {loaded.rows:,} rows, {loaded.added:,} of them added now"
        + (f" from {named if new == len(loaded.files) else f'{new:,} of {named}'}." if new else ".")
    )


def check() -> None:
    """Print and save a report on the quality of the history in BigQuery.

    Nulls, types, ranges, duplicates, ids, class ratio, leaks of the label, event times, amounts,
    and the rows that `load` refused.
    """
    show_check(Project())


def show_check(project: Project) -> None:
    """Check the history table, print the report and save it."""
    from fraudline.contract.number_words import number_words
    from fraudline.use_cases.check_history import check_history

    checked = check_history(project)
    report = checked.report
    has_outside = any(column.out_of_range for column in report.columns)
    show_table(
        (
            "column",
            "type",
            "nulls",
            *(["out of range"] if has_outside else []),
            "min",
            "mean",
            "max",
        ),
        (
            (
                column.name,
                column.type,
                column.nulls,
                *([column.out_of_range] if has_outside else []),
                *("" if value is None else number_words(value, 7) for value in column.spread),
            )
            for column in report.columns
        ),
        title=report.table,
    )
    show_facts(("ok" if finding.is_ok else "LOOK", finding.text) for finding in report.findings)
    say(f"The report is in {checked.file}.")


COMMANDS = (dataset, generate, load, check)
