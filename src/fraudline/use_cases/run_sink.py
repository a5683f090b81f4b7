"""A sink: every flow that is stored, exactly once, until it is stopped."""

from __future__ import annotations

import threading

from fraudline.metrics import serving
from fraudline.stream.broker import require_topics
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.stream.sink_loop import sink_loop
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.tables import require_tables


class SinkRun:
    """A sink, ready to begin.

    Any number of them, in any number of processes, share the topics' partitions.

    Args:
        project: Whose topics and tables.

    Attributes:
        topics: What it stores.
        progress: What it does, for whoever watches.

    Raises:
        BrokerError: a topic is missing, or the broker cannot be reached.
        WarehouseError: a table is missing, or BigQuery cannot be reached.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._routes = routes(project)
        tables = [route.table for route in self._routes]
        self.topics = [route.topic for route in self._routes]
        self.progress = Progress(Task.SINK, tables)
        require_tables(project.warehouse, tables)
        require_topics(project.kafka, self.topics)

    def until(self, stop: threading.Event) -> None:
        """Store until told to stop; metrics and health are served if a port is set.

        Raises:
            BrokerError: the broker refuses for good.
            WarehouseError: BigQuery refuses for good.
            ServiceError: the port cannot be listened at.
        """
        settings = self._project.settings
        with serving(self.progress, settings.metrics):
            sink_loop(
                self._project.kafka,
                self._routes,
                batch_rows=settings.sink.batch_rows,
                commit_interval_ms=settings.sink.commit_interval_ms,
                stop=stop,
                progress=self.progress,
            )
