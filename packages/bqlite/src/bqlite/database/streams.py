"""The write streams: how far each has come, and where the rows of a PENDING one wait.

A stream's row count changes in the transaction of its rows. The rows of a PENDING stream wait in a
relation of their own, which no statement can name, until the stream is committed.
"""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

from dataclasses import replace

from bqlite.database.engine import Engine, Transaction
from bqlite.errors import NotFoundError
from bqlite.relations import Stream, Table, TableName, create_relation, now_ms, stream_prefix

FINALIZED_LIFE_MS = 7 * 24 * 3600 * 1000  # a finalized stream is remembered a week
_TABLE = """
CREATE TABLE IF NOT EXISTS store._bqlite.streams
  (name VARCHAR, rows BIGINT, created_ms BIGINT, finalized BOOLEAN);
ALTER TABLE store._bqlite.streams ADD COLUMN IF NOT EXISTS kind VARCHAR DEFAULT 'COMMITTED';
ALTER TABLE store._bqlite.streams ADD COLUMN IF NOT EXISTS committed_ms BIGINT DEFAULT 0;
"""


class Streams:
    """Every write stream that was created.

    Args:
        engine: Where they are kept.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._streams: dict[str, Stream] = {}
        with engine.write() as transaction:
            transaction.connection.execute(_TABLE)
            found = transaction.connection.execute("FROM store._bqlite.streams").fetchall()
            for stream in (Stream(*row) for row in found):
                self._streams[stream.name] = stream
                if stream.is_finalized and stream.created_ms < now_ms() - FINALIZED_LIFE_MS:
                    self.forget(transaction, stream)

    def get(self, name: str) -> Stream:
        """The stream; raises `NotFoundError`."""
        found = self._streams.get(name)
        if found is None:
            raise NotFoundError(f"Requested entity was not found. Entity: {name}")
        return found

    def of(self, table: TableName) -> list[Stream]:
        """The table's streams."""
        prefix = stream_prefix(table)
        return [one for name, one in list(self._streams.items()) if name.startswith(prefix)]

    def create(self, transaction: Transaction, stream: Stream, table: Table) -> None:
        """Adds a stream to a table."""
        transaction.connection.execute(
            "INSERT INTO store._bqlite.streams VALUES (?, ?, ?, ?, ?, ?)",
            [
                stream.name, stream.rows, stream.created_ms, stream.is_finalized,
                stream.kind, stream.committed_ms,
            ],
        )  # fmt: skip
        if stream.is_waiting:
            create_relation(transaction.connection, waiting_rows(stream, table))
        transaction.after_commit(lambda: self._streams.__setitem__(stream.name, stream))

    def put(self, transaction: Transaction, stream: Stream) -> None:
        """Stores how far a stream has come."""
        transaction.connection.execute(
            "UPDATE store._bqlite.streams SET rows = ?, finalized = ?, committed_ms = ? "
            "WHERE name = ?",
            [stream.rows, stream.is_finalized, stream.committed_ms, stream.name],
        )
        transaction.after_commit(lambda: self._streams.__setitem__(stream.name, stream))

    def commit(self, transaction: Transaction, stream: Stream, table: Table, at_ms: int) -> None:
        """Moves the waiting rows into the table."""
        waiting = waiting_rows(stream, table)
        columns = table.column_list
        transaction.connection.execute(
            f"INSERT INTO {table.relation} ({columns}) SELECT {columns} FROM {waiting.relation}"
        )
        transaction.connection.execute(f"DROP TABLE {waiting.relation}")
        self.put(transaction, replace(stream, committed_ms=at_ms))

    def forget(self, transaction: Transaction, stream: Stream) -> None:
        """Removes a stream, with the rows that wait in it."""
        transaction.connection.execute(
            "DELETE FROM store._bqlite.streams WHERE name = ?", [stream.name]
        )
        if stream.is_waiting:
            relation = waiting_rows(stream).relation
            transaction.connection.execute(f"DROP TABLE {relation}")
        transaction.after_commit(lambda: self._streams.pop(stream.name, None))

    def expire(self, name: str) -> None:
        """Removes a stream as BigQuery does with one that has had no traffic for days."""
        with self._engine.write() as transaction:
            if name in self._streams:
                self.forget(transaction, self._streams[name])


def waiting_rows(stream: Stream, table: Table | None = None) -> Table:
    """Where the rows of a PENDING stream wait, with the columns of its table."""
    name = TableName("", "", f"pending_{stream.name.rpartition('/')[2]}")
    return Table(name, table.fields if table is not None else (), {}, schema="_bqlite")
