"""`reconcile`, `query`: what is true in BigQuery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import OUT, say, show_table
from fraudline.errors import ProofError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Google's clients come with it, and take a second to import
    from fraudline.reconcile.label_proof import LabelLedger
    from fraudline.reconcile.ledger import Ledger, LedgerCounts, PartitionLedger

_MOST_ROWS = 100
WITHOUT_ROW = """\
without_row counts every offset between the first and the last row that has
none: messages that are missing, and what producers that use transactions
leave: the marker at each transaction's end, and messages that were aborted.
The ledger above has read the topic: what it does not call missing is the
latter."""


def reconcile(
    wait_s: Annotated[
        float,
        typer.Option(
            "--wait", min=0, help="Wait up to so many seconds for what is still on its way."
        ),
    ] = 0,
    with_sql: Annotated[
        bool,
        typer.Option(
            "--sql", help="Also print SQL that counts the same of payments, and its result."
        ),
    ] = False,
    is_followed: Annotated[
        bool,
        typer.Option(
            "--follow", help="Keep the ledger of payments that come from now on, until Ctrl-C."
        ),
    ] = False,
) -> None:
    """Prove that every input is exactly one decision in BigQuery or one reject; so is each label.

    Offset by offset and value by value. Ends with exit code 1 if anything is missing, doubled,
    differing or unexpected. --sql also counts from the tables alone.

    With --follow: shows how far each stage is while everything runs, and proves what becomes
    complete. Red: a stage is stalled or something is wrong. Ends with exit code 0 if it is green
    when it is stopped.
    """
    project = Project()
    if is_followed:
        from fraudline.cli.live_ledger import follow

        follow(project)
        return
    ledger, labels = prove(project, wait_s), _prove_labels(project, wait_s)
    show_ledger(ledger)
    if with_sql:
        show_ledger_sql(project)
    for line in [*ledger.examples, *ledger.notes]:
        OUT.print(line, markup=False)
    totals = ledger.totals
    sent_again = f" ({totals.sent_again:,} of them sent again)" if totals.sent_again else ""
    OUT.print(
        f"{totals.inputs:,} inputs: {totals.decisions:,} decisions, "
        f"{totals.rejects:,} rejects{sent_again}\n{totals.disagreements}",
        markup=False,
    )
    _show_labels(project, labels)
    OUT.print(taken_on_trust(totals), markup=False)
    if not ledger.is_exact:
        why = (
            "Rows are there that cannot be told to be of this topic's messages: the lines above "
            "the totals say why, and what to do."
            if ledger.notes
            else "What is missing may still be on its way: check that `fraudline score` and "
            "`fraudline sink` run, or give `--wait 30`."
        )
        raise ProofError(
            f"topic '{ledger.topic}' and BigQuery disagree: {totals.disagreements}. {why}"
        )
    if labels is not None and not labels.is_exact:
        raise ProofError(
            f"topic '{labels.topic}' and BigQuery disagree: {labels.disagreements}. What is "
            "missing may still be on its way: check that `fraudline sink` runs, or give "
            "`--wait 30`."
        )


def _prove_labels(project: Project, wait_s: float) -> LabelLedger | None:
    from fraudline.use_cases.prove_stream import prove_labels

    return prove_labels(
        project, wait_s, lambda missing: say(f"{missing:,} labels are still on their way …")
    )


def _show_labels(project: Project, labels: LabelLedger | None) -> None:
    from fraudline import flows

    if labels is None:
        say(
            f"LOOK: labels were not checked, since topic '{project.kafka.topic(flows.LABELS)}' is "
            "not there, or may not be seen. `fraudline setup` creates it."
        )
        return
    for example in labels.examples:
        OUT.print(f"labels: {example}", markup=False)
    OUT.print(
        f"{labels.inputs:,} labels sent: {labels.labels:,} stored, {labels.rejects:,} rejects; "
        f"{labels.disagreements}",
        markup=False,
    )
    if labels.earlier:
        say(
            f"{labels.earlier:,} rows more are of a topic '{labels.topic}' that was deleted since: "
            "they stay, and were not checked."
        )


def taken_on_trust(totals: LedgerCounts) -> str:
    """What no proof can tell from a forgery, in lines of a narrow screen."""
    unseen = (
        f",\nand {totals.unseen:,} rejects that only a score, a position or another message shows"
        if totals.unseen
        else ""
    )
    return (
        f"Taken on trust: scores, decisions and their reasons{unseen}.\n"
        "Whoever may write to topics or tables could have forged those:\n"
        "docs/guides/operations.md says who should."
    )


def show_ledger(ledger: Ledger) -> None:
    """Print a line for each partition, with a column for each kind of disagreement there is."""
    totals = ledger.totals
    columns: list[tuple[str, Callable[[PartitionLedger], int]]] = [
        ("part", lambda entry: entry.partition),
        ("from", lambda entry: entry.first_offset),
        ("to", lambda entry: entry.end_offset),
        ("inputs", lambda entry: entry.counts.inputs),
        ("decided", lambda entry: entry.counts.decisions),
        ("rejected", lambda entry: entry.counts.rejects),
    ]
    if totals.missing:
        columns.append(("missing", lambda entry: entry.counts.missing))
    if totals.doubled:
        columns.append(("doubled", lambda entry: entry.counts.doubled))
    if totals.differing:
        columns.append(("differing", lambda entry: entry.counts.differing))
    if totals.unexpected:
        columns.append(("unexpected", lambda entry: entry.counts.unexpected))
    show_table(
        [head for head, _ in columns],
        ([value(entry) for _, value in columns] for entry in ledger.partitions),
        title=f"topic '{ledger.topic}'",
    )


def prove(project: Project, wait_s: float) -> Ledger:
    """Reconcile, and say how much is on its way while it waits for that."""
    from fraudline.use_cases.prove_stream import prove_stream

    return prove_stream(
        project, wait_s, lambda missing: say(f"{missing:,} are still on their way …")
    )


def show_ledger_sql(project: Project) -> None:
    """Print the SQL that counts the same from the tables alone, and what it gives."""
    from fraudline.use_cases.prove_stream import count_by_sql

    counted = count_by_sql(project)
    OUT.print(f"The same by SQL alone:\n\n{counted.sql}\n", markup=False)
    rows = counted.rows
    show_table(rows.column_names, (list(row.values()) for row in rows.to_pylist()))
    if any(row["without_row"] for row in rows.to_pylist()):
        OUT.print(WITHOUT_ROW, markup=False)


def query(
    sql: Annotated[str, typer.Argument(help="GoogleSQL; table names need no data set in front.")],
    most_rows: Annotated[
        int, typer.Option("--rows", min=1, help="Most rows to print.")
    ] = _MOST_ROWS,
) -> None:
    """Run SQL in BigQuery and print the result: a table, or row by row if it is too wide."""
    from fraudline.use_cases.run_query import run_query

    answer = run_query(Project(), sql)
    shown = answer.slice(0, most_rows)
    show_table(answer.column_names, (list(row.values()) for row in shown.to_pylist()))
    if answer.num_rows > most_rows:
        say(f"{answer.num_rows - most_rows:,} more rows; `--rows` shows more.")


COMMANDS = (reconcile, query)
