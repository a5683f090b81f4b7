"""Where scorers' and sinks' groups are, and where what they have done ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from fraudline import flows
from fraudline.errors import InputError, WarehouseAwayError, WarehouseError
from fraudline.settings import KafkaSettings
from fraudline.stream.counts import OF_TOPICS, Task
from fraudline.stream.group_offsets import CommittedOffset, GroupOffsets, stored_end
from fraudline.stream.intake import PartitionKey
from fraudline.stream.offset_lookup import OffsetLookup, PartitionEnd
from fraudline.stream.outcome_ends import outcome_ends
from fraudline.stream.score_checkpoint import ScoreCheckpoint
from fraudline.stream.sink_checkpoint import SinkCheckpoint
from fraudline.stream.sink_partition import Route
from fraudline.stream.topic_lookup import NO_ID, TopicLookup
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.stored_positions import last_sources

_OF_SCORER = (flows.TRANSACTIONS, flows.DECISIONS, flows.REJECTS)


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
        is_other_table: Whether a sink's rows of what is before the committed offset are in another
            table than the one that has its name now.
        is_unsure: Whether outcomes may lie further back in their topics than was looked, so that
            only the last ones and rows tell.
    """

    task: Task
    topic: str
    partition: int
    committed: int | None
    low: int
    high: int
    stored: int | None
    is_other_topic: bool
    is_other_table: bool = False
    is_unsure: bool = False


@dataclass(frozen=True)
class FoundPlace:
    """A place, and what is needed to set it.

    Attributes:
        place: The place.
        ids: The topics' ids as they are now.
        route: A sink's route; None for a scorer.
        table_made_at: When its table was made, as in `Route`; empty for a scorer.
        checkpoint: What a sink committed there.
        is_forgotten: Whether BigQuery does not know the stream of the checkpoint any more.
    """

    place: GroupPlace
    ids: Mapping[str, str]
    route: Route | None
    table_made_at: str
    checkpoint: SinkCheckpoint
    is_forgotten: bool

    def metadata(self, kafka: KafkaSettings, to: str) -> tuple[str, str]:
        """What is committed with an offset, and what to know of it, in words."""
        if self.route is None:
            note = (
                "some of its outcomes may lie too far back in their topics to be found: what is "
                "decided is told by rows and by the last outcomes"
            )
            decided = ScoreCheckpoint(*(self.ids[kafka.topic(flow)] for flow in _OF_SCORER))
            return str(decided), note if to == "stored" and self.place.is_unsure else ""
        decoder, topic_id = self.route.decoder.fingerprint, self.ids[self.place.topic]
        fresh = SinkCheckpoint(0, "", decoder, topic_id, self.table_made_at)
        if to != "committed" or self.place.is_other_topic:
            return str(fresh), ""
        if self.place.is_other_table:  # whatever is stored beyond the offset is not in this one
            return str(fresh), "what was stored before is not in this table"
        if self.is_forgotten:
            return str(fresh), (
                "its stream is forgotten, so rows beyond it may be stored already: "
                "`fraudline reconcile` tells"
            )
        # Whatever earlier streams hold beyond the offset is skipped, as a new owner does.
        now = self.checkpoint._replace(
            stream="", topic_id=topic_id, table_made_at=self.table_made_at
        )
        return str(now), ""


def _checkpoint(text: str) -> SinkCheckpoint:
    try:
        return SinkCheckpoint.parse(text)
    except ValueError:
        return SinkCheckpoint()


def group_name(project: Project, task: Task) -> str:
    """The full name of the consumer group of all processes of a task."""
    return f"{project.kafka.group}.{task}"


