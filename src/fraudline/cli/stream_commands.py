"""`replay`, `score`, `sink`: the live road from a topic to BigQuery."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fraudline.cli.file_options import MaxRefused, QuotedNewlines, show_file
from fraudline.cli.screen import progress_bar, say
from fraudline.cli.stop_signal import end_if_cut_short, stop_on_signal
from fraudline.use_cases.project import Project

_RATE = 1000
_DELAY = "lognormal(median=6h, sigma=0.8)"
_SPEED = 600.0
_LATE_S = 1.0


def replay(
    file: Annotated[
        Path,
        typer.Argument(help="CSV, Parquet, or .jsonl with a message a line; each also as .gz."),
    ],
    rate: Annotated[
        float | None,
        typer.Option(
            min=0, help="Messages a second; 0 is as fast as possible. 1000, if not given."
        ),
    ] = None,
    topic: Annotated[
        str | None, typer.Option(help="Produce to this topic instead of the transactions'.")
    ] = None,
    to_stdout: Annotated[
        bool, typer.Option("--stdout", help="Print the messages instead of producing them.")
    ] = False,
    max_refused: MaxRefused = 1.0,
    quoted_newlines: QuotedNewlines = False,
    with_labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help="By event time, and each fraud's label after its delay, to the topic of labels.",
        ),
    ] = False,
    delay: Annotated[
        str | None,
        typer.Option(
            help="With --labels: how late, in event time: 6h, or "
            "'lognormal(median=6h, sigma=0.8)', which it is if not given."
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(
            min=1e-3,
            max=1e9,
            help="With --labels: seconds of event time in one. 600, if not given.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="With --labels: of the delays. 0, if not given.")
    ] = None,
) -> None:
    """Produce the transactions of a file as JSON lines, one object a message.

    Labels are left out: a transaction in flight has none. Lines of a .jsonl file are sent
    as they are.

    With --labels: at their event times, faster than they happened, and for each fraud a label of
    source `test`, so much later. What is never labelled was legitimate.
    """
    from fraudline import flows
    from fraudline.use_cases.send_file import read_messages, send_messages

    if with_labels:
        if rate is not None or to_stdout:
            raise typer.BadParameter("--rate and --stdout do not go with --labels.")
        _replay_with_labels(
            file,
            delay or _DELAY,
            topic,
            speed=_SPEED if speed is None else speed,
            seed=seed or 0,
            max_refused=max_refused,
            quoted_newlines=quoted_newlines,
        )
        return
    if (delay, speed, seed) != (None, None, None):
        raise typer.BadParameter("--delay, --speed and --seed go with --labels only.")
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
            rate=_RATE if rate is None else rate,
            stop=stop,
            on_sent=lambda count: bar(f"to topic {target}", count, len(found.lines)),
        )
    say(f"{sent:,} messages are in topic '{target}'.")
    left = len(found.lines) - sent
    end_if_cut_short(f"the {left:,} messages after them were not sent." if left else None)


def _replay_with_labels(
    file: Path,
    delay: str,
    topic: str | None,
    *,
    speed: float,
    seed: int,
    max_refused: float,
    quoted_newlines: bool,
) -> None:
    from fraudline.use_cases.replay_with_labels import read_plan, send_with_labels

    project = Project()
    plan = read_plan(
        project,
        file,
        delay,
        speed=speed,
        seed=seed,
        max_refused=max_refused / 100,
        quoted_newlines=quoted_newlines,
        on_read=show_file,
    )
    count, labels = len(plan.transactions), len(plan.delays_s)
    say(
        f"{count:,} transactions and {labels:,} labels (delay {delay}, seed {seed}) at {speed:g} "
        f"times their speed: {plan.ends_s:,.0f} s"
    )
    with stop_on_signal() as stop, progress_bar("transactions and labels") as bar:
        done = send_with_labels(
            project,
            plan,
            topic=topic,
            stop=stop,
            on_sent=lambda sent: bar(
                "transactions and labels", sent.transactions + sent.labels, count + labels
            ),
        )
    if done.late_s > _LATE_S:
        say(
            f"LOOK: messages were up to {done.late_s:.1f} s later than their times; this machine "
            "or the broker could not keep up. Give a lower --speed."
        )
    left = count + labels - done.transactions - done.labels
    say(f"{done.transactions:,} transactions and {done.labels:,} labels were sent.")
    end_if_cut_short(f"the other {left:,} messages were not sent." if left else None)


def score() -> None:
    """Score every transaction of the topic, exactly once, until stopped.

    Any number of these processes share the topic's partitions. What cannot be decoded goes
    to the topic of rejects, with its reason and the original bytes.

    It decides with the champion. One that is promoted or rolled back to meanwhile takes over within
    two seconds, between two transactions; one that cannot be opened is refused, and the one before
    goes on.
    """
    from fraudline.cli.standstill import ended_at_standstill
    from fraudline.cli.status_line import status_lines
    from fraudline.use_cases.run_scorer import ScorerRun

    project = Project()
    scorer = ScorerRun(project)
    if scorer.look is not None:
        say(f"LOOK: {scorer.look}")
    say(f"scoring topic '{scorer.topic}' with {scorer.decided_by}; stop with Ctrl-C")
    progress = scorer.progress
    with (
        stop_on_signal() as stop,
        status_lines(progress, project.settings.metrics),
        ended_at_standstill(progress),
    ):
        scorer.until(stop, say)


def sink() -> None:
    """Store decisions, rejects, labels and predictions in BigQuery, exactly once, until stopped.

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
