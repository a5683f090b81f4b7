"""Counts of what was sent and what is stored, and of where the two disagree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

MOST_EXAMPLES = 10


@dataclass(frozen=True)
class LedgerCounts:
    """What was sent, what is stored, and where the two disagree.

    Attributes:
        inputs: Messages in the topic.
        decisions: Rows of decisions stored for them.
        rejects: Rows of rejects stored for them.
        sent_again: Rejects whose message was sent again, as another input.
        missing: Messages with neither.
        doubled: Messages with more than one row, or sent again more than once.
        differing: Messages whose row does not say what the message says.
        unexpected: Rows for offsets at which there is no message.
    """

    inputs: int = 0
    decisions: int = 0
    rejects: int = 0
    sent_again: int = 0
    missing: int = 0
    doubled: int = 0
    differing: int = 0
    unexpected: int = 0

    def __add__(self, other: LedgerCounts) -> LedgerCounts:
        """The counts of both together."""
        return LedgerCounts(
            self.inputs + other.inputs,
            self.decisions + other.decisions,
            self.rejects + other.rejects,
            self.sent_again + other.sent_again,
            self.missing + other.missing,
            self.doubled + other.doubled,
            self.differing + other.differing,
            self.unexpected + other.unexpected,
        )

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
        counts: What was found between the two.
    """

    partition: int
    first_offset: int
    end_offset: int
    counts: LedgerCounts = LedgerCounts()


@dataclass
class Ledger:
    """All partitions of a topic.

    Attributes:
        topic: The input topic.
        partitions: One entry each.
        examples: Some disagreements in words.
    """

    topic: str
    partitions: list[PartitionLedger] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    @property
    def totals(self) -> LedgerCounts:
        """The counts of all partitions together."""
        return sum((partition.counts for partition in self.partitions), LedgerCounts())

    @property
    def is_exact(self) -> bool:
        """Whether every message has exactly one row that says what it says."""
        return self.totals.wrong == 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is still on its way."""
        return self.totals.missing == 0

    def keep_examples(self, found: Iterable[str]) -> None:
        """Keep disagreements as examples while there are few."""
        self.examples.extend(islice(found, MOST_EXAMPLES - len(self.examples)))


def example(partition: int, offset: int, what: str) -> str:
    """A disagreement in words."""
    return f"partition {partition}, offset {offset}: {what}"
