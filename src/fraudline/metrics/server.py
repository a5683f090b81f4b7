"""`GET /metrics` and `GET /health`, beside a loop."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from fraudline.errors import ServiceError
from fraudline.metrics.collector import LoopCollector
from fraudline.settings import MetricsSettings
from fraudline.stream.health import assess_health
from fraudline.stream.progress import Progress

_MOST_CONNECTIONS = 8
_LONGEST_REQUEST_S = 5.0
_LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})

Answer = tuple[HTTPStatus, str, bytes]
"""Status, content type and body."""


@contextmanager
def serving(progress: Progress, settings: MetricsSettings) -> Iterator[None]:
    """Serve metrics and health while the block runs; nothing, if the settings' port is 0.

    Raises:
        ServiceError: it is not possible to listen on the port.
    """
    if settings.port == 0:
        yield
        return
    registry = CollectorRegistry()
    registry.register(LoopCollector(progress, settings.stalled_after_s))
    ProcessCollector(registry=registry)
    routes: dict[str, Callable[[str], Answer]] = {
        "/metrics": partial(_metrics, registry),
        "/health": lambda _: _health(progress, settings.stalled_after_s),
    }
    try:
        handler = partial(_Handler, routes, settings.host)
        server = _Server((settings.host, settings.port), handler)
    except OSError as error:
        raise ServiceError(
            f"metrics cannot be served at {settings.host}, port {settings.port}: "
            f"{error.strerror}. Give each process a port of its own with "
            "FRAUDLINE_METRICS__PORT; 0 serves nothing."
        ) from None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _metrics(registry: CollectorRegistry, accepts: str) -> Answer:
    encode, content_type = choose_encoder(accepts)
    return HTTPStatus.OK, content_type, encode(registry)


def _health(progress: Progress, stalled_after_s: float) -> Answer:
    state = progress.snapshot()
    health = assess_health(state, time.monotonic(), stalled_after_s)
    body: dict[str, Any] = {
        "task": progress.task,
        "is_healthy": health.is_healthy,
        "reason": health.reason,
        "silent_s": round(health.silent_s, 3) if math.isfinite(health.silent_s) else None,
        "waiting_messages": health.waiting,
    }
    if state.model is not None:
        body["model"] = asdict(state.model)
    status = HTTPStatus.OK if health.is_healthy else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(body).encode() + b"\n"


class _Server(ThreadingHTTPServer):
    """Serves few requests at a time, and none for long: the loop beside it comes first."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self._free = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        over = threading.Timer(_LONGEST_REQUEST_S, _hang_up, [request])
        over.daemon = True
        over.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            over.cancel()
            self._free.release()

    def handle_error(self, *_: object) -> None:
        """Log nothing: whoever asked has gone, or was disconnected."""


def _hang_up(request: socket.socket) -> None:
    with suppress(OSError):  # it has disconnected itself
        request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    timeout = _LONGEST_REQUEST_S
    server_version = "fraudline"
    sys_version = ""

    def __init__(
        self, routes: dict[str, Callable[[str], Answer]], host: str, *arguments: Any
    ) -> None:
        self._routes = routes
        self._is_local = host in _LOOPBACK_NAMES
        super().__init__(*arguments)

    def do_GET(self) -> None:
        if self._is_of_a_page():
            self.send_error(HTTPStatus.FORBIDDEN, "not for another server's web page")
            return
        answer = self._routes.get(urlsplit(self.path).path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND, f"only {' and '.join(self._routes)} are served")
            return
        status, content_type, body = answer(self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_of_a_page(self) -> bool:
        """Whether somebody else's page asks, by way of the browser of who runs this process.

        On loopback nobody needs another name for it than loopback's, but a page whose owner lets
        the page's own name point there, so that the browser gives it the answer.
        """
        if self.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            return True
        asked = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        return self._is_local and asked not in _LOOPBACK_NAMES

    def log_message(self, *_: object) -> None:
        """Log nothing: a scrape every few seconds is not worth a line."""
