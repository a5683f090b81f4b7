"""Storage Read: a session is a snapshot, each of its streams a range of the snapshot's rows."""

# ruff: noqa: S608  # names are quoted by `quote`, values are bound or written by sqlglot

import itertools
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pyarrow as pa

from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.engine import first
from bqlite.database.query_columns import describe
from bqlite.errors import InvalidError, NotFoundError, UnsupportedError
from bqlite.relations import Table, new_name, temporary
from bqlite.sql.plan import condition, plan
from bqlite.sql.statement import Request
from bqlite.storage.protos import ARROW, ReadRowsResponse, ReadSession
from bqlite.storage.stream_names import table_name
from bqlite.types import Field, arrow_schema, conform, quote

SESSION_LIFE_S = 6 * 3600  # as in BigQuery
MAX_SESSIONS = 16  # snapshots kept; the oldest goes first
MAX_MESSAGE_BYTES = 3 << 20  # below the 4 MB a gRPC client takes unless told otherwise
ROWS_PER_BATCH = 32_768
MIN_ROWS_PER_STREAM = 10_000


@dataclass(frozen=True)
class Session:
    """One read session.

    Attributes:
        table: The rows, which nothing changes any more.
        fields: The columns to send.
        ranges: The first and the last row (exclusive) of each stream.
        is_own: Whether the rows are the session's own copy.
        expires_at_s: When it may be forgotten.
    """

    table: Table
    fields: tuple[Field, ...]
    ranges: tuple[tuple[int, int], ...]
    is_own: bool
    expires_at_s: float


class Reader:
    """The `BigQueryRead` service.

    Args:
        catalog: What is known.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def create_read_session(self, request: Any) -> Any:
        """Takes the snapshot and says how to read it."""
        asked = request.read_session
        _check(asked)
        name = table_name(asked.table)
        table = self._catalog.table(name)
        if table.view_sql:
            raise InvalidError(f"request failed: the view '{name}' cannot be read with this API")
        if any(one.name.lower() == "rowid" for one in table.fields):
            raise UnsupportedError(  # it would hide DuckDB's own, which a stream's range is of
                f"bqlite cannot read '{name}' with this API, as it has a column named rowid"
            )
        options = asked.read_options
        fields = table.select(options.selected_fields)
        snapshot, count = self._snapshot(table, fields, options.row_restriction)
        session = Session(
            snapshot, fields, _ranges(count, request.max_stream_count or 1),
            snapshot is not table, time.monotonic() + SESSION_LIFE_S,
        )  # fmt: skip
        session_name = f"projects/{name.project}/locations/us/sessions/{new_name('s')}"
        with self._lock:
            self._sessions[session_name] = session
        self.forget_expired()
        answer = ReadSession()
        answer.CopyFrom(asked)
        answer.name = session_name
        answer.expire_time.FromSeconds(int(time.time()) + SESSION_LIFE_S)
        answer.arrow_schema.serialized_schema = arrow_schema(fields).serialize().to_pybytes()
        answer.estimated_row_count = count
        for i in range(len(session.ranges)):
            answer.streams.add().name = f"{session_name}/streams/{i}"
        return answer

    def read_rows(self, request: Any, context: grpc.ServicerContext) -> Generator[Any, None, None]:
        """Sends a stream's rows from an offset on."""
        session_name, _, number = request.read_stream.rpartition("/streams/")
        session = self._sessions.get(session_name)
        if session is None or not number.isdecimal() or int(number) >= len(session.ranges):
            raise NotFoundError(f"Not found: read stream {request.read_stream}")
        first, last = session.ranges[int(number)]
        if request.offset < 0 or request.offset > last - first:
            raise InvalidError(
                f"offset {request.offset} is outside the stream's {last - first} rows"
            )
        columns = ", ".join(quote(one.name) for one in session.fields)
        sql = (
            f"SELECT {columns} FROM {session.table.relation} "
            f"WHERE rowid >= {first + request.offset} AND rowid < {last}"
        )
        schema = arrow_schema(session.fields).serialize().to_pybytes()
        with self._catalog.engine.cursor() as cursor, sql_errors():
            reader = cursor.sql(sql).to_arrow_reader(ROWS_PER_BATCH)
            for batch in reader:
                for message, rows in _messages(conform(batch, session.fields)):
                    if not context.is_active():
                        return
                    answer = ReadRowsResponse(row_count=rows)
                    answer.arrow_record_batch.serialized_record_batch = message
                    answer.arrow_record_batch.row_count = rows
                    if schema:
                        answer.arrow_schema.serialized_schema, schema = schema, b""
                    yield answer

    def forget_expired(self) -> None:
        """Frees the snapshots of sessions whose time is over."""
        now = time.monotonic()
        with self._lock:
            over = [name for name, one in self._sessions.items() if one.expires_at_s < now]
            over += [name for name in self._sessions if name not in over][:-MAX_SESSIONS]
            sessions = [self._sessions.pop(name) for name in over]
        for one in sessions:
            if one.is_own:
                self._catalog.drop_temporary(one.table)

    def _snapshot(
        self, table: Table, fields: tuple[Field, ...], restriction: str
    ) -> tuple[Table, int]:
        """A table nothing changes; a query's result is one already."""
        if table.is_temporary and not restriction:
            return table, self._catalog.sizes.rows(table)
        columns = ", ".join(f"`{one.name}`" for one in fields)
        where = f" WHERE {condition(restriction)}" if restriction else ""
        request = Request(f"SELECT {columns} FROM `{table.name}`{where}", table.name.project)
        planned = plan(request, self._catalog)
        copy = temporary(table.name.project, fields)
        with self._catalog.engine.cursor() as cursor, sql_errors():
            describe(cursor, planned.sql)
            (count,) = first(cursor, f"CREATE TABLE {copy.relation} AS {planned.sql}")
        return copy, int(count)


def _check(asked: Any) -> None:
    if asked.data_format != ARROW:
        raise UnsupportedError("bqlite reads in ARROW format only; set data_format to ARROW")
    if asked.table_modifiers.HasField("snapshot_time"):
        raise UnsupportedError("bqlite does not support table_modifiers.snapshot_time")
    if asked.read_options.sample_percentage:
        raise UnsupportedError("bqlite does not support read_options.sample_percentage")


def _ranges(count: int, most: int) -> tuple[tuple[int, int], ...]:
    if count == 0:
        return ()
    streams = max(1, min(most, count // MIN_ROWS_PER_STREAM))
    edges = [count * i // streams for i in range(streams + 1)]
    return tuple(itertools.pairwise(edges))


def _messages(batch: pa.RecordBatch) -> Iterator[tuple[bytes, int]]:
    """The batch as IPC messages, none larger than a client takes."""
    if batch.num_rows == 0:
        return
    size = max(batch.nbytes, 1)
    rows = max(1, min(batch.num_rows, batch.num_rows * MAX_MESSAGE_BYTES // size))
    for start in range(0, batch.num_rows, rows):
        part = batch.slice(start, rows)
        message = part.serialize()
        if message.size > MAX_MESSAGE_BYTES * 5 // 4 and part.num_rows > 1:
            half = part.num_rows // 2
            yield from _messages(part.slice(0, half))
            yield from _messages(part.slice(half))
        else:
            yield message.to_pybytes(), part.num_rows
