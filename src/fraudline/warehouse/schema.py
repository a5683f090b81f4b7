"""Arrow schemas as BigQuery's schemas, and as protobuf messages for the Storage Write API."""

from __future__ import annotations

from typing import Any, get_args

import pyarrow as pa
from google.cloud import bigquery
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from fraudline.contract.columns import Column, ColumnType

_MICROSECONDS = pa.timestamp("us", tz="UTC")
_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES: dict[pa.DataType, tuple[str, int]] = {
    pa.float64(): ("FLOAT64", _FIELD.TYPE_DOUBLE),
    pa.int64(): ("INT64", _FIELD.TYPE_INT64),
    pa.bool_(): ("BOOL", _FIELD.TYPE_BOOL),
    pa.string(): ("STRING", _FIELD.TYPE_STRING),
    pa.binary(): ("BYTES", _FIELD.TYPE_BYTES),
    _MICROSECONDS: ("TIMESTAMP", _FIELD.TYPE_INT64),  # microseconds since 1970
    pa.date32(): ("DATE", _FIELD.TYPE_INT32),  # days since 1970
}
# What a time or a date is in a message of protobuf.
_NUMBERS = {_MICROSECONDS: pa.int64(), pa.date32(): pa.int32()}

_CONTRACT_TYPES: dict[str, str] = {
    _TYPES[Column("", kind).arrow_type][0]: kind for kind in get_args(ColumnType)
}


def table_schema(schema: pa.Schema) -> list[bigquery.SchemaField]:
    """The schema of a BigQuery table that holds such batches."""
    return [
        bigquery.SchemaField(
            field.name,
            _TYPES[field.type][0],
            mode="NULLABLE" if field.nullable else "REQUIRED",
            description=(field.metadata or {}).get(b"description", b"").decode(),
        )
        for field in schema
    ]


class ProtobufRows:
    """Encodes Arrow batches as the protobuf messages that AppendRows takes.

    Attributes:
        descriptor: The self-contained message type, for the writer's schema.
    """

    def __init__(self, schema: pa.Schema) -> None:
        file = descriptor_pb2.FileDescriptorProto(
            name="fraudline_row.proto", package="fraudline", syntax="proto2"
        )
        self.descriptor = file.message_type.add(name="Row")
        for number, field in enumerate(schema, start=1):
            self.descriptor.field.add(
                name=field.name,
                number=number,
                type=_TYPES[field.type][1],
                label=_FIELD.LABEL_OPTIONAL,
            )
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._message: Any = message_factory.GetMessageClass(
            pool.FindMessageTypeByName("fraudline.Row")
        )

    def encode(self, rows: pa.RecordBatch) -> list[bytes]:
        """One serialized message for each row; a null is a field that is not set."""
        columns = [
            values.cast(_NUMBERS.get(values.type, values.type)).to_pylist()
            for values in rows.columns
        ]
        names = rows.schema.names
        return [
            self._message(**dict(zip(names, row, strict=True))).SerializeToString()
            for row in zip(*columns, strict=True)
        ]


def standard_type(field: bigquery.SchemaField) -> str:
    """The type of a column by its GoogleSQL name; BigQuery still answers with older ones."""
    older = {"FLOAT": "FLOAT64", "INTEGER": "INT64", "BOOLEAN": "BOOL"}
    return older.get(field.field_type, field.field_type)


def contract_type(field: bigquery.SchemaField) -> str:
    """The type of a column in the words of a contract."""
    return _CONTRACT_TYPES.get(standard_type(field), "no type of a contract")
