"""`demo --learn`: a day of real payments with late labels, and a model that learns from them.

The stream's own time passes faster, so a *period* of an hour and a half is over in seconds. After
the first one four columns go missing: from then on they come as 0, as after a careless release of
whoever sends them. What was trained before no longer knows most frauds.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fraudline.cli.screen import OUT, progress_bar, say
from fraudline.errors import ProofError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Arrow and Google's clients come with them, and take a second to import
    import pyarrow as pa

    from fraudline.reconcile import Ledger
    from fraudline.stream.observed_decisions import ObservedDecisions
    from fraudline.use_cases.backtest import Backtest, BacktestPeriod

HOUR_S = 3600.0
HISTORY_S = 24 * HOUR_S
"""The first day is the history, the second one flies by."""
SPEED = 300.0
PERIOD_HOURS = 1.5
PERIOD_S = PERIOD_HOURS * HOUR_S / SPEED
LABEL_DELAY = "30min"
MATURITY_S = HOUR_S / SPEED
"""On the clock of the wall: a payment without a label is legitimate after one of its hours."""
CHANGED_COLUMNS, CHANGED_AT_H = ("V4", "V10", "V12", "V14"), 1.5
KEPT_BACK_H = 1.0
"""So much of the day's end is sent after the roll-back."""

_LOOK_EVERY_S = 0.2
_DRAIN_TIMEOUT_S = 120.0
_PICTURE = "learning.png"
_ALARM = re.compile(r"ALARM \((?P<detector>\w+)\): (?P<column>'\w+')?.*")
_QUIET = ("judge ", "watch ")


@dataclass(frozen=True)
class LearnedDay:
    """What came of it.

    Attributes:
        first: The version that was trained on the first day.
        versions: Those that decided, in their order, with how many decisions each.
        seen: Decisions as they came.
        ledger: Each message, accounted for.
        frozen: The whole day through the first version, beside what was decided.
        differing: Decisions that the version which made them does not give again, of all.
        begun_at: When the day began, on the clock of the wall.
        ended_at: When it was over, and the roll-back came.
    """

    first: str
    versions: dict[str, int]
    seen: ObservedDecisions
    ledger: Ledger
    frozen: Backtest
    differing: int
    begun_at: dt.datetime
    ended_at: dt.datetime

    @property
    def changed_at(self) -> dt.datetime:
        """When the columns changed, on the clock of the wall."""
        return self.begun_at + dt.timedelta(seconds=CHANGED_AT_H * HOUR_S / SPEED)

    def hour(self, at: dt.datetime) -> float:
        """The hour of the day that it was at a moment of the clock of the wall."""
        return (at - self.begun_at).total_seconds() * SPEED / HOUR_S

    def periods(self, since: dt.datetime, until: dt.datetime) -> list[BacktestPeriod]:
        """The periods that lie in a time as a whole."""
        return [
            each
            for each in self.frozen.periods
            if since <= each.period.start and each.period.end <= until
        ]


def require_same_again(found: LearnedDay) -> None:
    """Refuse a day of which a decision is not what its version says again.

    Raises:
        ProofError: there is one.
    """
    if found.differing:
        raise ProofError(
            f"{found.differing:,} decisions are not what the version that made them says again; "
            "`fraudline backtest` names them."
        )


def first_day(project: Project, rows: pa.Table) -> int:
    """How many rows, in order of time, are of the first day."""
    return int((project.contract.event_seconds(rows) < HISTORY_S).sum())


