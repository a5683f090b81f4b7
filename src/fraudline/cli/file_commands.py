"""`predict`, `verify`: the tutorial's batch road, a file of predictions and its check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import OUT, say, show_table
from fraudline.errors import ProofError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # brings Arrow
    from fraudline.contract import Refusal


def predict(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, with or without labels.")],
    out: Annotated[Path, typer.Option(help="Where to write the JSON lines.")],
) -> None:
    """Score a file with the champion and write JSON lines in the history's own columns.

    The label's place holds 1 for what is not approved. Where the file has labels, the
    classification report, the confusion matrix and the accuracy are printed.
    """
    from fraudline import flows
    from fraudline.use_cases.predict_file import predict_file

    def say_refused(refusals: list[Refusal]) -> None:
        for refusal in refusals[:10]:
            say(f"{file}, row {refusal.row} is not scored: {refusal.message}")

    project = Project()
    found = predict_file(project, file, out, say_refused)
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
    refused = f"; {len(found.refusals):,} rows did not fit the contract" if found.refusals else ""
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
