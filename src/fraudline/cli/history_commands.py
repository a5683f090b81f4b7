"""`dataset`, `load`, `check`: labelled history, from a file into BigQuery."""

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


def fetch_dataset(name: str, source: Path | None = None) -> Path:
    """Fetch a data set with a progress bar."""
    from fraudline.use_cases.fetch_dataset import fetch_dataset as fetch

    with progress_bar(f"data set {name}") as bar:
        fetched = fetch(name, source, bar)
    say(f"{fetched.dataset.credit} Licence: {fetched.dataset.licence}.")
    return fetched.path


def load(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet, also as .gz, with the contract's columns.")
    ],
    max_refused: MaxRefused = 1.0,
    quoted_newlines: QuotedNewlines = False,
) -> None:
    """Make the history table in BigQuery hold exactly the rows of a file.

    A row that does not fit the contract is not loaded. Refused rows are told by reason and column,
    with how many of them are labelled fraud. The same file again changes nothing, nor does one of
    which more rows are refused than --max-refused allows.
    """
    load_file(Project(), file, max_refused, quoted_newlines=quoted_newlines)


def load_file(
    project: Project, file: Path, max_refused: float = 1.0, *, quoted_newlines: bool = False
) -> None:
    """Load a file, and say what became of its rows."""
    from fraudline.use_cases.load_history import load_history

    loaded = load_history(
        project,
        file,
        max_refused=max_refused / 100,
        quoted_newlines=quoted_newlines,
        on_read=show_file,
    )
    if loaded.refusals:
        say(f"Each refused row is listed in {loaded.account}.")
    warn(loaded.warning)
    say(
        f"{loaded.table} holds {loaded.rows:,} rows of {file.name}"
        + ("." if loaded.is_new else ": loaded before, nothing to do.")
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
    show_table(
        ("column", "type", "nulls", "out of range", "min", "mean", "max"),
        (
            (
                column.name,
                column.type,
                column.nulls,
                column.out_of_range,
                *(None if value is None else number_words(value) for value in column.spread),
            )
            for column in report.columns
        ),
        title=report.table,
    )
    show_facts(("ok" if finding.is_ok else "LOOK", finding.text) for finding in report.findings)
    say(f"The report is in {checked.file}.")


COMMANDS = (dataset, load, check)
