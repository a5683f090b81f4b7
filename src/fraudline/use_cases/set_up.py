"""Creating the topics, tables and view that are missing."""

from __future__ import annotations

from fraudline.use_cases.project import Project


def set_up(project: Project) -> list[str]:
    """Create what the stream needs where it is missing, in whatever broker and BigQuery is set.

    Returns:
        The topics that were created.

    Raises:
        BrokerError: the broker cannot be reached, or refuses.
        WarehouseError: BigQuery cannot be reached, or a table exists with other columns.
    """
    from fraudline.stream.broker import create_topics
    from fraudline.warehouse.tables import create_stream_tables

    created = create_topics(project.kafka, project.stream_topics)
    create_stream_tables(project.warehouse, project.contract)
    return created
