"""What each form of messages costs until it is rows, beside what one would write first.

The decoder takes a batch at a time, and one message by itself; the others, as their makers'
examples show them, a message at a time.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.measure import cpu_seconds_a_call, ratio, spread, table, take_turns
from benchmarks.place import SAMPLE, Place
from benchmarks.wide_table import MIXED, contract_text, made_rows
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from pydantic import BaseModel, create_model
from tests.schemas.small_registry import small_registry
from tests.schemas.written import (
    avro_messages,
    context,
    json_messages,
    protobuf_messages,
    protobuf_of,
)

from fraudline.contract import Contract, json_lines, load_contract
from fraudline.schemas import MessageForms, avro_schema, json_schema
from fraudline.settings import SchemaRegistrySettings

TITLE = "Forms of messages"
ROUNDS = 5
BATCH = 1_000
_PYTHON = {"float64": float, "int64": int, "bool": bool, "string": str}
_JSON, _NESTED, _LENIENT = "JSON", "JSON, nested (`from`)", "JSON in quotes (`lenient`)"
_AVRO, _PROTOBUF, _SCHEMA = "Avro", "Protobuf", "JSON by a JSON Schema"
_PYDANTIC = "`json.loads` and pydantic"
_RIVALS = {
    **dict.fromkeys((_JSON, _NESTED, _LENIENT), _PYDANTIC),
    _AVRO: "`AvroDeserializer`",
    _PROTOBUF: "`ProtobufDeserializer`",
    _SCHEMA: "`JSONDeserializer`",
}
Form = tuple[list[bytes], Callable[[list[bytes]], object], Callable[[bytes], object]]
"""Messages; what makes rows of many; what a user would write for one."""


def measure(place: Place) -> list[str]:
    """All forms of two tables, each way in its turn."""
    said = [
        f"Microseconds of the processor a message until its values are there, {BATCH:,} messages "
        "that differ; ours in one batch and one by itself, the other way a message at a time, as "
        "its maker's examples show it. Ours refuses what the contract does not allow, and pydantic "
        "and the JSON Schema check types. Schemas are known already. Median (least to most); "
        "ratios are medians of each round's:"
    ]
    directory = place.project.settings.home.with_name("forms-files")
    directory.mkdir(exist_ok=True)
    ours = (files("fraudline") / "contracts" / "creditcard.toml").read_text()
    for told, text, rows in (
        ("30 numbers", ours, place.rows(SAMPLE)),
        ("40 columns, 12 categories, 10 that may be null", contract_text(MIXED), None),
    ):
        with _forms(directory, text, rows) as forms:
            said += [f"**{told}**", _measured(forms)]
    return said


def _measured(forms: dict[str, Form]) -> str:
    ways: dict[tuple[str, str], Callable[[], float]] = {}
    for name, (messages, ours, theirs) in forms.items():
        _require_all(name, messages, ours)
        ways[name, "batch"] = functools.partial(_each, lambda m=messages, f=ours: f(m))
        ways[name, "alone"] = functools.partial(
            _each, lambda m=messages, f=ours: [f([each]) for each in m]
        )
        ways[name, "theirs"] = functools.partial(
            _each, lambda m=messages, f=theirs: [f(each) for each in m]
        )
    found = take_turns(ways, ROUNDS)
    return table(
        ("", "bytes", "ours, of 1,000", "ours, alone", "", "theirs", "times", "times, alone"),
        [
            (
                *(name, f"{sum(map(len, forms[name][0])) / BATCH:,.0f}"),
                *(spread(found[name, way], 1) for way in ("batch", "alone")),
                *(_RIVALS[name], spread(found[name, "theirs"], 1)),
                *(
                    f"{ratio(found[name, 'theirs'], found[name, way]):.1f}"
                    for way in ("batch", "alone")
                ),
            )
            for name in forms
        ],
    )


def _each(call: Callable[[], object]) -> float:
    return cpu_seconds_a_call(call) / BATCH * 1e6


def _require_all(name: str, messages: list[bytes], ours: Callable[[list[bytes]], Any]) -> None:
    rows, _, rejects = ours(messages)
    if len(rows) != BATCH:
        raise RuntimeError(f"{name}: {len(rejects)} of {BATCH} rejected, {rejects[0].message}")


@contextmanager
def _forms(directory: Path, text: str, rows: Any) -> Iterator[dict[str, Form]]:
    """The forms of a table, until the block ends; its registry is beside it."""

    def contract_of(changed: str) -> Contract:
        file = directory / "contract.toml"
        file.write_text(changed)
        return load_contract(str(file))

    contract = contract_of(text)
    made = rows if rows is not None else made_rows(MIXED, BATCH, seed=1)
    names = [column.name for column in contract.transaction_columns]
    lines = json_lines(made.slice(0, BATCH).cast(contract.history_schema).select(names))
    flat = [json.loads(line) for line in lines]
    nested = [json.dumps({"id": 7, "payload": row}).encode() for row in flat]
    quoted = [
        json.dumps(
            {name: str(value) if type(value) is float else value for name, value in row.items()}
        ).encode()
        for row in flat
    ]
    model = _model(contract)
    with small_registry() as registry:
        client = SchemaRegistryClient({"url": registry.url})
        forms = MessageForms(SchemaRegistrySettings(url=registry.url))
        plain = contract.decoder().decode_rows

        def by_registry(values: list[bytes]) -> object:
            return plain(forms.as_json(values))

        kind = protobuf_of(contract)
        avro = AvroDeserializer(client, avro_schema(contract))
        protobuf = ProtobufDeserializer(kind, {"use.deprecated.format": False})
        by_schema = JSONDeserializer(json_schema(contract), schema_registry_client=client)
        at = {form: context(form) for form in ("avro", "protobuf", "json")}
        yield {
            _JSON: (lines, plain, lambda each: model(**json.loads(each))),
            _NESTED: (
                nested,
                contract_of(_with_keys(text, 'from = "payload.{name}", ')).decoder().decode_rows,
                lambda each: model(**json.loads(each)["payload"]),
            ),
            _LENIENT: (
                quoted,
                contract_of(_with_keys(text, "lenient = true, ", "float64")).decoder().decode_rows,
                lambda each: model(**json.loads(each)),
            ),
            _AVRO: (
                avro_messages(client, contract, flat, "avro"),
                by_registry,
                lambda each: avro(each, at["avro"]),
            ),
            _PROTOBUF: (
                protobuf_messages(client, kind, flat, "protobuf"),
                by_registry,
                lambda each: _values(protobuf(each, at["protobuf"]), names),
            ),
            _SCHEMA: (
                json_messages(client, contract, flat, "json"),
                by_registry,
                lambda each: by_schema(each, at["json"]),
            ),
        }


def _values(message: Any, names: list[str]) -> list[Any]:
    return [getattr(message, name) for name in names]


def _with_keys(text: str, keys: str, of_type: str = "") -> str:
    """A contract whose columns, but for the label, have more keys; what is nested has a rest."""
    is_nested = "from" in keys
    lines = []
    for line in text.splitlines():
        found = re.match(r"(\w+) *= \{ *(?=type)", line)
        is_meant = found and found[1] not in {"is_fraud", "Class"} and f'"{of_type}' in line
        if found and is_meant:
            lines.append(f"{found[0]}{keys.format(name=found[1])}{line[found.end() :]}")
        else:
            lines.append(line)
    return "\n".join([*lines, *(['[messages]\nunknown = "ignore"'] if is_nested else [])])


def _model(contract: Contract) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for column in contract.transaction_columns:
        kind = _PYTHON[column.type]
        fields[column.name] = (kind | None, None) if column.is_nullable else (kind, ...)
    return create_model("Payment", **fields)
