"""gRPC statuses with the details Google's clients look into."""

from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status

from bqlite.errors import BqliteError
from bqlite.storage.protos import StorageError, StorageErrorCode

MAX_TEXT = 300  # characters; gRPC breaks a call that ends with more than 8 KB of text and details
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class AppendError(BqliteError):
    """An append that is refused.

    Attributes:
        code: The canonical gRPC code number.
        storage_code: Google's `StorageErrorCode`, or None.
        entity: The stream or table it is about.
        row_errors: The rows at fault, as (index, message).
        ends_connection: Whether the connection ends, as for a stream that takes no more rows.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT,
        storage_code: Any = None,
        entity: str = "",
        row_errors: list[tuple[int, str]] | None = None,
        ends_connection: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = int(code.value[0])
        self.storage_code = storage_code
        self.entity = entity
        self.row_errors = row_errors or []
        self.ends_connection = ends_connection


def status_of(error: BqliteError) -> Status:
    """The error as a `google.rpc.Status`, with a `StorageError` where Google sends one."""
    message = shortened(error.message)
    if not isinstance(error, AppendError):
        return Status(code=error.grpc_code, message=message)
    status = Status(code=error.code, message=message)
    if error.storage_code is not None:
        detail = StorageError(
            code=int(error.storage_code), entity=shortened(error.entity), error_message=message
        )
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def shortened(text: str) -> str:
    """The text's beginning; a client's own words, a name or a value, can make it megabytes long."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def abort(context: grpc.ServicerContext, error: BqliteError) -> None:
    """Ends the call with the error; raises, as gRPC wants it."""
    status = status_of(error)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(_CODES[status.code], status.message)


def stream_not_found(name: str) -> AppendError:
    """No such stream, or its table is gone."""
    return AppendError(
        f"Requested entity was not found. Entity: {name}",
        code=grpc.StatusCode.NOT_FOUND,
        storage_code=StorageErrorCode.STREAM_NOT_FOUND,
        entity=name,
        ends_connection=True,
    )
