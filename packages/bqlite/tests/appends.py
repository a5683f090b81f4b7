"""Requests and connections as an application makes them, shared by the tests of this folder."""

import queue
from typing import Any

import pyarrow as pa
from google.cloud.bigquery_storage_v1 import types


def arrow_request(table: pa.Table, *, stream="", offset=None, with_schema=True):
    request = types.AppendRowsRequest(write_stream=stream)
    if offset is not None:
        request.offset = offset
    if with_schema:
        request.arrow_rows.writer_schema.serialized_schema = table.schema.serialize().to_pybytes()
    (batch,) = table.combine_chunks().to_batches() or [
        pa.RecordBatch.from_pylist([], schema=table.schema)
    ]
    request.arrow_rows.rows.serialized_record_batch = batch.serialize().to_pybytes()
    return request


def proto_request(rows, *, stream="", offset=None, descriptor=None):
    request = types.AppendRowsRequest(write_stream=stream)
    if offset is not None:
        request.offset = offset
    if descriptor is not None:
        request.proto_rows.writer_schema.proto_descriptor = descriptor
    request.proto_rows.rows.serialized_rows = rows
    return request


class Connection:
    """One AppendRows call: `send` puts a request and waits for its answer."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._requests: queue.Queue = queue.Queue()
        self._answers = None

    def send(self, request):
        self._requests.put(request)
        if self._answers is None:  # the call waits for the first answer, so the request is first
            self._answers = self._client.append_rows(iter(self._requests.get, None), retry=None)
        return next(self._answers)

    def close(self):
        self._requests.put(None)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def committed(client: Any, parent: str) -> str:
    stream = types.WriteStream(type_=types.WriteStream.Type.COMMITTED)
    return client.create_write_stream(parent=parent, write_stream=stream).name


def storage_error(error):
    """The `StorageError` in an answer's error or an exception's details."""
    detail = error.details[0]
    if isinstance(detail, types.StorageError):
        return detail
    found = types.StorageError.pb()()
    detail.Unpack(found)
    return found
