"""The warehouse: bqlite, which speaks BigQuery's REST and gRPC, on loopback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from fraudline.errors import LocalServiceError
from fraudline.local.process import accepts_connections
from fraudline.settings import LOCAL, Settings

NAME = "bqlite"
STOP_GRACE_S = 10.0
PORT_SETTINGS = {"rest": "bigquery_port", "storage": "bigquery_storage_port"}


def address(ports: Mapping[str, int]) -> str:
    """URL of the REST API."""
    return f"http://127.0.0.1:{ports['rest']}"


def storage_address(ports: Mapping[str, int]) -> str:
    """Where the Storage API (gRPC) listens."""
    return f"127.0.0.1:{ports['storage']}"


def command(
    settings: Settings,  # noqa: ARG001 - the same signature as the broker's
    directory: Path,
    ports: Mapping[str, int],
    on_progress: Callable[[str], None],  # noqa: ARG001 - as above; there is nothing to prepare
) -> list[str]:
    """Say how bqlite is started."""
    arguments = {
        "--data": directory / "data",
        "--port": ports["rest"],
        "--storage-port": ports["storage"],
    }
    options = [str(part) for option in arguments.items() for part in option]
    return [sys.executable, "-P", "-m", "bqlite", *options]


def prove(ports: Mapping[str, int], timeout_s: float) -> None:
    """Have one query answered through Google's own client, and see the Storage port accept.

    Raises:
        LocalServiceError: it did not do so in time; the message says what came instead.
    """
    from google.api_core.client_options import ClientOptions  # noqa: PLC0415 - heavy imports,
    from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415 - and `addresses`
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - must be fast
    from google.cloud import bigquery  # noqa: PLC0415
    from requests import RequestException  # noqa: PLC0415

    client = bigquery.Client(
        project=LOCAL,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call] # untyped upstream
        client_options=ClientOptions(api_endpoint=address(ports)),
    )
    try:
        rows = client.query_and_wait(
            "SELECT 1",
            api_timeout=timeout_s,
            wait_timeout=timeout_s,
            retry=None,  # type: ignore[arg-type] # None turns retries off, as documented
            job_retry=None,  # type: ignore[arg-type] # likewise
        )
        answer = [tuple(row.values()) for row in rows]
    except (GoogleAPIError, RequestException, TimeoutError) as error:
        raise LocalServiceError(f"SELECT 1 was not answered: {error}") from None
    finally:
        client.close()  # type: ignore[no-untyped-call] # untyped upstream
    if answer != [(1,)]:
        raise LocalServiceError(f"SELECT 1 was answered with {answer}, expected [(1,)]")
    if not accepts_connections(ports["storage"]):
        raise LocalServiceError("the port of its Storage API accepts no connection")
