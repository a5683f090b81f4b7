"""Connecting to BigQuery, and errors a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import google.auth
import grpc
import requests
from google.api_core import exceptions as google_errors
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry, if_transient_error
from google.auth import exceptions as auth_errors
from google.auth.credentials import AnonymousCredentials, Credentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, BigQueryWriteClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)
from google.oauth2 import service_account

from fraudline.errors import WarehouseAwayError, WarehouseError
from fraudline.settings import BigQuerySettings

# Google's own default waits ten minutes for a server that is not there.
RETRY = Retry(predicate=if_transient_error, initial=0.2, maximum=5.0, timeout=20.0)
# By default Google's REST client waits for ever for a server that took the request and went silent.
_SILENCE_S = 60.0
# Of a single call in a loop; the caller decides whether and when to repeat it.
CALL_TIMEOUT_S = 10.0

_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
# By default gRPC waits up to two minutes between two attempts to connect.
_OPTIONS = (("grpc.max_reconnect_backoff_ms", 5_000),)
_LOCAL_OPTIONS = (
    *_OPTIONS,
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that was suspended, not ended, is noticed by its silence.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


@dataclass(frozen=True)
class Endpoint:
    """Where BigQuery's two APIs are served, when not by Google.

    Attributes:
        rest: `http://host:port` of the REST API.
        storage: `host:port` of the Storage API, gRPC without TLS.
    """

    rest: str
    storage: str


class Warehouse:
    """One data set of one project, and the clients to reach it; each is created when needed.

    Args:
        settings: Project, data set, tables and credentials.
        endpoint: A server other than Google's; None is Google's.
    """

    def __init__(self, settings: BigQuerySettings, endpoint: Endpoint | None) -> None:
        self.settings = settings
        self._endpoint = endpoint

    @cached_property
    def client(self) -> bigquery.Client:
        """The REST client; its queries have our data set as default, and our limit of bytes."""
        most = self.settings.maximum_bytes_billed
        return bigquery.Client(
            project=self.settings.project,
            credentials=self._credentials,
            location=self.settings.location,
            _http=_Session(self._credentials),
            client_options=ClientOptions(api_endpoint=self._endpoint.rest)
            if self._endpoint
            else None,
            default_query_job_config=bigquery.QueryJobConfig(
                default_dataset=f"{self.settings.project}.{self.settings.dataset}",
                **({"maximum_bytes_billed": most} if most else {}),  # None would be sent as a word
            ),
        )

    @cached_property
    def read_client(self) -> BigQueryReadClient:
        """The Storage Read client."""
        client: BigQueryReadClient = self._storage_client(
            BigQueryReadClient, BigQueryReadGrpcTransport
        )
        return client

    @cached_property
    def write_client(self) -> BigQueryWriteClient:
        """The Storage Write client."""
        client: BigQueryWriteClient = self._storage_client(
            BigQueryWriteClient, BigQueryWriteGrpcTransport
        )
        return client

    @property
    def is_local(self) -> bool:
        """Whether it is a BigQuery of this machine's own, which bills nothing."""
        return self._endpoint is not None

    def table(self, name: str) -> str:
        """The full name of one of our tables, `project.dataset.table`."""
        return f"{self.settings.project}.{self.settings.dataset}.{name}"

    def _storage_client(self, client: Any, transport: Any) -> Any:
        if self._endpoint is not None:
            local = grpc.insecure_channel(self._endpoint.storage, options=_LOCAL_OPTIONS)
            return client(transport=transport(channel=local))

        def channel(*where: Any, options: list[tuple[str, int]], **how: Any) -> grpc.Channel:
            return transport.create_channel(*where, options=[*options, *_OPTIONS], **how)

        return client(transport=transport(credentials=self._credentials, channel=channel))

    @cached_property
    def _credentials(self) -> Credentials:
        if self._endpoint is not None:
            return AnonymousCredentials()  # type: ignore[no-untyped-call]  # Google's
        path = self.settings.credentials_file
        try:
            if path is None:
                credentials: Credentials = google.auth.default(scopes=_SCOPES)[0]
            else:
                credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]  # Google's
                    path, scopes=_SCOPES
                )
        except OSError as error:
            raise WarehouseError(
                f"bigquery.credentials_file {path} cannot be read: {error.strerror}. "
                "Give the path of a service-account key."
            ) from None
        except (ValueError, auth_errors.GoogleAuthError) as error:
            wanted = (
                "no application-default credentials were found"
                if path is None
                else f"{path} is not a service-account key"
            )
            raise WarehouseError(
                f"BigQuery, project '{self.settings.project}': {wanted}: {error} "
                "Set bigquery.credentials_file, or run `gcloud auth application-default login`; "
                'bigquery.project = "local" needs neither.'
            ) from None
        return credentials


class _Session(AuthorizedSession):
    """Waits for the next bytes of an answer, but not for ever."""

    def __init__(self, credentials: Credentials) -> None:
        super().__init__(credentials)  # type: ignore[no-untyped-call]  # Google's
        self.configure_mtls_channel()  # type: ignore[no-untyped-call]  # as the client does itself

    def request(self, *what: Any, timeout: Any = None, **how: Any) -> Any:
        """Send a request."""
        return super().request(*what, timeout=timeout or _SILENCE_S, **how)  # type: ignore[misc,no-untyped-call]  # likewise


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn what Google's clients raise into errors that say what failed and what to do.

    Args:
        what: What is being done and where, the beginning of the message.

    Raises:
        WarehouseAwayError: it may succeed later.
        WarehouseError: it will not, unless something is changed.
    """
    try:
        with _limit_named(what):
            yield
    except google_errors.RetryError as error:
        cause = error.cause if error.cause is not None else error
        raise WarehouseAwayError(f"{what}: BigQuery does not answer: {_reason(cause)}.") from None
    except google_errors.MethodNotImplemented as error:
        raise WarehouseError(f"{what}: BigQuery does not support this: {_reason(error)}.") from None
    except (
        google_errors.ServiceUnavailable,
        google_errors.TooManyRequests,
        google_errors.ServerError,
        google_errors.Aborted,
        google_errors.Cancelled,
        auth_errors.TransportError,
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        ConnectionError,
    ) as error:
        raise WarehouseAwayError(f"{what}: BigQuery does not answer: {_reason(error)}.") from None
    except (
        google_errors.Unauthorized,
        google_errors.Forbidden,
        auth_errors.GoogleAuthError,
    ) as error:
        raise WarehouseError(
            f"{what}: BigQuery refuses the credentials: {_reason(error)}. Check "
            "bigquery.project, bigquery.credentials_file and the account's roles."
        ) from None
    except google_errors.NotFound as error:
        raise WarehouseError(
            f"{what}: not found: {_reason(error)}. `fraudline setup` creates the stream's "
            "tables, `fraudline load` the history's."
        ) from None
    except google_errors.GoogleAPICallError as error:
        raise WarehouseError(f"{what}: BigQuery refuses: {_reason(error)}.") from None


@contextmanager
def _limit_named(what: str) -> Iterator[None]:
    """Google's client takes the refusal of a query that is too dear for a fault of the server."""
    try:
        yield
    except google_errors.GoogleAPICallError as error:
        if "limit for bytes billed" not in _reason(error):
            raise
        raise WarehouseError(
            f"{what}: {_reason(error)}. Nothing was read or billed. Ask for less, or raise "
            "bigquery.maximum_bytes_billed."
        ) from None


def _reason(error: BaseException) -> str:
    return str(getattr(error, "message", None) or error).strip().rstrip(".")
