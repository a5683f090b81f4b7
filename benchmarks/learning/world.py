"""A stream whose labels come late, and which never says more than was known at the moment.

A learner is given moments, one after the other. A moment has the transactions that arrive from it
until the next one, without their labels, and those of before whose labels have become known by
then. Scores are put down moment by moment, and only once all are put down does a world tell what
the transactions were: nothing can be scored by what became known later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int8]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """Transactions whose labels are known; copies, so that nothing leads back to the world.

    Attributes:
        features: Shape (rows, features).
        labels: Shape (rows,).
        amounts: Shape (rows,).
        event_at: When each was made, in the world's unit of time.
        rows: Their numbers in the stream.
    """

    features: Matrix
    labels: Labels
    amounts: Floats
    event_at: Floats
    rows: Rows

    def where(self, is_meant: npt.NDArray[np.bool_] | Rows) -> Known:
        """Some of them."""
        return Known(**{name: values[is_meant] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Arriving:
    """Transactions that arrive from one moment until the next, without their labels."""

    features: Matrix
    amounts: Floats
    rows: Rows


class Moment:
    """What there is at a moment of a world."""

    def __init__(self, world: World, at: float, until: float) -> None:
        self.at, self.until = at, until
        self._world = world

    def known(self, since: float = -np.inf) -> Known:
        """All whose label is known by now, of those made since.

        Args:
            since: In the world's unit of time.
        """
        return self._world._known(self.at, since)  # noqa: SLF001 - the two are one thing

    def became_known(self, since: float) -> Known:
        """Those whose label became known after `since`, and by now."""
        return self._world._known(self.at, -np.inf, known_after=since)  # noqa: SLF001

    def latest(self, length: float) -> Known:
        """The latest that are known: those made within `length` before the last of them."""
        return self._world._latest(self.at, length)  # noqa: SLF001

    def arriving(self) -> Arriving:
        """What comes until the next moment."""
        return self._world._arriving(self.at, self.until)  # noqa: SLF001


class World:
    """Transactions in order of time, each with the moment from which on its label is known.

    Args:
        features: Shape (rows, features).
        labels: 1 for fraud, shape (rows,).
        amounts: Shape (rows,).
        event_at: When each was made, rising, in any unit of time, shape (rows,).
        known_at: When its label is known, shape (rows,); `numpy.inf`: never.
        begin: The first moment; what was made before it is history.
        step: How long it is from one moment to the next.
        ways: How many scores each transaction is given.
        unit_s: The unit of time, in seconds.
    """

    def __init__(
        self,
        features: Matrix,
        labels: Labels,
        amounts: Floats,
        event_at: Floats,
        known_at: Floats,
        begin: float,
        step: float,
        ways: int = 1,
        unit_s: float = 86400.0,
    ) -> None:
        if (np.diff(event_at) < 0).any():
            raise ValueError("the rows of a world are in order of time")
        if (known_at < event_at).any():
            raise ValueError("no label is known before its transaction was made")
        self._features, self._labels, self._amounts = features, labels, amounts
        self._event_at, self._known_at = event_at, known_at.copy()
        self.begin, self.step, self.unit_s = begin, step, unit_s
        self._scores = np.full((len(labels), ways), np.nan)
        self._now = begin

    @property
    def first_row(self) -> int:
        """Number of the first transaction that is scored."""
        return int(np.searchsorted(self._event_at, self.begin))

    def moments(self) -> Iterator[Moment]:
        """One after the other; the next comes once what arrived in the last has its scores."""
        end = self._event_at[-1]
        number = 0
        while (at := self.begin + number * self.step) <= end:
            until = self.begin + (number + 1) * self.step
            self._now = at
            yield Moment(self, at, until)
            first, last = np.searchsorted(self._event_at, [at, until])
            missing = int(np.isnan(self._scores[first:last]).any(axis=1).sum())
            if missing:
                raise ValueError(f"{missing} transactions from {at} to {until} have no score")
            number += 1

    def put_down(self, arrived: Arriving, scores: Floats) -> None:
        """The scores of what arrived, shape (rows, ways); they are put down once and stand."""
        if not np.isnan(self._scores[arrived.rows]).all():
            raise ValueError("a transaction is scored once")
        self._scores[arrived.rows] = scores

    def put_down_for(self, rows: Rows) -> Floats:
        """The scores that were put down for these, shape (rows, ways)."""
        return self._scores[rows]

    def hide(self, rows: Rows) -> None:
        """The labels of these transactions, which are just arriving, never become known."""
        if (self._event_at[rows] < self._now).any():
            raise ValueError("what is known stays known")
        self._known_at[rows] = np.inf

    def outcome(self) -> tuple[Rows, Labels, Floats]:
        """Of all that was scored: number, label, scores. The end of the stream must have come."""
        first = self.first_row
        if np.isnan(self._scores[first:]).any():
            raise ValueError("labels are told when every transaction has its score")
        return np.arange(first, len(self._labels)), self._labels[first:], self._scores[first:]

    def _known(self, at: float, since: float, known_after: float = -np.inf) -> Known:
        is_known = (self._known_at <= at) & (self._known_at > known_after)
        rows = np.flatnonzero(is_known & (self._event_at >= since) & (self._event_at < at))
        return Known(
            self._features[rows],
            self._labels[rows],
            self._amounts[rows],
            self._event_at[rows],
            rows,
        )

    def _latest(self, at: float, length: float) -> Known:
        is_known = (self._known_at <= at) & (self._event_at < at)
        last = self._event_at[is_known].max(initial=-np.inf)
        return self._known(at, last - length)

    def _arriving(self, at: float, until: float) -> Arriving:
        first, last = np.searchsorted(self._event_at, [at, until])
        rows = np.arange(first, last)
        return Arriving(self._features[rows], self._amounts[rows], rows)
