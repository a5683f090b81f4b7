"""`predict`, `verify`: the tutorial's batch road, a file of predictions and its check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fraudline.cli.file_options import MaxRefused, QuotedNewlines, show_file
from fraudline.cli.screen import OUT, say, show_table
from fraudline.errors import ProofError
from fraudline.use_cases.project import Project


def predict(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet, also as .gz, with or without labels.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write the JSON lines.")],
    max_refused: MaxRefused = 1.0,
    quoted_newlines: QuotedNewlines = False,
) -> None:
    """Score a file with the champion and write JSON lines in the history's own columns.

    The label's place holds 1 for what is not approved. Where the file has labels, the
    classification report, the confusion matrix and the accuracy are printed.
    """
    from fraudline import flows
    from fraudline.use_cases.predict_file import predict_file

    project = Project()
    found = predict_file(
        project,
        file,
        out,
        max_refused=max_refused / 100,
        quoted_newlines=quoted_newlines,
        on_read=show_file,
    )
    if found.look is not None:
        say(f"LOOK: {found.look}")
    if found.unjudged is not None:
        say(f"LOOK: {found.unjudged}")
    if found.evaluation is not None:
        evaluation = found.evaluation
        OUT.print(evaluation.classification_report, markup=False)
        show_table(
            ("", "approved", "not approved"),
            [
                ("legitimate", evaluation.legitimate_approved, evaluation.legitimate_stopped),
                ("fraud", evaluation.frauds_missed, evaluation.frauds_caught),
            ],
            title="confusion matrix",
        )
        OUT.print(f"accuracy {evaluation.accuracy:.6f}")
    topic = project.settings.kafka.topic(flows.PREDICTIONS)
    refused = f"; {len(found.refusals):,} rows were refused" if found.refusals else ""
    say(
        f"{found.rows:,} predictions of {found.model_version} are in {out}{refused}. "
        f"Send them with `fraudline replay {out} --topic {topic}`."
    )


def verify(
    file: Annotated[Path, typer.Argument(help="The JSON lines that `predict` wrote.")],
) -> None:
    """Check, row by row, that BigQuery's table of predictions holds what a file holds.

    Ends with exit code 1 if a row is missing, doubled or differing.
    """
    from fraudline import flows
    from fraudline.use_cases.verify_file import verify_file

    project = Project()
    result = verify_file(project, file)
    for example in result.examples:
        OUT.print(example, markup=False)
    show_table(
        ("rows in the file", "rows in the table", "missing", "surplus"),
        [(result.rows, result.stored, result.missing, result.surplus)],
    )
    if not result.is_exact:
        raise ProofError(
            f"{file} and table '{project.settings.bigquery.table(flows.PREDICTIONS)}' disagree: "
            f"{result.missing} rows are missing, {result.surplus} are surplus. Rows may still be "
            "on their way; check that `fraudline sink` runs."
        )


COMMANDS = (predict, verify)
