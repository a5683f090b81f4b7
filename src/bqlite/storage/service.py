"""The gRPC server: which method means which handler, and how errors look."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from bqlite.catalog import Catalog
from bqlite.errors import BqliteError, ServerStartError
from bqlite.storage import protos
from bqlite.storage.read import Reader
from bqlite.storage.status import abort
from bqlite.storage.write import Writer

MAX_CALLS = 256  # open calls; a thread each, and one too many is refused rather than kept waiting
MAX_RECEIVED_BYTES = 32 << 20  # above 10 MB, so that a request too large is refused in words
_PACKAGE = "google.cloud.bigquery.storage.v1"

log = logging.getLogger("bqlite")


def build(catalog: Catalog, port: int) -> tuple[grpc.Server, int, Reader]:
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
        ],
    )
    reader, writer = Reader(catalog), Writer(catalog)
    server.add_generic_rpc_handlers((_read_service(reader), _write_service(writer), _Unknown()))
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError as error:
        raise ServerStartError(
            f"port {port} is taken; give --storage-port another, or 0 for a free one"
        ) from error
    return server, bound, reader


def _read_service(reader: Reader) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        f"{_PACKAGE}.BigQueryRead",
        {
            "CreateReadSession": _unary(
                reader.create_read_session, protos.CreateReadSessionRequest
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                _streaming(reader.read_rows), protos.ReadRowsRequest.FromString, _serialize
            ),
        },
    )


def _write_service(writer: Writer) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        f"{_PACKAGE}.BigQueryWrite",
        {
            "CreateWriteStream": _unary(
                writer.create_write_stream, protos.CreateWriteStreamRequest
            ),
            "GetWriteStream": _unary(writer.get_write_stream, protos.GetWriteStreamRequest),
            "FinalizeWriteStream": _unary(
                writer.finalize_write_stream, protos.FinalizeWriteStreamRequest
            ),
            "AppendRows": grpc.stream_stream_rpc_method_handler(
                _streaming(writer.append_rows), protos.AppendRowsRequest.FromString, _serialize
            ),
        },
    )


class _Unknown(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Every method bqlite does not have."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        method = handler_call_details.method

        def refuse(_: Any, context: grpc.ServicerContext) -> None:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"bqlite does not have the method {method}"
            )

        return grpc.stream_stream_rpc_method_handler(refuse)


def _unary(handler: Callable[[Any, Any], Any], request: Any) -> grpc.RpcMethodHandler:
    def guarded(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return handler(message, context)
        except BqliteError as error:
            return abort(context, error)
        except Exception as error:  # noqa: BLE001  # a defect of bqlite is told and logged
            return _unexpected(context, error)

    return grpc.unary_unary_rpc_method_handler(guarded, request.FromString, _serialize)


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
    log.error("a call failed in a way bqlite did not foresee", exc_info=error)
    context.abort(
        grpc.StatusCode.INTERNAL, f"bqlite failed unexpectedly: {type(error).__name__}: {error}"
    )


def _serialize(message: Any) -> bytes:
    return bytes(message.SerializeToString())
