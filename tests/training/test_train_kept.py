"""A training is not lost where its last step fails, and is told where it gave nothing new."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pyarrow as pa
import pytest
from tests.faults.proxy import Proxy
from tests.models import write_tiny_bundle
from tests.training.conftest import THE_SAMPLE
from tests.transactions import CREDITCARD

from fraudline.bundle.manifest import Manifest
from fraudline.errors import RegistryError
from fraudline.settings import RegistrySettings, Settings
from fraudline.use_cases import train_version as trainings
from fraudline.use_cases.project import Project
from fraudline.warehouse.history_table import History, HistorySnapshot

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded


def test_what_was_trained_while_the_store_went_away_is_kept_and_can_be_added(
    way: Proxy, bucket: str, history: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The training itself is stood in for: it is what comes after hours of it that counts here."""
    settings = Settings(home=tmp_path, registry=RegistrySettings(url=f"{bucket}/models"))
    project = Project(settings)
    said: list[str] = []

    def read(*_: object) -> History:
        source = THE_SAMPLE
        return History(
            history, HistorySnapshot(source.table, source.query, source.read_at, 3550, "5a" * 32)
        )

    def write(_project: Project, _history: History, _recipe: object, directory: Path, **_: object):
        return write_tiny_bundle(directory, CREDITCARD, created_at=dt.datetime.now(dt.UTC))

    def write_and_lose(*arguments: object, **options: object) -> Manifest:
        try:
            return write(*arguments, **options)
        finally:
            way.is_refusing = True
            way.cut()

    def train() -> Manifest:
        return trainings.train_version(project, "default", 0.2, 0, on_progress=said.append)

    monkeypatch.setattr(trainings, "read_history", read)
    monkeypatch.setattr(trainings, "train_candidate", write_and_lose)
    with pytest.raises(RegistryError) as lost:
        train()
    way.heal()
    told = re.search(
        r"(\S+) was trained, and is kept in (\S+): `fraudline models add \2`", str(lost.value)
    )
    assert told is not None, lost.value
    assert project.registry.versions() == []
    project.registry.discard(project.registry.new_directory())  # which sweeps
    assert project.registry.add_copy(Path(told[2])).version == told[1]
    assert [each.version for each in project.registry.versions()] == [told[1]]
    assert not Path(told[2]).exists(), "it is in the registry now"
    monkeypatch.setattr(trainings, "train_candidate", write)
    assert train().version == told[1]
    assert said[-1].startswith(
        f"the same rows, recipe and seed gave {told[1]} before, made at 2026"
    )
