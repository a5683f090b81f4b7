"""`replay`, `score`, `sink`: the live road from a topic to BigQuery."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fraudline.cli.file_options import MaxRefused, QuotedNewlines, show_file
from fraudline.cli.screen import progress_bar, say
from fraudline.cli.stop_signal import stop_on_signal
from fraudline.use_cases.project import Project


def replay(
    file: Annotated[
        Path,
        typer.Argument(help="CSV, Parquet, or .jsonl with a message a line; each also as .gz."),
    ],
    rate: Annotated[
        float, typer.Option(min=0, help="Messages a second; 0 is as fast as possible.")
    ] = 1000,
    topic: Annotated[
        str | None, typer.Option(help="Produce to this topic instead of the transactions'.")
    ] = None,
    to_stdout: Annotated[
        bool, typer.Option("--stdout", help="Print the messages instead of producing them.")
    ] = False,
    max_refused: MaxRefused = 1.0,
    quoted_newlines: QuotedNewlines = False,
) -> None:
    """Produce the transactions of a file as JSON lines, one object a message.

    Labels are left out: a transaction in flight has none. Lines of a .jsonl file are sent
    as they are.
    """
    from fraudline import flows
    from fraudline.use_cases.send_file import read_messages, send_messages

    project = Project()
    found = read_messages(
        project,
        file,
        max_refused=max_refused / 100,
        quoted_newlines=quoted_newlines,
        on_read=show_file,
    )
    if to_stdout:
        for line in found.lines:
            sys.stdout.buffer.write(line + b"\n")
        return
    target = topic or project.kafka.topic(flows.TRANSACTIONS)
    with stop_on_signal() as stop, progress_bar(f"to topic {target}") as bar:
        sent = send_messages(
            project,
            found.lines,
            topic=target,
            rate=rate,
            stop=stop,
            on_sent=lambda count: bar(f"to topic {target}", count, len(found.lines)),
        )
    say(f"{sent:,} messages are in topic '{target}'.")


def score() -> None:
    """Score every transaction of the topic, exactly once, until stopped.

    Any number of these processes share the topic's partitions. What cannot be decoded goes
    to the topic of rejects, with its reason and the original bytes.
    """
    from fraudline.cli.standstill import ended_at_standstill
    from fraudline.cli.status_line import status_lines
    from fraudline.use_cases.run_scorer import ScorerRun

    project = Project()
    scorer = ScorerRun(project)
    if scorer.look is not None:
        say(f"LOOK: {scorer.look}")
    say(f"scoring topic '{scorer.topic}' with {scorer.version}; stop with Ctrl-C")
    progress = scorer.progress
    with (
        stop_on_signal() as stop,
        status_lines(progress, project.settings.metrics),
        ended_at_standstill(progress),
    ):
        scorer.until(stop)


def sink() -> None:
    """Store decisions, rejects and predictions in BigQuery, exactly once, until stopped.

    Any number of these processes share the topics' partitions.
    """
    from fraudline.cli.standstill import ended_at_standstill
    from fraudline.cli.status_line import status_lines
    from fraudline.use_cases.run_sink import SinkRun

    project = Project()
    sink_run = SinkRun(project)
    bigquery = project.settings.bigquery
    say(
        f"storing topics {', '.join(sink_run.topics)} in {bigquery.project}.{bigquery.dataset}; "
        "stop with Ctrl-C"
    )
    progress = sink_run.progress
    with (
        stop_on_signal() as stop,
        status_lines(progress, project.settings.metrics),
        ended_at_standstill(progress),
    ):
        sink_run.until(stop)


COMMANDS = (replay, score, sink)
