"""A command of ours in a process beside this one, as an operator would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, SecretStr

from fraudline.home import PRIVATE_UMASK
from fraudline.settings import ENVIRONMENT_PREFIX, PolicySettings, Settings

_STOP_GRACE_S = 30.0


def call(*arguments: str) -> list[str]:
    """The words with which this Python runs our command line."""
    return [sys.executable, "-m", "fraudline.cli", *arguments]


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment, but with exactly these settings.

    All that have a value are named, so that neither a variable nor a `fraudline.toml` says
    otherwise; one that has none could still be read from a `fraudline.toml` there. So could what
    `[policy]` leaves to its defaults: a cost that is named counts as given by a person, and
    nothing would tell any more that nobody gave it.
    """
    found = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(ENVIRONMENT_PREFIX)
    }
    for name, value in _named(settings):
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        found[f"{ENVIRONMENT_PREFIX}{name}".upper()] = text
    return found


class Companion:
    """One command, and what it says; it can be started again and again.

    Args:
        words: The program and its arguments, such as `call("score")` gives.
        environment: Its environment, such as `environment` gives.
        log: File to which it appends all that it says.
        directory: Its working directory; without one, that of this process.
    """

    def __init__(
        self,
        words: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        directory: Path | None = None,
    ) -> None:
        self.words, self.log = words, log
        self._environment, self._directory = environment, directory
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    def start(self) -> None:
        """Begin a process; the one before must have ended.

        Raises:
            OSError: the program or the log cannot be opened.
        """
        with self.log.open("ab") as file:
            self._said_before = file.tell()
            self._process = subprocess.Popen(  # noqa: S603 - no shell reads the words
                self.words,
                env=self._environment,
                cwd=self._directory,
                umask=PRIVATE_UMASK,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that was started last."""
        assert self._process is not None, "it was not started"
        return self._process

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """What the process that was started last has said."""
        with self.log.open("rb") as file:
            file.seek(self._said_before)
            return file.read().decode(errors="replace")

    def stop(self, grace_s: float = _STOP_GRACE_S) -> int:
        """Ask it to end, as an operator does, and end it by force when the grace time is over.

        Returns:
            Its exit code; that of a signal is negative.
        """
        self.process.terminate()
        try:
            return self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """Have the kernel end it, at whatever instruction it is; its exit code is given."""
        self.process.kill()
        return self.process.wait()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started inside the `with` block and stopped after it."""
        self.start()
        try:
            yield
        finally:
            self.stop()


def _named(settings: BaseModel, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in settings:
        if isinstance(value, BaseModel):
            yield from _named(value, f"{name}__")
        elif value is not None and (
            not isinstance(settings, PolicySettings) or name in settings.model_fields_set
        ):
            yield f"{prefix}{name}", value
