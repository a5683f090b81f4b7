"""Appending rows through the Storage Write API, each at its own offset."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from google.api_core.exceptions import GoogleAPICallError, from_grpc_status
from google.cloud.bigquery_storage_v1 import types
from google.protobuf.any_pb2 import Any as AnyMessage

from fraudline.errors import WarehouseAwayError
from fraudline.warehouse.client import RETRY, Warehouse, translated
from fraudline.warehouse.schema import ProtobufRows

# The service takes requests below 10 MB; a row is at most about 1 MB.
_MOST_REQUEST_BYTES = 6_000_000
_ANSWER_TIMEOUT_S = 30.0  # well below the time after which a consumer counts as dead
_STORAGE_ERROR = types.StorageError.pb()
_STREAM_FINALIZED = types.StorageError.StorageErrorCode.STREAM_FINALIZED


class CommittedStream:
    """An application-created stream of type COMMITTED: rows are visible once acknowledged.

    Each request says at which offset its rows go, so a request that was delivered twice
    cannot store its rows twice. Source: Storage Write API, `AppendRowsRequest.offset`.

    Args:
        warehouse: The data set.
        table: Name of the table in it.
        schema: Arrow schema of the rows.
    """

    def __init__(self, warehouse: Warehouse, table: str, schema: pa.Schema) -> None:
        self._client = warehouse.write_client
        self._schema = schema
        self._what = f"appending to table {warehouse.table(table)}"
        parent = "projects/{}/datasets/{}/tables/{}".format(*warehouse.table(table).split("."))
        with translated(self._what):
            created = self._client.create_write_stream(
                parent=parent,
                write_stream=types.WriteStream(type_=types.WriteStream.Type.COMMITTED),
                retry=RETRY,
            )
        self.name: str = created.name
        self._protobuf = (
            ProtobufRows(schema) if warehouse.settings.append_format == "protobuf" else None
        )
        self._requests: queue.SimpleQueue[types.AppendRowsRequest | None] = queue.SimpleQueue()
        self._answers: Any = None
        self._sent_rows = 0
        self._sent_requests = 0
        self._unanswered = 0

    def send(self, rows: pa.RecordBatch) -> None:
        """Begin to append rows after all that were sent before.

        Raises:
            WarehouseError: the stream cannot be opened.
        """
        if rows.nbytes > _MOST_REQUEST_BYTES and rows.num_rows > 1:
            half = rows.num_rows // 2
            self.send(rows.slice(0, half))
            self.send(rows.slice(half))
            return
        request = types.AppendRowsRequest(offset=self._sent_rows)
        self._fill(request, rows)
        if self._sent_requests == 0:
            request.write_stream = self.name
        self._requests.put(request)
        self._sent_rows += rows.num_rows
        self._sent_requests += 1
        self._unanswered += 1
        if self._answers is None:
            with self._answered():
                # The client waits for the first answer, so a request must be there already.
                # Its own retry would read the queue a second time: there must be none.
                self._answers = self._client.append_rows(
                    iter(self._requests.get, None),
                    retry=None,
                    timeout=None,
                    metadata=(("x-goog-request-params", f"write_stream={self.name}"),),
                )

    def wait(self) -> None:
        """Wait until everything sent is stored.

        Raises:
            WarehouseAwayError: no answer came, or the stream is another writer's now; the
                rows may be stored or not.
            WarehouseError: BigQuery refuses the rows.
        """
        if self._answers is None:
            return
        overdue = threading.Timer(_ANSWER_TIMEOUT_S, self.close)
        overdue.daemon = True
        overdue.start()
        try:
            while self._unanswered:
                self._receive()
                self._unanswered -= 1
        finally:
            overdue.cancel()

    def _receive(self) -> None:
        with self._answered():
            answer = next(self._answers, None)
            if answer is None:
                raise WarehouseAwayError(f"{self._what}: BigQuery ended the connection.")
            _raise_for(answer)

    @contextmanager
    def _answered(self) -> Iterator[None]:
        with translated(self._what):
            try:
                yield
            except GoogleAPICallError as error:
                if _is_finalized(error):
                    raise WarehouseAwayError(
                        f"{self._what}: stream {self.name} was finalized: another process has "
                        "taken its place."
                    ) from None
                raise

    def close(self) -> None:
        """Drop the connection; the stream itself stays as it is."""
        self._requests.put(None)
        cancel = getattr(self._answers, "cancel", None)
        if cancel is not None:
            cancel()

    def _fill(self, request: types.AppendRowsRequest, rows: pa.RecordBatch) -> None:
        """Put the rows, and into a connection's first request their schema."""
        is_first = self._sent_requests == 0
        if self._protobuf is None:
            request.arrow_rows.rows.serialized_record_batch = rows.serialize().to_pybytes()
            if is_first:
                request.arrow_rows.writer_schema.serialized_schema = (
                    self._schema.serialize().to_pybytes()
                )
        else:
            request.proto_rows.rows.serialized_rows = self._protobuf.encode(rows)
            if is_first:
                request.proto_rows.writer_schema.proto_descriptor = self._protobuf.descriptor


def finalize(warehouse: Warehouse, stream: str) -> int:
    """Close a stream for ever; appends to it fail from now on.

    Returns:
        How many rows were appended to it in all.

    Raises:
        WarehouseError: there is no such stream.
    """
    with translated(f"finalizing write stream {stream}"):
        answer: Any = warehouse.write_client.finalize_write_stream(name=stream, retry=RETRY)
    return int(answer.row_count)


def _raise_for(answer: types.AppendRowsResponse) -> None:
    if answer.error.code:
        faults = "; ".join(f"row {row.index}: {row.message}" for row in answer.row_errors[:5])
        error: GoogleAPICallError = from_grpc_status(  # type: ignore[no-untyped-call]  # Google's
            answer.error.code,
            f"{answer.error.message}{': ' if faults else ''}{faults}",
            details=list(answer.error.details),
        )
        raise error


def _is_finalized(error: GoogleAPICallError) -> bool:
    """Whether BigQuery's own detail of the error says that the stream takes no more rows."""
    for detail in error.details:
        if isinstance(detail, AnyMessage) and detail.Is(_STORAGE_ERROR.DESCRIPTOR):
            storage_error = _STORAGE_ERROR()
            detail.Unpack(storage_error)
            return bool(storage_error.code == _STREAM_FINALIZED)
    return False
