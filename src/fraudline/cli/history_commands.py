"""`dataset`, `load`, `check`: labelled history, from a file into BigQuery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import OUT, progress_bar, say, show_facts, show_table
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Arrow comes with it
    from fraudline.contract import Refusal

MOST_SHOWN = 10


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
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, with the contract's columns.")],
) -> None:
    """Make the history table in BigQuery hold exactly the rows of a file.

    A row that does not fit the contract is not loaded; it is listed with its reason. The
    same file again changes nothing, nor does one of which no row fits.
    """
    load_file(Project(), file)


def load_file(project: Project, file: Path) -> None:
    """Load a file, and say what became of its rows."""
    from fraudline.use_cases.load_history import load_history

    loaded = load_history(project, file)
    show_refusals(loaded.refusals, loaded.account)
    say(
        f"{loaded.table} holds {loaded.rows:,} rows of {file.name}"
        + ("." if loaded.is_new else ": loaded before, nothing to do.")
    )


def show_refusals(refusals: list[Refusal], record: Path) -> None:
    """Name the first refused rows, and where all of them are listed."""
    if not refusals:
        return
    show_table(
        ("row", "reason", "message"),
        ((refusal.row, refusal.reason, refusal.message) for refusal in refusals[:MOST_SHOWN]),
        title=f"{len(refusals):,} rows were refused; all are listed in {record}",
    )


def check() -> None:
    """Print and save a report on the quality of the history in BigQuery.

    Nulls, types, ranges, duplicates, class ratio, and the rows that `load` refused.
    """
    show_check(Project())


def show_check(project: Project) -> None:
    """Check the history table, print the report and save it."""
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
                *(None if value is None else f"{value:.6g}" for value in column.spread),
            )
            for column in report.columns
        ),
        title=report.table,
    )
    show_facts(("ok" if finding.is_ok else "LOOK", finding.text) for finding in report.findings)
    say(f"The report is in {checked.file}.")


COMMANDS = (dataset, load, check)
