"""Rows of 40 columns, appended as Arrow or as protobuf through Google's Storage Write client."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from google.api_core import exceptions
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import bqlite

COLUMNS = 40
_FLOATS = [f"f{number}" for number in range(COLUMNS - 2)]
SCHEMA = [
    bigquery.SchemaField("id", "STRING"),
    bigquery.SchemaField("n", "INTEGER"),
    *(bigquery.SchemaField(name, "FLOAT") for name in _FLOATS),
]
_PROTO = descriptor_pb2.FieldDescriptorProto
_PROTO_TYPES = {
    "STRING": _PROTO.TYPE_STRING,
    "INTEGER": _PROTO.TYPE_INT64,
    "FLOAT": _PROTO.TYPE_DOUBLE,
}


def request_of(way: str, count: int) -> Any:
    """A request with so many rows, as `arrow` or as `protobuf`, and the writer's schema."""
    random = np.random.default_rng(0)
    rows = pa.table(
        {
            "id": [f"transaction-{number:08d}" for number in range(count)],
            "n": range(count),
            **{name: random.normal(size=count) for name in _FLOATS},
        }
    )
    request = types.AppendRowsRequest()
    if way == "arrow":
        request.arrow_rows.writer_schema.serialized_schema = rows.schema.serialize().to_pybytes()
        (batch,) = rows.to_batches()
        request.arrow_rows.rows.serialized_record_batch = batch.serialize().to_pybytes()
        return request
    descriptor = descriptor_pb2.DescriptorProto(name="Row")
    for number, column in enumerate(SCHEMA, start=1):
        kind = _PROTO_TYPES[column.field_type]
        descriptor.field.add(name=column.name, number=number, label=1, type=kind)
    file = descriptor_pb2.FileDescriptorProto(name="row.proto", message_type=[descriptor])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    row_of = message_factory.GetMessageClass(pool.FindMessageTypeByName("Row"))
    request.proto_rows.writer_schema.proto_descriptor = descriptor
    request.proto_rows.rows.serialized_rows = [
        row_of(**row).SerializeToString() for row in rows.to_pylist()
    ]
    return request


@contextmanager
def appending(
    clients: bqlite.Bqlite, table: str, timeout_s: float | None = None
) -> Iterator[Appender]:
    """A connection to a new table's default stream, until the block or the timeout ends."""
    client = clients.client()
    client.create_dataset(table.partition(".")[0], exists_ok=True)
    client.create_table(bigquery.Table(f"{clients.project}.{table}", schema=SCHEMA))
    dataset, _, name = table.partition(".")
    path = f"projects/{clients.project}/datasets/{dataset}/tables/{name}"
    appender = Appender(clients.write_client(), f"{path}/streams/_default", timeout_s)
    try:
        yield appender
    finally:
        appender.close()


class Appender:
    """One connection of `AppendRows`; waits for each answer before it sends the next request."""

    def __init__(self, client: Any, stream: str, timeout_s: float | None) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._stream = stream
        self._requests: queue.Queue[Any] = queue.Queue()
        self._answers: Any = None

    def append(self, request: Any) -> None:
        """Sends the request's rows and waits until they are acknowledged.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: They were refused.
        """
        request.write_stream = self._stream  # in each: bqemulator does not remember the first's
        self._requests.put(request)
        if self._answers is None:  # the call waits for its first answer, so the request is first
            requests = iter(self._requests.get, None)
            self._answers = self._client.append_rows(requests, retry=None, timeout=self._timeout_s)
        answer = next(self._answers)
        if answer.error.code:
            raise exceptions.from_grpc_status(answer.error.code, answer.error.message)

    def close(self) -> None:
        """Ends the connection."""
        self._requests.put(None)


@dataclass
class Filling:
    """Appends to one table, one after the other.

    Attributes:
        rows: In each of them.
        ends_s: When each was acknowledged, seconds since the first was sent.
    """

    rows: int
    ends_s: list[float] = field(default_factory=list)

    def rate(self, first: float = 0.0, last: float = 1.0) -> float:
        """Rows a second between two shares of the appends."""
        begin, end = int(len(self.ends_s) * first), int(len(self.ends_s) * last)
        since = self.ends_s[begin - 1] if begin else 0.0
        return (end - begin) * self.rows / (self.ends_s[end - 1] - since)

    @property
    def longest_ms(self) -> float:
        """Milliseconds of the append that took longest."""
        return float(np.diff(self.ends_s, prepend=0.0).max()) * 1000


def fill(appender: Appender, request: Any, rows: int, count: int, within_s: float) -> Filling:
    """Appends a request over and over, at most `count` times and for about `within_s` seconds."""
    found = Filling(rows)
    begun = time.monotonic()
    while len(found.ends_s) < count and (not found.ends_s or found.ends_s[-1] < within_s):
        appender.append(request)
        found.ends_s.append(time.monotonic() - begun)
    return found
