"""The gRPC server: which method means which handler, and how errors look."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from operator import attrgetter
from typing import Any

import grpc

from bqlite.database.catalog import Catalog
from bqlite.errors import BqliteError, ServerStartError
from bqlite.faults import Faults
from bqlite.storage import protos
from bqlite.storage.read import Reader
from bqlite.storage.status import abort
from bqlite.storage.write import Writer

MAX_CALLS = 256  # open calls; a thread each, and one too many is refused rather than kept waiting
WINDOW_BYTES = 2 << 20  # what a client may send ahead; gRPC would let it grow to many messages
MAX_RECEIVED_BYTES = 32 << 20  # above 10 MB, so that a request too large is refused in words
# A request's message, the member that names what it is about, and what answers it.
_Unary = tuple[Any, str, Callable[[Any], Any]]
_PACKAGE = "google.cloud.bigquery.storage.v1"

log = logging.getLogger("bqlite")


def build(catalog: Catalog, faults: Faults, port: int) -> tuple[grpc.Server, int]:
    """A server listening on 127.0.0.1, not yet started, and its port.

    Raises:
        ServerStartError: The port is taken.
    """
    server = grpc.server(
        ThreadPoolExecutor(MAX_CALLS, thread_name_prefix="storage"),
        maximum_concurrent_rpcs=MAX_CALLS,
        options=[
            ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", WINDOW_BYTES),
            ("grpc.http2.max_ping_strikes", 0),  # a writer may be idle and ask whether we live
        ],
    )
    services = (
        _read_service(Reader(catalog), faults),
        _write_service(Writer(catalog, faults), faults),
    )
    server.add_generic_rpc_handlers((*services, _Unknown()))
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError as error:
        raise ServerStartError(
            f"port {port} is taken; give --storage-port another, or 0 for a free one"
        ) from error
    return server, bound


def _read_service(reader: Reader, faults: Faults) -> grpc.GenericRpcHandler:
    def read_rows(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        # Each message counts as a call, so that a stream can break in its middle.
        # Closed at once however it ends, and not when the collector finds what it left.
        with closing(reader.read_rows(request, context)) as answers:
            for answer in answers:
                with faults.around("ReadRows", request.read_stream):
                    pass
                yield answer

    create = (protos.CreateReadSessionRequest, "read_session.table", reader.create_read_session)
    read = grpc.unary_stream_rpc_method_handler(
        _streaming(read_rows), protos.ReadRowsRequest.FromString, _serialize
    )
    return _service("BigQueryRead", {"CreateReadSession": create}, {"ReadRows": read}, faults)


def _write_service(writer: Writer, faults: Faults) -> grpc.GenericRpcHandler:
    unary: dict[str, _Unary] = {
        "CreateWriteStream": (
            protos.CreateWriteStreamRequest, "parent", writer.create_write_stream,
        ),
        "GetWriteStream": (protos.GetWriteStreamRequest, "name", writer.get_write_stream),
        "FinalizeWriteStream": (
            protos.FinalizeWriteStreamRequest, "name", writer.finalize_write_stream,
        ),
        "BatchCommitWriteStreams": (
            protos.BatchCommitWriteStreamsRequest, "parent", writer.batch_commit_write_streams,
        ),
    }  # fmt: skip
    append = grpc.stream_stream_rpc_method_handler(
        _streaming(writer.append_rows),
        response_serializer=_serialize,  # requests stay bytes
    )
    return _service("BigQueryWrite", unary, {"AppendRows": append}, faults)


def _service(
    name: str,
    unary: dict[str, _Unary],
    streaming: dict[str, grpc.RpcMethodHandler],
    faults: Faults,
) -> grpc.GenericRpcHandler:
    faults.calls |= unary.keys() | streaming.keys()
    methods = {call: _unary(call, *unary[call], faults) for call in unary}
    return grpc.method_handlers_generic_handler(f"{_PACKAGE}.{name}", {**methods, **streaming})


class _Unknown(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Every method bqlite does not have."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = handler_call_details.method

        def refuse(_: Any, context: grpc.ServicerContext) -> None:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"bqlite does not serve the method {method}"
            )

        return grpc.stream_stream_rpc_method_handler(refuse)


def _unary(
    call: str, kind: Any, entity: str, handler: Callable[[Any], Any], faults: Faults
) -> grpc.RpcMethodHandler:
    entity_of = attrgetter(entity)

    def guarded(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            with faults.around(call, entity_of(message)):
                return handler(message)
        except BqliteError as error:
            return abort(context, error)
        except Exception as error:  # noqa: BLE001  # a defect of bqlite is told and logged
            return _unexpected(context, error)

    return grpc.unary_unary_rpc_method_handler(guarded, kind.FromString, _serialize)


def _streaming(
    handler: Callable[[Any, Any], Iterator[Any]],
) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
    def guarded(messages: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from handler(messages, context)
        except BqliteError as error:
            abort(context, error)
        except grpc.RpcError:
            return  # the client is gone
        except Exception as error:  # noqa: BLE001  # a defect of bqlite is told and logged
            if context.is_active():
                _unexpected(context, error)

    return guarded


def _unexpected(context: grpc.ServicerContext, error: Exception) -> None:
    log.error("a call failed in a way bqlite does not expect", exc_info=error)
    context.abort(
        grpc.StatusCode.INTERNAL, f"bqlite failed unexpectedly: {type(error).__name__}: {error}"
    )


def _serialize(message: Any) -> bytes:
    return bytes(message.SerializeToString())
