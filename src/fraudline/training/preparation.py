"""From the features of a contract to the inputs of a network, the same offline and online."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Matrix
from fraudline.measures.days import DAY_S
from fraudline.training.categories import level_inputs
from fraudline.training.levels import LEAST_ROWS, LevelInput, Levels

WIDE = 100  # times as much at its largest as at its least


@dataclass(frozen=True)
class Inputs:
    """Which inputs a network gets, as indices of the contract's features.

    Attributes:
        plain: Features taken as they are.
        logarithm: Features x taken as sign(x) * log(1 + |x|); amounts span many magnitudes. A
            feature may be here and in `plain`: it is two inputs then.
        circles: Features that begin anew, such as a time of day, taken as sine and cosine.
        turns: Of each of those, after how much it does.
        missing: Features that may be null.
        levels: Features that are categories; they are in none of the above.
    """

    plain: tuple[int, ...]
    logarithm: tuple[int, ...] = ()
    circles: tuple[int, ...] = ()
    turns: tuple[float, ...] = ()
    missing: tuple[int, ...] = ()
    levels: tuple[LevelInput, ...] = ()

    @property
    def sources(self) -> tuple[int, ...]:
        """The feature that each input derives from, flags aside."""
        return self.plain + self.logarithm + 2 * self.circles

    @property
    def turn(self) -> Floats:
        """What circles are divided by: one number where it is the same of all."""
        return np.array(self.turns[0] if len({*self.turns}) == 1 else self.turns)

    def derive(self, features: Any, ops: Any) -> Any:
        """The inputs before they are scaled, flags aside, float32, shape (rows, inputs).

        What derives from a null is NaN.

        Args:
            features: Array or symbolic tensor, shape (rows, features).
            ops: `numpy`, or `keras.ops`, which has the same functions.
        """
        parts = [ops.take(features, self.plain, axis=1)]
        if self.logarithm:
            x = ops.take(features, self.logarithm, axis=1)
            parts.append(ops.sign(x) * ops.log(ops.abs(x) + np.float32(1)))
        if self.circles:
            x = ops.take(features, self.circles, axis=1)
            turn = self.turn.astype(np.float32)
            since_begin = x - ops.floor(x / turn) * turn
            angle = since_begin * (2 * np.pi / self.turn).astype(np.float32)
            parts += [ops.sin(angle), ops.cos(angle)]
        return ops.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Preparation:
    """Inputs and the scale they are brought to.

    A null is taken as the mean of its input, which is 0 once it is scaled; a flag, an input of its
    own, says that it was one. Flags are 0 or 1 and not scaled: a rare one would be hundreds of
    standard deviations from its mean.

    Attributes:
        inputs: Which inputs.
        mean: Of each input over the rows it was fitted on, nulls left out, float32.
        scale: Standard deviation of each input over those rows. Where an input is constant
            it is the largest number there is, so that any value of it becomes 0: nothing was
            learned of it, and no weight that never learned may speak in flight.
        flags: Features that have a flag, of those that may be null: null in enough rows to learn
            something of it, and not null in enough.
        levels: What stands for the levels of categories; None where there is no category.
        units: What each feature is multiplied by before anything else, float32, shape (features,):
            money that comes in another unit than was learned. None: by nothing.
    """

    inputs: Inputs
    mean: Matrix
    scale: Matrix
    flags: tuple[int, ...] = ()
    levels: Levels | None = None
    units: Matrix | None = None

    @property
    def sources(self) -> tuple[int, ...]:
        """The feature that each input of the network derives from."""
        of_levels = self.levels.sources if self.levels is not None else ()
        return self.inputs.sources + self.flags + of_levels

    @property
    def told_nulls(self) -> tuple[int, ...]:
        """The features of which the network is told that they are null."""
        return self.flags + (self.levels.features if self.levels is not None else ())

    @property
    def filling(self) -> Matrix:
        """What stands for a null in each input once it is scaled; NaN where none is permitted."""
        is_permitted = np.isin(self.inputs.sources, self.inputs.missing)
        return np.where(is_permitted, 0, np.nan).astype(np.float32)

    @classmethod
    def fit(cls, inputs: Inputs, features: Matrix) -> Preparation:
        """Measure mean and standard deviation over the train rows, and over no others.

        Levels are chosen likewise; what stands for each of them is still to be learned.
        """
        derived = inputs.derive(features, np).astype(np.float64)
        # An input without any value is as one that is constant.
        derived[:, np.isnan(derived).all(axis=0)] = 0
        scale = np.nanstd(derived, axis=0)
        # Rounding gives equal values a tiny deviation rather than none.
        is_constant = np.nanmax(derived, axis=0) == np.nanmin(derived, axis=0)
        scale[is_constant] = np.finfo(np.float32).max
        mean = np.nanmean(derived, axis=0)
        flags = _told_apart(inputs.missing, features)
        levels = Levels.fit(inputs.levels, features) if inputs.levels else None
        return cls(inputs, mean.astype(np.float32), scale.astype(np.float32), flags, levels)

    def apply(self, features: Any, ops: Any = np) -> Any:
        """What the network sees, float32, shape (rows, inputs); see `Inputs.derive`."""
        numbers = self.numbers(features, ops)
        if self.levels is None:
            return numbers
        return ops.concatenate([numbers, self.levels.vectors(features, ops)], axis=1)

    def with_places(self, features: Matrix) -> Matrix:
        """What a network sees that learns what stands for a level.

        Returns:
            `numbers`, and then, of each category, the row of the table for the level.
        """
        numbers: Matrix = self.numbers(features)
        if self.levels is None:
            return numbers
        return np.concatenate([numbers, self.levels.places(features).astype(np.float32)], axis=1)

    def numbers(self, features: Any, ops: Any = np) -> Any:
        """The inputs that do not come from categories, scaled, and the flags, float32."""
        if self.units is not None:
            features = features * self.units
        scaled = (self.inputs.derive(features, ops) - self.mean) / self.scale
        if not self.inputs.missing:
            return scaled
        is_null = ops.isnan(features)
        parts = [ops.where(ops.take(is_null, self.inputs.sources, axis=1), self.filling, scaled)]
        if self.flags:
            is_flag = ops.take(is_null, self.flags, axis=1)
            parts.append(ops.where(is_flag, np.float32(1), np.float32(0)))
        return ops.concatenate(parts, axis=1)


def _told_apart(missing: tuple[int, ...], features: Matrix) -> tuple[int, ...]:
    """Those of some features that are null often enough, and not null often enough, to learn it."""
    nulls = np.isnan(features).sum(axis=0)
    is_told = (nulls >= LEAST_ROWS) & (len(features) - nulls >= LEAST_ROWS)
    return tuple(at for at in missing if is_told[at])


def as_they_are(contract: Contract, features: Matrix) -> Inputs:
    """Every feature, untouched."""
    del features
    return Inputs(tuple(range(len(contract.features))))


def with_logarithms_and_time_of_day(contract: Contract, features: Matrix) -> Inputs:
    """Amounts and wide features also as logarithms, what begins anew as circles.

    That are the parts of times that the contract asks for, and the event time, of which the time
    of day is taken.

    Amounts are the contract's amount and every feature in its unit, such as a card's mean
    payment: as logarithms, their difference tells how many times the one is the other, and as
    they are, a limit of so much money stays as sharp among large amounts as among small ones.

    Wide is a feature that is never negative and spans two powers of ten, such as an account's age
    in days: on one scale with accounts of years, the first day and the second are the same.

    The event time itself is left out: a network would learn when the frauds of the history
    happened, and no later transaction has those times.

    Args:
        contract: What the features are.
        features: Of the train rows, which tell what is wide, float32, shape (rows, features).
    """
    names = contract.features
    unit = contract.amount_unit
    levels = level_inputs(contract)
    turns = dict(contract.turns)
    if contract.event_time is not None:  # a timestamp that is a feature is its second of the day
        day = DAY_S if contract.has_timestamps else DAY_S / contract.event_unit_s
        turns[contract.event_time] = day
    circles = tuple(i for i, name in enumerate(names) if name in turns)
    of_levels = {each.feature for each in levels}
    apart = {*circles, *of_levels}
    low, high = np.fmin.reduce(features), np.fmax.reduce(features)  # NaN where all values are null
    is_wide = (low >= 0) & (high + 1 >= WIDE * (low + 1))
    logarithm = tuple(
        i
        for i, name in enumerate(names)
        if i not in apart
        and (is_wide[i] or name == contract.amount or (unit and contract.column(name).unit == unit))
    )
    plain = tuple(i for i in range(len(names)) if i not in apart)
    nullable = np.flatnonzero(contract.may_be_null).tolist()
    missing = tuple(i for i in nullable if i not in of_levels)
    of_circles = tuple(turns[names[i]] for i in circles)
    return Inputs(plain, logarithm, circles, of_circles, missing, levels)
