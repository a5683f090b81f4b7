"""Rejects in their topic: which of them are pending, and what became of the others.

The topic is authoritative; the table `rejects` follows it. A reject is pending until its marker
follows it: a record with the reason `REPLAYED`, the same position, size and time. The position
alone would not do: a topic that is deleted and made anew has its positions once more.
"""

from __future__ import annotations

import datetime as dt
import heapq
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fraudline import flows
from fraudline.contract import REJECT_COLUMNS, REPLAYED, RecordDecoder, RejectRecord
from fraudline.contract.rejects import MAX_REJECT_BYTES
from fraudline.errors import InputError
from fraudline.settings import KafkaSettings
from fraudline.stream.read_topic import offset_ranges, read_range

# Records handled at once, which are also one transaction of a replay; fewer if they are large.
_WINDOW_RECORDS = 1000


class MessagePosition(NamedTuple):
    """Where a message is; as text `topic:partition:offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}:{self.partition}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> MessagePosition:
        """Parse a position as it is printed.

        Raises:
            InputError: the text is not a position.
        """
        parts = re.fullmatch(r"([\w.-]+):([0-9]{1,10}):([0-9]{1,19})", text, re.ASCII)
        if parts is None:
            raise InputError(
                f"{text!r} is not a position; expected topic:partition:offset, for example "
                "transactions:0:10411, as `fraudline rejects list` prints it."
            )
        return cls(parts[1], int(parts[2]), int(parts[3]))


class RejectKey(NamedTuple):
    """What a reject and its marker have in common.

    Attributes:
        partition: Of the topic of rejects; both are in the same.
        source: Position of the message.
        size_bytes: Size of the message.
        received_at: When the message says it was sent.
    """

    partition: int
    source: MessagePosition
    size_bytes: int
    received_at: dt.datetime | None


@dataclass
class RejectSurvey:
    """What the topic of rejects holds since a time.

    Attributes:
        ranges: First offset and the one after the last, of each of its partitions.
        records: How many records there are.
        unreadable: How many of them are not rejects; `sink` rejects those in turn.
        replayed: The rejects whose message was sent again, and at which offset of the topic of
            rejects that is said for the last time.
        found: Which of the positions asked for have a reject, pending or not.
        pending: Which of them have a pending one.
    """

    ranges: dict[int, tuple[int, int]]
    records: int = 0
    unreadable: int = 0
    replayed: dict[RejectKey, int] = field(default_factory=dict)
    found: set[MessagePosition] = field(default_factory=set)
    pending: set[MessagePosition] = field(default_factory=set)

    def is_pending(self, partition: int, offset: int, record: RejectRecord) -> bool:
        """Whether a reject at an offset of a partition of its topic has no marker behind it."""
        return self.replayed.get(_key(partition, record), -1) < offset


@dataclass
class PendingSummary:
    """A summary of the pending rejects.

    Attributes:
        counts: How many there are, by reason.
        last_at: When the last one of each reason was rejected.
        newest: The newest ones, newest first, without their originals.
    """

    counts: Counter[str] = field(default_factory=Counter)
    last_at: dict[str, dt.datetime] = field(default_factory=dict)
    newest: list[RejectRecord] = field(default_factory=list)


def source_position(record: RejectRecord) -> MessagePosition:
    """The position of the message that a record is about."""
    return MessagePosition(
        sys.intern(record.source_topic), record.source_partition, record.source_offset
    )


def survey_rejects(
    kafka: KafkaSettings, since: dt.datetime, positions: Collection[MessagePosition] = ()
) -> RejectSurvey:
    """Read the topic of rejects once, to learn what has been sent again already.

    Memory grows with the number of markers, not with that of rejects.

    Args:
        kafka: Broker and topics.
        since: Records that were sent earlier are left out.
        positions: Rejects to look for.

    Raises:
        BrokerError: the topic cannot be read.
    """
    found = RejectSurvey(_since(kafka, since))
    unmarked: set[RejectKey] = set()
    for partition, records in _windows(kafka, found.ranges):
        found.records += len(records)
        for offset, record in records:
            if record is None:
                found.unreadable += 1
                continue
            key = _key(partition, record)
            if record.reason == REPLAYED:
                found.replayed[key] = offset
                unmarked.discard(key)
            elif key.source in positions:
                found.found.add(key.source)
                unmarked.add(key)
    found.pending = {key.source for key in unmarked}
    return found


def read_pending(
    kafka: KafkaSettings, found: RejectSurvey
) -> Iterator[tuple[int, list[RejectRecord]]]:
    """Read the rejects that were not sent again.

    Yields:
        A partition of the topic of rejects, and some of its pending rejects.

    Raises:
        BrokerError: the topic cannot be read.
    """
    for partition, records in _windows(kafka, found.ranges):
        yield (
            partition,
            [
                record
                for offset, record in records
                if record is not None
                and record.reason != REPLAYED
                and found.is_pending(partition, offset, record)
            ],
        )


def summarize_pending(
    kafka: KafkaSettings, found: RejectSurvey, reason: str | None, most: int
) -> PendingSummary:
    """Count the pending rejects, and keep the newest ones.

    Args:
        kafka: Broker and topics.
        found: What has been sent again.
        reason: Only rejects with this reason, if given.
        most: How many of the newest to keep.
    """
    seen = PendingSummary()
    for _, records in read_pending(kafka, found):
        chosen = [record for record in records if reason is None or record.reason == reason]
        for record in chosen:
            record.original = b""
            seen.counts[record.reason] += 1
            last_at = seen.last_at.get(record.reason, record.rejected_at)
            seen.last_at[record.reason] = max(last_at, record.rejected_at)
        seen.newest = heapq.nlargest(
            most, [*seen.newest, *chosen], key=lambda record: record.rejected_at
        )
    return seen


def reject_history(
    kafka: KafkaSettings, since: dt.datetime, position: MessagePosition
) -> list[RejectRecord]:
    """The reject of a position and, if it was sent again, the marker behind it.

    Oldest first, and several of both if the topic of the message was deleted and made anew.

    Raises:
        BrokerError: the topic cannot be read.
    """
    return [
        record
        for _, records in _windows(kafka, _since(kafka, since))
        for _, record in records
        if record is not None and source_position(record) == position
    ]


def _key(partition: int, record: RejectRecord) -> RejectKey:
    return RejectKey(
        partition, source_position(record), record.original_size_bytes, record.received_at
    )


def _since(kafka: KafkaSettings, since: dt.datetime) -> dict[int, tuple[int, int]]:
    """What to read: no marker may be missed that follows a scorer's open transaction."""
    return offset_ranges(kafka, kafka.topic(flows.REJECTS), since=since, is_beyond_open=True)


def _windows(
    kafka: KafkaSettings, within: dict[int, tuple[int, int]]
) -> Iterator[tuple[int, list[tuple[int, RejectRecord | None]]]]:
    """Yield each partition with some of its records by offset, None for one that is no reject."""
    decoder = RecordDecoder(REJECT_COLUMNS, MAX_REJECT_BYTES, is_patient=True)
    for partition, (start, stop) in within.items():
        for _, _, messages in read_range(
            kafka, kafka.topic(flows.REJECTS), partition, start, stop, _WINDOW_RECORDS
        ):
            rows, accepted, _ = decoder.decode(messages.values)
            columns = [column.to_pylist() for column in rows.columns]
            records: list[RejectRecord | None] = [None] * len(messages)
            for index, *values in zip(accepted, *columns, strict=True):
                records[index] = RejectRecord(*values)
            yield partition, list(zip(messages.offsets, records, strict=True))
