"""A batch of messages with their positions, as it comes from a topic."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Messages:
    """Messages of one topic, column by column; the n-th entries belong together.

    Attributes:
        topic: Where they came from.
        partitions: Partition of each message.
        offsets: Offset of each message in its partition.
        keys: Key of each message, or None.
        values: The message itself; None for a tombstone.
        sent_at_ms: When it was sent, by its own time stamp, milliseconds since 1970 UTC.
    """

    topic: str
    partitions: Sequence[int]
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    sent_at_ms: Sequence[int]

    def __len__(self) -> int:
        return len(self.values)

    def received_at(self, index: int) -> dt.datetime | None:
        """When a message was sent; None if its time stamp is absent or absurd.

        A producer may set any 64-bit number, and a table knows the years 1 to 9999 only.
        """
        return _time(self.sent_at_ms[index])


@lru_cache(maxsize=8192)  # of the messages of a busy batch many were sent in the same one
def _time(at_ms: int) -> dt.datetime | None:
    try:
        return dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None
