"""Jobs: what runs, what ran, and how it ended."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import duckdb

from bqlite.database.catalog import Catalog
from bqlite.database.engine import Transaction
from bqlite.errors import (
    BqliteError,
    DuplicateError,
    EndingError,
    NotFoundError,
    StoppedError,
)
from bqlite.relations import LOCATION, now_ms
from bqlite.work.memory import resident_mb
from bqlite.work.outcome import Outcome

MAX_KEPT = 10_000  # jobs remembered; older ones are forgotten as BigQuery forgets them in time
CONCURRENT = 16
SETTLED_WITHIN_S = 2.0  # what was between two statements has ended by then, or is left behind
_POLL_S = 0.05

log = logging.getLogger("bqlite")


@dataclass
class Job:
    """One load or query.

    Attributes:
        project: Whose it is.
        id: Its name, unique in the project.
        kind: `QUERY` or `LOAD`.
        configuration: What was asked, as REST wrote it.
        timeout_ms: How long after its creation it is stopped, 0 for never.
        stopped: Why it is being stopped, if neither its client nor its time-out asked for it.
        resident_mb: What the process held in memory when it began.
        outcome: What it did, once it has ended well.
        error: Why it failed.
    """

    project: str
    id: str
    kind: str
    configuration: dict[str, Any]
    statement_type: str = ""
    bytes_processed: int = 0
    bytes_billed: int = 0
    created_ms: int = field(default_factory=now_ms)
    started_ms: int = 0
    ended_ms: int = 0
    outcome: Outcome | None = None
    error: BqliteError | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)
    timeout_ms: int = 0
    is_timed_out: bool = False
    stopped: BqliteError | None = None
    resident_mb: int = 0
    connection: duckdb.DuckDBPyConnection | None = None

    @property
    def state(self) -> str:
        """`PENDING`, `RUNNING` or `DONE`."""
        return "DONE" if self.done.is_set() else "RUNNING" if self.started_ms else "PENDING"

    @property
    def location(self) -> str:
        """Where it runs; bqlite has one place."""
        return LOCATION

    def store(self, transaction: Transaction, outcome: Outcome) -> None:
        """Writes down, with the rows it wrote, that the job has done its work."""
        body = {
            "kind": self.kind,
            "configuration": self.configuration,
            "statement": self.statement_type,
            "created_ms": self.created_ms,
            "rows": outcome.rows,
            "affected": outcome.affected,
            "statistics": outcome.statistics,
        }
        transaction.connection.execute(
            "INSERT INTO store._bqlite.jobs VALUES (?, ?, ?, ?)",
            [self.project, self.id, now_ms(), json.dumps(body)],
        )


Work = Callable[[Job, duckdb.DuckDBPyConnection], Outcome]


class Jobs:
    """Every job of the process, and those of earlier ones that changed the store.

    A job that writes is stored in the transaction of its rows. So a client that lost the answer
    and asks again under the same id, even after a restart, is told that the job exists.

    Args:
        catalog: What they work on.
        timeout_s: After how long a query is stopped that names no time-out of its own, 0 for never.
    """

    def __init__(self, catalog: Catalog, timeout_s: int) -> None:
        self._catalog = catalog
        self._timeout_ms = timeout_s * 1000
        self._jobs: dict[tuple[str, str], Job] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(CONCURRENT, thread_name_prefix="job")
        self._is_closed = False
        self._load()

    def _load(self) -> None:
        with self._catalog.engine.write() as transaction:
            transaction.connection.execute(
                "DELETE FROM store._bqlite.jobs WHERE ended_ms <= coalesce((SELECT ended_ms FROM "
                f"store._bqlite.jobs ORDER BY ended_ms DESC LIMIT 1 OFFSET {MAX_KEPT // 2}), -1)"
            )
        with self._catalog.engine.cursor() as cursor:
            rows = cursor.execute("FROM store._bqlite.jobs ORDER BY ended_ms").fetchall()
        for project, job_id, ended_ms, text in rows:
            body = json.loads(text)
            job = Job(project, job_id, body["kind"], body["configuration"], body["statement"])
            job.created_ms, job.started_ms, job.ended_ms = body["created_ms"], ended_ms, ended_ms
            job.outcome = Outcome(None, body["rows"], body["affected"], body["statistics"])
            job.done.set()
            self._jobs[project, job_id] = job

    def start(self, job: Job, work: Work) -> Job:
        """Registers the job and begins it.

        Raises:
            DuplicateError: Its id was used before.
            EndingError: The server ends.
        """
        if job.kind == "QUERY":
            job.timeout_ms = job.timeout_ms or self._timeout_ms
        with self._lock:
            if self._is_closed:
                raise EndingError
            if (job.project, job.id) in self._jobs:
                raise DuplicateError(f"Already Exists: Job {job.project}:{LOCATION}.{job.id}")
            self._jobs[job.project, job.id] = job
            while len(self._jobs) > MAX_KEPT:
                self._jobs.pop(next(iter(self._jobs)))
            self._pool.submit(self._run, job, work)
        if job.timeout_ms:
            threading.Thread(target=_time_out, args=(job,), daemon=True).start()
        return job

    def get(self, project: str, job_id: str) -> Job:
        """The job; raises `NotFoundError`."""
        job = self._jobs.get((project, job_id))
        if job is None:
            raise NotFoundError(f"Not found: Job {project}:{LOCATION}.{job_id}")
        return job

    def find(self, project: str, job_id: str) -> Job | None:
        """The job, or None."""
        return self._jobs.get((project, job_id))

    def all(self, project: str) -> list[Job]:
        """The project's jobs, newest first."""
        with self._lock:
            return [job for job in reversed(self._jobs.values()) if job.project == project]

    def cancel(self, job: Job) -> None:
        """Asks a job to stop; one that has ended stays as it is."""
        threading.Thread(target=_interrupt, args=(job,), daemon=True).start()

    def running(self) -> list[Job]:
        """The jobs that run."""
        with self._lock:
            return [job for job in self._jobs.values() if job.state == "RUNNING"]

    def stop(self, job: Job, why: BqliteError) -> None:
        """Stops a job that did not ask for it; `why` is its error."""
        if job.stopped is None:
            job.stopped = why
            self.cancel(job)

    def close(self, interrupt: Callable[[], object]) -> None:
        """Starts no more jobs, and ends those that there are; to be called once nothing commits.

        What had committed by then tells so, as ever; whoever waits for another one is told that it
        was ended.

        Args:
            interrupt: Stops the statements that run.
        """
        with self._lock:
            self._is_closed = True
            self._pool.shutdown(wait=False, cancel_futures=True)
            left = [job for job in self._jobs.values() if not job.done.is_set()]
        for job in left:
            job.stopped = EndingError()
        give_up_at = time.monotonic() + SETTLED_WITHIN_S
        for job in left:
            while job.started_ms and time.monotonic() < give_up_at and not job.done.wait(_POLL_S):
                interrupt()
            if not job.done.is_set():
                job.error, job.ended_ms = job.stopped, now_ms()
                job.done.set()

    def _run(self, job: Job, work: Work) -> None:
        job.resident_mb = resident_mb()
        job.started_ms = now_ms()
        try:
            with self._catalog.engine.cursor() as connection:
                job.connection = connection
                job.outcome = work(job, connection)
        except StoppedError as error:
            is_late = f"Operation timed out after {job.timeout_ms / 1000} seconds"
            late = StoppedError(is_late) if job.is_timed_out else None
            job.error = job.stopped or late or error
        except BqliteError as error:
            job.error = error
        except Exception as error:  # a defect of bqlite must not leave its client waiting
            log.exception("job %s failed in a way bqlite does not expect", job.id)
            job.error = BqliteError(f"bqlite failed unexpectedly: {type(error).__name__}: {error}")
            job.error.reason, job.error.status = "unexpected", 500
        finally:
            job.connection = None
            job.ended_ms = now_ms()
            job.done.set()


def _time_out(job: Job) -> None:
    if not job.done.wait(job.timeout_ms / 1000):
        job.is_timed_out = True
        _interrupt(job)


def _interrupt(job: Job) -> None:
    """Interrupts until the job has ended: an interrupt between two statements is lost."""
    while not job.done.wait(0.05):
        connection = job.connection
        if connection is not None:
            with contextlib.suppress(duckdb.Error):  # it may have been closed just now
                connection.interrupt()