class Lookups:
    """What places are looked up with, for one group or several."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._offsets, self._identities = OffsetLookup(kafka), TopicLookup(kafka)
        self.ends, self.ids = self._offsets.ends, self._identities.ids

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._offsets.close()
        self._identities.close()


def look_up_places(
    project: Project,
    lookups: Lookups,
    task: Task,
    topic: str | None,
    *,
    is_to_fence: bool = False,
) -> list[FoundPlace]:
    """See where a group is.

    Args:
        project: Whose groups, topics and tables.
        lookups: Open for as long as it takes.
        task: Scorers' group, or sinks'.
        topic: Only this one of its topics.
        is_to_fence: Whether to shut out writers first that may only be paused.

    Raises:
        BrokerError: the broker does not answer.
        WarehouseError: BigQuery does not.
        InputError: the group has no such topic.
    """
    kafka = project.kafka
    chosen = _routes_of(project, task, topic)
    ends = lookups.ends(chosen)
    ids = lookups.ids({*chosen, *(kafka.topic(flow) for flow in _OF_SCORER)})
    committed = GroupOffsets(kafka, group_name(project, task)).committed(ends)
    checkpoints = {
        key: _checkpoint(committed[key].metadata if key in committed else "") for key in ends
    }
    forgotten = set()
    for key, checkpoint in checkpoints.items():
        route = chosen[key[0]]
        if is_to_fence and route is not None:
            fenced = _fenced(route, checkpoint)
            checkpoints[key] = fenced or checkpoint
            forgotten |= set() if fenced else {key}
    stored = _stored(project, chosen, ends)
    made_at = {name: route.table_made_at() if route else "" for name, route in chosen.items()}
    found = []
    for key in sorted(ends):
        route = chosen[key[0]]
        table = made_at[key[0]]
        place = GroupPlace(
            task,
            *key,
            committed[key].offset if key in committed else None,
            ends[key].low,
            ends[key].high,
            stored.ends.get(key),
            _is_other(route, committed.get(key), ids[key[0]]),
            table != (checkpoints[key].table_made_at or table),
            key in stored.unsure,
        )
        found.append(FoundPlace(place, ids, route, table, checkpoints[key], key in forgotten))
    return found


def _routes_of(project: Project, task: Task, topic: str | None) -> dict[str, Route | None]:
    """The topics of a group, or the one that is asked for, with the routes of sinks."""
    by_topic: dict[str, Route | None] = (
        {project.kafka.topic(flows.TRANSACTIONS): None}
        if task is Task.SCORE
        else {route.topic: route for route in routes(project)}
    )
    if topic is not None and topic not in by_topic:
        raise InputError(
            f"group '{group_name(project, task)}' takes nothing of topic {topic!r}, but of "
            f"{', '.join(by_topic)}."
        )
    return {name: of for name, of in by_topic.items() if topic in (None, name)}


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


@dataclass(frozen=True)
class _Stored:
    """Where outcomes or rows end, where that can be known, and where only rows could have told."""

    ends: dict[PartitionKey, int] = field(default_factory=dict)
    unsure: set[PartitionKey] = field(default_factory=set)


def _stored(
    project: Project,
    by_topic: Mapping[str, Route | None],
    ends: Mapping[PartitionKey, PartitionEnd],
) -> _Stored:
    found = _Stored()
    for topic, route in by_topic.items():
        keys = [key for key in ends if key[0] == topic]
        if route is None:
            _add_decided(project, keys, found)
        elif route.are_stored is not None:
            for key in keys:
                within = ends[key].low, ends[key].stable
                found.ends[key] = stored_end(project.kafka, key, within, route.are_stored)
    return found


def _add_decided(project: Project, keys: list[PartitionKey], found: _Stored) -> None:
    """Where the outcomes of a scorer's topic end, by their topics and their tables."""
    settings = project.settings.bigquery
    in_topics = outcome_ends(project.kafka, [number for _, number in keys])
    tables = [
        (settings.table(flow), flow is flows.REJECTS) for flow in (flows.DECISIONS, flows.REJECTS)
    ]
    in_tables = last_sources(project.warehouse, tables, project.kafka.topic(flows.TRANSACTIONS))
    for key in keys:
        last = max(in_topics.known.get(key[1], 0), in_tables.get(key[1], -1) + 1)
        if last:
            found.ends[key] = last
        if key[1] in in_topics.unsure:
            found.unsure.add(key)


def all_offsets(project: Project) -> list[GroupPlace]:
    """Where both groups are.

    Raises:
        BrokerError: the broker does not answer.
        WarehouseError: BigQuery does not.
    """
    with Lookups(project.kafka) as lookups:
        return [
            found.place
            for task in OF_TOPICS
            for found in look_up_places(project, lookups, task, None)
        ]
