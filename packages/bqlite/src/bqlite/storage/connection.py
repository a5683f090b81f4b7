"""One connection of `AppendRows`: which stream it writes to, and what each request does."""

from dataclasses import replace
from typing import Any

import duckdb
import grpc

from bqlite.database.catalog import Catalog
from bqlite.database.duckdb_errors import sql_errors
from bqlite.database.streams import waiting_rows
from bqlite.errors import BqliteError, NotFoundError
from bqlite.relations import Stream, Table
from bqlite.storage.arrow_rows import ArrowDecoder
from bqlite.storage.proto_rows import ProtoDecoder
from bqlite.storage.protos import AppendRowsResponse, StorageErrorCode, table_schema
from bqlite.storage.row_errors import bad_rows, check_rows
from bqlite.storage.status import AppendError, stream_not_found
from bqlite.storage.stream_names import Target, target_of
from bqlite.types import Field


class Connection:
    """What a connection keeps between its requests: the stream, the writer's schema."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._target: Target | None = None
        self._decoder: ArrowDecoder | ProtoDecoder | None = None
        self._fields: tuple[Field, ...] = ()
        self._is_shared = False

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
        self._open_stream(request)
        self._open_rows(request)

    def _open_stream(self, request: Any) -> None:
        """Takes the stream from the first request, and from each that names another one."""
        name = request.write_stream
        if self._target is not None and name in {"", self._target.name}:
            if not name and self._is_shared:
                raise AppendError(
                    "the connection writes to several streams: name one in each request"
                )
            return
        if not name:
            raise AppendError("the first request names no write_stream", ends_connection=True)
        try:
            target = target_of(name)
            fields = self._catalog.writable(target.table).fields
        except NotFoundError as error:
            raise stream_not_found(name) from error
        except BqliteError as error:
            raise AppendError(error.message, ends_connection=True) from error
        if self._target is not None:
            if not (target.is_default and self._target.is_default):
                raise AppendError(
                    "a connection takes several streams only if each is a default stream: open "
                    f"another one for '{name}'"
                )
            self._is_shared, self._decoder = True, None
        self._target, self._fields = target, fields

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
            raise AppendError(f"the connection has sent no writer_schema for {rows} of this stream")

    def _append(self, request: Any, target: Target) -> tuple[Table, int | None]:
        """Decodes outside the lock, then stores rows and position in one transaction."""
        assert self._decoder is not None
        wanted = request.offset.value if request.HasField("offset") else None
        if target.is_default and wanted is not None:
            raise AppendError("the default stream does not take an offset")
        try:
            table = self._catalog.table(target.table)
        except NotFoundError as error:
            raise stream_not_found(target.name) from error
        if not target.is_default:
            check_offset(self._catalog, target.name, wanted)
        rows = self._decoder.decode(request, table.fields, str(target.table))
        check_rows(rows, table.fields)
        with sql_errors(), self._catalog.engine.write() as transaction:
            offset = None
            if not self._catalog.has_table(target.table):
                raise stream_not_found(target.name)
            current = self._catalog.table(target.table)
            goal = current
            if not target.is_default:
                stream = check_offset(self._catalog, target.name, wanted)
                offset = stream.rows
                grown = replace(stream, rows=offset + rows.num_rows)
                self._catalog.streams.put(transaction, grown)
                goal = waiting_rows(stream, current) if stream.is_waiting else current
            if current.fields != table.fields:  # changed while the rows were being decoded
                rows = self._decoder.decode(request, current.fields, str(target.table))
                check_rows(rows, current.fields)
            try:
                self._catalog.insert(transaction, goal, rows)
            except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
                raise bad_rows([(0, str(error))], 1) from error
        return self._catalog.table(target.table), offset


def stream_called(catalog: Catalog, name: str) -> Stream:
    """The stream; raises `AppendError` with Google's details if there is none."""
    try:
        return catalog.streams.get(name)
    except NotFoundError as error:
        raise stream_not_found(name) from error


def check_offset(catalog: Catalog, name: str, wanted: int | None) -> Stream:
    """The stream, if its next row may stand at `wanted`."""
    stream = stream_called(catalog, name)
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
    # Google's Java client reads both numbers out of the words before "Entity": a full stop there
    # and it never answers its caller.
    raise AppendError(
        f"The offset is {place} stream, expected offset {stream.rows}, received {wanted} "
        f"Entity: {name}",
        code=grpc.StatusCode.ALREADY_EXISTS if is_within else grpc.StatusCode.OUT_OF_RANGE,
        storage_code=(
            StorageErrorCode.OFFSET_ALREADY_EXISTS
            if is_within
            else StorageErrorCode.OFFSET_OUT_OF_RANGE
        ),
        entity=name,
    )
