"""Storage Write: the default stream and COMMITTED streams with explicit offsets."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import grpc
import pyarrow as pa

from bqlite.catalog import Catalog
from bqlite.errors import BqliteError, InvalidError, NotFoundError, UnsupportedError
from bqlite.faults import Faults
from bqlite.queries import sql_errors
from bqlite.relations import LOCATION, Stream, Table, TableName, now_ms, stream_prefix
from bqlite.storage.arrow_rows import ArrowDecoder
from bqlite.storage.proto_rows import ProtoDecoder
from bqlite.storage.protos import (
    COMMITTED,
    FIELDS_ERROR,
    FULL_VIEW,
    AppendRowsResponse,
    FinalizeWriteStreamResponse,
    StorageErrorCode,
    WriteStream,
    table_schema,
)
from bqlite.storage.read import table_name
from bqlite.storage.row_errors import bad_rows, check_required
from bqlite.storage.status import AppendError, status_of, stream_not_found
from bqlite.types import Field

MAX_REQUEST_BYTES = 10 << 20


@dataclass(frozen=True)
class _Target:
    """What a stream's name means; `stream` is empty for the default stream."""

    name: str
    table: TableName
    is_default: bool


class Writer:
    """The `BigQueryWrite` service.

    Args:
        catalog: What is known.
        faults: What happens to an append on request.
    """

    def __init__(self, catalog: Catalog, faults: Faults) -> None:
        self._catalog = catalog
        self._faults = faults

    def create_write_stream(self, request: Any) -> Any:
        """Creates a COMMITTED stream."""
        if request.write_stream.type_ != COMMITTED:
            kind = WriteStream.Type.Name(request.write_stream.type_)
            raise UnsupportedError(
                f"bqlite does not support write streams of type {kind}; it has COMMITTED"
            )
        table = self._catalog.writable(table_name(request.parent))
        name = stream_prefix(table.name) + uuid.uuid4().hex
        with self._catalog.engine.write() as transaction:
            self._catalog.writable(table.name)
            stream = Stream(name, 0, now_ms(), is_finalized=False)
            self._catalog.create_stream(transaction, stream)
        return self._described(stream, table.fields)

    def get_write_stream(self, request: Any) -> Any:
        """Describes a stream; with the FULL view, its table's schema too."""
        target = _target(request.name)
        table = self._catalog.writable(target.table)
        fields = table.fields if request.view == FULL_VIEW else ()
        if target.is_default:
            created = int(table.body.get("creationTime", 0))
            return self._described(Stream(target.name, 0, created, is_finalized=False), fields)
        return self._described(self._stream(target.name), fields)

    def finalize_write_stream(self, request: Any) -> Any:
        """Lets a stream take no more rows; answers its row count, however often it is asked."""
        target = _target(request.name)
        if target.is_default:
            raise InvalidError("the default stream cannot be finalized")
        with self._catalog.engine.write() as transaction:
            stream = self._stream(target.name)
            if not stream.is_finalized:
                stream = replace(stream, is_finalized=True)
                self._catalog.put_stream(transaction, stream)
        return FinalizeWriteStreamResponse(row_count=stream.rows)

    def append_rows(self, requests: Iterator[Any], _: grpc.ServicerContext) -> Iterator[Any]:
        """One connection: answers every request in order."""
        connection = _Connection(self._catalog)
        for request in requests:
            stream = request.write_stream or connection.stream
            try:
                with self._faults.around("AppendRows", stream):
                    answer = connection.append(request)
            except BqliteError as error:
                if error.ends_connection:
                    raise
                answer = refusal(error, stream)
            yield answer

    def _stream(self, name: str) -> Stream:
        try:
            return self._catalog.stream(name)
        except NotFoundError as error:
            raise stream_not_found(name) from error

    def _described(self, stream: Stream, fields: tuple[Field, ...]) -> Any:
        answer = WriteStream(name=stream.name, type_=COMMITTED, location=LOCATION.lower())
        answer.create_time.FromMilliseconds(stream.created_ms)
        if fields:
            answer.table_schema.CopyFrom(table_schema(fields))
        return answer


def refusal(error: BqliteError, stream: str) -> Any:
    """The answer that tells an error after which the connection lives on."""
    answer = AppendRowsResponse(write_stream=stream)
    answer.error.CopyFrom(status_of(error))
    for index, message in error.row_errors if isinstance(error, AppendError) else ():
        answer.row_errors.add(index=index, code=FIELDS_ERROR, message=message)
    return answer


