"""A way to a Kafka broker that a test can close, and on which the broker can forget itself.

A client goes where the broker says that it is, so every answer is made to name this way's port.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

_LOOPBACK = "127.0.0.1"
_METADATA = 3
_FLEXIBLE_FROM = 9  # the version of Metadata from which lengths are of variable size


class KafkaWay:
    """Listens at a port of its own, and leads to a broker on this machine.

    Args:
        broker_port: Where the broker listens.

    Attributes:
        port: Where this listens.
        is_closed: Whether connections are refused.
        forgets: Whether the broker answers which brokers there are with none, and goes; as one
            does that has just started, or is about to stop.
        forgotten: How often it did.
    """

    def __init__(self, broker_port: int) -> None:
        self.is_closed = self.forgets = False
        self.forgotten = 0
        self._broker_port = broker_port
        self._server = socket.create_server((_LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """For `kafka.bootstrap_servers`."""
        return f"{_LOOPBACK}:{self.port}"

    def cut(self) -> None:
        """End every connection."""
        for side in list(self._open):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no more."""
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                if self.is_closed:
                    client.close()
                    continue
                broker = socket.create_connection((_LOOPBACK, self._broker_port))
                self._open |= {client, broker}
                asked: dict[int, tuple[int, int]] = {}
                for carry in (self._carry_questions, self._carry_answers):
                    threading.Thread(
                        target=carry, args=(client, broker, asked), daemon=True
                    ).start()

    def _carry_questions(
        self, client: socket.socket, broker: socket.socket, asked: dict[int, tuple[int, int]]
    ) -> None:
        while (frame := _frame(client)) is not None:
            kind, version, number = struct.unpack_from(">hhi", frame)
            asked[number] = kind, version
            if not _send(broker, frame):
                break
        self._end(client, broker)

    def _carry_answers(
        self, client: socket.socket, broker: socket.socket, asked: dict[int, tuple[int, int]]
    ) -> None:
        while (frame := _frame(broker)) is not None:
            kind, version = asked.pop(struct.unpack_from(">i", frame)[0])
            here, there = (
                _LOOPBACK.encode() + struct.pack(">i", port)
                for port in (self.port, self._broker_port)
            )
            is_last = kind == _METADATA and self.forgets
            if is_last:
                assert version >= _FLEXIBLE_FROM
                frame = _without_brokers(frame)
            if not _send(client, frame.replace(there, here)):
                break
            if is_last:
                self.forgotten += 1
                break
        self._end(client, broker)

    def _end(self, *sides: socket.socket) -> None:
        for side in sides:
            self._open.discard(side)
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


def _frame(side: socket.socket) -> bytes | None:
    with suppress(OSError):
        size = side.recv(4, socket.MSG_WAITALL)
        if len(size) == 4:
            frame = side.recv(struct.unpack(">i", size)[0], socket.MSG_WAITALL)
            return frame or None
    return None


def _send(side: socket.socket, frame: bytes) -> bool:
    with suppress(OSError):
        side.sendall(struct.pack(">i", len(frame)) + frame)
        return True
    return False


def _without_brokers(frame: bytes) -> bytes:
    """An answer to Metadata whose list of brokers is empty: KIP-482 says how it is written."""
    begin = 4 + 1 + 4  # number of the question, tags, throttle time
    place, count = begin + 1, frame[begin] - 1
    for _ in range(count):
        place += 4  # its id
        place += frame[place]  # a length and one, then so many bytes: its host
        place += 4  # its port
        place += max(1, frame[place])  # its rack, or nothing
        place += 1  # tags
    return frame[:begin] + b"\x01" + frame[place:]
