"""`labels`: what became of transactions, as chargebacks, customers and analysts tell it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fraudline.cli.file_options import MaxRefused, QuotedNewlines, show_file
from fraudline.cli.screen import (
    OUT,
    printable,
    progress_bar,
    say,
    show_facts,
    show_table,
    utc,
    warn,
)
from fraudline.cli.stop_signal import end_if_cut_short, stop_on_signal
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # Google's clients come with them, and take a second to import
    from fraudline.use_cases.look_at_labels import LabelHistory, LabelList

labels = typer.Typer(
    help="What became of transactions: send, list, show, and the SQL that joins decisions with it.",
    no_args_is_help=True,
)

_MOST_ROWS = 20


def moment(text: str) -> dt.datetime:
    """A time as a person types it, in UTC unless it says another offset."""
    try:
        at = dt.datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time; write 2026-01-02T03:04:05Z, or 2026-01-02 (UTC)."
        ) from None


def _one_of(kind: str) -> Any:
    def parse(text: str) -> str:
        from fraudline.contract import LABELS, SOURCES

        known = LABELS if kind == "label" else SOURCES
        if text not in known:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(known)}.")
        return text

    return parse


AsOf = Annotated[
    dt.datetime | None,
    typer.Option(
        parser=moment, metavar="TIME", help="Look at it as it was known at this moment (UTC)."
    ),
]


@labels.command()
def send(
    file: Annotated[
        Path,
        typer.Argument(help="CSV, Parquet, or .jsonl with a label a line; each also as .gz."),
    ],
    max_refused: MaxRefused = 1.0,
    quoted_newlines: QuotedNewlines = False,
) -> None:
    """Send each row of a file as one label.

    Columns: transaction_id, label (fraud, legitimate or withdrawn), source (chargeback, customer,
    analyst or test), known_at, told_by; transaction_received_at where the contract has no id; and
    note, if there is one. A row that is no label is refused, and told by its reason.
    """
    from fraudline.use_cases.send_labels import send_labels

    with stop_on_signal() as stop, progress_bar("labels") as bar:
        done = send_labels(
            Project(),
            file,
            max_refused=max_refused / 100,
            quoted_newlines=quoted_newlines,
            on_read=show_file,
            stop=stop,
            on_sent=lambda count, total: bar("labels", count, total),
        )
    warn(done.warning)
    refused = f"; {len(done.refusals):,} rows were refused" if done.refusals else ""
    say(
        f"{done.sent:,} labels are in topic '{done.topic}'{refused}. `fraudline sink` stores them, "
        "`fraudline labels list` shows them."
    )
    end_if_cut_short(
        f"the {done.left:,} labels after them were not sent. The whole file may be sent again."
        if done.left
        else None
    )


@labels.command("list")
def list_newest(
    label: Annotated[
        str | None,
        typer.Option(
            parser=_one_of("label"), metavar="LABEL", help="Only fraud, legitimate or withdrawn."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            parser=_one_of("source"), metavar="SOURCE", help="Only labels of this source."
        ),
    ] = None,
    most_rows: Annotated[
        int, typer.Option("--rows", min=1, max=10_000, help="Most labels to list.")
    ] = _MOST_ROWS,
    days: Annotated[
        float,
        typer.Option(min=0, max=36_500, help="Look at what arrived in the last so many days."),
    ] = 30,
) -> None:
    """List the labels that arrived last, and count those that name no decided transaction."""
    from fraudline.use_cases.look_at_labels import list_labels

    found = list_labels(Project(), days, label=label, source=source, most=most_rows)
    counts = found.counts
    if not found.newest:
        say(
            f"no labels{_of_kind(label, source)} arrived since {utc(found.since)}. `fraudline "
            "labels send FILE` sends some, `fraudline sink` stores them; `--days` looks further "
            "back."
        )
        return
    show_table(
        ("transaction", "label", "source", "arrived (UTC)"),
        [
            (row["transaction_id"], row["label"], row["source"], _minute(row["arrived_at"]))
            for row in found.newest
        ],
        title=f"the newest {len(found.newest)} of {counts.labels:,}",
    )
    say(
        f"{counts.labels:,} labels{_of_kind(label, source)} since {utc(found.since)}: "
        f"{counts.frauds:,} fraud, {counts.legitimate:,} legitimate, "
        f"{counts.withdrawn:,} withdrawn."
    )
    _tell_unmatched(found)


@labels.command()
def show(
    transaction: Annotated[
        str, typer.Argument(help="Its id, or topic:partition:offset where the contract has none.")
    ],
    as_of: AsOf = None,
) -> None:
    """Show all labels of a transaction, which one counts, and why."""
    from fraudline.use_cases.look_at_labels import show_labels

    found = show_labels(Project(), transaction, as_of)
    if found.events:
        show_table(
            ("", "known (UTC)", "arrived (UTC)", "source", "label", "which"),
            [
                (
                    str(number),
                    _minute(event["known_at"]),
                    _minute(event["arrived_at"]),
                    event["source"],
                    event["label"],
                    _state(event),
                )
                for number, event in enumerate(found.events, start=1)
            ],
        )
        show_facts(
            (str(number), _told(event)) for number, event in enumerate(found.events, start=1)
        )
    for decided in found.decisions:
        show_facts(_decided(decided, found))
    if not found.decisions:
        say(
            f"as of {utc(found.as_of)} there is no decision on {transaction}: its labels are kept, "
            "and count once there is one."
        )


@labels.command("sql")
def show_sql(as_of: AsOf = None) -> None:
    """Print the SQL that gives each decision with the label that counts, for BigQuery's console."""
    from fraudline.use_cases.look_at_labels import labels_sql

    OUT.print(labels_sql(Project(), as_of), markup=False)


