"""Messages as Confluent's own serialisers write them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from fraudline.contract import Contract
from fraudline.schemas import avro_schema, json_schema


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
