"""One worker: a process of the command line, started again and again, and its log."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.faults.proxy import Proxy

from fraudline.local.state import Record, write_record

WORKERS = ("scorer1", "scorer2", "sink1", "sink2")
_COMMANDS = {"scorer": "score", "sink": "sink"}
_BEGUN = {"scorer": "scoring topic ", "sink": "storing topics "}
_END_TIMEOUT_S = 20.0


class Worker:
    """A `fraudline score` or `fraudline sink`, which reaches each service by a proxy.

    Attributes:
        name: `scorer1`, …
        links: Its proxies by what they lead to: `kafka`, and for a sink `rest` and `storage`.
        log: All that its processes have said.
    """

    def __init__(self, name: str, home: Path, links: Mapping[str, Proxy], ports: Mapping[str, int]):
        self.name, self.links = name, links
        self.log = home / "logs" / f"{name}.log"
        self._kind = name[:-1]
        self._home = home / name
        self._home.mkdir()
        # Where the worker finds bqlite: at its own proxies, alive for as long as bqlite is.
        (self._home / "bqlite").symlink_to(home / "bqlite")
        (self._home / "models").symlink_to(home / "models")
        storage = {role: port for role, port in ports.items() if role != "kafka"}
        write_record(self._home, "bqlite", Record(0, 0.0, storage))
        self._environment = {
            **{name: value for name, value in os.environ.items() if "FRAUDLINE" not in name},
            "FRAUDLINE_HOME": str(self._home),
            "FRAUDLINE_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{ports['kafka']}",
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }
        self._process: subprocess.Popen[str] | None = None
        self._said = 0

    def start(self) -> None:
        """Begin a process; what the one before said stays in the log."""
        with self.log.open("a") as file:
            file.write(f"--- started at {time.strftime('%H:%M:%S')}\n")
            file.flush()
            self._said = file.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fraudline.cli", _COMMANDS[self._kind]],
                env=self._environment,
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )

    @property
    def pid(self) -> int:
        """Number of the process that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_working(self) -> bool:
        """Whether the process has found what it needs, and begun."""
        with self.log.open() as file:
            file.seek(self._said)
            return _BEGUN[self._kind] in file.read()

    def kill(self) -> None:
        """Have the kernel end it, at whatever instruction it is, if it was started."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and see that it does so without complaint."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(_END_TIMEOUT_S)
        assert code == 0, f"{self.name} ended with exit code {code}; see {self.log}"

    def tend(self) -> None:
        """Start it again if it ended before it began, as a supervisor does.

        A service may have been away just then. One that had begun waits for services.
        """
        assert self._process is not None
        if self._process.poll() is None:
            return
        assert not self.is_working, f"{self.name} gave up by itself; see {self.log}"
        self.start()
