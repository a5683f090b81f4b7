"""A TCP proxy with the faults of a network, one between each worker and each service.

What it does to bytes is decided anew for each piece that passes, so a fault meets the
connections that are open as well as those that are opened while it lasts.
"""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

_LOOPBACK = "127.0.0.1"
_PIECE_BYTES = 65_536
_RESET = struct.pack("ii", 1, 0)  # closing sends RST, as a peer does that is suddenly gone


class Network:
    """A thread that carries the bytes of all proxies."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, step: Coroutine[Any, Any, Any]) -> Any:
        """Run a step in the thread and wait for it."""
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Proxy:
    """A way from a port of its own to the port of a service.

    Args:
        network: Carries the bytes.
        port: Where it listens.
        service_port: Where it leads.

    Attributes:
        delay_s: How long each piece of bytes is held back, either way.
        is_refusing: Whether new connections are reset at once.
        is_swallowing: Whether requests pass on and answers disappear. A connection that has
            lost an answer is cut by `heal`: its bytes would make no sense any more.
        cuts: How many connections have been cut so far, by whatever fault.
    """

    def __init__(self, network: Network, port: int, service_port: int) -> None:
        self._network = network
        self._service_port = service_port
        self._connections: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}
        self._mute: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self.delay_s = 0.0
        self.is_refusing = False
        self.is_swallowing = False
        self.cuts = 0
        self._server = network.run(asyncio.start_server(self._accept, _LOOPBACK, port))

    def cut(self) -> None:
        """Reset every open connection; bytes on the way are lost."""
        self._network.run(self._cut(self._connections))

    def hold(self) -> None:
        """Let no byte pass from now on; all are kept, and go on after `heal`."""
        self._network.run(self._set_flows(is_flowing=False))

    def heal(self) -> None:
        """End whatever fault there is."""
        self.delay_s, self.is_refusing, self.is_swallowing = 0.0, False, False
        self._network.run(self._set_flows(is_flowing=True))
        self._network.run(self._cut_the_mute())

    def close(self) -> None:
        """Cut everything and listen no longer."""
        self._server.get_loop().call_soon_threadsafe(self._server.close)
        self.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = (writer,)
        try:
            if self.is_refusing:
                return
            up_reader, up_writer = await asyncio.open_connection(_LOOPBACK, self._service_port)
            self._connections[task] = (writer, up_writer)
            ways = [
                asyncio.create_task(self._carry(reader, up_writer, is_answer=False)),
                asyncio.create_task(self._carry(up_reader, writer, is_answer=True)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
        except OSError:  # nobody listens there
            pass
        except asyncio.CancelledError:  # cut
            pass
        finally:
            for side in self._connections.pop(task):
                self._mute.discard(side)
                with suppress(OSError):  # closed by its peer just now
                    side.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
                side.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE_BYTES):
                await self._flows.wait()
                await asyncio.sleep(self.delay_s)
                if is_answer and (self.is_swallowing or writer in self._mute):
                    self._mute.add(writer)
                    continue
                writer.write(piece)
                await writer.drain()

    async def _set_flows(self, *, is_flowing: bool) -> None:
        (self._flows.set if is_flowing else self._flows.clear)()

    async def _cut_the_mute(self) -> None:
        await self._cut(
            {task: sides for task, sides in self._connections.items() if sides[0] in self._mute}
        )

    async def _cut(self, connections: dict[asyncio.Task[None], tuple[Any, ...]]) -> None:
        self.cuts += len(connections)
        for task in connections:
            task.cancel()
