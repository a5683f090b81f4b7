"""From the features of a contract to the inputs of a network, the same offline and online."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fraudline.contract import Contract
from fraudline.contract.array_types import Matrix
from fraudline.measures.days import DAY_S


@dataclass(frozen=True)
class Inputs:
    """Which inputs a network gets, as indices of the contract's features.

    Attributes:
        plain: Features taken as they are.
        logarithm: Features x taken as sign(x) * log(1 + |x|); amounts span many magnitudes. A
            feature may be here and in `plain`: it is two inputs then.
        time_of_day: Features that are times, taken as sine and cosine of the time of day.
        day: How long a day is in the unit of those.
    """

    plain: tuple[int, ...]
    logarithm: tuple[int, ...] = ()
    time_of_day: tuple[int, ...] = ()
    day: float = DAY_S

    @property
    def sources(self) -> tuple[int, ...]:
        """The feature that each input derives from."""
        return self.plain + self.logarithm + 2 * self.time_of_day

    def derive(self, features: Any, ops: Any) -> Any:
        """The inputs before they are scaled, float32, shape (rows, inputs).

        Args:
            features: Array or symbolic tensor, shape (rows, features).
            ops: `numpy`, or `keras.ops`, which has the same functions.
        """
        parts = [ops.take(features, self.plain, axis=1)]
        if self.logarithm:
            x = ops.take(features, self.logarithm, axis=1)
            parts.append(ops.sign(x) * ops.log(ops.abs(x) + np.float32(1)))
        if self.time_of_day:
            x = ops.take(features, self.time_of_day, axis=1)
            day = np.float32(self.day)
            since_midnight = x - ops.floor(x / day) * day
            angle = since_midnight * np.float32(2 * np.pi / self.day)
            parts += [ops.sin(angle), ops.cos(angle)]
        return ops.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Preparation:
    """Inputs and the scale they are brought to.

    Attributes:
        inputs: Which inputs.
        mean: Of each input over the rows it was fitted on, float32.
        scale: Standard deviation of each input over those rows. Where an input is constant
            it is the largest number there is, so that any value of it becomes 0: nothing was
            learned of it, and no weight that never learned may speak in flight.
    """

    inputs: Inputs
    mean: Matrix
    scale: Matrix

    @classmethod
    def fit(cls, inputs: Inputs, features: Matrix) -> Preparation:
        """Measure mean and standard deviation over the train rows, and over no others."""
        derived = inputs.derive(features, np).astype(np.float64)
        scale = derived.std(axis=0)
        # Rounding gives equal values a tiny deviation rather than none.
        scale[np.ptp(derived, axis=0) == 0] = np.finfo(np.float32).max
        return cls(inputs, derived.mean(axis=0).astype(np.float32), scale.astype(np.float32))

    def apply(self, features: Any, ops: Any = np) -> Any:
        """What the network sees, float32, shape (rows, inputs); see `Inputs.derive`."""
        return (self.inputs.derive(features, ops) - self.mean) / self.scale


def as_they_are(contract: Contract) -> Inputs:
    """Every feature, untouched."""
    return Inputs(tuple(range(len(contract.features))))


def with_log_amounts_and_time_of_day(contract: Contract) -> Inputs:
    """Amounts also as logarithms, and the event time as the time of day; the others untouched.

    Amounts are the contract's amount and every feature in its unit, such as a card's mean
    payment: as logarithms, their difference tells how many times the one is the other, and as
    they are, a limit of so much money stays as sharp among large amounts as among small ones.

    The event time itself is left out: a network would learn when the frauds of the history
    happened, and no later transaction has those times.
    """
    features = contract.features
    unit = contract.column(contract.amount).unit
    logarithm = tuple(
        i
        for i, name in enumerate(features)
        if name == contract.amount or (unit and contract.column(name).unit == unit)
    )
    time_of_day = tuple(i for i, name in enumerate(features) if name == contract.event_time)
    plain = tuple(i for i in range(len(features)) if i not in time_of_day)
    # A timestamp that is a feature is its second of the day.
    is_timestamp = contract.column(contract.event_time).type == "timestamp"
    day = DAY_S if is_timestamp else DAY_S / contract.event_unit_s
    return Inputs(plain, logarithm, time_of_day, day)