def learn_a_day(project: Project, first: str, day: pa.Table) -> LearnedDay:
    """Let the second day fly by, its labels late, while `fraudline learn` runs; then go back.

    Args:
        project: Of the demo, its services running.
        first: The champion, trained on the first day.
        day: The second day in order of time, with its labels.
    """
    from fraudline.cli.demo import running
    from fraudline.stream.observed_decisions import observe_decisions
    from fraudline.use_cases.backtest import backtest

    cut = _rows_before(project, day, 24 - KEPT_BACK_H)
    with (
        running(project, "score"),
        running(project, "sink"),
        running(project, "learn") as log,
        observe_decisions(project.kafka) as seen,
        _relayed(log),
    ):
        say(
            f"{day.num_rows:,} payments of the second day at {SPEED:g} times their speed; the "
            f"label of a fraud comes {LABEL_DELAY} after it, a period is {PERIOD_HOURS:g} h"
        )
        say(f"from hour {CHANGED_AT_H:g} on, {', '.join(CHANGED_COLUMNS)} come as 0")
        time.sleep(PERIOD_S - time.time() % PERIOD_S)  # so that its hours are whole periods
        begun_at = dt.datetime.now(dt.UTC)
        _replay(project, "day", _changed(project, day.slice(0, cut)))
        _wait_for_verdicts(project)
        ended_at = dt.datetime.now(dt.UTC)
        _roll_back(project)
        _replay(project, "after the roll-back", _changed(project, day.slice(cut)))
        ledger = _prove(project)
    say("judging the day again by each version that decided")
    until = dt.datetime.now(dt.UTC)
    versions = _deciding(project)
    again = {version: backtest(project, begun_at, until, version) for version in versions}
    frozen = again[first] if first in again else backtest(project, begun_at, until, first)
    differing = sum(each.differing for each in again.values())
    return LearnedDay(first, versions, seen, ledger, frozen, differing, begun_at, ended_at)


def _rows_before(project: Project, day: pa.Table, hour: float) -> int:
    times = project.contract.event_seconds(day)
    return int((times < times[0] + hour * HOUR_S).sum())


