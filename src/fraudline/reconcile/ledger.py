"""Counts of what was sent and what is stored, and of where the two disagree."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_EXAMPLES = 10


@dataclass
class PartitionLedger:
    """One partition of the input topic.

    Attributes:
        partition: Its number.
        first_offset: First offset that was looked at.
        end_offset: The one after the last.
        inputs: Messages in the topic.
        decisions: Rows of decisions stored for them.
        rejects: Rows of rejects stored for them.
        sent_again: Rejects whose message was sent again, as another input.
        missing: Messages with neither.
        doubled: Messages with more than one row, or sent again more than once.
        differing: Messages whose row does not say what the message says.
        unexpected: Rows for offsets at which there is no message.
    """

    partition: int
    first_offset: int
    end_offset: int
    inputs: int = 0
    decisions: int = 0
    rejects: int = 0
    sent_again: int = 0
    missing: int = 0
    doubled: int = 0
    differing: int = 0
    unexpected: int = 0


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

    def total(self, name: str) -> int:
        """Sum of one of the counts over all partitions."""
        return sum(getattr(partition, name) for partition in self.partitions)

    @property
    def is_exact(self) -> bool:
        """Whether every message has exactly one row that says what it says."""
        return not any(
            self.total(name) for name in ("missing", "doubled", "differing", "unexpected")
        )

    @property
    def is_complete(self) -> bool:
        """Whether nothing is still on its way."""
        return self.total("missing") == 0

    def note(self, partition: int, offset: int, what: str) -> None:
        """Keep a disagreement as an example, if there are few so far."""
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(f"partition {partition}, offset {offset}: {what}")
