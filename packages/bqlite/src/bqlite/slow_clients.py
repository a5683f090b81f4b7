"""HTTP connections whose clients take their time: how long they may, and how many there may be."""

import asyncio
import logging

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN_S = 10.0
MAX_CONNECTIONS = 256

log = logging.getLogger("bqlite")


class TimedProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request does not come.

    A request's head has `HEADERS_WITHIN_S`, however many bytes of it come meanwhile. A connection
    more than `MAX_CONNECTIONS` takes the place of the one that has waited longest for its request;
    where all of them are being answered, it is closed itself.
    """

    timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begins to wait for a request."""
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > MAX_CONNECTIONS:
            waiting = [
                one for one in self.connections if isinstance(one, TimedProtocol) and one.timer
            ]
            oldest = min(waiting, key=TimedProtocol.due)
            log.warning("more than %d connections: closing one", MAX_CONNECTIONS)
            oldest.give_up()

    def data_received(self, data: bytes) -> None:
        """Takes bytes; what is no whole head yet gains no time by them."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._disarm()
        elif self.timer is None:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits no longer."""
        self._disarm()
        super().connection_lost(exc)

    def due(self) -> float:
        """When it gives up, by the loop's clock."""
        return self.timer.when() if self.timer is not None else float("inf")

    def _arm(self) -> None:
        self.timer = self.loop.call_later(HEADERS_WITHIN_S, self.give_up)

    def _disarm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def give_up(self) -> None:
        """Closes the connection without a word."""
        self._disarm()
        self.connections.discard(self)
        self.transport.abort()
