"""Storage Write: write streams from their creation to their commit."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.errors import BqliteError, InvalidError, UnsupportedError
from bqlite.faults import Faults
from bqlite.relations import LOCATION, Stream, now_ms, stream_prefix
from bqlite.storage.connection import Connection, stream_called
from bqlite.storage.protos import (
    FIELDS_ERROR,
    FULL_VIEW,
    AppendRowsRequest,
    AppendRowsResponse,
    BatchCommitWriteStreamsResponse,
    FinalizeWriteStreamResponse,
    StorageError,
    StorageErrorCode,
    WriteStream,
    table_schema,
)
from bqlite.storage.status import AppendError, shortened, status_of
from bqlite.storage.stream_names import table_name, target_of
from bqlite.types import Field

MAX_REQUEST_BYTES = 10 << 20
MAX_WAITING_BYTES = 1 << 30  # of the requests of all connections that were not answered yet
MAX_DECODED = 4  # requests whose rows are in memory at a time
KINDS = ("COMMITTED", "PENDING")


class Writer:
    """The `BigQueryWrite` service.

    Args:
        catalog: What is known.
        faults: What happens to an append on request.
    """

    def __init__(self, catalog: Catalog, faults: Faults) -> None:
        self._catalog = catalog
        self._faults = faults
        self._turns = threading.BoundedSemaphore(MAX_DECODED)
        self._waiting_bytes = 0
        self._lock = threading.Lock()

    def create_write_stream(self, request: Any) -> Any:
        """Creates a COMMITTED or PENDING stream."""
        kind = WriteStream.Type.Name(request.write_stream.type_)
        if kind not in KINDS:
            raise UnsupportedError(
                f"bqlite does not support write streams of type {kind}, only {' and '.join(KINDS)}"
            )
        name = table_name(request.parent)
        with self._catalog.engine.write() as transaction:
            table = self._catalog.writable(name)
            stream = Stream(
                stream_prefix(name) + uuid.uuid4().hex, 0, now_ms(), is_finalized=False, kind=kind
            )
            self._catalog.streams.create(transaction, stream, table)
        return _described(stream, table.fields)

    def get_write_stream(self, request: Any) -> Any:
        """Describes a stream; with the FULL view, its table's schema too."""
        target = target_of(request.name)
        table = self._catalog.writable(target.table)
        fields = table.fields if request.view == FULL_VIEW else ()
        if target.is_default:
            created = int(table.body.get("creationTime", 0))
            return _described(Stream(target.name, 0, created, is_finalized=False), fields)
        return _described(stream_called(self._catalog, target.name), fields)

    def finalize_write_stream(self, request: Any) -> Any:
        """Lets a stream take no more rows; answers its row count, however often it is asked."""
        target = target_of(request.name)
        if target.is_default:
            raise InvalidError("the default stream cannot be finalized")
        with self._catalog.engine.write() as transaction:
            stream = stream_called(self._catalog, target.name)
            if not stream.is_finalized:
                stream = replace(stream, is_finalized=True)
                self._catalog.streams.put(transaction, stream)
        return FinalizeWriteStreamResponse(row_count=stream.rows)

    def batch_commit_write_streams(self, request: Any) -> Any:
        """Makes the rows of finalized PENDING streams visible, those of all or of none."""
        answer = BatchCommitWriteStreamsResponse()
        name = table_name(request.parent)
        for one in request.write_streams:
            if not one.startswith(stream_prefix(name)):
                raise InvalidError(f"the stream '{one}' does not belong to '{request.parent}'")
        with sql_errors(), self._catalog.engine.write() as transaction:
            table = self._catalog.writable(name)
            known = {one.name: one for one in self._catalog.streams.of(name)}
            streams = [known.get(one) for one in dict.fromkeys(request.write_streams)]
            for one, stream in zip(dict.fromkeys(request.write_streams), streams, strict=True):
                error = _why_not_committed(one, stream)
                if error is not None:
                    answer.stream_errors.append(error)
            if answer.stream_errors:
                return answer
            at_ms = now_ms()
            for stream in filter(None, streams):
                self._catalog.streams.commit(transaction, stream, table, at_ms)
            self._catalog.touch(transaction, table)
        answer.commit_time.FromMilliseconds(at_ms)
        return answer

    def append_rows(self, requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[Any]:
        """One connection: answers every request in order.

        Args:
            requests: Each as the bytes that came: one that is unpacked can be many times as large.
        """
        connection = Connection(self._catalog)
        for raw in requests:
            answer = self._answer(connection, raw)
            del raw  # the next one may come in hours
            yield answer

    def _answer(self, connection: Connection, raw: bytes) -> Any:
        """Stores a request's rows in its turn; a refusal that ends no connection is an answer."""
        stream = connection.stream
        try:
            with self._waiting(len(raw)):
                if self._faults.is_armed:  # it may be meant for this stream
                    with self._turns:
                        stream = _parsed(raw).write_stream or stream
                with self._faults.around("AppendRows", stream), self._turns:
                    request = _parsed(raw)
                    stream = request.write_stream or stream
                    return connection.append(request)
        except BqliteError as error:
            if error.ends_connection:
                raise
            return refusal(error, stream)

    @contextmanager
    def _waiting(self, size: int) -> Iterator[None]:
        """Counts a request for as long as it is in memory.

        Raises:
            AppendError: It is too large, or too much is in memory already.
        """
        if size > MAX_REQUEST_BYTES:
            raise AppendError(
                f"the request has {size} bytes, more than {MAX_REQUEST_BYTES}: "
                "append fewer rows at a time"
            )
        with self._lock:
            held = self._waiting_bytes
            if held + size > MAX_WAITING_BYTES:
                raise AppendError(
                    f"requests of {held:,} bytes wait to be stored already, and with the {size:,} "
                    f"of this one they are more than {MAX_WAITING_BYTES:,}: send it again later",
                    code=grpc.StatusCode.RESOURCE_EXHAUSTED,
                )
            self._waiting_bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._waiting_bytes -= size


def _parsed(raw: bytes) -> Any:
    try:
        return AppendRowsRequest.FromString(raw)
    except DecodeError as error:
        raise AppendError(
            f"the request is no AppendRowsRequest: {error}", ends_connection=True
        ) from error


def _described(stream: Stream, fields: tuple[Field, ...]) -> Any:
    kind = WriteStream.Type.Value(stream.kind)
    answer = WriteStream(name=stream.name, type_=kind, location=LOCATION.lower())
    answer.create_time.FromMilliseconds(stream.created_ms)
    if stream.committed_ms:
        answer.commit_time.FromMilliseconds(stream.committed_ms)
    if fields:
        answer.table_schema.CopyFrom(table_schema(fields))
    return answer


def _why_not_committed(name: str, stream: Stream | None) -> Any:
    """What Google says of a stream that cannot be committed; None if it can."""
    if stream is None:
        code, why = StorageErrorCode.STREAM_NOT_FOUND, "was not found"
    elif stream.kind != "PENDING":
        code, why = StorageErrorCode.INVALID_STREAM_TYPE, f"is of type {stream.kind}, not PENDING"
    elif stream.committed_ms:
        code, why = StorageErrorCode.STREAM_ALREADY_COMMITTED, "is already committed"
    elif not stream.is_finalized:
        code, why = StorageErrorCode.INVALID_STREAM_STATE, "is not finalized"
    else:
        return None
    return StorageError(code=int(code), entity=name, error_message=f"Stream {name} {why}")


def refusal(error: BqliteError, stream: str) -> Any:
    """The answer that tells an error after which the connection lives on."""
    answer = AppendRowsResponse(write_stream=stream)
    answer.error.CopyFrom(status_of(error))
    for index, message in error.row_errors if isinstance(error, AppendError) else ():
        answer.row_errors.add(index=index, code=FIELDS_ERROR, message=shortened(message))
    return answer