class _Connection:
    """What a connection keeps between its requests: the stream, the writer's schema."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._target: _Target | None = None
        self._decoder: ArrowDecoder | ProtoDecoder | None = None
        self._fields: tuple[Field, ...] = ()

    @property
    def stream(self) -> str:
        """The stream's name, empty before the first request."""
        return self._target.name if self._target is not None else ""

    def append(self, request: Any) -> Any:
        """Appends one request's rows."""
        self._open(request)
        assert self._target is not None
        answer = AppendRowsResponse(write_stream=self._target.name)
        table, offset = self._append(request, self._target)
        answer.append_result.SetInParent()
        if offset is not None:
            answer.append_result.offset.value = offset
        if table.fields != self._fields:
            self._fields = table.fields
            answer.updated_schema.CopyFrom(table_schema(table.fields))
        return answer

    def _open(self, request: Any) -> None:
        """Takes the stream and the writer's schema, which only the first request must have."""
        if request.ByteSize() > MAX_REQUEST_BYTES:
            raise AppendError(
                f"the request has {request.ByteSize()} bytes, more than {MAX_REQUEST_BYTES}: "
                "append fewer rows at a time"
            )
        self._open_stream(request)
        self._open_rows(request)

    def _open_stream(self, request: Any) -> None:
        if self._target is None:
            if not request.write_stream:
                raise AppendError("the first request names no write_stream", ends_connection=True)
            try:
                self._target = _target(request.write_stream)
                self._fields = self._catalog.writable(self._target.table).fields
            except NotFoundError as error:
                raise stream_not_found(request.write_stream) from error
            except BqliteError as error:
                raise AppendError(error.message, ends_connection=True) from error
        elif request.write_stream and _target(request.write_stream) != self._target:
            raise AppendError(
                "bqlite takes one stream a connection: open another connection for "
                f"'{request.write_stream}'"
            )

    def _open_rows(self, request: Any) -> None:
        rows = request.WhichOneof("rows")
        if rows == "arrow_rows" and request.arrow_rows.writer_schema.serialized_schema:
            self._decoder = ArrowDecoder(request.arrow_rows.writer_schema.serialized_schema)
        elif rows == "proto_rows" and request.proto_rows.HasField("writer_schema"):
            self._decoder = ProtoDecoder(request.proto_rows.writer_schema.proto_descriptor)
        wanted = {"arrow_rows": ArrowDecoder, "proto_rows": ProtoDecoder}.get(rows or "")
        if wanted is None:
            raise AppendError("the request holds neither arrow_rows nor proto_rows")
        if not isinstance(self._decoder, wanted):
            raise AppendError(f"the connection has had no writer_schema for {rows}")

    def _append(self, request: Any, target: _Target) -> tuple[Table, int | None]:
        """Decodes outside the lock, then stores rows and position in one transaction."""
        assert self._decoder is not None
        wanted = request.offset.value if request.HasField("offset") else None
        if target.is_default and wanted is not None:
            raise AppendError("the default stream takes no offset")
        try:
            table = self._catalog.table(target.table)
        except NotFoundError as error:
            raise stream_not_found(target.name) from error
        if not target.is_default:
            _check_offset(self._catalog, target.name, wanted)
        rows = self._decoder.decode(request, table.fields, str(target.table))
        check_required(rows, table.fields)
        with sql_errors(), self._catalog.engine.write() as transaction:
            offset = None
            if not self._catalog.has_table(target.table):
                raise stream_not_found(target.name)
            if not target.is_default:
                stream = _check_offset(self._catalog, target.name, wanted)
                offset = stream.rows
                grown = replace(stream, rows=offset + rows.num_rows)
                self._catalog.put_stream(transaction, grown)
            current = self._catalog.table(target.table)
            if current.fields != table.fields:  # changed while the rows were being decoded
                rows = self._decoder.decode(request, current.fields, str(target.table))
                check_required(rows, current.fields)
            try:
                self._catalog.insert(transaction, current, rows)
            except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
                raise _json_errors(rows, table.fields, error) from error
        return self._catalog.table(target.table), offset


def _json_errors(rows: pa.Table, fields: tuple[Field, ...], error: Exception) -> AppendError:
    """Which rows hold text that is no JSON, the one thing Arrow's types do not rule out."""
    import json  # noqa: PLC0415  # only a refused append needs it

    errors = []
    for one in fields:
        if one.type != "JSON" or one.name not in rows.schema.names:
            continue
        for number, text in enumerate(rows[one.name].to_pylist()):
            try:
                json.loads(text if text is not None else "null")
            except (ValueError, TypeError):
                errors.append((number, f"Field {one.name}: the text is not JSON"))
    return bad_rows(errors or [(0, str(error))], len(errors) or 1)


def _check_offset(catalog: Catalog, name: str, wanted: int | None) -> Stream:
    try:
        stream = catalog.stream(name)
    except NotFoundError as error:
        raise stream_not_found(name) from error
    if stream.is_finalized:
        raise AppendError(
            f"Stream has been finalized and cannot be appended. Entity: {name}",
            storage_code=StorageErrorCode.STREAM_FINALIZED,
            entity=name,
            ends_connection=True,
        )
    if wanted is None or wanted == stream.rows:
        return stream
    place = "within" if wanted < stream.rows else "beyond"
    is_within = wanted < stream.rows
    raise AppendError(
        f"The offset is {place} stream, expected offset {stream.rows}, received {wanted}. "
        f"Entity: {name}",
        code=grpc.StatusCode.ALREADY_EXISTS if is_within else grpc.StatusCode.OUT_OF_RANGE,
        storage_code=(
            StorageErrorCode.OFFSET_ALREADY_EXISTS
            if is_within
            else StorageErrorCode.OFFSET_OUT_OF_RANGE
        ),
        entity=name,
    )


def _target(name: str) -> _Target:
    """`.../tables/T/streams/S`, `.../tables/T/streams/_default` or `.../tables/T/_default`."""
    table, _, stream = name.rpartition("/")
    table = table.removesuffix("/streams")
    return _Target(name, table_name(table), stream == "_default")
