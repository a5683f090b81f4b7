from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.models import write_tiny_bundle, write_tiny_metrics
from tests.tracking.later import reader
from tests.transactions import CREDITCARD

from fraudline.contract import Contract
from fraudline.registry import Registry
from fraudline.settings import Settings


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home)


@pytest.fixture
def client(settings: Settings) -> Any:
    """MLflow as anybody else would read it."""
    return reader(settings)


def tiny_version(home: Path, contract: Contract = CREDITCARD, **changes: object) -> Path:
    """The directory of a version that was not trained, but says all that a trained one does."""
    registry = Registry(home, lambda: contract.name)
    candidate = registry.new_directory()
    write_tiny_metrics(candidate)
    write_tiny_bundle(candidate, contract, **changes)
    return registry.path(registry.add(candidate).version)
