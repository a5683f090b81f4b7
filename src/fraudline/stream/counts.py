"""What a loop counts: decisions, and failures by the side that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from fraudline.contract import APPROVE, BLOCK, REVIEW


class Task(StrEnum):
    """Which loop runs; also the label `task` of its metrics."""

    SCORE = "score"
    SINK = "sink"
    LEARN = "learn"


OF_TOPICS = (Task.SCORE, Task.SINK)
"""Those that move messages of topics, and have a place in each partition."""


class FailedSide(StrEnum):
    """Which side ended a session; also the label `kind` of a metric."""

    BROKER = "broker"
    WAREHOUSE = "warehouse"
    REGISTRY = "registry"


@dataclass
class DecisionCounts:
    """Committed decisions.

    Attributes:
        approved: Transactions that may go on.
        reviewed: Transactions that a person has to look at.
        blocked: Transactions that were stopped.
    """

    approved: int = 0
    reviewed: int = 0
    blocked: int = 0

    @classmethod
    def from_words(cls, counts: Mapping[str, int]) -> Self:
        """Take counts by the words `approve`, `review` and `block`, where there are any."""
        return cls(counts.get(APPROVE, 0), counts.get(REVIEW, 0), counts.get(BLOCK, 0))

    @property
    def total(self) -> int:
        """All of them."""
        return self.approved + self.reviewed + self.blocked

    def add(self, other: DecisionCounts) -> None:
        """Count further ones."""
        self.approved += other.approved
        self.reviewed += other.reviewed
        self.blocked += other.blocked


@dataclass
class FailureCounts:
    """Sessions that ended by a failure.

    Attributes:
        broker: Those that the broker ended.
        warehouse: Those that the warehouse ended.
        registry: Those that the registry's object store ended.
    """

    broker: int = 0
    warehouse: int = 0
    registry: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.broker + self.warehouse + self.registry

    def add(self, side: FailedSide) -> None:
        """Count one more."""
        setattr(self, side.value, getattr(self, side.value) + 1)
