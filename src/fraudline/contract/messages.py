"""A batch of messages with their positions, as it comes from a topic."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from fraudline.contract.rejects import RejectReason

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
NO_TIME_STAMP = -1
"""In the place of a message's time stamp: it has none."""


class RefusedValue(bytes):
    """In the place of a message that cannot be decoded, as who read it has found: no bytes.

    Attributes:
        reason: The kind of fault.
        why: The fault in words.
    """

    reason: RejectReason
    why: str

    def __new__(cls, reason: RejectReason, why: str) -> Self:
        """No bytes, and why."""
        value = super().__new__(cls)
        value.reason, value.why = reason, why
        return value


class UnreadableValue(RefusedValue):
    """In the place of the value of messages that the Kafka client could not read."""

    def __new__(cls, why: str) -> Self:
        """No bytes, and which ones, and why, in words."""
        return super().__new__(cls, RejectReason.UNREADABLE, why)


@dataclass(frozen=True)
class Messages:
    """Messages of one topic, column by column; the n-th entries belong together.

    Attributes:
        topic: Where they came from.
        partitions: Partition of each message.
        offsets: Offset of each message in its partition.
        keys: Key of each message, or None.
        values: The message itself; None for a tombstone, a `RefusedValue` for what could not be
            read.
        sent_at_ms: When it was sent, by its own time stamp, milliseconds since 1970 UTC;
            `NO_TIME_STAMP` where it has none.
        originals: The messages as they came, where `values` are what was made of them; None: they
            are as they came.
    """

    topic: str
    partitions: Sequence[int]
    offsets: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    sent_at_ms: Sequence[int]
    originals: Sequence[bytes | None] | None = None

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
            originals=(
                None if self.originals is None else [self.originals[index] for index in indices]
            ),
        )

    def original(self, index: int) -> bytes | None:
        """A message as it came."""
        return (self.values if self.originals is None else self.originals)[index]

    def received_at(self, index: int) -> dt.datetime | None:
        """When a message was sent; None if its time stamp is absent or absurd."""
        return received_at(self.sent_at_ms[index])


def received_at(sent_at_ms: int) -> dt.datetime | None:
    """A time stamp of a message as a time; None if it is absent or absurd.

    A producer may set any 64-bit number. A negative one is none to Kafka, and a table ends with
    the year 9999.
    """
    if sent_at_ms < 0:
        return None
    try:
        return _EPOCH + dt.timedelta(milliseconds=sent_at_ms)  # in whole numbers: exact
    except OverflowError:
        return None
