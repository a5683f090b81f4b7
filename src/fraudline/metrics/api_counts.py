"""What the API counts; its metrics are made of these when they are scraped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from fraudline.contract import DECISIONS, RejectReason
from fraudline.stream.durations import DurationHistogram
from fraudline.stream.served_model import ServedModel

BATCH_BOUNDS = tuple(2**power for power in range(10))
"""Upper bounds of the buckets of batch sizes; the last is a whole turn."""


@dataclass
class ApiCounts:
    """What was asked and answered since the process began; the loop's thread alone counts.

    Attributes:
        model: What decides; None before the first.
        requests: By route and status.
        seconds: How long each answer to a route took, from the head of its request.
        decided: Transactions by decision.
        rejected: Transactions that got none, by reason.
        waiting_rows: Transactions that wait to be decided.
        cut: Transactions of which something was ignored, as the contract says.
        batches: How many batches had a size of at most each of `BATCH_BOUNDS`, and more.
        batch_rows: How many transactions they had.
        batch_seconds: How long deciding each took.
        failed_batches: Batches that could not be decided.
        refused_connections: Connections that were one too many, or whose request did not come.
    """

    model: ServedModel | None = None
    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, DurationHistogram] = field(default_factory=dict)
    decided: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(DECISIONS, 0)))
    rejected: Counter[RejectReason] = field(
        default_factory=lambda: Counter(dict.fromkeys(RejectReason, 0))
    )
    waiting_rows: int = 0
    cut: int = 0
    batches: list[int] = field(default_factory=lambda: [0] * (len(BATCH_BOUNDS) + 1))
    batch_rows: int = 0
    batch_seconds: DurationHistogram = field(default_factory=DurationHistogram)
    failed_batches: int = 0
    refused_connections: int = 0

    def record_model(self, model: ServedModel) -> None:
        """Note which version decides; one assignment, from any thread."""
        self.model = model

    def batch(self, rows: int, seconds: float) -> None:
        """Count a batch that was decided."""
        self.batches[int(np.searchsorted(BATCH_BOUNDS, rows))] += 1
        self.batch_rows += rows
        self.batch_seconds.add(seconds)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self.requests[route, status] += 1
        self.seconds.setdefault(route, DurationHistogram()).add(seconds)
