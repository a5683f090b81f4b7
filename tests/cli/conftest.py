from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.harness import SCREEN, typed
from tests.transactions import WALLET_FILE

import bqlite
from fraudline.settings import BigQuerySettings, Settings
from fraudline.use_cases.project import Project
from fraudline.warehouse.client import Endpoint, Warehouse


class Shell:
    """Runs the command line in this process, in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._environment = {**os.environ, **SCREEN}

    def set(self, **environment: str) -> Shell:
        self._environment |= environment
        return self

    def __call__(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was said, with a space for all white space."""
        answer = typed(arguments, self._environment, self._directory)
        return answer.code, " ".join(answer.said.split())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bqlite.Bqlite]:
    with bqlite.serve(tmp_path_factory.mktemp("load")) as running:
        yield running


@pytest.fixture
def make(server: bqlite.Bqlite, tmp_path: Path) -> Callable[..., Project]:
    """Projects that share a home and a data set, each with a contract and a table of its own."""

    def made(contract: str = str(WALLET_FILE), table: str = "history") -> Project:
        project = Project(Settings(home=tmp_path, contract=contract))
        dataset = tmp_path.name.replace("-", "_")
        vars(project)["warehouse"] = Warehouse(
            BigQuerySettings(dataset=dataset, table_history=table),
            Endpoint(server.rest, server.storage),
        )
        return project

    return made
