"""Arrow schemas as BigQuery's schemas, and as protobuf messages for the Storage Write API."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from google.cloud import bigquery
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_MICROSECONDS = pa.timestamp("us", tz="UTC")
_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES: dict[pa.DataType, tuple[str, int]] = {
    pa.float64(): ("FLOAT64", _FIELD.TYPE_DOUBLE),
    pa.int64(): ("INT64", _FIELD.TYPE_INT64),
    pa.bool_(): ("BOOL", _FIELD.TYPE_BOOL),
    pa.string(): ("STRING", _FIELD.TYPE_STRING),
    pa.binary(): ("BYTES", _FIELD.TYPE_BYTES),
    _MICROSECONDS: ("TIMESTAMP", _FIELD.TYPE_INT64),  # microseconds since 1970
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
        columns = []
        for values in rows.columns:
            is_timestamp = values.type == _MICROSECONDS
            columns.append((values.cast(pa.int64()) if is_timestamp else values).to_pylist())
        names = rows.schema.names
        return [
            self._message(**dict(zip(names, row, strict=True))).SerializeToString()
            for row in zip(*columns, strict=True)
        ]


def same_types(found: list[bigquery.SchemaField], expected: list[bigquery.SchemaField]) -> bool:
    """Whether an existing table can hold the expected rows: names, types and modes agree."""

    def essence(fields: list[bigquery.SchemaField]) -> list[tuple[str, str, str]]:
        return [(field.name, _standard(field.field_type), field.mode) for field in fields]

    return essence(found)[: len(expected)] == essence(expected) and all(
        field.mode != "REQUIRED" for field in found[len(expected) :]
    )


def _standard(field_type: str) -> str:
    """BigQuery still answers with its older type names."""
    return {"FLOAT": "FLOAT64", "INTEGER": "INT64", "BOOLEAN": "BOOL"}.get(field_type, field_type)
