"""`offsets`: where scorers and sinks begin: show, set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fraudline.cli.screen import say, show_table
from fraudline.use_cases.project import Project

if TYPE_CHECKING:  # a Kafka client comes with it
    from fraudline.use_cases.group_places import GroupPlace

offsets = typer.Typer(help="Where scorers and sinks begin: show, set.", no_args_is_help=True)

Topic = Annotated[str | None, typer.Option(help="Only this topic of the group.")]


@offsets.command()
def show(topic: Topic = None) -> None:
    """Show where the groups are, what their topics hold, and where what is done ends.

    `done to` is the offset after the last message that has a decision or a reject (of scorers),
    or a row in BigQuery (of sinks).
    """
    from fraudline.use_cases.group_places import all_offsets

    places = [place for place in all_offsets(Project()) if topic in (None, place.topic)]
    show_table(
        ("group", "topic", "partition", "begins", "ends", "committed", "done to", "look"),
        [
            (
                place.task.value,
                place.topic,
                str(place.partition),
                place.low,
                place.high,
                "none" if place.committed is None else place.committed,
                "?" if place.stored is None else place.stored,
                _look(place),
            )
            for place in places
        ],
    )


@offsets.command("set")
def set_place(
    group: Annotated[str, typer.Argument(metavar="score|sink", help="Whose offsets.")],
    to: Annotated[
        str,
        typer.Option(
            help="`stored`: after what is decided (score) or in BigQuery (sink); `committed`: as "
            "it is, of the topics as they are now; `start`; `end`; or an offset."
        ),
    ],
    topic: Topic = None,
    partition: Annotated[
        list[int] | None, typer.Option(min=0, help="Only this one; may be given again.")
    ] = None,
) -> None:
    """Set where a group goes on, once all of its processes are stopped.

    Prints what was and what is. It is refused while the group has members, and for an offset
    that the topic does not hold.
    """
    from fraudline.stream.counts import OF_TOPICS, Task
    from fraudline.use_cases.set_offsets import set_offsets

    if group not in OF_TOPICS:
        raise typer.BadParameter(f"{group!r} is neither of {', '.join(OF_TOPICS)}.")
    moves = set_offsets(Project(), Task(group), to, topic=topic, partitions=partition or ())
    show_table(
        ("topic", "partition", "before", "now", "which means"),
        [
            (
                move.place.topic,
                str(move.place.partition),
                "none" if move.place.committed is None else move.place.committed,
                move.offset,
                "; ".join(filter(None, (_meaning(move.place, move.offset), move.note))),
            )
            for move in moves
        ],
    )
    say(f"{len(moves)} offsets of group '{group}' are set; start its processes.")


def _look(place: GroupPlace) -> str:
    if place.is_other_topic:
        return "of a topic that was deleted and made anew"
    if place.is_other_table:
        return "stored in a table that was dropped, or is not named any more"
    if place.committed is None:
        return "nothing committed" if place.high > place.low else ""
    if place.committed < place.low:
        return f"messages {place.committed} to {place.low - 1} were deleted"
    if place.committed > place.high:
        return "beyond the end: the topic was cut, or made anew"
    return ""


def _meaning(place: GroupPlace, offset: int) -> str:
    begun = place.low if place.committed is None else place.committed
    done = place.stored if place.stored is not None else begun
    what = "decided" if place.task.value == "score" else "stored"
    if offset < done:
        return f"up to {done - offset} messages are {what} again"
    if offset > done:
        return f"up to {offset - done} messages are never {what}"
    return f"goes on after what is {what}"
