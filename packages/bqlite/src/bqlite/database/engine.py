"""DuckDB: one file, one writer at a time, any number of readers.

The connection's own database is in memory and holds query results and read snapshots, which end
with the process and spill to `DIR/spill` when memory is short. The file is attached as `store`.
"""

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from bqlite.database.directory import Claim
from bqlite.errors import EndingError, ServerStartError
from bqlite.sql.macros import MACROS

DATABASE = "bqlite.duckdb"
# The append that fills the write-ahead log waits while the log is written into the file, with the
# last group of each table's rows once more. Small steps of small groups, and columns as they are,
# keep that wait short (`make bench-bqlite` measures it). Rows that fill a group pass by the log, so
# only after hundreds of such appends is it full; few groups a step are then made one of several.
# A store made with other groups keeps them.
CHECKPOINT_THRESHOLD = "4MB"
ROW_GROUP_SIZE = 4_096
MERGES_A_CHECKPOINT = 4
CLOSED_WITHIN_S = 5.0
_POLL_S = 0.02

log = logging.getLogger("bqlite")


@dataclass
class Transaction:
    """One write: everything done on `connection` becomes visible together, or not at all."""

    connection: duckdb.DuckDBPyConnection
    permitted: Callable[[], AbstractContextManager[None]]
    _after_commit: list[Callable[[], object]] = field(default_factory=list)

    def after_commit(self, action: Callable[[], object]) -> None:
        """Runs `action` once the rows are on disk and before the next writer starts."""
        self._after_commit.append(action)

    def finish(self) -> None:
        """Commits, then brings what is held in memory up to date.

        Raises:
            EndingError: The engine closes, and nothing was committed.
        """
        with self.permitted():
            self.connection.execute("COMMIT")
        for action in self._after_commit:
            action()


class Engine:
    """The database of one directory.

    Args:
        claim: The directory the file lies in.
        memory_limit_mb: What DuckDB may hold in memory, results included.

    Raises:
        ServerStartError: The directory cannot be used, in one line.
    """

    def __init__(self, claim: Claim, memory_limit_mb: int) -> None:
        self._claim = claim
        self._write_lock = threading.Lock()
        # Python's collector may end a forgotten reader in a thread that holds this.
        self._cursors_lock = threading.RLock()
        self._is_closing = False
        self._commit_lock = threading.Lock()
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        try:
            self._root = _open(claim.path, memory_limit_mb)
        except (duckdb.Error, OSError) as error:
            claim.release()
            raise ServerStartError(
                f"cannot open {claim.path / DATABASE}: {_first_line(error)}"
            ) from error

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of one's own, for as long as the block lasts.

        Raises:
            EndingError: The engine closes.
        """
        with self._cursors_lock:
            if self._is_closing:
                raise EndingError
            cursor = self._root.cursor()
            self._cursors.add(cursor)
        try:
            yield cursor
        finally:
            cursor.close()
            with self._cursors_lock:  # not before: the file is closed when none is left
                self._cursors.discard(cursor)

    @contextmanager
    def write(self, connection: duckdb.DuckDBPyConnection | None = None) -> Iterator[Transaction]:
        """The one write transaction; commits at the end of the block, rolls back on any error.

        Args:
            connection: A cursor of this engine to write with; a new one if None.

        Raises:
            EndingError: The engine closes.
        """
        with self._write_lock, self._own_or(connection) as writer:
            if self._is_closing:
                raise EndingError
            writer.execute("BEGIN")
            transaction = Transaction(writer, self._committing)
            try:
                yield transaction
                transaction.finish()
            except BaseException:
                rollback(writer)
                raise

    @contextmanager
    def _own_or(
        self, connection: duckdb.DuckDBPyConnection | None
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        if connection is not None:
            yield connection
            return
        with self.cursor() as cursor:
            yield cursor

    @contextmanager
    def _committing(self) -> Iterator[None]:
        """A commit; none begins once they are refused, and one that has begun is waited for."""
        with self._commit_lock:
            if self._is_closing:
                raise EndingError
            yield

    def refuse_commits(self) -> None:
        """From when this returns on nothing is committed: who is told so is told the truth."""
        with self._commit_lock:
            self._is_closing = True

    def interrupt(self) -> None:
        """Stops whatever is running; what is between two statements does not hear it."""
        with self._cursors_lock:
            for cursor in list(self._cursors):
                with suppress(duckdb.Error):  # it may have been closed just now
                    cursor.interrupt()

    def close(self) -> None:
        """Stops whatever is running and closes the file; the directory is free for another server.

        What has not ended after `CLOSED_WITHIN_S` keeps both until the process ends.
        """
        self.refuse_commits()
        give_up_at = time.monotonic() + CLOSED_WITHIN_S
        while not self._closes(is_patient=time.monotonic() < give_up_at):
            if time.monotonic() > give_up_at + 2 * _POLL_S:
                log.error("%s is not closed: a statement does not end", self._claim.path)
                return
            self.interrupt()
            time.sleep(_POLL_S)
        shutil.rmtree(self._claim.path / "spill", ignore_errors=True)
        self._claim.release()

    def _closes(self, *, is_patient: bool) -> bool:
        """Whether nothing ran, and the file is closed now; the patient wait for idle cursors."""
        if not self._write_lock.acquire(blocking=False):
            return False
        try:
            with self._cursors_lock:
                if self._cursors and is_patient:
                    return False
                self._root.close()
        except duckdb.Error:  # a cursor is busy
            return False
        finally:
            self._write_lock.release()
        return True


def first(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    """The one row of an answer; DuckDB keeps a connection busy until an answer is read whole."""
    rows = connection.execute(sql).fetchall()
    return tuple(rows[0]) if rows else (0,)


def rollback(connection: duckdb.DuckDBPyConnection) -> None:
    """Ends a failed transaction; one that DuckDB has already ended is no error."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.TransactionException:
        return


def _open(directory: Path, memory_limit_mb: int) -> duckdb.DuckDBPyConnection:
    spill = directory / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    root = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory_limit_mb}MB",
            # Pages given back to the system and taken again cost appends a third of their rate.
            "block_allocator_memory": f"{memory_limit_mb}MB",
            "temp_directory": str(spill),
            "checkpoint_threshold": CHECKPOINT_THRESHOLD,
            "max_vacuum_tasks": str(MERGES_A_CHECKPOINT),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "python_enable_replacements": "false",
        },
    )
    root.execute("SET GLOBAL TimeZone = 'UTC'")
    root.execute("SET GLOBAL errors_as_json = false")
    # The logarithm or root of a number that has none is an error, as in BigQuery.
    root.execute("SET GLOBAL ieee_floating_point_ops = false")
    root.execute("SET GLOBAL force_compression = 'uncompressed'")
    path = str(directory / DATABASE).replace("'", "''")
    root.execute(f"ATTACH '{path}' AS store (ROW_GROUP_SIZE {ROW_GROUP_SIZE})")
    root.execute("CREATE SCHEMA IF NOT EXISTS store._bqlite")
    for macro in MACROS:
        root.execute(macro)
    # From here on no statement can reach a file, load an extension or change a setting.
    root.execute("SET GLOBAL enable_external_access = false")
    root.execute("SET GLOBAL lock_configuration = true")
    return root


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
