"""Connecting to Google's BigQuery, as far as one gets without Google."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fraudline.errors import WarehouseAwayError
from fraudline.settings import BigQuerySettings
from fraudline.warehouse import client as client_module
from fraudline.warehouse.client import Endpoint, Warehouse
from fraudline.warehouse.query import query
from fraudline.warehouse.tables import require_table


def key_file(directory: Path) -> Path:
    """A service-account key that no service knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = directory / "key.json"
    path.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "nobody@nowhere.invalid",
                "token_uri": "http://127.0.0.1:9/token",
                "private_key": key.decode(),
            }
        )
    )
    return path


def test_the_storage_clients_for_google_are_made_from_a_key_file(tmp_path: Path) -> None:
    settings = BigQuerySettings(project="payments", credentials_file=key_file(tmp_path))
    warehouse = Warehouse(settings, None)
    for client in (warehouse.write_client, warehouse.read_client):
        assert client.transport.host == "bigquerystorage.googleapis.com:443"
    assert warehouse.client.project == "payments"


def test_a_server_that_takes_a_request_and_goes_silent_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "_SILENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel connects, nobody answers
        rest = f"http://127.0.0.1:{silent.getsockname()[1]}"
        warehouse = Warehouse(BigQuerySettings(project="local"), Endpoint(rest, "127.0.0.1:9"))
        with pytest.raises(WarehouseAwayError, match=r"BigQuery does not answer.*timed out"):
            require_table(warehouse, "decisions")
        with pytest.raises(WarehouseAwayError, match=r"BigQuery does not answer.*timed out"):
            query(warehouse, "SELECT 1")
