"""MLflow, loaded without its telemetry and its notices, and its errors in our words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraudline.errors import TrackingError
from fraudline.home import make_private
from fraudline.settings import LOCAL, Settings

# Read by MLflow when it is imported, and by the server that it starts.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"
os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # what it logs comes by our handler
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
try:
    from mlflow import MlflowClient, entities
except ModuleNotFoundError as error:
    raise TrackingError(
        f"MLflow cannot be used: {error.name} is not installed here, for this is an "
        "installation that only scores. Install `pip install 'fraudline[train]'`."
    ) from None

__all__ = ["MlflowClient", "artifacts", "entities", "failing", "record_address"]


def record_address(settings: Settings) -> str:
    """Where the record is kept: the address of a server, or of a database in the home.

    A server that is away must not hold up a training that is done, but by default MLflow asks it
    for minutes. How often is read from the environment at each request, so it is set whenever
    somebody is about to ask.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    if settings.mlflow.tracking_uri != LOCAL:
        return settings.mlflow.tracking_uri
    return f"sqlite:///{_home(settings) / 'mlflow.db'}"


def artifacts(settings: Settings) -> str | None:
    """Where files of runs are kept; None leaves that to the server."""
    if settings.mlflow.tracking_uri != LOCAL:
        return None
    return (_home(settings) / "artifacts").as_uri()


def _home(settings: Settings) -> Path:
    home = settings.home.absolute() / "mlflow"
    if misread := set(str(home)) & set("?%"):
        raise TrackingError(
            f"MLflow cannot keep its record in {home}: an address with {min(misread)!r} in it "
            "means another place. Set `home` to a path without it, or `mlflow.tracking_uri` to a "
            "server."
        )
    make_private(home)
    return home


@contextmanager
def failing(what: str, uri: str) -> Iterator[None]:
    """Whatever fails in the block is told as a `TrackingError`."""
    try:
        yield
    except Exception as error:  # MLflow's, its database's and its client's have no other base
        said = " ".join(str(error).split())[:500] or type(error).__name__
        raise TrackingError(f"{what} failed at {uri}: {said}") from error
