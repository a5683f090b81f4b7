"""Kafka Connect's configuration beside ours, and the JSON that its sink would store."""

import datetime as dt
from pathlib import Path

import msgspec
import pytest
import yaml
from google.cloud import bigquery
from tests.models import tiny_bundle, tiny_policy
from tests.transactions import CARD_ROW, CREDITCARD, message

import bqlite
from fraudline.contract import Messages
from fraudline.scoring import Decider
from fraudline.settings import BigQuerySettings, KafkaSettings
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.tables import create_stream_tables

DEPLOY = Path(__file__).parents[2] / "deploy"
WORKER = DEPLOY / "connect" / "connect.properties"
SINK = DEPLOY / "connect" / "bigquery-sink-connector.properties"


def properties(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split("=", 1) for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs), "a setting stands there twice"
    return dict(pairs)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", [WORKER, SINK], ids=lambda path: path.stem)
def test_every_group_of_settings_says_why(path):
    groups = path.read_text().split("\n\n")
    assert len(groups) > 5
    assert [group for group in groups if not group.startswith("#")] == []


def test_the_sink_reads_our_topic_into_our_data_set():
    kafka, tables, sink = KafkaSettings(), BigQuerySettings(), properties(SINK)
    assert sink["topics"] == kafka.topic_decisions == tables.table_decisions
    assert sink["defaultDataset"] == tables.dataset
    assert sink["errors.deadletterqueue.topic.name"] != kafka.topic_rejects


def test_the_worker_does_not_read_what_was_aborted():
    assert properties(WORKER)["consumer.isolation.level"] == "read_committed"


def test_the_worker_listens_on_loopback_only():
    assert properties(WORKER)["listeners"] == "http://127.0.0.1:8083"


def test_paths_and_variables_are_those_that_compose_gives():
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["connect"]
    worker, sink = properties(WORKER), properties(SINK)
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in service["volumes"]}
    assert worker["plugin.path"] in mounts
    assert sink["keyfile"] == f"/run/secrets/{service['secrets'][0]}"
    used = [value for value in (*worker.values(), *sink.values()) if value.startswith("${env:")]
    assert {value[6:-1] for value in used} == set(service["environment"])
    for argument in service["command"][1:]:
        folder, _, name = argument.rpartition("/")
        assert (DEPLOY / mounts[folder] / name).is_file()


def decision(directory: Path) -> bytes:
    """A decision as it stands in the topic, one that carries reasons."""
    decider = Decider(tiny_bundle(directory, CREDITCARD, policy=tiny_policy(0.0)))
    sent = Messages("transactions", [2], [41], [b"card"], [message(CARD_ROW)], [1_767_225_600_000])
    (outcome,) = decider.decide(sent, dt.datetime(2026, 1, 1, 0, 0, 1, 234567, tzinfo=dt.UTC))
    return outcome.value


def test_a_decision_as_it_stands_in_the_topic_fits_the_table(tmp_path):
    """The connector hands on the message's fields and nothing else; so does this load of JSON."""
    row = msgspec.json.decode(decision(tmp_path / "tiny"))
    assert row["reasons"].startswith('[{"feature":')
    with bqlite.serve(tmp_path / "bqlite") as server:
        warehouse = Warehouse(BigQuerySettings(), Endpoint(server.rest, server.storage))
        create_stream_tables(warehouse, CREDITCARD)
        client, table = warehouse.client, warehouse.table("decisions")
        config = bigquery.LoadJobConfig(schema=client.get_table(table).schema)
        client.load_table_from_json([row], table, job_config=config).result()
        (stored,) = client.query("SELECT * FROM decisions").result()
    assert dict(stored.items()) == {
        **row,
        "received_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "decided_at": dt.datetime(2026, 1, 1, 0, 0, 1, 234567, tzinfo=dt.UTC),
    }
