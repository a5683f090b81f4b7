"""What becomes of a message: a decision, or a reject as the next one reads it."""

from __future__ import annotations

import datetime as dt

import msgspec

from fraudline.contract.messages import Messages
from fraudline.contract.rejects import MAX_ORIGINAL_BYTES, Reject, RejectReason, RejectRecord

MOST_KEY_BYTES = 1024


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What becomes of one message: a decision or a reject.

    Attributes:
        decision: `approve`, `review` or `block`; None for a reject.
        reject_reason: Why there is no decision; None for a decision.
        partition: Where the message was.
        key: The key of the message.
        value: JSON with the columns of a decision or of a reject.
        is_cut: Whether something in the message was ignored, as its contract says.
    """

    decision: str | None
    reject_reason: RejectReason | None
    partition: int
    key: bytes | None
    value: bytes
    is_cut: bool = False

    @property
    def is_reject(self) -> bool:
        """Which of the two."""
        return self.reject_reason is not None


def usable_key(key: bytes | None) -> bytes | None:
    """A key may be as long as a message; with one that long, an outcome would not fit."""
    return key if key is not None and len(key) <= MOST_KEY_BYTES else None


def reject_record(messages: Messages, reject: Reject, rejected_at: dt.datetime) -> bytes:
    """A reject as JSON with `REJECT_COLUMNS`: where the message was, why, and its bytes."""
    index = reject.index
    original = messages.original(index) or b""
    return msgspec.json.encode(
        RejectRecord(
            source_topic=messages.topic,
            source_partition=messages.partitions[index],
            source_offset=messages.offsets[index],
            reason=reject.reason,
            message=reject.message[:4096],
            original=original[:MAX_ORIGINAL_BYTES],
            original_size_bytes=len(original),
            original_key=usable_key(messages.keys[index]),
            received_at=messages.received_at(index),
            rejected_at=rejected_at,
        )
    )
