"""The BigQuerys that run on one machine, each as a process of its own with Google's clients."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

import bqlite

_RIVAL = Path(__file__).parent / ".venv-bqemulator"  # its home, too: there lies what it installs
_READY_WITHIN_S = 60
_ENDS_WITHIN_S = 10


@dataclass(frozen=True)
class Running:
    """A server that answers.

    Attributes:
        clients: Google's clients for it.
        process: It.
        ready_s: Seconds from its start to its first answer.
    """

    clients: bqlite.Bqlite
    process: psutil.Process
    ready_s: float

    @property
    def memory_mb(self) -> float:
        """What it holds in memory now, in millions of bytes."""
        return float(self.process.memory_info().rss) / 1e6

    @property
    def peak_memory_mb(self) -> float:
        """The most it has held in memory, in millions of bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6


@contextmanager
def bqlite_in(directory: Path) -> Iterator[Running]:
    """Our own, over a new directory."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "bqlite", "--data", str(directory)]
    with _process(command, directory.with_suffix(".log")) as process:
        line = json.loads(process.stdout.readline())
        clients = bqlite.Bqlite(line["rest"], line["storage"], line["project"])
        yield Running(clients, process, time.monotonic() - begun)


@contextmanager
def bqemulator_in(directory: Path) -> Iterator[Running]:
    """Bqemulator as it starts by itself: in memory, which spares it the disk."""
    rest, storage = _free_ports(2)
    begun = time.monotonic()
    command = [
        str(_RIVAL / "bin" / "bqemulator"), "start", "--project", "local", "--log-level", "error",
        "--rest-port", str(rest), "--grpc-port", str(storage),
    ]  # fmt: skip
    clients = bqlite.Bqlite(f"http://127.0.0.1:{rest}", f"127.0.0.1:{storage}", "local")
    with _process(command, directory.with_suffix(".log")) as process:
        while not _answers(clients.rest):
            if process.poll() is not None or time.monotonic() - begun > _READY_WITHIN_S:
                log = directory.with_suffix(".log").read_text(errors="replace")
                raise RuntimeError(f"bqemulator did not start: {log[-2000:]}")
            time.sleep(0.02)
        yield Running(clients, process, time.monotonic() - begun)


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[psutil.Popen]:
    environment = {**os.environ, "HOME": str(_RIVAL)}
    with log.open("wb") as file:
        process = psutil.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=file)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_ENDS_WITHIN_S)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(_ENDS_WITHIN_S)
        process.stdout.close()


def _answers(rest: str) -> bool:
    try:
        return requests.get(f"{rest}/bigquery/v2/projects/local/datasets", timeout=5).ok
    except requests.ConnectionError:
        return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
