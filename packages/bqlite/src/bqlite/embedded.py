"""bqlite inside a Python process, with Google's clients wired to it; meant for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Bqlite:
    """A running bqlite.

    Attributes:
        rest: The REST endpoint's URL.
        storage: The Storage endpoint's host and port.
        project: The clients' project.
    """

    rest: str
    storage: str
    project: str

    def client(self) -> Any:
        """A `google.cloud.bigquery.Client`."""
        from google.api_core.client_options import ClientOptions  # noqa: PLC0415
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
        from google.cloud import bigquery  # noqa: PLC0415

        return bigquery.Client(
            project=self.project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]  # google-auth
            client_options=ClientOptions(api_endpoint=self.rest),
        )

    def read_client(self) -> Any:
        """A `google.cloud.bigquery_storage_v1.BigQueryReadClient`."""
        from google.cloud import bigquery_storage_v1 as storage  # noqa: PLC0415

        kind = storage.BigQueryReadClient.get_transport_class("grpc")
        transport = kind(channel=self._channel())
        return storage.BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]  # Google's

    def write_client(self) -> Any:
        """A `google.cloud.bigquery_storage_v1.BigQueryWriteClient`."""
        from google.cloud import bigquery_storage_v1 as storage  # noqa: PLC0415

        kind = storage.BigQueryWriteClient.get_transport_class("grpc")
        transport = kind(channel=self._channel())
        return storage.BigQueryWriteClient(transport=transport)  # type: ignore[no-untyped-call]  # Google's

    def _channel(self) -> Any:
        import grpc  # noqa: PLC0415

        return grpc.insecure_channel(
            self.storage, options=[("grpc.max_receive_message_length", -1)]
        )


@contextmanager
def serve(
    directory: str | Path, *, project: str = "local", faults: bool = False
) -> Iterator[Bqlite]:
    """Runs bqlite in this process over `directory` for as long as the block lasts.

    Args:
        directory: Where the data lies; created if absent.
        project: The clients' project.
        faults: Whether faults can be armed, as with `--faults`.
    """
    from bqlite.server import Server  # noqa: PLC0415

    with Server(Path(directory), project=project, has_faults=faults) as server:
        yield Bqlite(server.rest, server.storage, server.project)
