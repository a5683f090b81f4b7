"""Google's messages, as plain protobuf classes; the wrappers around them cost time per field."""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from bqlite.types import Field

_PACKAGE = "google.cloud.bigquery_storage_v1"


def _message_types() -> Any:
    """Google's message types without Google's clients.

    The package imports its clients when it is imported, and with them pandas, requests and
    cryptography: half the time a server would take to start, for what it never uses. So the types
    are imported below a bare package of the same path, which is then forgotten again.
    """
    if _PACKAGE in sys.modules:
        return importlib.import_module(f"{_PACKAGE}.types")
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    bare = ModuleType(_PACKAGE)
    bare.__path__ = list(spec.submodule_search_locations or ())
    sys.modules[_PACKAGE] = bare
    try:
        return importlib.import_module(f"{_PACKAGE}.types")
    finally:
        del sys.modules[_PACKAGE]


types = _message_types()


def _plain(message: Any) -> Any:
    return message.pb()


AppendRowsRequest = _plain(types.AppendRowsRequest)
AppendRowsResponse = _plain(types.AppendRowsResponse)
BatchCommitWriteStreamsRequest = _plain(types.BatchCommitWriteStreamsRequest)
BatchCommitWriteStreamsResponse = _plain(types.BatchCommitWriteStreamsResponse)
CreateReadSessionRequest = _plain(types.CreateReadSessionRequest)
CreateWriteStreamRequest = _plain(types.CreateWriteStreamRequest)
FinalizeWriteStreamRequest = _plain(types.FinalizeWriteStreamRequest)
FinalizeWriteStreamResponse = _plain(types.FinalizeWriteStreamResponse)
GetWriteStreamRequest = _plain(types.GetWriteStreamRequest)
ReadRowsRequest = _plain(types.ReadRowsRequest)
ReadRowsResponse = _plain(types.ReadRowsResponse)
ReadSession = _plain(types.ReadSession)
RowError = _plain(types.RowError)
StorageError = _plain(types.StorageError)
TableSchema = _plain(types.TableSchema)
WriteStream = _plain(types.WriteStream)

StorageErrorCode = types.StorageError.StorageErrorCode
ARROW = int(types.DataFormat.ARROW)
FULL_VIEW = int(types.WriteStreamView.FULL)
FIELDS_ERROR = int(types.RowError.RowErrorCode.FIELDS_ERROR)

_MODE = types.TableFieldSchema.Mode
_TYPE = types.TableFieldSchema.Type
_TYPES = {
    "STRING": _TYPE.STRING, "INTEGER": _TYPE.INT64, "FLOAT": _TYPE.DOUBLE,
    "RECORD": _TYPE.STRUCT, "BYTES": _TYPE.BYTES, "BOOLEAN": _TYPE.BOOL,
    "TIMESTAMP": _TYPE.TIMESTAMP, "DATE": _TYPE.DATE, "TIME": _TYPE.TIME,
    "DATETIME": _TYPE.DATETIME, "NUMERIC": _TYPE.NUMERIC, "JSON": _TYPE.JSON,
}  # fmt: skip


def table_schema(fields: tuple[Field, ...]) -> Any:
    """The columns as the Storage API's `TableSchema`."""
    schema = TableSchema()
    for one in fields:
        _fill(schema.fields.add(), one)
    return schema


def _fill(target: Any, one: Field) -> None:
    target.name = one.name
    target.type_ = int(_TYPES[one.type])
    target.mode = int(_MODE[one.mode])
    target.description = one.description
    for member in one.fields:
        _fill(target.fields.add(), member)
