"""What is loaded only by a test that uses it.

MLflow takes seconds to load. Every worker reads every file of tests, but few run these.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fraudline.settings import Settings


def record(settings: Settings) -> Any:
    """The record of trained versions, as we write it."""
    return import_module("fraudline.tracking.mlflow_record").MlflowRecord(settings)


def reader(settings: Settings) -> Any:
    """MLflow as anybody else would read it: an `MlflowClient`."""
    engine = import_module("fraudline.tracking.mlflow_engine")
    return engine.MlflowClient(tracking_uri=engine.record_address(settings))


def serving(settings: Settings, port: int) -> Any:
    """MLflow's page for as long as the block lasts."""
    return import_module("fraudline.tracking.mlflow_server").serving_mlflow(settings, port)
