"""One worker: a process of the command line, started again and again, and its log."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path

from tests.faults.proxy import Proxy
from tests.harness import SCREEN

from fraudline import local
from fraudline.local import Companion
from fraudline.local.state import Record, write_record
from fraudline.settings import BigQuerySettings, KafkaSettings, Settings

WORKERS = ("scorer1", "scorer2", "sink1", "sink2")
_COMMANDS = {"scorer": "score", "sink": "sink"}
_BEGUN = {"scorer": "scoring topic ", "sink": "storing topics "}
_END_TIMEOUT_S = 20.0
_DECIDES = re.compile(r"scoring topic '\S+' with ([\w.-]+)|([\w.-]+) is the champion and decides")


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
        own = home / name
        own.mkdir()
        # Where the worker finds bqlite: at its own proxies, alive for as long as bqlite is.
        (own / "bqlite").symlink_to(home / "bqlite")
        (own / "models").symlink_to(home / "models")
        storage = {role: port for role, port in ports.items() if role != "kafka"}
        write_record(own, "bqlite", Record(0, 0.0, storage))
        self._home = own
        self._kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{ports['kafka']}")
        self.use_tables(BigQuerySettings())

    def use_tables(self, bigquery: BigQuerySettings) -> None:
        """Use these tables from the next start on."""
        self._companion = Companion(
            local.call(_COMMANDS[self._kind]),
            local.environment(Settings(home=self._home, kafka=self._kafka, bigquery=bigquery))
            | SCREEN,
            self.log,
            self._home,
        )

    def start(self) -> None:
        """Begin a process; what the one before said stays in the log."""
        with self.log.open("a") as file:
            file.write(f"--- started at {time.strftime('%H:%M:%S')}\n")
        self._companion.start()

    @property
    def pid(self) -> int:
        """Number of the process that runs now."""
        return self._companion.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process that was started last still runs."""
        return self._companion.is_alive

    @property
    def exit_code(self) -> int | None:
        """What it ended with."""
        return self._companion.process.poll()

    @property
    def said(self) -> str:
        """What the process that was started last has said."""
        return self._companion.said

    @property
    def decides_by(self) -> str | None:
        """The version by which a scorer decides, as it said last."""
        told = _DECIDES.findall(self._companion.said)
        return "".join(told[-1]) if told else None

    def end(self) -> None:
        """Ask it to end, if it runs, whatever it thinks of that."""
        if self._companion.is_alive:
            self._companion.stop(_END_TIMEOUT_S)

    @property
    def is_working(self) -> bool:
        """Whether the process has found what it needs, and begun."""
        return _BEGUN[self._kind] in self._companion.said

    @property
    def goes_on(self) -> bool:
        """Whether its last status says so: one that is a member may yet find no place to begin."""
        said = self._companion.said.rstrip().rpartition("\n")[2]
        return said[:1].isdigit() and "no progress" not in said

    def kill(self) -> None:
        """Have the kernel end it, at whatever instruction it is, if it runs."""
        if self._companion.is_alive:
            self._companion.kill()

    def stop(self) -> None:
        """Ask it to end, and see that it does so without complaint."""
        code = self._companion.stop(_END_TIMEOUT_S)
        assert code == 0, f"{self.name} ended with exit code {code}; see {self.log}"

    def tend(self) -> None:
        """Start it again if it ended before it began, as a supervisor does.

        A service may have been away just then. One that had begun waits for services.
        """
        if self._companion.is_alive:
            return
        assert not self.is_working, f"{self.name} gave up by itself; see {self.log}"
        self.start()
