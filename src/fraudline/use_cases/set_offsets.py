"""Where scorers and sinks begin: looking at their groups' offsets, and setting them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fraudline import flows
from fraudline.errors import InputError, WarehouseAwayError, WarehouseError
from fraudline.settings import KafkaSettings
from fraudline.stream.counts import Task
from fraudline.stream.group_offsets import CommittedOffset, GroupOffsets, stored_end
from fraudline.stream.intake import PartitionKey
from fraudline.stream.offset_lookup import OffsetLookup, PartitionEnd
from fraudline.stream.outcome_ends import outcome_ends
from fraudline.stream.score_checkpoint import ScoreCheckpoint
from fraudline.stream.sink_partition import Route, SinkCheckpoint
from fraudline.stream.topic_guard import NO_ID, TopicLookup
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.stored_positions import last_sources

_OF_SCORER = (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)
PLACES = ("committed", "start", "end", "stored")


@dataclass(frozen=True)
class GroupPlace:
    """Where a group is in a partition.

    Attributes:
        task: Whose group.
        topic: Of which topic.
        partition: Which partition.
        committed: The next offset that it will take; None if there is none.
        low: The first offset that the topic still holds.
        high: The one after its last.
        stored: The offset after the last message with an outcome (of a scorer) or a row (of a
            sink); None if none is there, or rows do not tell.
        is_other_topic: Whether the committed offset is of a topic that was deleted since.
    """

    task: Task
    topic: str
    partition: int
    committed: int | None
    low: int
    high: int
    stored: int | None
    is_other_topic: bool


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


def show_offsets(project: Project, task: Task, topic: str | None = None) -> list[GroupPlace]:
    """Where a group is, and where what it has done ends.

    Args:
        project: Whose groups, topics and tables.
        task: Scorers' group, or sinks'.
        topic: Only this one of its topics.

    Raises:
        BrokerError: the broker does not answer.
        WarehouseError: BigQuery does not.
        InputError: the group has no such topic.
    """
    return [found.place for found in _look(project, task, topic)]


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
    group = GroupOffsets(project.kafka, _group(project, task))
    group.require_empty()
    chosen = [
        found
        for found in _look(project, task, topic, is_to_fence=True)
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


@dataclass(frozen=True)
class _Found:
    """A place, and what is needed to set it.

    Attributes:
        place: The place.
        ids: The topics' ids as they are now.
        route: A sink's route; None for a scorer.
        checkpoint: What a sink committed there.
        is_forgotten: Whether BigQuery does not know the stream of the checkpoint any more.
    """

    place: GroupPlace
    ids: Mapping[str, str]
    route: Route | None
    checkpoint: SinkCheckpoint
    is_forgotten: bool

    def metadata(self, kafka: KafkaSettings, to: str) -> tuple[str, str]:
        """What is committed with an offset, and what to know of it, in words."""
        if self.route is None:
            return str(ScoreCheckpoint(*(self.ids[kafka.topic(flow)] for flow in _OF_SCORER))), ""
        fresh = SinkCheckpoint(0, "", self.route.decoder.fingerprint, self.ids[self.place.topic])
        if to != "committed" or self.place.is_other_topic:
            return str(fresh), ""
        if self.is_forgotten:
            return str(fresh), (
                "its stream is forgotten, so rows beyond it may be stored already: "
                "`fraudline reconcile` tells"
            )
        # Whatever earlier streams hold beyond the offset is skipped, as a new owner does.
        return str(self.checkpoint._replace(stream="", topic_id=fresh.topic_id)), ""


def _checkpoint(text: str) -> SinkCheckpoint:
    try:
        return SinkCheckpoint.parse(text)
    except ValueError:
        return SinkCheckpoint()


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
        if offset is None and to == "stored" and place.task is Task.SCORE:
            offset = place.low  # nothing of it has an outcome
    elif to.isascii() and to.isdecimal():
        offset = int(to)
    else:
        raise InputError(f"{to!r} is neither an offset nor one of {', '.join(PLACES)}.")
    if offset is None:
        raise InputError(
            f"{where}: there is no place '{to}' that is known"
            f"{', since its rows do not tell their source' if to == 'stored' else ''}. Nothing "
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


def _group(project: Project, task: Task) -> str:
    return f"{project.kafka.group}.{task}"


def _look(
    project: Project, task: Task, topic: str | None, *, is_to_fence: bool = False
) -> list[_Found]:
    """See where a group is, and first shut out writers that may only be paused, if asked to."""
    kafka = project.kafka
    by_topic: dict[str, Route | None] = (
        {kafka.topic(flows.TRANSACTIONS): None}
        if task is Task.SCORE
        else {route.topic: route for route in routes(project)}
    )
    if topic is not None and topic not in by_topic:
        raise InputError(
            f"group '{_group(project, task)}' takes nothing of topic {topic!r}, but of "
            f"{', '.join(by_topic)}."
        )
    chosen = {name: of for name, of in by_topic.items() if topic in (None, name)}
    lookup, identities = OffsetLookup(kafka), TopicLookup(kafka)
    try:
        ends = lookup.ends(chosen)
    finally:
        lookup.close()
    asked = identities.ask({*chosen, *(kafka.topic(flow) for flow in _OF_SCORER)})
    ids = {name: one.id for name, one in asked.answer().items()}
    committed = GroupOffsets(kafka, _group(project, task)).committed(ends)
    found = []
    checkpoints = {}
    for key in ends:
        checkpoint = _checkpoint(committed[key].metadata if key in committed else "")
        route = chosen[key[0]]
        fenced = _fenced(route, checkpoint) if is_to_fence and route is not None else checkpoint
        checkpoints[key] = checkpoint if fenced is None else fenced, fenced is None
    stored = _stored(project, chosen, ends)
    for key, end in sorted(ends.items()):
        route = chosen[key[0]]
        place = GroupPlace(
            task,
            *key,
            committed[key].offset if key in committed else None,
            end.low,
            end.high,
            stored.get(key),
            _is_other(route, committed.get(key), ids[key[0]]),
        )
        found.append(_Found(place, ids, route, *checkpoints[key]))
    return found


def _fenced(route: Route, checkpoint: SinkCheckpoint) -> SinkCheckpoint | None:
    """The checkpoint once nobody can write to its stream; None if that is forgotten."""
    if not checkpoint.stream:
        return checkpoint
    try:
        stored = route.finalize(checkpoint.stream)
    except WarehouseAwayError:
        raise
    except WarehouseError:
        return None
    return checkpoint._replace(rows=checkpoint.rows - stored, stream="")


def _is_other(route: Route | None, committed: CommittedOffset | None, topic_id: str) -> bool:
    if committed is None:
        return False
    if route is not None:
        known = _checkpoint(committed.metadata).topic_id
    else:
        checkpoint = ScoreCheckpoint.parse(committed.metadata)
        known = checkpoint.transactions if checkpoint is not None else NO_ID
    return NO_ID not in (known, topic_id) and known != topic_id


def _stored(
    project: Project,
    by_topic: Mapping[str, Route | None],
    ends: Mapping[PartitionKey, PartitionEnd],
) -> dict[PartitionKey, int]:
    """Where outcomes or rows end, where that can be known."""
    kafka, settings = project.kafka, project.settings.bigquery
    stored: dict[PartitionKey, int] = {}
    for topic, route in by_topic.items():
        keys = [key for key in ends if key[0] == topic]
        if route is None:
            in_topics = outcome_ends(kafka, [number for _, number in keys])
            tables = [
                (settings.table(flow), flow is flows.REJECTS)
                for flow in (flows.DECISIONS, flows.REJECTS)
            ]
            in_tables = last_sources(project.warehouse, tables, topic)
            for key in keys:
                last = max(in_topics.get(key[1], 0), in_tables.get(key[1], -1) + 1)
                if last:
                    stored[key] = last
        elif route.are_stored is not None:
            for key in keys:
                end = ends[key]
                stored[key] = stored_end(kafka, key, (end.low, end.stable), route.are_stored)
    return stored


def all_offsets(project: Project) -> list[GroupPlace]:
    """Where both groups are.

    Raises:
        BrokerError: the broker does not answer.
        WarehouseError: BigQuery does not.
    """
    return [place for task in Task for place in show_offsets(project, task)]