def _changed(project: Project, day: pa.Table) -> pa.Table:
    """The day as it is sent: some columns are 0 from an hour on."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_later = pa.array(project.contract.event_seconds(day) >= HISTORY_S + CHANGED_AT_H * HOUR_S)
    for name in CHANGED_COLUMNS:
        place = day.schema.get_field_index(name)
        values = pc.if_else(is_later, 0.0, day.column(name))
        day = day.set_column(place, day.schema.field(place), values)
    return day


def _replay(project: Project, name: str, rows: pa.Table) -> None:
    """Send payments at their times, and the labels of frauds at theirs."""
    from fraudline.use_cases.replay_with_labels import LabelDelay, plan_replay, send_with_labels

    delay = LabelDelay.parse(LABEL_DELAY)
    plan = plan_replay(project.contract, rows, delay, speed=SPEED, seed=0)
    count = len(plan.transactions)
    with progress_bar(name) as bar:
        send_with_labels(
            project,
            plan,
            on_sent=lambda sent: bar(
                f"{name}: sent {sent.transactions:,}, {sent.labels:,} labels",
                sent.transactions,
                count,
            ),
        )


def _wait_for_verdicts(project: Project) -> None:
    """Until the last period of the day is mature."""
    _prove(project)
    time.sleep(MATURITY_S + PERIOD_S)


def _prove(project: Project) -> Ledger:
    from fraudline.cli.proof_commands import prove

    ledger = prove(project, _DRAIN_TIMEOUT_S)
    if not ledger.is_exact:
        raise ProofError("the proof failed: " + "; ".join(ledger.examples))
    return ledger


def _roll_back(project: Project) -> None:
    """Back to the first version, as a person would who does not like what was promoted."""
    from fraudline.errors import InputError
    from fraudline.use_cases.champion import roll_back

    try:
        done = roll_back(project, by="demo", reason="to show the way back")
    except InputError as error:
        say(f"nothing was promoted that day, so there is no way back to show: {error}")
        return
    say(f"rolled back from {done.before} to {done.version}")


def _deciding(project: Project) -> dict[str, int]:
    """The versions that decided, in the order of their first decisions."""
    from fraudline.use_cases.run_query import run_query

    rows = run_query(
        project,
        "SELECT model_version, COUNT(*) AS decisions FROM decisions "
        "GROUP BY model_version ORDER BY MIN(decided_at)",
    )
    return dict(zip(*(rows.column(index).to_pylist() for index in (0, 1)), strict=True))


@contextmanager
def _relayed(log: Path) -> Iterator[None]:
    """Say what `learn` says, while the block runs, each alarm the first time."""
    over, known = threading.Event(), set[tuple[str, ...]]()

    def relay() -> None:
        with log.open(errors="replace") as lines:
            while not over.wait(_LOOK_EVERY_S):
                for line in iter(lines.readline, ""):
                    alarm = _ALARM.search(line)
                    if line.startswith(_QUIET) or (alarm and alarm.groups() in known):
                        continue
                    if alarm:
                        known.add(alarm.groups())
                    say(f"  learn | {(alarm[0] if alarm else line).rstrip()}")

    thread = threading.Thread(target=relay, name="relay", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def show_day(project: Project, found: LearnedDay, took_s: float) -> None:
    """One screen: what was proved, who decided, and what learning was worth."""
    from rich.panel import Panel
    from rich.table import Table

    from fraudline.measures.policy_effect import counted

    totals = found.ledger.totals
    lines = [
        (
            "Exactly once",
            f"{totals.inputs:,} messages sent: {totals.decisions:,} decisions in BigQuery",
        ),
        ("", totals.disagreements),
        (
            "Not mixed",
            f"of {totals.decisions:,} decisions {found.differing:,} that the version which made "
            "it does not give again to the last bit",
        ),
        *(
            ("" if index else "Decided by", f"{version}: {counted(count, 'decision')}")
            for index, (version, count) in enumerate(found.versions.items())
        ),
        *_late(project, found),
        *_worth(project, found),
        (
            "Speed",
            f"from event to decision p50 {found.seen.latency_ms(50):.0f} ms, "
            f"p99 {found.seen.latency_ms(99):.0f} ms, while it learned and versions changed",
        ),
        ("Time", f"{took_s:.0f} s in all"),
    ]
    grid = Table.grid(padding=(0, 2))
    for title, text in lines:
        grid.add_row(f"[bold]{title}", text)
    OUT.print(Panel(grid, title="fraudline demo --learn", title_align="left"))
    home = os.path.relpath(project.settings.home)
    OUT.print(
        f"The day as a picture: {os.path.relpath(_draw(project, found))}\n"
        f"How it came about: cd {home}, then `fraudline up`, `fraudline models changes`, "
        "`fraudline learning status`, `fraudline learning alarms`",
        markup=False,
    )


def _late(project: Project, found: LearnedDay) -> list[tuple[str, str]]:
    """That learning changed no decision, where it was so."""
    promoted = [
        each.version
        for each in project.registry.changes()
        if each.is_of_champion and each.at >= found.begun_at and each.version != found.first
    ]
    if not promoted:
        return [("LOOK", "no version was proved better in time, so nothing was promoted")]
    return [
        ("LOOK", f"{version} was promoted after the last payment of the day: it decided none")
        for version in promoted
        if version not in found.versions
    ]


def _worth(project: Project, found: LearnedDay) -> list[tuple[str, str]]:
    """What decided beside the first version, before and after the columns changed."""
    from fraudline.cli.learning_words import figure
    from fraudline.measures.policy_effect import money
    from fraudline.measures.prequential import put_together

    unit = project.contract.amount_unit
    lines = []
    for title, since, until in (
        ("Before the change", found.begun_at, found.changed_at),
        ("After it", found.changed_at, found.ended_at),
    ):
        slack = dt.timedelta(seconds=PERIOD_S / 2)  # the day began a moment after its first period
        periods = found.periods(since - slack, until + slack)
        if not periods:
            continue
        decided, frozen = (
            put_together([getattr(each, side)["all"] for each in periods])
            for side in ("then", "now")
        )
        lines.append(
            (
                title,
                f"average precision {figure(decided.average_precision)}, without learning "
                f"{figure(frozen.average_precision)}; cost {money(decided.cost or 0.0)} {unit}, "
                f"without {money(frozen.cost or 0.0)} {unit}",
            )
        )
    return lines


def _draw(project: Project, found: LearnedDay) -> Path:
    """Average precision over the day, what changed it marked."""
    from fraudline.training.charts import Moment, precision_over_time

    periods = found.periods(found.begun_at - dt.timedelta(seconds=PERIOD_S / 2), found.ended_at)
    middle = [found.hour(each.period.start) + PERIOD_HOURS / 2 for each in periods]
    changes = [
        Moment(found.hour(each.at), each.what)
        for each in project.registry.changes()
        if each.at > found.begun_at and each.is_of_champion
    ]
    picture = precision_over_time(
        middle,
        [each.now["all"].average_precision for each in periods],
        [each.then["all"].average_precision for each in periods],
        [Moment(CHANGED_AT_H, f"{len(CHANGED_COLUMNS)} columns go missing"), *changes],
        unit="hour of the day",
    )
    path = project.settings.home / _PICTURE
    path.write_bytes(picture)
    return path
