"""`up` starts both services where the settings place both on this machine."""

import os
import signal

import psutil
import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from fraudline import local
from fraudline.errors import LocalServiceError
from fraudline.settings import LOCAL, KafkaSettings, Settings
from fraudline.use_cases.project import Project


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory):
    """Settings whose bqlite runs; the broker is placed elsewhere."""
    settings = Settings(
        home=tmp_path_factory.mktemp("home"),
        kafka=KafkaSettings(bootstrap_servers="broker.example:9092"),
    )
    with local.running(settings):
        yield settings


def ask(settings: Settings, query: str) -> list[tuple[object, ...]]:
    client = bigquery.Client(
        project=LOCAL,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=local.addresses(settings).bigquery_rest),
    )
    try:
        return [tuple(row.values()) for row in client.query_and_wait(query)]
    finally:
        client.close()


def test_bqlite_is_proved_and_described(warehouse):
    (bqlite,) = local.status(warehouse)

    assert (bqlite.name, bqlite.state, bqlite.detail) == ("bqlite", "running", "")
    assert bqlite.address == local.addresses(warehouse).bigquery_rest


@pytest.mark.parametrize("spared", ["", "intranet.example"])
def test_no_proxy_is_asked_for_what_is_on_this_machine(warehouse, monkeypatch, spared):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, spared)

    assert [each.state for each in local.status(warehouse)] == ["running"]
    assert ask(warehouse, "SELECT 1") == [(1,)]
    assert os.environ["no_proxy"] == f"{spared},127.0.0.1".strip(",")


def test_bqlite_listens_on_loopback_only(warehouse):
    (bqlite,) = local.status(warehouse)
    connections = psutil.Process(bqlite.pid).net_connections("tcp")

    listening = {
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in connections
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


def test_a_killed_bqlite_is_told_as_died_and_starts_again_with_its_rows(warehouse, told):
    ask(warehouse, "CREATE SCHEMA kept")
    ask(warehouse, "CREATE TABLE kept.rows (n INT64)")
    ask(warehouse, "INSERT INTO kept.rows VALUES (42)")
    before = local.addresses(warehouse)
    (bqlite,) = local.status(warehouse)

    os.kill(bqlite.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(bqlite.pid)], timeout=10)

    assert [service.state for service in local.status(warehouse)] == ["died"]
    assert local.up(warehouse, told) == before
    assert ask(warehouse, "SELECT n FROM kept.rows") == [(42,)]


def test_what_asks_bigquery_alone_needs_no_broker_though_the_settings_place_one_here(warehouse):
    both = warehouse.model_copy(update={"kafka": KafkaSettings()})
    assert Project(both).warehouse.client.list_datasets() is not None
    with pytest.raises(LocalServiceError, match="kafka does not run"):
        _ = Project(both).kafka
    with pytest.raises(LocalServiceError, match="kafka does not run"):
        local.addresses(both)
