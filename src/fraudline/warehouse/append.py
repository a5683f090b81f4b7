"""Appending rows through the Storage Write API, each at its own offset."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from typing import Any

import grpc
import pyarrow as pa
from google.api_core import exceptions as google_errors
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient, types
from google.protobuf.any_pb2 import Any as AnyMessage

from fraudline.errors import (
    StreamFinalizedError,
    StreamForgottenError,
    WarehouseAwayError,
    WarehouseError,
)
from fraudline.warehouse.client import CALL_TIMEOUT_S, Warehouse, translated
from fraudline.warehouse.schema import ProtobufRows

# BigQuery accepts requests below 10 MB; a row is at most about 1 MB.
_MOST_REQUEST_BYTES = 6_000_000
_SILENCE_S = 30.0  # a connection that owes answers for this long is dropped
_STORAGE_ERROR = types.StorageError.pb()
_CODE = types.StorageError.StorageErrorCode


class CommittedStream:
    """An application-created stream of type COMMITTED: rows are visible once acknowledged.

    Each request says at which offset its rows go, and what is not acknowledged is kept.
    After any transient failure, the same rows are sent again at the same offsets over a new
    connection: BigQuery stores an offset once, and answers ALREADY_EXISTS after that.
    Source: Storage Write API, `AppendRowsRequest.offset`, and "Manage stream offsets to achieve
    exactly-once semantics" among its best practices.

    Args:
        warehouse: The data set.
        table: Name of the table in it.
        schema: Arrow schema of the rows.

    Attributes:
        name: The stream's full name.
        sent: Rows passed to `send` in all.
        acknowledged: How many of them are known to be stored; always the first ones.

    Raises:
        WarehouseAwayError: no stream could be created now; try again later.
        WarehouseError: BigQuery refuses.
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
                retry=None,
                timeout=CALL_TIMEOUT_S,
            )
        self.name: str = created.name
        self.sent = 0
        self.acknowledged = 0
        self._protobuf = (
            ProtobufRows(schema) if warehouse.settings.append_format == "protobuf" else None
        )
        self._unanswered: deque[tuple[int, pa.RecordBatch]] = deque()
        self._in_doubt = 0  # of these: sent earlier, and it is unknown whether they arrived
        self._owed_since = 0.0
        self._connection: _Connection | None = None

    def send(self, rows: pa.RecordBatch) -> None:
        """Begin to append rows after all that were sent before."""
        if rows.nbytes > _MOST_REQUEST_BYTES and rows.num_rows > 1:
            half = rows.num_rows // 2
            self.send(rows.slice(0, half))
            self.send(rows.slice(half))
            return
        if self._connection is not None and not self._unanswered and self._connection.has_news:
            self._disconnect()  # it ended while there was nothing to do
        if not self._unanswered:
            self._owed_since = time.monotonic()
        self._unanswered.append((self.sent, rows))
        self.sent += rows.num_rows
        if self._connection is None:
            self._connect()
        else:
            self._request(self._connection, *self._unanswered[-1])

    def wait(self, timeout_s: float) -> None:
        """Wait until all that was sent is stored; send it again if the connection was lost.

        Raises:
            WarehouseAwayError: not all of it is known to be stored yet: wait again later.
            StreamFinalizedError: another process has taken over.
            StreamForgottenError: the stream is gone; it held what was acknowledged, no more.
            WarehouseError: BigQuery refuses the rows, or contradicts itself.
        """
        deadline = time.monotonic() + timeout_s
        while self._unanswered:
            if self._connection is None:
                self._connect()
            assert self._connection is not None
            try:
                answer = self._connection.answer(max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise self._still_waiting() from None
            except GoogleAPICallError as error:
                self._handle(error)
                self._disconnect()
            else:
                self._handle(_error_of(answer))

    def close(self) -> None:
        """Drop the connection; the stream itself stays as it is."""
        self._disconnect()

    def _still_waiting(self) -> WarehouseAwayError:
        silent_s = time.monotonic() - self._owed_since
        if silent_s > _SILENCE_S:
            self._disconnect()
        return WarehouseAwayError(f"{self._what}: BigQuery has not answered for {silent_s:.0f} s.")

    def _handle(self, error: GoogleAPICallError | None) -> None:
        """Handle the answer to the first unanswered request; no error means that it is stored."""
        if error is None or (self._in_doubt and isinstance(error, google_errors.AlreadyExists)):
            _, rows = self._unanswered.popleft()
            self.acknowledged += rows.num_rows
            self._in_doubt = max(0, self._in_doubt - 1)
            self._owed_since = time.monotonic()
            return
        was_in_doubt = self._in_doubt > 0
        self._disconnect()
        if _storage_code(error) == _CODE.STREAM_FINALIZED:
            raise StreamFinalizedError(
                f"{self._what}: stream {self.name} was finalized: another process has taken over."
            ) from None
        if isinstance(error, google_errors.NotFound):
            raise self._forgotten(was_in_doubt=was_in_doubt) from None
        if isinstance(error, (google_errors.OutOfRange, google_errors.AlreadyExists)):
            raise WarehouseError(
                f"{self._what}: stream {self.name} does not end after the {self.acknowledged} "
                f"rows that were acknowledged: {error.message}. Stop all sinks and compare with "
                "`fraudline reconcile`."
            ) from None
        try:
            with translated(self._what):
                raise error
        except WarehouseAwayError:
            raise
        except WarehouseError:
            if not was_in_doubt:
                # Refused outright, and what follows would begin beyond the stream's end: none of
                # it is stored, and the stream holds what it acknowledged.
                self._unanswered.clear()
                self.sent = self.acknowledged
            raise

    def _forgotten(self, *, was_in_doubt: bool) -> WarehouseError:
        if not was_in_doubt:
            return StreamForgottenError(
                f"{self._what}: BigQuery no longer knows stream {self.name}."
            )
        return WarehouseError(
            f"{self._what}: BigQuery no longer knows stream {self.name}, and whether it held its "
            f"rows {self.acknowledged} to {self.sent - 1} is unknown, since the answers to them "
            "were lost. Stop all sinks; `fraudline offsets set sink --to stored` goes on after the "
            "last row that is stored. See 'A forgotten stream' in docs/guides/operations.md."
        )

    def _connect(self) -> None:
        self._connection = _Connection(self._client, self.name)
        self._owed_since = time.monotonic()
        for offset, rows in self._unanswered:
            self._request(self._connection, offset, rows)

    def _disconnect(self) -> None:
        """Drop the connection: whatever it has not answered is in doubt from now on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._in_doubt = len(self._unanswered)

    def _request(self, connection: _Connection, offset: int, rows: pa.RecordBatch) -> None:
        """Send rows, and in a connection's first request the stream and their schema."""
        request = types.AppendRowsRequest(offset=offset)
        is_first = not connection.is_used
        if is_first:
            request.write_stream = self.name
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
        connection.send(request)


class _Connection:
    """One AppendRows call; a thread of its own receives the answers."""

    def __init__(self, client: BigQueryWriteClient, stream: str) -> None:
        self.is_used = False
        self._requests: queue.SimpleQueue[types.AppendRowsRequest | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[types.AppendRowsResponse | GoogleAPICallError] = (
            queue.SimpleQueue()
        )
        # The client's own method waits for the first answer before it returns a call that can
        # be cancelled, and its retry would read the queue a second time.
        append_rows: Any = client.transport.append_rows  # its annotation is of a single request
        self._call = append_rows(
            iter(self._requests.get, None),
            metadata=(("x-goog-request-params", f"write_stream={stream}"),),
        )
        threading.Thread(target=self._receive, name=f"answers of {stream}", daemon=True).start()

    @property
    def has_news(self) -> bool:
        """Whether something came that was not handled yet."""
        return not self._answers.empty()

    def send(self, request: types.AppendRowsRequest) -> None:
        """Queue a request."""
        self.is_used = True
        self._requests.put(request)

    def answer(self, timeout_s: float) -> types.AppendRowsResponse:
        """The next answer.

        Raises:
            queue.Empty: none came in time.
            GoogleAPICallError: the connection has ended.
        """
        answer = self._answers.get(timeout=timeout_s)
        if isinstance(answer, GoogleAPICallError):
            raise answer
        return answer

    def close(self) -> None:
        """End the call, whatever it is waiting for."""
        self._requests.put(None)
        self._call.cancel()

    def _receive(self) -> None:
        try:
            for answer in self._call:
                self._answers.put(answer)
            self._answers.put(google_errors.ServiceUnavailable("the connection was ended"))  # type: ignore[no-untyped-call]  # Google's
        except grpc.RpcError as error:
            self._answers.put(_translated_end(error))


def _translated_end(error: Any) -> GoogleAPICallError:
    try:
        end: GoogleAPICallError = google_errors.from_grpc_error(error)  # type: ignore[no-untyped-call]  # Google's
    except ValueError:  # cancelled by us after the server had sent details of another end
        end = google_errors.from_grpc_status(error.code(), error.details())  # type: ignore[no-untyped-call]  # Google's
    return end


def finalize(warehouse: Warehouse, stream: str) -> int:
    """Close a stream permanently; appends to it fail from now on.

    Returns:
        How many rows were appended to it in all.

    Raises:
        WarehouseAwayError: BigQuery does not answer; calling again is safe.
        WarehouseError: the stream does not exist.
    """
    what = f"finalizing write stream {stream}"
    with translated(what):
        try:
            answer: Any = warehouse.write_client.finalize_write_stream(
                name=stream, retry=None, timeout=CALL_TIMEOUT_S
            )
        except google_errors.NotFound:
            raise WarehouseError(
                f"{what}: BigQuery no longer knows it, so it is unknown how many rows it held "
                "beyond the committed offset. Was the table deleted and made anew? Stop all sinks; "
                "`fraudline offsets set sink --to stored` goes on after the last row that is "
                "stored. See 'A forgotten stream' in docs/guides/operations.md."
            ) from None
    return int(answer.row_count)


def _error_of(answer: types.AppendRowsResponse) -> GoogleAPICallError | None:
    if not answer.error.code:
        return None
    faults = "; ".join(f"row {row.index}: {row.message}" for row in answer.row_errors[:5])
    error: GoogleAPICallError = google_errors.from_grpc_status(  # type: ignore[no-untyped-call]  # Google's
        answer.error.code,
        f"{answer.error.message}{': ' if faults else ''}{faults}",
        details=list(answer.error.details),
    )
    return error


def _storage_code(error: GoogleAPICallError) -> int | None:
    """BigQuery's own code for an error, if it gave one."""
    for detail in error.details:
        if isinstance(detail, AnyMessage) and detail.Is(_STORAGE_ERROR.DESCRIPTOR):
            storage_error = _STORAGE_ERROR()
            detail.Unpack(storage_error)
            return int(storage_error.code)
    return None
