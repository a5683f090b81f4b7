"""What tests of several rooms share: real services, and a project of its own for each test."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests import lanes
from tests.faults.proxy import Network, Proxy
from tests.faulty_bigquery import FaultyBigQuery, faulty_bigquery
from tests.harness import Place, place
from tests.hung import Hung
from tests.keeper import Keeper
from tests.s3_server import S3Server, running_server

from fraudline import local
from fraudline.local.process import free_port
from fraudline.settings import Settings

# How long an example takes is no property of our code: the machine may be busy.
settings.register_profile(
    "patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
)
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Hung())
    if not hasattr(config, "workerinput"):  # one for the run, not one for each worker
        config.pluginmanager.register(Keeper())


@pytest.hookimpl(trylast=True)  # after they were shuffled
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lanes.in_order(items)


@pytest.hookimpl(optionalhook=True)  # there is none without pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> lanes.Lanes:
    config.option.loadscopereorder = False  # our order counts time, its own counts tests
    return lanes.Lanes(config, log)


@pytest.fixture(scope="session")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def turn(directory: Path, name: str) -> Iterator[None]:
    """Let one worker at a time into the block."""
    with (directory / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def services_home(run_directory: Path) -> Path:
    """A home in which one broker and one bqlite run for all tests of all workers.

    The first that needs them starts them, and `tests.keeper` ends them with the run.
    """
    home = run_directory / "services"
    with turn(run_directory, "services"):  # `up` finds what runs
        home.mkdir(exist_ok=True)
        local.up(Settings(home=home), on_progress=print)
    return home


@pytest.fixture(scope="session")
def s3_server(run_directory: Path) -> S3Server:
    """One S3 server for all tests of all workers; `tests.keeper` ends it."""
    with turn(run_directory, "s3"):
        return running_server(run_directory)


@pytest.fixture
def bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a bucket of a test's own, and the variables to use it."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return s3_server.make_bucket(f"models-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def way(s3_server: S3Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to the bucket's server, which may break; the variables lead through it."""
    network = Network()
    port = free_port()
    proxy = Proxy(network, port, s3_server.port)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    yield proxy
    proxy.close()
    network.close()


@pytest.fixture(scope="session")
def faulty_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyBigQuery]:
    """One bqlite for all tests that let its calls fail."""
    with faulty_bigquery(tmp_path_factory.mktemp("faulty")) as running:
        yield running


@pytest.fixture
def faulty(faulty_server: FaultyBigQuery) -> Iterator[FaultyBigQuery]:
    """A bqlite of which no call fails yet."""
    yield faulty_server
    faulty_server.clear()


@pytest.fixture(scope="session")
def empty_record(run_directory: Path) -> Path:
    """A home in which MLflow has made the tables of its database, which takes it seconds."""
    home = run_directory / "record"
    with turn(run_directory, "record"):
        if not home.exists():
            from fraudline.tracking.mlflow_record import MlflowRecord  # noqa: PLC0415 - slow

            MlflowRecord(Settings(home=home))
    return home


@pytest.fixture
def home(empty_record: Path, tmp_path: Path) -> Path:
    """A home of a test's own with an empty record of trained versions."""
    shutil.copytree(empty_record, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def here(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    """A project with the creditcard contract."""
    with place(services_home, tmp_path / "home") as made:
        yield made
