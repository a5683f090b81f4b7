"""A running project for tests: settings of its own, and commands as a user runs them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from fraudline import flows, local
from fraudline.cli import screen
from fraudline.cli.app import main
from fraudline.local import Companion
from fraudline.settings import BigQuerySettings, KafkaSettings, Settings
from fraudline.use_cases.project import Project
from fraudline.use_cases.set_up import set_up

SAMPLE = Path(__file__).parent / "data" / "creditcard-sample.csv"
SCREEN = {"COLUMNS": "200", "NO_COLOR": "1"}  # names are not cut in two
_RUN_TIMEOUT_S = 240


@dataclass(frozen=True)
class Answer:
    """What a command gave.

    Attributes:
        code: Its exit code.
        out: Its standard output.
        said: Its standard output and then its standard error, as text.
    """

    code: int
    out: bytes
    said: str


def typed(arguments: tuple[str, ...], environment: Mapping[str, str], directory: Path) -> Answer:
    """Run a command in this process, as if typed in a directory; takes no second to start.

    What only a process of its own shows, such as signals, is for `Place.start` and
    `Place.run_alone`.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    for console in (screen.OUT, screen.ERR):  # made with the width of whoever imported them first
        console.width = int(environment.get("COLUMNS", "80"))
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", ["fraudline", *arguments]),
        chdir(directory),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    return _answer(code, *(_written(stream) for stream in (out, err)))


def _written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def _answer(code: int, out: bytes, err: bytes) -> Answer:
    said = (out + err).decode(errors="replace")
    assert "Traceback" not in said
    return Answer(code, out, said)


@dataclass
class Place:
    """A project directory of a test's own."""

    project: Project
    companions: list[Companion] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the command line sees this project."""
        return local.environment(self.project.settings) | SCREEN

    def run(self, *arguments: str, **environment: str) -> Answer:
        """Run a command to its end, in this process."""
        return typed(arguments, self.environment | environment, self.project.settings.home)

    def run_alone(self, *arguments: str) -> Answer:
        """Run a command to its end in a process of its own, which proves that it starts there."""
        done = subprocess.run(
            local.call(*arguments),
            check=False,
            env=self.environment,
            cwd=self.project.settings.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_RUN_TIMEOUT_S,
        )
        return _answer(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> Companion:
        """Start a command that runs until it is stopped; the test's end kills it."""
        home = self.project.settings.home
        log = home / f"{arguments[0]}-{len(self.companions)}.log"
        companion = Companion(local.call(*arguments), self.environment, log, home)
        companion.start()
        self.companions.append(companion)
        return companion

    def close(self) -> None:
        """Kill what still runs."""
        for companion in self.companions:
            if companion.is_alive:
                companion.kill()


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


def eventually(is_true: Callable[[], bool], timeout_s: float = 45.0) -> None:
    """Wait for a condition, and fail if it does not come true in time.

    Asking takes at most a fifth of the time: what is waited for needs the processors.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        asked_at = time.monotonic()
        if is_true():
            return
        now = time.monotonic()
        assert now < deadline, f"not true within {timeout_s:.0f} s"
        time.sleep(max(0.05, 4 * (now - asked_at)))
