"""Starting what fraudline stands on: local services; topics, tables and view that are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fraudline import local
from fraudline.stream.broker import create_topics
from fraudline.stream.counts import Task
from fraudline.stream.group_offsets import GroupOffsets
from fraudline.use_cases.group_places import Lookups, group_name
from fraudline.use_cases.project import Project
from fraudline.warehouse.learning_tables import create_learning_tables
from fraudline.warehouse.tables import create_stream_tables


@dataclass(frozen=True)
class Started:
    """Services that run.

    Attributes:
        services: Where they are.
        created: The topics that were created.
    """

    services: local.Services
    created: list[str]


def start(
    project: Project,
    on_progress: Callable[[str], None] = lambda _: None,
    on_created: Callable[[str], None] = lambda _: None,
) -> Started:
    """Start the local broker and bqlite, and create topics and tables in them.

    Services that run already stay as they are; those that the settings place elsewhere are
    not started.

    Args:
        project: Whose settings.
        on_progress: Called with what a service does.
        on_created: As for `set_up`.

    Raises:
        LocalServiceError: a service did not start; the message quotes its log.
    """
    services = local.up(project.settings, on_progress)
    return Started(services, set_up(project, on_created, on_progress))


def set_up(
    project: Project,
    on_created: Callable[[str], None] = lambda _: None,
    on_change: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Create what the stream needs where it is missing, in whatever broker and BigQuery is set.

    Tables of an earlier release are brought up to date where BigQuery can do that in place.

    Args:
        project: Whose broker, BigQuery and contract.
        on_created: Called with each topic that was created, before BigQuery is asked.
        on_change: Told in a sentence what was created or changed in BigQuery, or is not as it
            should be.

    Returns:
        The topics that were created.

    Raises:
        BrokerError: the broker cannot be reached, or refuses.
        WarehouseError: BigQuery cannot be reached, or a table exists with other columns; it is
            given by itself what it lacks of nullable ones.
    """
    created = create_topics(project.kafka, project.stream_topics)
    for topic in created:
        on_created(topic)
    for flow in create_stream_tables(project.warehouse, project.contract, on_change):
        table = project.warehouse.settings.table(flow)
        on_change(f"created table {table}")
        if stored := _was_stored(project, project.kafka.topic(flow)):
            on_change(
                f"LOOK: table {table} is new, but sinks have stored its topic before, up to "
                f"{stored}, and those rows are not in it. Stop the sinks, and say where they go "
                f"on: `fraudline offsets set sink --topic {project.kafka.topic(flow)} --to start` "
                "stores again what the topic still holds, `--to committed` goes on without it."
            )
    create_learning_tables(project.warehouse, lambda table: on_change(f"created table {table}"))
    return created


def _was_stored(project: Project, topic: str) -> str:
    """Up to where sinks have stored a topic, in words; empty if they have not."""
    with Lookups(project.kafka) as look:
        partitions = look.ends([topic])
    group = GroupOffsets(project.kafka, group_name(project, Task.SINK))
    return ", ".join(
        f"partition {partition} offset {committed.offset:,}"
        for (_, partition), committed in sorted(group.committed(partitions).items())
        if committed.offset > 0
    )
