"""`demo`: the whole pipeline on real data, with a proof at its end."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.demo_home import clear, demo_settings, settle
from fraudline.cli.demo_lock import only_demo
from fraudline.cli.history_commands import fetch_dataset, load_file, show_check
from fraudline.cli.proof_commands import prove
from fraudline.cli.screen import OUT, progress_bar, say, warn
from fraudline.cli.service_commands import say_created
from fraudline.cli.version_facts import show_effect
from fraudline.errors import ProofError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Arrow and Google's clients come with them, and take a second to import
    import pyarrow as pa

    from fraudline.reconcile import Ledger
    from fraudline.stream.observed_decisions import ObservedDecisions
    from fraudline.use_cases.run_beside import Command

HISTORY_SHARE = 0.8
_RATE = 2000.0
# So long is a start, whose latency is told apart: a broker that compiles itself as it runs, and
# processes that do all for the first time. Its messages count as all others do.
_START_S = 5.0
_DRAIN_TIMEOUT_S = 120.0

# Sent among the transactions, to be rejected, each with its reason, and to delay nothing.
BROKEN_MESSAGES: tuple[bytes, ...] = (
    b"",
    b"not json",
    b"[1, 2, 3]",
    b'{"Time": 145250',
    b'{"Time": 145250, "Amount": 12.5}',
    b'{"Amount": "12,50"}',
    b'{"card": "4111"}',
    b"\xff\xfe\x00",
)


def demo(
    rate: Annotated[
        float | None,
        typer.Option(min=1, help="Transactions a second to send; 2000, if not given."),
    ] = None,
    is_learning: Annotated[
        bool,
        typer.Option("--learn", help="Show how the model learns of a day whose labels come late."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the services running at the end.")
    ] = False,
) -> None:
    """Do all of it on real data, on this machine: load, train, stream, store, prove.

    Always local, whatever the settings say, in a home of its own beside what is there.
    The first 80 % by time of the creditcard data are the history; a model is trained on
    them. The last 20 %, none of it seen in training, are sent as a live stream, together
    with some broken messages. Ends with exit code 1 if a transaction was lost, doubled or
    altered.

    With --learn: the first day is the history, and the second one flies by at 300 times its
    speed with its labels, each half an hour late. Four columns go missing, and the model learns
    to do without them.
    """
    if is_learning and rate is not None:
        raise typer.BadParameter(
            "--rate does not go with --learn, whose day has a speed of its own."
        )
    project = Project(demo_settings(is_learning=is_learning))
    with only_demo(project.settings.home):
        clear(project)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what it started is stopped then
        try:
            begun_at = time.monotonic()
            settle(project)
            if is_learning:
                _learn(project, begun_at)
            else:
                _run(project, _RATE if rate is None else rate, begun_at)
        finally:
            if not keep:
                _stop(project)


def _run(project: Project, rate: float, begun_at: float) -> None:
    live, _ = _train(project, lambda rows: int(HISTORY_SHARE * rows.num_rows))
    step("Stream")
    seen = _stream(project, live, rate)
    step("Proof")
    ledger = prove(project, _DRAIN_TIMEOUT_S)
    _judge(ledger, live.num_rows)
    _show(project, ledger, seen, live, time.monotonic() - begun_at)


def _learn(project: Project, begun_at: float) -> None:
    from fraudline.cli.demo_learn import first_day, learn_a_day, require_same_again, show_day

    day, first = _train(project, lambda rows: first_day(project, rows))
    step("The second day")
    found = learn_a_day(project, first, day)
    show_day(project, found, time.monotonic() - begun_at)
    require_same_again(found)


def _train(project: Project, cut: Callable[[pa.Table], int]) -> tuple[pa.Table, str]:
    """Everything up to the champion; gives the rows that are not history, and its version.

    Args:
        project: Of the demo.
        cut: Rows in order of time to how many of them are the history.
    """
    from fraudline.use_cases.set_up import start
    from fraudline.use_cases.train_version import train_version

    step("Services")
    start(project, say, say_created)
    step("History")
    live = _load_history(project, cut)
    show_check(project)
    step("Training")
    manifest = train_version(project, "default", test_share=0.0, seed=0, on_progress=say)
    _promote(project, manifest.version)
    return live, manifest.version


def _stop(project: Project) -> None:
    from fraudline.use_cases.local_services import stop

    stop(project, say)


def step(name: str) -> None:
    """Begin a part of the demo on the screen."""
    OUT.rule(f"[bold]{name}", align="left")


def _load_history(project: Project, cut: Callable[[pa.Table], int]) -> pa.Table:
    """Load the first part by time; give the rest, with its labels, which nothing else sees."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fraudline.datasets.files import read_transactions

    rows: pa.Table = read_transactions(fetch_dataset("creditcard"), project.contract).rows
    # Stable: rows of one second stay in the order of the file.
    rows = rows.append_column("row", pa.array(range(rows.num_rows))).sort_by(
        [(project.contract.event_time, "ascending"), ("row", "ascending")]
    )
    rows = rows.drop_columns(["row"])
    count = cut(rows)
    history = project.settings.home / "history.parquet"
    pq.write_table(rows.slice(0, count), history)
    load_file(project, history)
    return rows.slice(count)


