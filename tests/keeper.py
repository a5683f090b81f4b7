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

_ROOT = Path(__file__).parents[1]
_END_TIMEOUT_S = 60


class Keeper:
    """The process that waits.

    Args:
        directory: Everything that the run starts has its working directory in it, or is given
            a path in it.
    """

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.keeper", str(directory)],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is not meant for it
        )

    def close(self) -> None:
        """The run is over; return when nothing of it is left."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(_END_TIMEOUT_S)


def _end_services(directory: Path) -> None:
    from fraudline import local  # noqa: PLC0415 - while it waits it shall cost nothing
    from fraudline.errors import LocalServiceError  # noqa: PLC0415
    from fraudline.settings import Settings  # noqa: PLC0415

    for record in directory.rglob("services.json"):
        if not record.is_symlink():
            try:
                local.down(Settings(home=record.parent), lambda _line: None)
            except LocalServiceError as error:
                sys.stderr.write(f"{record.parent}: {error}\n")


def _end_others(directory: Path) -> None:
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = [process.info["cwd"] or "", *(process.info["cmdline"] or [])]
        if process.pid != psutil.Process().pid and any(str(directory) in word for word in words):
            sys.stderr.write(f"left behind by the tests, and ended: {words}\n")
            process.kill()


def main() -> None:
    """Wait for the end, then clean up."""
    directory = Path(sys.argv[1])
    sys.stdin.buffer.read()
    _end_services(directory)
    _end_others(directory)


if __name__ == "__main__":
    main()
