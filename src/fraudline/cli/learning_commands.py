"""`learn`, `learning`, `backtest`: how decisions turned out, and what others would have been."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.label_commands import AsOf, moment
from fraudline.cli.screen import OUT, progress_bar, say, show_facts, show_table, utc
from fraudline.cli.stop_signal import stop_on_signal
from fraudline.errors import FraudlineError, InputError, ProofError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Google's clients come with them, and take a second to import
    from fraudline.use_cases.run_learning import StepDone

learning = typer.Typer(
    help="What `fraudline learn` found: how decisions turned out, as far as labels have arrived.",
    no_args_is_help=True,
)

LONGEST_STEP_S = 3600.0
"""A query over a large period may take minutes, and none takes an hour."""


def learn() -> None:
    """Watch each period of the stream, judge it as labels arrive, and learn, until stopped.

    It works beside scorers and sinks, from BigQuery alone, and keeps what it finds there. Of what
    it learns it makes versions, and promotes one that is found better, unless learning.promotes is
    false. It may be stopped at any time, and goes on where it was.
    """
    from fraudline.cli.learning_words import length_text
    from fraudline.cli.standstill import ended_at_standstill
    from fraudline.use_cases.learning_steps import BEGUN
    from fraudline.use_cases.run_learning import LearningRun

    run = LearningRun(
        Project(), on_created=lambda table: say(f"created table {table}"), on_done=_say_done
    )
    if run.look is not None:
        say(f"LOOK: {run.look}")
    say(f"{BEGUN} {length_text(run.length_s)}; stop with Ctrl-C")
    with stop_on_signal() as stop, ended_at_standstill(run.progress, LONGEST_STEP_S):
        run.until(stop)


def _say_done(done: StepDone) -> None:
    say(f"{done.step} {done.due.period}, as of {utc(done.due.at)}: {done.said}")


@learning.command("status")
def show_status(
    periods: Annotated[
        int, typer.Option(min=1, max=1000, help="How many of the last periods.")
    ] = 7,
    as_of: AsOf = None,
) -> None:
    """Show how the last periods turned out: each alone, and put together.

    Each payment counts with the score that it was given at the time, and with the label that had
    arrived when its period was judged. What has no label counts as legitimate so far; `open` is
    the share of payments that may still be told to be frauds.
    """
    from fraudline.cli.alarm_words import alarm_facts
    from fraudline.cli.gate_words import calibration_facts, line_facts
    from fraudline.cli.learning_words import (
        judged_row,
        learned_facts,
        retrained_facts,
        rolling_facts,
        rollout_facts,
        what_is_next,
    )
    from fraudline.use_cases.gate_periods import last_gate
    from fraudline.use_cases.learning_status import learning_status
    from fraudline.use_cases.look_at_alarms import look_at_alarms
    from fraudline.use_cases.one_period import other_period
    from fraudline.use_cases.recalibrate_periods import last_calibration
    from fraudline.use_cases.retrain_periods import retrained_rows
    from fraudline.use_cases.update_periods import last_update
    from fraudline.use_cases.widen_rollout import rollout_status

    project = Project()
    look = other_period(project)
    if look is not None:
        say(f"LOOK: {look}")
    found = learning_status(project, most=periods, as_of=as_of)
    watched = alarm_facts(look_at_alarms(project, periods, as_of=as_of))
    watched += learned_facts(last_update(project, found.at))
    watched += retrained_facts(retrained_rows(project, found.at))
    watched += calibration_facts(last_calibration(project, found.at))
    watched += line_facts(last_gate(project, found.at))
    watched += rollout_facts(rollout_status(project, found.at))
    if found.periods:
        show_table(
            ("period", "as of", "decisions", "frauds", "open", "AP", "saved"),
            [judged_row(judged, found.length_s) for judged in found.periods],
        )
        OUT.print()
        show_facts([*rolling_facts(found), *watched, ("next", what_is_next(found))])
    else:
        OUT.print("nothing is judged yet")
        show_facts([*watched, ("next", what_is_next(found))])


@learning.command("alarms")
def show_changes(
    periods: Annotated[
        int, typer.Option(min=1, max=1000, help="How many of the last periods.")
    ] = 28,
) -> None:
    """Show what changed in the stream before any label came: which, how far, since when.

    Each period is compared with what the version that decided was trained on. Exit code 1 while
    an alarm stands.
    """
    from fraudline.cli.alarm_words import show_alarms
    from fraudline.use_cases.look_at_alarms import look_at_alarms

    found = look_at_alarms(Project(), periods)
    show_alarms(found)
    if found.standing:
        raise typer.Exit(1)


@learning.command()
def gate(
    version: Annotated[
        str | None, typer.Argument(help="A challenger; all of them, if none is given.")
    ] = None,
) -> None:
    """Judge challengers beside the champion, by what became known since they were made.

    Both judge the same payments anew, and a period counts once all of it is mature. The verdict is
    kept with the version, and the next one goes on from it. Nothing is promoted. Before them
    stands what `fraudline learn` found last of the champion's own line, whole.
    """
    from fraudline.cli.gate_words import compared_facts, verdict_words, whole_line_facts
    from fraudline.use_cases.gate_periods import last_gate
    from fraudline.use_cases.judge_challenger import judge_challengers
    from fraudline.use_cases.label_rule import other_label_rule
    from fraudline.use_cases.one_period import other_period

    project = Project()
    for look in filter(None, (other_label_rule(project), other_period(project))):
        say(f"LOOK: {look}")
    last = last_gate(project, dt.datetime.now(dt.UTC)) if version is None else None
    if last is not None:
        show_facts(whole_line_facts(last))
        OUT.print()
    with progress_bar("judged") as bar:
        verdicts = judge_challengers(
            project, version, on_judged=lambda count: bar("judged", count, None)
        )
    for verdict in verdicts:
        show_facts(compared_facts(verdict))
        show_table(
            ("met", "condition", "found"),
            [("yes" if each.is_met else "NO", each.name, each.told) for each in verdict.conditions],
        )
        OUT.print(verdict_words(verdict), markup=False)
    if not verdicts:
        say("There is no challenger: `fraudline models challenge VERSION` makes one.")


@learning.command("retrain")
def retrain(
    reason: Annotated[
        str, typer.Option(help="Why, in words; it is kept.")
    ] = "somebody asked for it",
) -> None:
    """Train a new network on all that is known now, and make it a challenger.

    By the champion's recipe, from fresh weights, on the labelled history and what is known of the
    stream, in a process that lets scorers go first. `fraudline learn` judges it, and does the same
    by itself where learning.retrain_every_days or learning.retrain_on_alarm is set. Ends with exit
    code 1 if it fails, and 2 if too little is known.
    """
    from fraudline.use_cases.retrain_periods import retrain_now

    say("training anew on what is known now; that may take minutes")
    answer, told = retrain_now(Project(), reason)
    if answer.fault:
        raise FraudlineError(f"{told}.")
    if answer.version is None:
        raise InputError(
            f"{told}. `fraudline train` trains on the labelled history alone, and `fraudline "
            "models challenge` lets what it makes be judged."
        )
    say(told)


def backtest(
    since: Annotated[
        dt.datetime,
        typer.Option("--from", parser=moment, metavar="TIME", help="From when on, UTC."),
    ],
    until: Annotated[
        dt.datetime,
        typer.Option("--to", parser=moment, metavar="TIME", help="Up to when, UTC; not included."),
    ],
    model: Annotated[
        str | None, typer.Option(help="A version; the champion, if not given.")
    ] = None,
) -> None:
    """Judge again what was decided in a time, by any version, decision by decision.

    From BigQuery, and by the labels that have arrived by now. Ends with exit code 1 if a decision
    of the version's own is another one, in any bit of score, decision, threshold or reasons.
    """
    from fraudline.cli.backtest_words import backtest_facts, backtest_rows
    from fraudline.use_cases.backtest import backtest as judge_again

    with progress_bar("judged again") as bar:
        found = judge_again(
            Project(),
            since,
            until,
            model,
            on_judged=lambda count: bar("judged again", count, None),
        )
    show_table(("", "approved", "reviewed", "blocked", "AP", "cost", "saved"), backtest_rows(found))
    OUT.print()
    show_facts(backtest_facts(found))
    if found.differing:
        raise ProofError(
            f"{found.differing:,} of {found.own:,} decisions that {found.version} made are not "
            "what it says of their transactions now, see above. Either the table of decisions was "
            "altered, which `fraudline reconcile` finds while the topic still has them, or the "
            "version, the contract's columns or this machine's arithmetic did change."
        )


COMMANDS = (learn, backtest)
