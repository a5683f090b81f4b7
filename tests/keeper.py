"""Ends whatever a test run has left behind, however the run ended.

It waits at the end of a pipe that only the run holds. The kernel closes that when the run is
over, be it done, broken off by Ctrl-C or killed; then what is still alive under the run's
directory is ended: services in order, then by force whatever process has to do with it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_ROOT = Path(__file__).parents[1]
_END_TIMEOUT_S = 120


class Keeper:
    """A plugin of pytest that begins the process which waits, and ends with it.

    To be registered by the run's first process when it is configured: so it comes after
    pytest-xdist's workers have ended, and before the run's directory may be removed.
    """

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the directory below which each worker has its own."""
        directory = session.config._tmp_path_factory.getbasetemp()  # xdist takes it so, too
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.keeper", str(directory)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is not meant for it
        )

    def pytest_sessionfinish(self) -> None:
        """Return when nothing is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_END_TIMEOUT_S)


def _end_services(directory: Path) -> None:
    from tests import s3_server  # noqa: PLC0415

    from fraudline import local  # noqa: PLC0415 - while it waits it shall cost nothing
    from fraudline.errors import LocalServiceError  # noqa: PLC0415
    from fraudline.settings import Settings  # noqa: PLC0415

    s3_server.end(directory)
    for record in directory.rglob("services.json"):
        if not record.is_symlink():
            try:
                local.down(Settings(home=record.parent), lambda _line: None)
            except LocalServiceError as error:
                sys.stderr.write(f"{record.parent}: {error}\n")


def _end_others(directory: Path, spared: list[psutil.Process]) -> None:
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        if any(f"{directory}/" in f"{word}/" for word in words) and process not in spared:
            sys.stderr.write(f"left behind by the tests, and ended: {words}\n")
            process.kill()


def main() -> None:
    """Wait for the end, then clean up."""
    directory = Path(sys.argv[1])
    # The run names the directory, too, where it was given by `--basetemp`, and so do its parents.
    spared = [psutil.Process(), *psutil.Process().parents()]
    sys.stdin.buffer.read()
    try:
        _end_services(directory)
    finally:
        _end_others(directory, spared)


if __name__ == "__main__":
    main()
