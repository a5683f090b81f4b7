"""How commands keep the record in MLflow: beside the registry, and never in its way."""

from __future__ import annotations

from fraudline.cli.project import Project
from fraudline.cli.screen import say
from fraudline.errors import TrackingError


def record(project: Project, version: str) -> None:
    """Record a version, and that it is the champion if it is.

    Raises:
        TrackingError: it was not recorded.
    """
    from fraudline.tracking.record import Record

    directory = project.registry.path(version)
    kept = Record(project.settings)
    kept.add(directory)
    if project.registry.has_champion() and version == project.registry.champion():
        kept.name_champion(directory)


def record_if_possible(project: Project, version: str) -> None:
    """Record a version after something was done with it, which stays done whatever happens."""
    try:
        record(project, version)
    except TrackingError as error:
        say(f"warning: {error}")
        say(
            f"The registry has {version} all the same, and nothing that scores looks at MLflow. "
            f"To record it later: fraudline models record {version}"
        )
