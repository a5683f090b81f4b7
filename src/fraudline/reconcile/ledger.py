"""Counts of what was sent and what is stored, and of where the two disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

MOST_EXAMPLES = 10


@dataclass(frozen=True)
class LedgerCounts:
    """What was sent, what is stored, and where the two disagree.

    Attributes:
        inputs: Messages in the topic.
        decisions: Rows of decisions stored for them.
        rejects: Rows of rejects stored for them.
        places: Different offsets that those rows name.
        sent_again: Rejects whose message was sent again, as another input.
        unseen: Rejects whose reason the message itself does not show.
        missing: Messages with neither.
        doubled: Messages with more than one row, or sent again more than once.
        differing: Messages whose row does not say what the message says.
        unexpected: Rows for offsets at which there is no message, and markers of messages sent
            again that are not in the topic again.
    """

    inputs: int = 0
    decisions: int = 0
    rejects: int = 0
    places: int = 0
    sent_again: int = 0
    unseen: int = 0
    missing: int = 0
    doubled: int = 0
    differing: int = 0
    unexpected: int = 0

    def __add__(self, other: LedgerCounts) -> LedgerCounts:
        """The counts of both together."""
        return LedgerCounts(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )

    def __sub__(self, other: LedgerCounts) -> LedgerCounts:
        """The counts without those of the other, which are among them."""
        return LedgerCounts(
            *(getattr(self, each.name) - getattr(other, each.name) for each in fields(self))
        )

    @property
    def rows(self) -> int:
        """Rows of decisions and rejects; a marker that a message was sent again is none."""
        return self.decisions + self.rejects

    @property
    def wrong(self) -> int:
        """How many disagreements there are, of any kind."""
        return self.missing + self.doubled + self.differing + self.unexpected

    @property
    def disagreements(self) -> str:
        """How many there are of each kind, in words."""
        return (
            f"missing {self.missing:,}, doubled {self.doubled:,}, differing {self.differing:,}, "
            f"unexpected {self.unexpected:,}"
        )


@dataclass
class PartitionLedger:
    """One partition of the input topic.

    Attributes:
        partition: Its number.
        first_offset: First offset that was checked.
        end_offset: The one after the last.
        counts: What was found between the two, and of rows that belong to no message.
        buckets: What was found between the two, by pieces of `BUCKET_OFFSETS` offsets.
        strays: Rows that name an offset at which no message ever was.
    """

    partition: int
    first_offset: int
    end_offset: int
    counts: LedgerCounts = LedgerCounts()
    buckets: dict[int, LedgerCounts] = field(default_factory=dict)
    strays: int = 0

    def add(self, found: Mapping[int, LedgerCounts]) -> None:
        """Count what was found in a window, by bucket."""
        for bucket, counts in found.items():
            self.buckets[bucket] = self.buckets.get(bucket, LedgerCounts()) + counts
            self.counts += counts

    def replace(self, bucket: int, found: LedgerCounts) -> None:
        """Put what was found in a bucket now in the place of what was found before."""
        self.counts += found - self.buckets.get(bucket, LedgerCounts())
        self.buckets[bucket] = found

    def put_strays(self, count: int) -> None:
        """Count so many rows as unexpected, in the place of those of the last time."""
        self.counts += LedgerCounts(unexpected=count) - LedgerCounts(unexpected=self.strays)
        self.strays = count


@dataclass
class Ledger:
    """All partitions of a topic.

    Attributes:
        topic: The input topic.
        partitions: One entry each.
        elsewhere: Rows of partitions that the topic has not.
        examples: Some disagreements in words.
    """

    topic: str
    partitions: list[PartitionLedger] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    elsewhere: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def totals(self) -> LedgerCounts:
        """The counts of all partitions together."""
        elsewhere = LedgerCounts(unexpected=self.elsewhere)
        return sum((partition.counts for partition in self.partitions), elsewhere)

    @property
    def is_exact(self) -> bool:
        """Whether every message has exactly one row that says what it says."""
        return self.totals.wrong == 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is still on its way."""
        return self.totals.missing == 0

    def keep_examples(self, found: Iterable[str]) -> None:
        """Keep disagreements as examples while there are few, each once."""
        for one in found:
            if len(self.examples) >= MOST_EXAMPLES:
                return
            if one not in self.examples:
                self.examples.append(one)


def example(partition: int, offset: int, what: str) -> str:
    """A disagreement in words."""
    return f"partition {partition}, offset {offset}: {what}"
