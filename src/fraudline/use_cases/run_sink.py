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
from fraudline.warehouse.tables import grow_stream_tables


class SinkRun:
    """A sink, ready to begin.

    Any number of them, in any number of processes, share the topics' partitions. Columns that
    an earlier release's tables lack are added first, which the log tells.

    Args:
        project: Whose topics and tables.

    Attributes:
        topics: What it stores.
        progress: What it does, for whoever watches.

    Raises:
        BrokerError: a topic is missing, or the broker cannot be reached.
        WarehouseError: a table is missing or may not be given a column that it lacks, or
            BigQuery cannot be reached.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._routes = routes(project)
        tables = [route.table for route in self._routes]
        self.topics = [route.topic for route in self._routes]
        self.progress = Progress(Task.SINK, tables)
        grow_stream_tables(project.warehouse, project.contract)
        require_topics(project.kafka, self.topics)

    def until(self, stop: threading.Event) -> None:
        """Store until told to stop; metrics and health are served if a port is set.

        Raises:
            BrokerError: the broker refuses for good.
            WarehouseError: BigQuery refuses for good.
            NewerRecordError: a later fraudline wrote a record: upgrade the sinks first.
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