def _promote(project: Project, version: str) -> None:
    """Show what the version's policy does, as `promote` does, and let it decide."""
    from fraudline.use_cases.champion import promote

    show_effect(project, version)
    warn(promote(project, version).warning)


@dataclass(frozen=True)
class _Watched:
    """Decisions as they came, of the start and of all that followed."""

    start: ObservedDecisions
    steady: ObservedDecisions

    @property
    def count(self) -> int:
        return self.start.count + self.steady.count

    @property
    def blocked(self) -> int:
        return self.start.blocked + self.steady.blocked

    @property
    def reviewed(self) -> int:
        return self.start.reviewed + self.steady.reviewed


def _stream(project: Project, live: pa.Table, rate: float) -> _Watched:
    """Send the live part while a scorer and a sink run; watch the decisions as they come."""
    lines = _with_broken(_lines(project, live))
    first = min(int(rate * _START_S), len(lines) // 2)
    with running(project, "score"), running(project, "sink"):
        start = _send(project, "start", lines[:first], rate)
        # The rest is sent once what was sent first is stored, too.
        prove(project, _DRAIN_TIMEOUT_S)
        steady = _send(project, "stream", lines[first:], rate)
        # The sink is stopped only when it has stored what was decided.
        prove(project, _DRAIN_TIMEOUT_S)
    return _Watched(start, steady)


def _send(project: Project, name: str, lines: list[bytes], rate: float) -> ObservedDecisions:
    """Send messages, and wait until all that can be decided was seen to be."""
    from fraudline.stream.observed_decisions import observe_decisions
    from fraudline.use_cases.send_file import send_messages

    awaited = sum(line not in BROKEN_MESSAGES for line in lines)
    with observe_decisions(project.kafka) as seen, progress_bar(name) as bar:

        def tell(sent: int) -> None:
            words = (
                f"{name}: sent {sent:,}, decided {seen.count:,}, blocked {seen.blocked}, "
                f"to review {seen.reviewed}"
            )
            bar(words, seen.count, awaited)

        send_messages(project, lines, rate=rate, stop=threading.Event(), on_sent=tell)
        deadline = time.monotonic() + _DRAIN_TIMEOUT_S
        while seen.count < awaited and time.monotonic() < deadline:
            time.sleep(0.05)
            tell(len(lines))
    return seen


def _lines(project: Project, live: pa.Table) -> list[bytes]:
    return project.contract.message_lines(live)


def _with_broken(lines: list[bytes]) -> list[bytes]:
    """The broken messages, spread evenly among the others."""
    gap = len(lines) // (len(BROKEN_MESSAGES) + 1)
    mixed = list(lines)
    for index, message in reversed(list(enumerate(BROKEN_MESSAGES, start=1))):
        mixed.insert(index * gap, message)
    return mixed


@contextmanager
def running(project: Project, command: Command) -> Iterator[Path]:
    """A command of ours in a process beside this one, while the block runs; gives its log."""
    from fraudline.use_cases.run_beside import run_beside

    companion = run_beside(project, command, project.settings.home)
    try:
        say(f"fraudline {command} runs, pid {companion.process.pid}, log {companion.log}")
        yield companion.log
    finally:
        companion.stop()


def _show(project: Project, ledger: Ledger, seen: _Watched, live: pa.Table, took_s: float) -> None:
    """One screen: what was proved, how well fraud was caught, how fast."""
    from rich.panel import Panel
    from rich.table import Table

    from fraudline.settings import ENVIRONMENT_PREFIX
    from fraudline.use_cases.judge_decisions import judge_decisions
    from fraudline.use_cases.list_versions import find_pages

    unit = project.contract.amount_unit
    judged = judge_decisions(project, live)
    home = os.path.relpath(project.settings.home)
    found = shutil.which("fraudline")
    program = (
        "fraudline" if found == sys.argv[0] else os.path.relpath(sys.argv[0], project.settings.home)
    )
    set_here = sorted(name for name in os.environ if name.upper().startswith(ENVIRONMENT_PREFIX))
    unset = f"unset {' '.join(set_here)}, " if set_here else ""
    report = find_pages(project).report
    totals = ledger.totals
    lines = [
        ("Exactly once", f"{totals.inputs:,} messages sent: {totals.decisions:,} decisions "
         f"in BigQuery, {totals.rejects} rejects"),
        ("", totals.disagreements),
        ("Decisions", f"{seen.blocked} blocked, {seen.reviewed} to review, "
         f"{seen.count - seen.blocked - seen.reviewed:,} approved"),
        ("Fraud", f"{judged.frauds_caught} of {judged.frauds} frauds stopped, and "
         f"{judged.legitimate_stopped} of {judged.rows - judged.frauds:,} legitimate payments"),
        ("", f"precision {judged.precision:.3f}, recall {judged.recall:.3f}"),
        ("", f"average precision {judged.average_precision:.3f} "
         f"(95 % bootstrap interval {judged.average_precision_low:.3f} to "
         f"{judged.average_precision_high:.3f})"),
        ("Money", f"{judged.amount_caught:,.2f} {unit} of fraud stopped, "
         f"{judged.amount_missed:,.2f} {unit} missed"),
        ("Speed", f"{seen.steady.rate:,.0f} transactions/s sent and decided; from event to "
         f"decision p50 {seen.steady.latency_ms(50):.0f} ms, p99 "
         f"{seen.steady.latency_ms(99):.0f} ms"),
        ("", f"at the start (the first {seen.start.count:,}): "
         f"p50 {seen.start.latency_ms(50):.0f} ms, p99 {seen.start.latency_ms(99):.0f} ms"),
        ("Time", f"{took_s:.0f} s in all"),
    ]  # fmt: skip
    grid = Table.grid(padding=(0, 2))
    for title, text in lines:
        grid.add_row(f"[bold]{title}", text)
    OUT.print(Panel(grid, title="fraudline demo", title_align="left"))
    OUT.print(
        f"Where to look next: {unset}cd {home}, then\n"  # noqa: S608 - the SQL is for a person to type
        f"  {program} up\n"
        f"  {program} reconcile\n"
        f'  {program} query "SELECT decision, COUNT(*) AS n FROM decisions GROUP BY decision"\n'
        f'  {program} query "SELECT reason, message FROM rejects"\n'
        f"  {program} models ui\n"
        f"  {program} down\n"
        f"The model's report: {os.path.relpath(report)}\n"
        f"How the model learns while the stream runs: {os.path.relpath(sys.argv[0])} demo --learn",
        markup=False,
    )


def _judge(ledger: Ledger, live_rows: int) -> None:
    totals = ledger.totals
    if (
        not ledger.is_exact
        or totals.decisions != live_rows
        or totals.rejects != len(BROKEN_MESSAGES)
    ):
        raise ProofError(
            f"the proof failed: expected {live_rows:,} decisions and {len(BROKEN_MESSAGES)} "
            f"rejects, found {totals.decisions:,} and {totals.rejects}; "
            + "; ".join(ledger.examples)
        )


COMMANDS = (demo,)
