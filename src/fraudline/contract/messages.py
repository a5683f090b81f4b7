"""A batch of messages with their positions, as it comes from a topic."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass


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

    def take(self, indices: Sequence[int]) -> Messages:
        """These of the messages only."""
        return Messages(
            topic=self.topic,
            partitions=[self.partitions[index] for index in indices],
            offsets=[self.offsets[index] for index in indices],
            keys=[self.keys[index] for index in indices],
            values=[self.values[index] for index in indices],
            sent_at_ms=[self.sent_at_ms[index] for index in indices],
        )

    def received_at(self, index: int) -> dt.datetime | None:
        """When a message was sent; None if its time stamp is absent or absurd.

        A producer may set any 64-bit number, and a table knows the years 1 to 9999 only.
        """
        return received_at(self.sent_at_ms[index])


def received_at(sent_at_ms: int) -> dt.datetime | None:
    """A time stamp of a message as a time; None if it is absent or absurd."""
    try:
        return dt.datetime.fromtimestamp(sent_at_ms / 1000, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return None
