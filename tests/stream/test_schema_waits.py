"""A scorer reads what others' serialisers wrote, and waits for a registry and loses nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from tests.harness import Place, eventually, place
from tests.schemas.small_registry import SmallRegistry, small_registry
from tests.schemas.written import avro_messages, changed, json_messages
from tests.stream.test_score_loop import Scorer, committed
from tests.stream.test_sink_loop import run_sink
from tests.stream.test_swap import scoring
from tests.transactions import WALLET, WALLET_FILE, WALLET_ROW, message
from tests.use_cases.versions import add_version

from fraudline.reconcile import reconcile
from fraudline.schemas import MessageForms
from fraudline.settings import SchemaRegistrySettings
from fraudline.stream.broker import client_config
from fraudline.use_cases.project import Project
from fraudline.use_cases.sink_routes import routes


@pytest.fixture
def here(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as made:
        yield made


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    with small_registry() as running:
        yield running


@pytest.fixture
def client(registry: SmallRegistry) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry.url})


def forms_of(registry: SmallRegistry) -> MessageForms:
    return MessageForms(SchemaRegistrySettings(url=registry.url))


def send_to(here: Place, partition: int, values: list[bytes]) -> None:
    producer = Producer(client_config(here.project.kafka))
    for value in values:
        producer.produce(here.project.kafka.topic_transactions, value, partition=partition)
    assert producer.flush(30) == 0


def rows(start: int, count: int) -> list[dict[str, object]]:
    return [{**WALLET_ROW, "payment_id": f"p-{start + number}"} for number in range(count)]


def test_partitions_of_a_schema_that_cannot_be_asked_for_wait_and_the_others_go_on(
    here: Place,
    registry: SmallRegistry,
    client: SchemaRegistryClient,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    known = avro_messages(client, WALLET, rows(0, 60))
    other = changed(WALLET, more={"name": "extra", "type": ["null", "int"], "default": None})
    later = avro_messages(client, WALLET, rows(100, 1), schema=other)
    with Scorer(here, forms=forms_of(registry)) as scorer:
        send_to(here, 0, known[:20])
        eventually(lambda: scorer.done == 20)
        registry.fault = (503, '{"error_code": 50301, "message": "starting"}')
        send_to(here, 1, [*known[20:25], *later, *known[25:30]])
        send_to(here, 0, known[30:40])
        send_to(here, 2, [message(row) for row in rows(200, 10)])
        eventually(lambda: scorer.done == 45 and scorer.progress.snapshot().waits_for is not None)
        told = scorer.progress.snapshot().waits_for or ""
        assert "1 partition held back until schema 2 is known" in told
        assert "answers 503" in told
        send_to(here, 0, known[40:50])  # cached schemas need no registry
        eventually(lambda: scorer.done == 55)
        assert scorer.progress.snapshot().rejected.total() == 0
        registry.fault = None
        eventually(lambda: scorer.done == 61)
        eventually(lambda: scorer.progress.snapshot().waits_for is None)
    decisions = committed(here, here.project.kafka.topic_decisions)
    places = [(row["source_partition"], row["source_offset"]) for row in decisions]
    assert len(places) == len(set(places)) == 60
    in_one = [offset for partition, offset in places if partition == 1]
    assert in_one == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    (reject,) = committed(here, here.project.kafka.topic_rejects)
    assert (reject["source_offset"], reject["reason"]) == (5, "unknown_column")
    waits = [line for line in caplog.messages if "partition 1 waits at offset 5" in line]
    assert len(waits) == 1
    assert any("partition 1 goes on after" in line for line in caplog.messages)


def test_a_scorer_that_takes_over_while_a_partition_waits_goes_on_where_it_waited(
    here: Place, registry: SmallRegistry, client: SchemaRegistryClient
) -> None:
    sent = avro_messages(client, WALLET, rows(0, 6))
    registry.fault = (500, "")
    with Scorer(here, forms=forms_of(registry)) as first:
        send_to(here, 3, [message(rows(50, 1)[0]), *sent])
        eventually(lambda: first.done == 1 and first.progress.snapshot().waits_for is not None)
    registry.fault = None
    with Scorer(here, forms=forms_of(registry)) as second:
        eventually(lambda: second.done == 6)
    places = [row["source_offset"] for row in committed(here, here.project.kafka.topic_decisions)]
    assert places == list(range(7))


def test_what_others_wrote_is_stored_and_proved_value_by_value_and_sent_again_once_it_can_be_read(
    here: Place, registry: SmallRegistry, client: SchemaRegistryClient
) -> None:
    (avro,) = avro_messages(client, WALLET, rows(0, 1))
    (by_schema,) = json_messages(client, WALLET, rows(1, 1))
    unknown = b"\0" + (77).to_bytes(4) + avro_messages(client, WALLET, rows(3, 1))[0][5:]
    registry.add(50, '{"type":"array","items":"null"}')
    unusable, broken = b"\0" + (50).to_bytes(4) + b"x", avro[:-3]
    values = [avro, by_schema, message(rows(2, 1)[0]), unknown, unusable, broken]
    send_to(here, 0, values)
    with Scorer(here, forms=forms_of(registry)) as scorer:
        eventually(lambda: scorer.done == 6)
    project, forms = here.project, forms_of(registry)

    def ledger() -> object:
        return reconcile(project.kafka, project.warehouse, project.contract, forms)

    run_sink(here, routes(project), until=lambda: ledger().is_complete)
    assert ledger().is_exact, ledger().examples
    assert (ledger().totals.decisions, ledger().totals.rejects) == (3, 3)
    reasons = [row["reason"] for row in committed(here, project.kafka.topic_rejects)]
    assert reasons == ["unknown_schema", "unusable_schema", "invalid_encoding"]

    url = {"FRAUDLINE_SCHEMA_REGISTRY__URL": registry.url}
    done = here.run("rejects", "replay", **url)
    assert (done.code, "0 rejects were sent again" in done.said) == (0, True)
    registry.add(77, changed(WALLET))
    done = here.run("rejects", "replay", "--reason", "unknown_schema", **url)
    assert (done.code, "1 reject" in done.said) == (0, True), done.said
    with Scorer(here, forms=forms_of(registry)) as scorer:
        eventually(lambda: scorer.done == 1)
    forms = forms_of(registry)
    run_sink(here, routes(project), until=lambda: ledger().is_complete)
    assert ledger().is_exact, ledger().examples
    assert ledger().totals.decisions == 4
    done = here.run("reconcile", **url)
    assert done.code == 0, done.said


def test_the_scorer_that_a_command_starts_reads_by_the_registry_of_its_settings(
    here: Place, registry: SmallRegistry, client: SchemaRegistryClient
) -> None:
    named = {"schema_registry": SchemaRegistrySettings(url=registry.url)}
    project = Project(here.project.settings.model_copy(update=named))
    project.registry.promote(add_version(project.registry, WALLET, 1.0, 1 / 7))
    send_to(here, 0, avro_messages(client, WALLET, rows(0, 3)))
    with scoring(project, []) as run:
        eventually(lambda: run.progress.snapshot().done == 3)
