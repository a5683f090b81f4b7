"""`predict`, `verify`: the tutorial's batch road, a file of predictions and its check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fraudline import flows
from fraudline.cli.screen import OUT, say, show_table
from fraudline.errors import InputError, ProofError
from fraudline.use_cases.project import Project


def predict(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, with or without labels.")],
    out: Annotated[Path, typer.Option(help="Where to write the JSON lines.")],
) -> None:
    """Score a file with the champion and write JSON lines in the history's own columns.

    The label's place holds 1 for what is not approved. Where the file has labels, the
    classification report, the confusion matrix and the accuracy are printed.
    """
    from fraudline.bundle import open_bundle
    from fraudline.contract import json_lines
    from fraudline.datasets.files import read_transactions
    from fraudline.scoring import as_history, assess

    project = Project()
    contract = project.contract
    read = read_transactions(file, contract)
    for refusal in read.refusals[:10]:
        say(f"{file}, row {refusal.row} is not scored: {refusal.message}")
    if not read.rows.num_rows:
        raise InputError(f"{file} has no row that fits contract '{contract.name}'.")
    bundle = open_bundle(project.registry.path(project.registry.champion()), contract)
    assessment = assess(read.rows, bundle)
    lines = json_lines(as_history(read.rows, assessment, contract))
    try:
        out.write_bytes(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.") from None
    if read.is_labelled:
        from fraudline.measures.evaluation import evaluate

        evaluation = evaluate(
            contract.labels(read.rows),
            assessment.scores,
            assessment.thresholds,
            contract.amounts(read.rows),
        )
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
    say(
        f"{len(lines):,} predictions of {assessment.model_version} are in {out}"
        f"{f'; {len(read.refusals):,} rows did not fit the contract' if read.refusals else ''}. "
        f"Send them with `fraudline replay {out} --topic {topic}`."
    )


def verify(
    file: Annotated[Path, typer.Argument(help="The JSON lines that `predict` wrote.")],
) -> None:
    """Check, row by row, that BigQuery's table of predictions holds what a file holds.

    Ends with exit code 1 if a row is missing, doubled or differing.
    """
    import pyarrow as pa

    from fraudline.contract import Decoder
    from fraudline.reconcile import verify_predictions as compare

    project = Project()
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    rows, _, rejects = Decoder(project.contract.columns).decode(lines)
    if rejects:
        raise InputError(
            f"{file}, line {rejects[0].index + 1} is not a prediction: {rejects[0].message}. "
            "Give a file that `fraudline predict` wrote."
        )
    result = compare(project.warehouse, project.contract, pa.Table.from_batches([rows]))
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
