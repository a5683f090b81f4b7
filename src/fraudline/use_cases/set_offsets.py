"""Setting where scorers and sinks go on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from fraudline.errors import InputError
from fraudline.stream.counts import Task
from fraudline.stream.group_offsets import CommittedOffset, GroupOffsets
from fraudline.use_cases.group_places import GroupPlace, Lookups, group_name, look_up_places
from fraudline.use_cases.project import Project

PLACES = ("committed", "start", "end", "stored")


@dataclass(frozen=True)
class OffsetMove:
    """An offset that was set.

    Attributes:
        place: How it was.
        offset: What it is now.
        note: What to know of it, in words; empty if nothing.
    """

    place: GroupPlace
    offset: int
    note: str


def set_offsets(
    project: Project,
    task: Task,
    to: str,
    *,
    topic: str | None = None,
    partitions: Collection[int] = (),
) -> list[OffsetMove]:
    """Set where a group goes on, while none of its processes runs.

    What is set names the topics as they are now, so it also says that these are the right ones.

    Args:
        project: Whose group, topics and tables.
        task: Scorers' group, or sinks'.
        to: One of `PLACES`, or an offset.
        topic: Only this one of its topics.
        partitions: Only these; all of them if there are none.

    Raises:
        InputError: there is no such place, topic or partition; nothing was set.
        BrokerError: the group has members, or the broker does not answer; nothing was set.
        WarehouseError: BigQuery does not answer; nothing was set.
    """
    group = GroupOffsets(project.kafka, group_name(project, task))
    group.require_empty()
    with Lookups(project.kafka) as lookups:
        chosen = [
            found
            for found in look_up_places(project, lookups, task, topic, is_to_fence=True)
            if not partitions or found.place.partition in partitions
        ]
    missing = set(partitions) - {found.place.partition for found in chosen}
    if missing or not chosen:
        raise InputError(f"there is no partition {', '.join(map(str, sorted(missing)))}.")
    if to == "committed":  # a partition without an offset stays as it is
        chosen = [found for found in chosen if found.place.committed is not None] or chosen
    offsets = [_offset(found.place, to) for found in chosen]
    set_to, moves = {}, []
    for found, offset in zip(chosen, offsets, strict=True):
        place = found.place
        metadata, note = found.metadata(project.kafka, to)
        set_to[place.topic, place.partition] = CommittedOffset(offset, metadata)
        moves.append(OffsetMove(place, offset, note))
    group.set(set_to)
    return moves


def _offset(place: GroupPlace, to: str) -> int:
    where = f"topic '{place.topic}', partition {place.partition}"
    named = {
        "committed": place.committed,
        "start": place.low,
        "end": place.high,
        "stored": place.stored,
    }
    if to in named:
        offset = named[to]
        is_of_scorer = place.task is Task.SCORE
        if offset is None and to == "stored" and is_of_scorer and not place.is_unsure:
            offset = place.low  # nothing of it has an outcome
    elif to.isascii() and to.isdecimal():
        offset = int(to)
    else:
        raise InputError(f"{to!r} is neither an offset nor one of {', '.join(PLACES)}.")
    if offset is None:
        why = (
            ""
            if to != "stored"
            else ", since it has no row, and its last outcomes may lie too far back in their topics"
            if place.is_unsure
            else ", since its rows do not tell their source"
        )
        raise InputError(
            f"{where}: there is no place '{to}' that is known{why}. Nothing "
            f"was set. `fraudline offsets show` tells what is known; name an offset from "
            f"{place.low} to {place.high}, `start` or `end`."
        )
    if not place.low <= offset <= place.high:
        raise InputError(
            f"{where}: offset {offset} ({to}) is not there; it holds {place.low} to {place.high}. "
            "Nothing was set. If the topic was deleted and made anew, what is stored is of the "
            "old one: see 'A topic was deleted and recreated' in docs/guides/operations.md."
        )
    return offset
