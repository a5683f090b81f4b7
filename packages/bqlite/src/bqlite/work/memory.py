"""Keeps the process below a ceiling of memory: what runs is stopped, or the process ends in words.

DuckDB holds its own limit where it counts; what a function makes of one vector of rows, and what a
client's request is unpacked to, it does not count.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from bqlite.errors import BqliteError, ResourceError

EXIT_CODE = 3
HEADROOM_MB = 3072  # above DuckDB's own limit
GROWTH_MB = 512  # what a statement may add where the process is above the mark already
_PERIOD_S = 0.03
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")

log = logging.getLogger("bqlite")


def resident_mb() -> int:
    """What the process holds in memory; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE >> 20
    except OSError:
        return 0


class Stoppable(Protocol):
    """The part of `work.jobs.Jobs` that is watched."""

    def running(self) -> list[Any]:
        """The jobs that run."""

    def stop(self, job: Any, why: BqliteError) -> None:
        """Stops one of them."""


class MemoryWatch:
    """Looks at the process's memory from a thread of its own, for as long as the process lives.

    Half-way between DuckDB's limit and the ceiling every statement that grows is stopped with
    `resourcesExceeded`. Above the ceiling the process ends, with one line and `EXIT_CODE`: what was
    acknowledged is on disk.

    Args:
        jobs: What can be stopped.
        memory_limit_mb: DuckDB's limit.
        ceiling_mb: What the process may hold.
    """

    def __init__(self, jobs: Stoppable, memory_limit_mb: int, ceiling_mb: int) -> None:
        self._jobs = jobs
        self._ceiling_mb = ceiling_mb
        self._mark_mb = (memory_limit_mb + ceiling_mb) // 2

    def start(self, end: Callable[[int], object] = os._exit) -> None:
        """Begins to look; `end` ends the process."""
        threading.Thread(target=self._look, args=(end,), name="memory", daemon=True).start()

    def _look(self, end: Callable[[int], object]) -> None:
        while True:
            time.sleep(_PERIOD_S)
            found = resident_mb()
            if found > self._ceiling_mb:
                line = (
                    f"bqlite: ended itself, for it held {found} MB of memory and may hold "
                    f"{self._ceiling_mb} MB; what was acknowledged is on disk. Start it again, ask "
                    "for less at a time, or raise --process-limit-mb\n"
                )
                os.write(2, line.encode())
                end(EXIT_CODE)
            elif found > self._mark_mb:
                self._stop(found)

    def _stop(self, found: int) -> None:
        for job in self._jobs.running():
            if found > max(self._mark_mb, min(job.resident_mb + GROWTH_MB, self._ceiling_mb)):
                why = ResourceError(
                    "Resources exceeded during query execution: bqlite's process holds "
                    f"{found} MB of memory, and a statement is stopped at {self._mark_mb} MB"
                )
                self._jobs.stop(job, why)
