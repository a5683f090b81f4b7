"""What tests of several rooms share: real services, and a project of its own for each test."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests import lanes
from tests.faulty_bigquery import FaultyBigQuery, faulty_bigquery
from tests.keeper import Keeper

from fraudline import flows, local
from fraudline.settings import BigQuerySettings, KafkaSettings, Settings
from fraudline.use_cases.project import Project
from fraudline.use_cases.set_up import set_up

SAMPLE = Path(__file__).parent / "data" / "creditcard-sample.csv"
_KEEPER = pytest.StashKey[Keeper]()


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):  # one for the run, not one for each worker
        directory = session.config._tmp_path_factory.getbasetemp()  # xdist takes it the same way
        session.config.stash[_KEEPER] = Keeper(directory)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (keeper := config.stash.get(_KEEPER, None)) is not None:
        keeper.close()


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


@dataclass
class Place:
    """A project directory of a test's own: settings, and commands run as a user would."""

    project: Project
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the command line sees this project."""
        settings = self.project.settings
        kafka = settings.kafka
        return {
            **{name: value for name, value in os.environ.items() if "FRAUDLINE" not in name},
            "FRAUDLINE_HOME": str(settings.home),
            "FRAUDLINE_CONTRACT": settings.contract,
            "FRAUDLINE_KAFKA__GROUP": kafka.group,
            **{
                f"FRAUDLINE_KAFKA__TOPIC_{flow.name.upper()}": kafka.topic(flow)
                for flow in flows.FLOWS
            },
            "FRAUDLINE_BIGQUERY__DATASET": settings.bigquery.dataset,
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; standard error comes with standard output."""
        return subprocess.run(
            [sys.executable, "-m", "fraudline.cli", *arguments],
            check=False,
            env={**self.environment, **environment},
            cwd=self.project.settings.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that runs until it is stopped; the test's end kills it."""
        log = self.project.settings.home / f"{arguments[0]}-{len(self.processes)}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "fraudline.cli", *arguments],
                env=self.environment,
                cwd=self.project.settings.home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.processes.append(process)
        return process

    def logs(self) -> list[tuple[subprocess.Popen[str], Path]]:
        """What was started, and where each wrote what it said."""
        home = self.project.settings.home
        return [
            (process, home / f"{process.args[3]}-{number}.log")
            for number, process in enumerate(self.processes)
        ]

    def close(self) -> None:
        """Kill what still runs."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


@contextmanager
def place(services_home: Path, home: Path, contract: str = "creditcard") -> Iterator[Place]:
    """A project with topics, a group and a data set that no other test uses."""
    home.mkdir(parents=True, exist_ok=True)
    for shared in ("services.json", "kafka", "bqlite"):  # the services of all tests
        (home / shared).symlink_to(services_home / shared)
    suffix = uuid.uuid4().hex[:8]
    settings = Settings(
        home=home,
        contract=contract,
        kafka=KafkaSettings(
            group=f"group-{suffix}",
            **{f"topic_{flow.name}": f"{flow.name}-{suffix}" for flow in flows.FLOWS},
        ),
        bigquery=BigQuerySettings(dataset=f"fraud_{suffix}"),
    )
    made = Place(Project(settings))
    set_up(made.project)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def here(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    """A project with the creditcard contract."""
    with place(services_home, tmp_path / "home") as made:
        yield made


def eventually(is_true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for a condition, and fail if it does not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"not true within {timeout_s:.0f} s"
        time.sleep(0.05)
