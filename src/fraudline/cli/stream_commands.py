"""`replay`, `score`, `sink`: the live road from a topic to BigQuery."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from fraudline import flows
from fraudline.cli.screen import progress_bar, say
from fraudline.use_cases.project import Project


def replay(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet, or .jsonl with a message a line.")],
    rate: Annotated[
        float, typer.Option(min=0, help="Messages a second; 0 is as fast as possible.")
    ] = 1000,
    topic: Annotated[
        str | None, typer.Option(help="Produce to this topic instead of the transactions'.")
    ] = None,
    to_stdout: Annotated[
        bool, typer.Option("--stdout", help="Print the messages instead of producing them.")
    ] = False,
) -> None:
    """Produce the transactions of a file as JSON lines, one object a message.

    Labels are left out: a transaction in flight has none. Lines of a .jsonl file are sent
    as they are.
    """
    project = Project()
    lines = read_lines(project, file)
    if to_stdout:
        for line in lines:
            sys.stdout.buffer.write(line + b"\n")
        return
    from fraudline.stream.broker import require_topics
    from fraudline.stream.produce_lines import produce_lines as produce

    target = topic or project.kafka.topic(flows.TRANSACTIONS)
    require_topics(project.kafka, [target])
    with stop_on_signal() as stop, progress_bar(f"to topic {target}") as bar:
        sent = produce(
            project.kafka,
            target,
            lines,
            key_of=project.contract.key_of,
            rate=rate,
            stop=stop,
            on_sent=lambda count: bar(f"to topic {target}", count, len(lines)),
        )
    say(f"{sent:,} messages are in topic '{target}'.")


def read_lines(project: Project, file: Path) -> list[bytes]:
    """The messages that a file holds."""
    from fraudline.contract import json_lines
    from fraudline.datasets.files import read_transactions
    from fraudline.errors import InputError

    if file.suffix == ".jsonl":
        try:
            return file.read_bytes().splitlines()
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}.") from None
    read = read_transactions(file, project.contract)
    for refusal in read.refusals[:10]:
        say(f"{file}, row {refusal.row} is not sent: {refusal.message}")
    if read.refusals:
        say(f"{len(read.refusals):,} rows of {file} are not sent: they do not fit the contract.")
    names = [column.name for column in project.contract.transaction_columns]
    return json_lines(read.rows.select(names))


def score() -> None:
    """Score every transaction of the topic, exactly once, until stopped.

    Any number of these processes share the topic's partitions. What cannot be decoded goes
    to the topic of rejects, with its reason and the original bytes.
    """
    from fraudline.bundle import open_bundle
    from fraudline.cli.status_line import told
    from fraudline.scoring import Decider, RepeatMemory
    from fraudline.stream.broker import require_topics
    from fraudline.stream.counts import Task
    from fraudline.stream.progress import Progress
    from fraudline.stream.repeat_restore import RepeatRestore
    from fraudline.stream.score_loop import score_loop

    project = Project()
    kafka = project.kafka
    version = project.registry.champion()
    bundle = open_bundle(project.registry.path(version), project.contract)
    require_topics(
        kafka,
        [kafka.topic(flows.TRANSACTIONS), kafka.topic(flows.DECISIONS), kafka.topic(flows.REJECTS)],
    )
    say(f"scoring topic '{kafka.topic(flows.TRANSACTIONS)}' with {version}; stop with Ctrl-C")
    memory = restore = None
    if project.contract.id is not None:
        memory = RepeatMemory(project.contract, project.settings.scoring.repeat_window_offsets)
        restore = RepeatRestore(kafka, memory)
    decider = Decider(bundle, memory)
    # All that exists by now stays: the collector need not look at it again and again.
    gc.freeze()
    progress = Progress(Task.SCORE)
    with stop_on_signal() as stop, told(progress, project.settings.metrics, version):
        score_loop(
            kafka,
            lambda: decider.decide,
            batch_rows=project.settings.scoring.batch_rows,
            stop=stop,
            progress=progress,
            restore=restore,
        )


def sink() -> None:
    """Store decisions, rejects and predictions in BigQuery, exactly once, until stopped.

    Any number of these processes share the topics' partitions.
    """
    from fraudline.cli.status_line import told
    from fraudline.stream.broker import require_topics
    from fraudline.stream.counts import Task
    from fraudline.stream.progress import Progress
    from fraudline.stream.sink_loop import sink_loop
    from fraudline.use_cases.sink_routes import routes
    from fraudline.warehouse.tables import require_tables

    project = Project()
    settings = project.settings
    sources = routes(project)
    require_tables(project.warehouse, [source.table for source in sources])
    topics = [route.topic for route in sources]
    require_topics(project.kafka, topics)
    say(
        f"storing topics {', '.join(topics)} in {settings.bigquery.project}."
        f"{settings.bigquery.dataset}; stop with Ctrl-C"
    )
    progress = Progress(Task.SINK, [source.table for source in sources])
    with stop_on_signal() as stop, told(progress, project.settings.metrics):
        sink_loop(
            project.kafka,
            sources,
            batch_rows=settings.sink.batch_rows,
            commit_interval_ms=settings.sink.commit_interval_ms,
            stop=stop,
            progress=progress,
        )


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets, for as long as the block runs."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


COMMANDS = (replay, score, sink)
