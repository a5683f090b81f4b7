"""`reconcile --follow`: the ledger on the screen while everything runs."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fraudline.cli.screen import OUT, printable, utc
from fraudline.cli.stop_signal import stop_on_signal
from fraudline.errors import ProofError
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Google's clients come with it, and take a second to import
    from fraudline.reconcile import FollowStatus

_DRAW_EVERY_S = 0.5
_LINE_EVERY_S = 5.0
_STYLES = {
    "green": "bold green",
    "idle": "bold blue",
    "moving": "bold yellow",
    "red": "bold red",
}
_MOVING = "messages are on their way, and every stage with work to do makes progress"
_IDLE = "nothing has come since it was started, so nothing was proved"


def follow(project: Project) -> None:
    """Show the ledger until Ctrl-C: a live table, or lines where there is no terminal.

    Raises:
        ProofError: it was not green at the end.
    """
    from fraudline.use_cases.prove_stream import follow_stream

    with stop_on_signal() as stop, follow_stream(project) as follower:
        if OUT.is_terminal:
            with Live(console=OUT, auto_refresh=False) as live:
                while not stop.wait(_DRAW_EVERY_S):
                    live.update(_screen(follower.status()), refresh=True)
        else:
            last_colour, printed_at = None, 0.0
            while not stop.wait(_DRAW_EVERY_S):
                status = follower.status()
                if status.colour != last_colour or time.monotonic() - printed_at >= _LINE_EVERY_S:
                    OUT.print(_line(status), markup=False)
                    last_colour, printed_at = status.colour, time.monotonic()
        last = follower.status()
    if not OUT.is_terminal:
        OUT.print(_line(last), markup=False)
    if last.colour != "green":
        why = "messages were still on their way. `fraudline reconcile --wait 30` waits for them."
        if last.reasons:
            why = "; ".join([*last.reasons, *last.examples])
        elif last.colour == "idle":
            why = f"{_IDLE}. `fraudline reconcile` proves what was there before."
        raise ProofError(f"the ledger was not green at the end: {why}")


def _words(status: FollowStatus) -> str:
    if status.reasons:
        return printable("; ".join(status.reasons))
    if status.colour in ("moving", "idle"):
        return _MOVING if status.colour == "moving" else _IDLE
    return f"everything is scored and stored; {status.proved:,} messages were proved"


def _line(status: FollowStatus) -> str:
    return (
        f"{utc(dt.datetime.now(dt.UTC))} {status.colour}: "
        f"input {status.total(lambda one: one.reach.end):,}, "
        f"scored {status.total(lambda one: one.reach.scored):,}, "
        f"stored {status.total(lambda one: one.reach.stored or 0):,}, "
        f"proved {status.proved:,}; {_words(status)}"
    )


def _screen(status: FollowStatus) -> RenderableType:
    table = Table(
        box=box.SIMPLE_HEAD, show_footer=True, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    reaches = [one.reach for one in status.partitions.values()]
    scored_ages = [age for one in reaches if (age := one.scored_age_s) is not None]
    stored_ages = [age for one in reaches if (age := one.stored_age_s) is not None]
    for name, total in (
        ("part", "all"),
        ("input", _number(status.total(lambda one: one.reach.end))),
        ("to score", _number(status.total(lambda one: one.reach.end - one.reach.scored))),
        ("age s", _age(max(scored_ages, default=None))),
        ("to store", _number(status.total(lambda one: one.reach.scored - (one.reach.stored or 0)))),
        ("age s", _age(max(stored_ages, default=None))),
        ("proved", _number(status.total(lambda one: one.proved))),
        ("rejects", _number(status.total(lambda one: one.rejected))),
        ("wrong", _number(status.total(lambda one: one.wrong))),
    ):
        table.add_column(name, footer=total, justify="right")
    for number, one in sorted(status.partitions.items()):
        reach = one.reach
        stored = reach.stored or 0
        table.add_row(
            str(number),
            _number(reach.end),
            _number(reach.end - reach.scored),
            _age(reach.scored_age_s),
            _number(reach.scored - stored),
            _age(reach.stored_age_s),
            _number(one.proved),
            _number(one.rejected),
            _number(one.wrong),
        )
    head = Text(f"● {status.colour}  ", style=_STYLES[status.colour])
    head.append(_words(status), style="default")
    examples = [Text(printable(example)) for example in status.examples]
    return Group(head, "", table, "", *examples)


def _number(count: int) -> str:
    return f"{count:,}"


def _age(age_s: float | None) -> str:
    return "" if age_s is None else f"{age_s:.1f}"
