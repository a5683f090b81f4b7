"""HTTP connections: how many there may be, and how long a request may take to come."""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

REQUEST_WITHIN_S = 30.0
MAX_CONNECTIONS = 1024
MAX_HEAD_BYTES = 32 << 10

_LOG = logging.getLogger(__name__)


class LimitedConnection(HttpToolsProtocol):
    """HTTP/1.1 of an `ApiApp` that gives up a request which does not come.

    A request has `REQUEST_WITHIN_S` to arrive, head and body, and so has the first one of a
    connection. One connection more than `MAX_CONNECTIONS` is closed.
    """

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _is_in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; close what is one too many."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            _LOG.warning("serve: more than %d connections: one is closed", MAX_CONNECTIONS)
            self._give_up()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Take bytes; a head that does not end is given up."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._give_up()

    def on_message_begin(self) -> None:
        """Begin to wait for the whole of it."""
        super().on_message_begin()
        self._arm()

    def on_headers_complete(self) -> None:
        """Let the application answer, while the body may still come."""
        self._is_in_head, self._head_bytes = False, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait no longer."""
        super().on_message_complete()
        self._is_in_head = True
        self._disarm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(REQUEST_WITHIN_S, self._give_up)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._disarm()
        self.app.counts.refused_connections += 1
        self.connections.discard(self)
        self.transport.abort()
