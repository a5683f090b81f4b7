"""Messages as Confluent's own serialisers write them."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from fraudline.contract import Contract
from fraudline.schemas import avro_schema, json_schema, protobuf_schema


def context(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


def avro_messages(
    client: SchemaRegistryClient,
    contract: Contract,
    rows: Iterable[dict[str, Any]],
    topic: str = "payments",
    schema: str | None = None,
) -> list[bytes]:
    """Rows as they stand in JSON, by the schema that `contract export --avro` gives."""
    write = AvroSerializer(client, schema or avro_schema(contract))
    times = [one.name for one in contract.transaction_columns if one.type == "timestamp"]
    return [
        write({**row, **{name: moment(row[name]) for name in times if name in row}}, context(topic))
        for row in rows
    ]


def json_messages(
    client: SchemaRegistryClient,
    contract: Contract,
    rows: Iterable[dict[str, Any]],
    topic: str = "payments-json",
) -> list[bytes]:
    """The same by the schema of `contract export --json-schema`."""
    write = JSONSerializer(json_schema(contract), client, conf={"validate": False})
    return [write(row, context(topic)) for row in rows]


def moment(text: Any) -> Any:
    return dt.datetime.fromisoformat(text) if isinstance(text, str) else text


def changed(contract: Contract, *, without: str = "", more: dict[str, Any] | None = None) -> str:
    """The contract's Avro schema after its producers changed it."""
    schema = json.loads(avro_schema(contract))
    schema["fields"] = [one for one in schema["fields"] if one["name"] != without]
    schema["fields"] += [more] if more else []
    return json.dumps(schema)


@cache  # a process may know a type once
def protobuf_type(text: str, name: str) -> Any:
    """The class of the first message of a .proto file, as Protobuf's own compiler makes it."""
    with tempfile.TemporaryDirectory() as place:
        Path(place, f"{name}.proto").write_text(text)
        call = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", f"{name}.proto"]
        subprocess.run(call, cwd=place, check=True)
        spec = importlib.util.spec_from_file_location(name, Path(place, f"{name}_pb2.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return getattr(module, next(iter(module.DESCRIPTOR.message_types_by_name)))


def protobuf_of(contract: Contract) -> Any:
    """The class of what `contract export --protobuf` gives."""
    return protobuf_type(protobuf_schema(contract), f"{contract.name}_payment")


def protobuf_messages(
    client: SchemaRegistryClient,
    kind: Any,
    rows: Iterable[dict[str, Any]],
    topic: str = "payments-protobuf",
) -> list[bytes]:
    """Rows as they stand in JSON; a null is a field that is not set."""
    write = ProtobufSerializer(kind, client)
    written = []
    for row in rows:
        sent = kind()
        for name, value in row.items():
            field = kind.DESCRIPTOR.fields_by_name[name]
            if value is not None and field.message_type is not None:
                getattr(sent, name).FromJsonString(value)
            elif value is not None:
                setattr(sent, name, value)
        written.append(write(sent, context(topic)))
    return written
