"""How the services of this machine are, and stopping them; BigQuery's client is not needed."""

from __future__ import annotations

from collections.abc import Callable

from fraudline import local
from fraudline.use_cases.project import Project


def status(project: Project) -> list[local.ServiceStatus]:
    """The local services: whether each runs, by proof of a message or a query, and where."""
    return local.status(project.settings)


def stop(project: Project, on_progress: Callable[[str], None] = lambda _: None) -> None:
    """Stop the local services; what they hold stays on disk.

    Raises:
        LocalServiceError: a service did not end.
    """
    local.down(project.settings, on_progress)
