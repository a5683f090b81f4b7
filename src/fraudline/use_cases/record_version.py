"""The record in MLflow: kept beside the registry, and never in its way."""

from __future__ import annotations

from fraudline.errors import ContractError, RegistryError, SettingsError, TrackingError
from fraudline.use_cases.project import Project


def record_version(project: Project, version: str) -> None:
    """Record a version, and that it is the champion if it is.

    Raises:
        InputError: there is no such version.
        ContractError: the contract cannot be read, whose types are recorded.
        TrackingError: it was not recorded.
    """
    from fraudline.tracking.mlflow_record import MlflowRecord

    directory = project.registry.path(version)
    kept = MlflowRecord(project.settings)
    kept.add(directory, project.contract)
    if project.registry.is_champion(version):
        kept.name_champion(directory)


def record_if_possible(project: Project, version: str) -> str | None:
    """Record a version after something was done with it, which stays done whatever happens.

    Returns:
        Why it was not recorded, and what now; None if it was.
    """
    try:
        record_version(project, version)
    except (TrackingError, RegistryError, ContractError, SettingsError) as error:
        return (
            f"{error}\nThe registry has {version} all the same, and nothing that scores looks at "
            f"MLflow. To record it later: fraudline models record {version}"
        )
    return None
