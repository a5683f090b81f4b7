"""A file of transactions to a file of predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fraudline.contract import Refusal, json_lines
from fraudline.contract.contract_file import is_brought
from fraudline.datasets.files import MAX_REFUSED, RowFile, read_transactions
from fraudline.errors import InputError
from fraudline.measures.evaluation import Evaluation, evaluate
from fraudline.scoring import as_history, assess
from fraudline.use_cases.open_version import open_version
from fraudline.use_cases.output_file import require_other_file, write_file
from fraudline.use_cases.own_costs import tell_foreign_costs
from fraudline.use_cases.project import Project


@dataclass(frozen=True)
class Predicted:
    """What became of a file's rows.

    Attributes:
        rows: How many predictions were written.
        refusals: Rows that do not fit the contract, and why.
        model_version: The version that scored them.
        evaluation: The predictions held against the file's labels, if these tell anything.
        unjudged: Why they were not, where it has labels; else None.
        look: What a person should know of how it decides, if there is anything.
    """

    rows: int
    refusals: list[Refusal]
    model_version: str
    evaluation: Evaluation | None
    look: str | None = None
    unjudged: str | None = None


def predict_file(
    project: Project,
    file: Path,
    out: Path,
    *,
    max_refused: float = MAX_REFUSED,
    quoted_newlines: bool = False,
    on_read: Callable[[RowFile], None] = lambda _: None,
) -> Predicted:
    """Score a file with the champion and write JSON lines in the history's own columns.

    The label's place holds 1 for what is not approved.

    Args:
        project: Whose champion and contract.
        file: CSV or Parquet, also as gzip, with or without labels.
        out: Where to write the lines.
        max_refused: Share of the rows, 0 to 1, that may be refused; above it nothing is written.
        quoted_newlines: Whether texts of a CSV file may have line ends in quotes.
        on_read: Called with what the file holds before anything else can fail.

    Raises:
        InputError: the file cannot be read, no row of it fits, a row has no score, or `out` is
            `file` or cannot be written.
        RefusedRowsError: more rows were refused than `max_refused`.
        BundleError: there is no champion, or it was altered.
    """
    contract = project.contract
    named = project.settings.contract
    require_other_file(out, file, *([] if is_brought(named) else [Path(named)]))
    read = read_transactions(file, contract, quoted_newlines=quoted_newlines)
    on_read(read)
    read.require_few_refused(max_refused, "Nothing was written.")
    if not read.rows.num_rows:
        raise InputError(
            f"{file} has no row that fits contract '{contract.name}'."
            + "".join(f" Row {each.row}: {each.message}." for each in read.refusals[:1])
        )
    bundle = open_version(project, project.registry.champion())
    assessment = assess(read.rows, bundle)
    lines = json_lines(as_history(read.rows, assessment, contract))
    write_file(out, b"\n".join(lines) + b"\n")
    evaluation = unjudged = None
    if read.is_labelled:
        labels = contract.labels(read.rows)
        if (frauds := int(labels.sum())) in {0, len(labels)}:
            unjudged = (
                f"each label of {file} says {'fraud' if frauds else 'legitimate'}, so how well the "
                "scores tell the two apart cannot be said. A longer period has both."
            )
        else:
            amounts = contract.known_amounts(read.rows)
            evaluation = evaluate(labels, assessment.scores, assessment.thresholds, amounts)
    version = assessment.model_version
    costs = msgspec.structs.asdict(bundle.manifest.policy)
    look = tell_foreign_costs(project, version, costs)
    return Predicted(len(lines), read.refusals, version, evaluation, look, unjudged)
