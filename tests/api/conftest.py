"""An API that runs, with the wallet contract, in a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import httpx
import pytest
from tests.transactions import WALLET_FILE
from tests.use_cases.versions import add_version

from fraudline.access import Role
from fraudline.api import ApiServer, api_server
from fraudline.settings import ApiSettings, Settings
from fraudline.use_cases.manage_keys import create_key
from fraudline.use_cases.project import Project


@dataclass
class Running:
    """An API that runs.

    Attributes:
        project: Whose.
        server: Itself.
        keys: A key of each role.
    """

    project: Project
    server: ApiServer
    keys: dict[Role, str]

    def client(self, role: Role | None = Role.SCORER) -> httpx.Client:
        """A client with a key of a role, or with none."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.keys[role]}"}
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=30)


def project_of(home: Path, contract: str = str(WALLET_FILE), **limits: float) -> Project:
    """A project with a champion, and an API at a free port."""
    project = Project(Settings(home=home, contract=contract, api=ApiSettings(port=0, **limits)))
    project.registry.promote(add_version(project.registry, project.contract, 1.0))
    return project


class Served:
    """Runs the API of a project for as long as the block lasts."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._stop = threading.Event()
        self.said: list[str] = []
        self.end = ""

    def __enter__(self) -> Running:
        keys = {role: create_key(self._project, f"of {role}", role).key for role in Role}
        server = ApiServer(self._project)
        server.__enter__()
        self._drain = mock.patch.object(api_server, "DRAIN_S", 0.0)
        self._drain.start()

        def run() -> None:
            self.end = server.until(self._stop, self.said.append)

        self._thread = threading.Thread(target=run)
        self._thread.start()
        self._server = server
        return Running(self._project, server, keys)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self._drain.stop()
        self._server.__exit__(None, None, None)
        assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all tests of a file that leave it as it is."""
    with Served(project_of(tmp_path_factory.mktemp("api"))) as running:
        yield running
