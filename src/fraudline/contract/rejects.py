"""A reject: why a message is not a transaction, or has no score, and the record that says so."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import msgspec

from fraudline.contract.columns import POSITION_COLUMNS, Column

# Base64 in JSON takes 4 characters for 3 bytes, and a message on the topic is at most 1 MB:
# what is longer than this is cut, and `original_size_bytes` tells.
MAX_ORIGINAL_BYTES = 512 * 1024
MAX_REJECT_BYTES = 1_048_576


class RejectReason(StrEnum):
    """Why a message is not a transaction, or has no score.

    Each says whether the message itself shows it, whenever and by whomever it is read. What only
    a model, a clock, a position or another message can tell does not: the proof then takes the
    scorer's word, and a replay leaves such a message alone unless it is asked for.

    Attributes:
        is_in_message: Whether the decoder finds it by the contract and the message alone.
    """

    TOMBSTONE = "tombstone", True
    UNREADABLE = "unreadable", False
    EMPTY = "empty", True
    TOO_LARGE = "too_large", True
    INVALID_UTF8 = "invalid_utf8", True
    INVALID_JSON = "invalid_json", True
    INVALID_ENCODING = "invalid_encoding", True
    UNKNOWN_SCHEMA = "unknown_schema", False
    UNUSABLE_SCHEMA = "unusable_schema", False
    NOT_AN_OBJECT = "not_an_object", True
    DUPLICATE_COLUMN = "duplicate_column", True
    MISSING_COLUMN = "missing_column", True
    UNKNOWN_COLUMN = "unknown_column", True
    WRONG_TYPE = "wrong_type", True
    OUT_OF_RANGE = "out_of_range", True
    NOT_SCORABLE = "not_scorable", False
    ID_REUSED = "id_reused", False

    is_in_message: bool

    def __new__(cls, word: str, is_in_message: bool) -> Self:  # noqa: FBT001 - a row of the table above
        """A member; without its second value there is none."""
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.is_in_message = is_in_message
        return reason


@dataclass(frozen=True)
class Reject:
    """A message that could not be decoded, or not be scored.

    Attributes:
        index: Its place among the messages that it came with.
        reason: The kind of fault.
        message: The fault in words: which column, what was expected, what was found.
    """

    index: int
    reason: RejectReason
    message: str


REJECT_COLUMNS: tuple[Column, ...] = (
    *POSITION_COLUMNS,
    Column("reason", "string", "Kind of the fault, one word."),
    Column("message", "string", "The fault in words.", max_length=4096),
    Column("original", "bytes", "The message as it came, cut where it is very long."),
    Column("original_size_bytes", "int64", "Size of the message as it came.", unit="bytes", min=0),
    Column("original_key", "bytes", "The message's key, if it has a short one.", is_nullable=True),
    Column(
        "received_at",
        "timestamp",
        "When the message says it was sent; null if it does not say.",
        is_nullable=True,
    ),
    Column("rejected_at", "timestamp", "When it was rejected."),
)

# In the place of a reason: the reject at this position was dealt with.
REPLAYED = "replayed"


class RejectRecord(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A reject as a message: `REJECT_COLUMNS`; a test holds the two together.

    As JSON, bytes are base64. A record whose reason is `REPLAYED` says of the reject at the
    same position that its original was sent again.
    """

    source_topic: str
    source_partition: int
    source_offset: int
    reason: str
    message: str
    original: bytes
    original_size_bytes: int
    original_key: bytes | None
    received_at: dt.datetime | None
    rejected_at: dt.datetime
