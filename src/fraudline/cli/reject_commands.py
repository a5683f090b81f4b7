"""`rejects`: what could not be decoded: list, show, send again."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import OUT, printable, say, show_facts, show_table, utc
from fraudline.cli.stop_signal import end_if_cut_short, stop_on_signal
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Arrow and a Kafka client come with them, and not every command needs those
    from fraudline.contract import RejectRecord
    from fraudline.stream.replay_rejects import RejectReplay

rejects = typer.Typer(
    help="Messages that could not be decoded: list, show, send again.", no_args_is_help=True
)

_MOST_ROWS = 20
_MOST_CHARACTERS = 160
_MOST_SHOWN_BYTES = 4096

Days = Annotated[
    float,
    typer.Option(min=0, max=36_500, help="Look at what was rejected in the last so many days."),
]


def _reason(text: str) -> str:
    from fraudline.contract import RejectReason

    if text not in set(RejectReason):
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(RejectReason)}.")
    return text


Reason = Annotated[
    str | None,
    typer.Option("--reason", parser=_reason, metavar="REASON", help="Only rejects of this reason."),
]


@rejects.command("list")
def list_pending(
    reason: Reason = None,
    most_rows: Annotated[
        int, typer.Option("--rows", min=1, max=10_000, help="Most rejects to list.")
    ] = _MOST_ROWS,
    days: Days = 7,
) -> None:
    """Count the pending rejects by reason, and list the newest ones, one a line.

    A reject is pending until `rejects replay` has sent its original again. `rejects show`
    prints one in full.
    """
    from fraudline import flows
    from fraudline.stream.pending_rejects import source_position
    from fraudline.use_cases.handle_rejects import list_rejects

    project = Project()
    listed = list_rejects(project, days, reason=reason, most=most_rows)
    found, seen = listed.survey, listed.pending
    if seen.counts:
        show_table(
            ("reason", "pending", "last rejected (UTC)"),
            [(name, n, _minute(seen.last_at[name])) for name, n in seen.counts.most_common()],
        )
        show_table(
            ("position", "rejected (UTC)", "reason", "message"),
            (
                (
                    source_position(record),
                    _minute(record.rejected_at),
                    record.reason,
                    " ".join(record.message.split()),
                )
                for record in seen.newest
            ),
            title=f"the newest {len(seen.newest)} of {seen.counts.total():,}",
            cut="message",
        )
    say(
        f"{seen.counts.total():,} rejects are pending{f' ({reason})' if reason else ''}; looked "
        f"at {found.records:,} records of topic '{project.kafka.topic(flows.REJECTS)}' since "
        f"{_time(listed.since)}, {len(found.replayed):,} of them say that a reject was sent again."
    )
    if found.unreadable:
        say(f"{found.unreadable:,} records are not rejects: another program writes to the topic.")


@rejects.command()
def show(
    position: Annotated[str, typer.Argument(help="topic:partition:offset of the message.")],
    is_original: Annotated[
        bool, typer.Option("--original", help="Write the original bytes, and nothing else.")
    ] = False,
    days: Days = 7,
) -> None:
    """Show a reject with the message as it came.

    What could steer a terminal is shown as an escape; `--original` writes the very bytes.
    """
    from fraudline.contract import REPLAYED
    from fraudline.use_cases.handle_rejects import show_reject

    records = show_reject(Project(), position, days)
    if is_original:
        # The newest reject: a topic that was made anew has its positions once more.
        newest = [*records[:1], *(one for one in records if one.reason != REPLAYED)][-1]
        sys.stdout.buffer.write(newest.original)
        if len(newest.original) < newest.original_size_bytes:
            say(f"only these first bytes of {newest.original_size_bytes:,} were kept.")
        return
    for record in records:
        if record.reason == REPLAYED:
            OUT.print(f"{_time(record.rejected_at)}: {printable(record.message)}", markup=False)
        else:
            _show(record)


@rejects.command()
def replay(
    positions: Annotated[
        list[str] | None,
        typer.Argument(help="topic:partition:offset of messages; if none, all that are pending."),
    ] = None,
    reason: Reason = None,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be sent.")
    ] = False,
    days: Days = 7,
) -> None:
    """Send the originals of pending rejects again, exactly once, after the fault was fixed.

    Each goes to the topic and partition that it came from, with its key, if it can be decoded
    now; the others stay pending, with a reason. What was refused although it could be decoded is
    sent if you ask for it by reason or position. The same transaction marks it in the topic of
    rejects, so that neither a second replay nor one at the same time sends it twice.
    """
    from fraudline.use_cases.handle_rejects import send_rejects_again

    with stop_on_signal() as stop:
        done = send_rejects_again(
            Project(),
            days,
            positions=positions or (),
            reason=reason,
            is_dry_run=is_dry_run,
            stop=stop,
            on_sent=lambda sent: say(f"{sent:,} sent again") if sent and not is_dry_run else None,
        )
    _show_replay(done, is_dry_run=is_dry_run)
    end_if_cut_short(
        "not all pending rejects were looked at. Run it again for the others."
        if done.is_cut_short
        else None
    )


def _show(record: RejectRecord) -> None:
    from fraudline.stream.pending_rejects import source_position

    key = record.original_key
    facts = (
        ("position", str(source_position(record))),
        ("reason", record.reason),
        ("message", record.message),
        ("received", _time(record.received_at)),
        ("rejected", _time(record.rejected_at)),
        ("key", "none, or too long to be kept" if key is None else _text(key)),
        ("size", f"{record.original_size_bytes:,} bytes"),
    )
    show_facts(facts)
    shown = record.original[:_MOST_SHOWN_BYTES]
    more = record.original_size_bytes - len(shown)
    OUT.print(f"original  {_indented(_text(shown))}", markup=False)
    if more:
        say(f"… and {more:,} more bytes; `--original` writes what was kept of them.")


def _show_replay(done: RejectReplay, *, is_dry_run: bool) -> None:
    if done.unsent:
        show_table(
            ("stay", "because", "for example"),
            [
                (unsent.count, reason, f"{unsent.position}: {_cut(unsent.message)}")
                for reason, unsent in done.unsent.items()
            ],
        )
    kept = sum(unsent.count for unsent in done.unsent.values())
    OUT.print(
        f"{done.sent:,} rejects {'would be' if is_dry_run else 'were'} sent again"
        f"{'' if is_dry_run else f' in {done.transactions:,} transactions'}; {kept:,} stay.",
        markup=False,
    )


def _time(at: dt.datetime | None) -> str:
    return "unknown" if at is None else utc(at)


def _minute(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M}"


def _text(content: bytes) -> str:
    """Bytes as people can read them; what is not UTF-8 as hexadecimal escapes."""
    return printable(content.decode(errors="backslashreplace"))


def _indented(text: str) -> str:
    """Further lines begin below the first one, so none can pass for a field of its own."""
    return printable(text).replace("\n", "\n" + " " * 10)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
