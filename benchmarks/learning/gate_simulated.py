"""Two models of which neither is better, simulated, and whose luck is shared in several ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from benchmarks.learning.world import Floats, Labels

KINDS = 20
Day = tuple[Labels, Floats, Floats]


@dataclass(frozen=True)
class Simulated:
    """How two models and their payments are made.

    Attributes:
        told: In words.
        days: How many.
        frauds: A day.
        rows: A day.
        noises: Of champion and challenger, beside a spread of legitimate payments of 1.
        shared: Noise that a model has in common for payments of a kind, of which there are twenty,
            other ones each day.
        bad_day: Probability of a day on which the challenger's noise is the third number.
    """

    told: str
    days: int
    frauds: int
    rows: int
    noises: tuple[float, float]
    shared: float
    bad_day: tuple[float, float] = (0.0, 0.0)

    def run(self, seed: int) -> Iterator[Day]:
        """Days of one run: labels, and the scores of both."""
        for day in range(self.days):
            random = np.random.default_rng([seed, day])
            labels = np.zeros(self.rows, np.int8)
            labels[: self.frauds] = 1
            apart = random.choice([0.5, 4.5], self.rows, p=[0.35, 0.65])
            seen = random.normal(size=self.rows) + labels * apart
            kind = random.integers(0, KINDS, self.rows)
            noises = self.noises
            if random.random() < self.bad_day[0]:
                noises = noises[0], self.bad_day[1]
            champion, challenger = (
                seen
                + random.normal(size=self.rows) * noise
                + random.normal(size=KINDS)[kind] * self.shared
                for noise in noises
            )
            yield labels, champion, challenger


EQUAL = (
    Simulated("none", 52, 77, 2300, (0.5, 0.5), 0.0),
    Simulated("a third of a legitimate payment's spread", 52, 77, 2300, (0.5, 0.5), 0.33),
    Simulated("the whole of it", 52, 77, 2300, (0.5, 0.5), 1.0),
    Simulated("the whole of it", 30, 20, 600, (0.5, 0.5), 1.0),
    Simulated("the whole of it", 100, 10, 300, (0.5, 0.5), 1.0),
)