def _of_kind(label: str | None, source: str | None) -> str:
    kinds = [f"'{label}'" if label else "", f"of source {source}" if source else ""]
    return "".join(f" {kind}" for kind in kinds if kind)


def _tell_unmatched(found: LabelList) -> None:
    counts = found.counts
    for count, words in (
        (counts.unknown, "name a transaction without a decision: unknown, rejected, or to come"),
        (
            counts.other_message,
            "name a position at which another message was decided: transaction_received_at is "
            "missing, or is not the decision's received_at",
        ),
        (counts.other_contract, "are for another contract, so they count nowhere here"),
    ):
        if count:
            say(f"LOOK: {count:,} of them {words}.")


def _state(event: dict[str, Any]) -> str:
    from fraudline.contract import WITHDRAWN

    if event["counts"]:
        return "counts"
    if not event["is_there"]:
        return "to come"
    if not event["stands"]:
        return "replaced"
    return "takes back" if event["label"] == WITHDRAWN else "outranked"


def _told(event: dict[str, Any]) -> str:
    received_at = event["transaction_received_at"]
    of = f" (of the message of {utc(received_at, is_exact=True)})" if received_at else ""
    note = f": {event['note']}" if event["note"] else ""
    return f"by {event['told_by']}{of}{note}"


def _decided(decided: dict[str, Any], found: LabelHistory) -> list[tuple[str, str]]:
    received_at = decided["received_at"]
    of = utc(received_at, is_exact=True) if received_at else "no time stamp"
    return [
        (
            "decision",
            f"{decided['decision']}, score {decided['score']:.4g}, {utc(decided['decided_at'])} "
            f"(of the message of {of})",
        ),
        ("counts as", printable(why_it_counts(decided, found))),
    ]


def why_it_counts(decided: dict[str, Any], found: LabelHistory) -> str:
    """What a decision counts as at the moment, and why, in words."""
    from fraudline.contract import SOURCES
    from fraudline.use_cases.look_at_labels import is_explored

    as_of = f"as of {utc(found.as_of)}"
    matures_at = decided["decided_at"] + dt.timedelta(days=found.maturity_days)
    days = f"{found.maturity_days:g} days ([labels] maturity_days of the contract)"
    if decided["label"] is not None:
        source = decided["label_source"]
        below = SOURCES[SOURCES.index(source) + 1 :]
        rank = f" {source} outranks {', '.join(below)};" if below else ""
        return (
            f"{decided['label']} {as_of}, by {source}:{rank} of one source the newest known_at "
            "counts."
        )
    if is_explored(decided):
        return (
            f"nothing {as_of}: it was reviewed in place of being blocked, and no label counts, so "
            "nobody knows what it was, however old it is. `fraudline labels send` says what it was."
        )
    if decided["is_mature"]:
        return f"legitimate {as_of}: no label counts, and {days} passed on {utc(matures_at)}."
    return (
        f"nothing yet {as_of}: no label counts, and without one it is legitimate {days} after its "
        f"decision, on {utc(matures_at)}."
    )


def _minute(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
