"""Markers that say that a rejected message was sent again, against the messages themselves.

Whoever may write to the topic of rejects can write such a marker, and so have a reject counted as
dealt with. A marker names where the message is now: a later offset of the same partition.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict

import pyarrow as pa

from fraudline.contract import Messages, usable_key
from fraudline.errors import InputError
from fraudline.reconcile.ledger import example
from fraudline.reconcile.stored_rows import Window
from fraudline.stream.pending_rejects import MessagePosition

_FALSE = "marked as sent again, and the message is not where the marker says"
_PREFIX = "sent again as "


class SentAgain:
    """The markers of one partition whose messages have not been met yet.

    Windows are given in the order of their offsets.
    """

    def __init__(self) -> None:
        self._expected: dict[int, list[tuple[int, bytes]]] = defaultdict(list)

    def check(self, window: Window, messages: Messages, markers: pa.Table) -> list[str]:
        """Take note of a window's markers, and look for the messages that markers promise.

        Returns:
            Each false marker in words.
        """
        index_of = {offset: index for index, offset in enumerate(messages.offsets)}
        false = []
        for marked, text in zip(
            markers["source_offset"].to_pylist(), markers["message"].to_pylist(), strict=True
        ):
            again = _position(text)
            if marked not in index_of:
                continue  # its message was deleted, or never was
            is_here = again is not None and again[:2] == (window.topic, window.partition)
            if again is None or not is_here or again.offset <= marked:
                false.append(example(window.partition, marked, _FALSE))
            else:
                self._expected[again.offset].append((marked, _digest(messages, index_of[marked])))
        for offset in [each for each in self._expected if each < window.end]:
            for marked, digest in self._expected.pop(offset):
                if offset not in index_of or _digest(messages, index_of[offset]) != digest:
                    false.append(example(window.partition, marked, _FALSE))
        return false

    def left(self, partition: int, end: int) -> list[str]:
        """The markers of messages that are to be at or beyond the end of the topic, in words."""
        return [
            example(partition, marked, _FALSE)
            for offset, expected in self._expected.items()
            if offset >= end
            for marked, _ in expected
        ]


def _position(text: str | None) -> MessagePosition | None:
    if not (text or "").startswith(_PREFIX):
        return None
    try:
        return MessagePosition.parse((text or "").removeprefix(_PREFIX))
    except InputError:
        return None


def _digest(messages: Messages, index: int) -> bytes:
    """Of what is sent again of a message: its bytes, and its key if it is short."""
    key = usable_key(messages.keys[index])
    value = messages.values[index] or b""
    told = b"-" if key is None else b"%d:%b" % (len(key), key)
    return hashlib.sha256(told + value).digest()
