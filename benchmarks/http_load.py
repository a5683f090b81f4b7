"""Sends requests over HTTP, as cheaply as Python can, and tells how long each took.

A process of its own: `python -m benchmarks.http_load PORT BODIES KEY paced RATE SECONDS`, or
`… closed CONNECTIONS SECONDS`. Paced: requests are due at even intervals, whether or not earlier
ones were answered, and the time counts from when one was due. Closed: each connection sends its
next request when it has its answer. Prints a JSON object.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import deque
from pathlib import Path

import uvloop

_WARM_UP_S = 2.0


class Connection(asyncio.Protocol):
    """One request at a time; knows answers with a Content-Length, and nothing else."""

    def __init__(self) -> None:
        self._seen = b""
        self._answered: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Look whether the answer is whole."""
        self._seen += data
        head, found, body = self._seen.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length and self._answered is not None:
            self._seen = b""
            answered, self._answered = self._answered, None
            answered.set_result(head[9:12])

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        if self._answered is not None:
            self._answered.set_exception(exc or ConnectionError("closed"))

    async def ask(self, request: bytes) -> bytes:
        """The status of the answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)  # type: ignore[attr-defined]
        return await self._answered


async def paced(port: int, requests: list[bytes], rate: float, seconds: float) -> list[float]:
    """Latencies in seconds, without those of the first two seconds."""
    loop, free, took = asyncio.get_running_loop(), deque[Connection](), list[float]()
    begun, waiting = loop.time(), set()

    async def one(due: float, request: bytes) -> None:
        if free:
            connection = free.pop()
        else:
            _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        _require_good(await connection.ask(request))
        free.append(connection)
        if due > begun + _WARM_UP_S:
            took.append(loop.time() - due)

    for number in range(int(rate * seconds)):
        due = begun + number / rate
        if (wait_s := due - loop.time()) > 0:
            await asyncio.sleep(wait_s)
        task = asyncio.create_task(one(due, requests[number % len(requests)]))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    await asyncio.gather(*waiting)
    return took


async def closed(port: int, requests: list[bytes], connections: int, seconds: float) -> float:
    """Requests a second."""
    loop, numbers, done = asyncio.get_running_loop(), itertools.count(), itertools.count()
    end = loop.time() + seconds

    async def one() -> None:
        _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        while loop.time() < end:
            request = requests[next(numbers) % len(requests)]
            _require_good(await connection.ask(request))
            next(done)

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return next(done) / (time.perf_counter() - begun)


def _require_good(status: bytes) -> None:
    if status != b"200":
        raise RuntimeError(f"an answer has status {status.decode()}")


def main(port: str, bodies: str, key: str, way: str, amount: str, seconds: str) -> None:
    """Measure, and print what was found."""
    head = (
        f"POST /v1/score HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()
    requests = [
        head + b"%d\r\n\r\n%b" % (len(body), body)
        for body in Path(bodies).read_bytes().splitlines()
    ]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if way == "paced":
            took = runner.run(paced(int(port), requests, float(amount), float(seconds)))
            print(json.dumps({"took_s": sorted(took)}))
        else:
            rate = runner.run(closed(int(port), requests, int(amount), float(seconds)))
            print(json.dumps({"rate": rate}))


if __name__ == "__main__":
    main(*sys.argv[1:])
