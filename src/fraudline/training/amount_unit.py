"""Whether money comes in another unit than a network learned it in, seen without a label.

All amounts of a stream may become four or a hundred times as large from one payment to the next: a
source sends cents, another currency, a column of another kind. A network that knows the limit of an
amount is then wrong about each payment, and no calibration of its scores mends that. Every feature
in the amount's unit moves by the same factor then, which is what tells it from other changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.bundle.manifest import UNITS_ALIKE
from fraudline.contract import Contract
from fraudline.contract.array_types import Floats, Labels, Matrix
from fraudline.contract.columns import NUMERIC_TYPES
from fraudline.errors import InputError
from fraudline.measures.days import DAY_S
from fraudline.measures.policy_effect import counted
from fraudline.training.preparation import Preparation

LEAST_FACTOR = 2.0
"""Less than that is no other unit, or its inverse: prices and habits change that much."""
_DEVIATIONS = 6.0  # of the mean of a logarithm from what was learned
_PIECES, _LEAST_ROWS = 20, 100  # of rows in order of time, each in one unit
_LEAST_RUN = 3  # pieces one after the other: cheap payments come in bursts ...
_LEAST_S = DAY_S / 2  # ... and at night, so a run has to last as long, too
_BEYOND_INT64 = 2.0**63
_FURTHEST, _HALVINGS = 14.0, 40  # of the search, in logarithms


@dataclass(frozen=True)
class Unit:
    """In which unit payments come, piece by piece of their time.

    Attributes:
        starts: When each piece begins, rising, seconds, shape (pieces,).
        factors: How many times as large as learned money is in it, shape (pieces,); 1 if it is not.
    """

    starts: Floats
    factors: Floats

    @property
    def factor(self) -> float:
        """That of the newest payments."""
        return float(self.factors[-1])

    @property
    def is_one(self) -> bool:
        """Whether money is in one unit all the time."""
        return bool((self.factors == self.factors[-1]).all())

    def restated(self, seconds: Floats) -> Floats:
        """What money in payments is to be multiplied by to be in the unit of the newest.

        Args:
            seconds: When each was made, shape (rows,).
        """
        piece = np.searchsorted(self.starts, seconds, side="right") - 1
        found: Floats = (self.factors[-1] / self.factors)[np.maximum(piece, 0)]
        return found


def money_of(contract: Contract) -> tuple[int, ...]:
    """The features in the unit of the amount, as indices."""
    names = money_columns(contract)
    return tuple(at for at, name in enumerate(contract.features) if name in names)


def money_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of a transaction in the unit of the amount; without a unit, the amount alone.

    None where there is no amount, or features are derived from such a column.
    """
    if contract.amount is None:
        return ()
    unit = contract.column(contract.amount).unit
    names = tuple(
        each.name
        for each in contract.transaction_columns
        if each.name == contract.amount
        or (unit and each.unit == unit and each.type in NUMERIC_TYPES and each.category is None)
    )
    # What is derived from money, no factor of a feature undoes.
    return () if set(names) & set(contract.derived_from) else names


def find_unit(
    preparation: Preparation, money: tuple[int, ...], features: Matrix, seconds: Floats
) -> Unit:
    """In which unit payments come.

    Args:
        preparation: Of the network; it knows the mean of each amount's logarithm.
        money: As `money_of` gives it.
        features: Of legitimate payments, which are not chosen by their amount, float32, shape
            (rows, features).
        seconds: When each payment was made, shape (rows,).
    """
    places = _logarithms(preparation, money)
    if not places or not len(features):
        return Unit(np.zeros(1), np.ones(1))
    if preparation.units is not None:
        features = features * preparation.units
    order = np.argsort(seconds, kind="stable")
    pieces = np.array_split(order, max(min(_PIECES, len(order) // _LEAST_ROWS), 1))
    factors = np.array([_factor(preparation, places, features[piece]) for piece in pieces])
    starts = np.array([seconds[piece[0]] for piece in pieces])
    return Unit(starts, _in_runs(factors, np.append(starts, seconds[order[-1]])))


def restate(
    rows: pa.Table, labels: Labels, others: pa.Table, contract: Contract, preparation: Preparation
) -> tuple[float, pa.Table, pa.Table]:
    """Payments with money in the unit of the newest of them.

    Args:
        rows: With the columns of a transaction.
        labels: 1 for fraud, shape (rows,).
        others: Payments of the same time that nobody labelled.
        contract: What a transaction looks like.
        preparation: Of a network.

    Returns:
        How many times as large as that learned money is in the newest, and both tables; they are
        the ones that were given where money is in one unit all the time. Without an amount or a
        time in the contract nobody can tell, and it is in one unit.
    """
    money = money_of(contract)
    if not money or contract.event_time is None:
        return 1.0, rows, others
    told = rows.filter(pa.array(labels == 0))
    features, seconds = contract.feature_matrix(told), contract.event_seconds(told)
    unit = find_unit(preparation, money, features, np.asarray(seconds))
    if unit.is_one:
        return unit.factor, rows, others
    now, of_others = (
        multiplied(each, contract, unit.restated(contract.event_seconds(each)))
        for each in (rows, others)
    )
    return unit.factor, now, of_others


def multiplied(rows: pa.Table, contract: Contract, factors: Floats) -> pa.Table:
    """Payments whose money is multiplied by a factor, each by its own; types stay.

    What is multiplied by 1 stays as it is, to the last digit. Of other whole numbers beyond 2^53
    the last digits are rounded, which is far less than a factor is known to.

    Raises:
        InputError: what comes of a whole number is none of 64 bits.
    """
    is_other = factors != 1
    for name in money_columns(contract):
        if (at := rows.schema.get_field_index(name)) < 0:
            continue
        field, column = rows.schema.field(at), rows.column(name)
        values = column.cast(pa.float64(), safe=False).to_numpy() * factors
        if not pa.types.is_floating(field.type):
            values = np.rint(values)
            beyond = is_other & (np.abs(values) >= _BEYOND_INT64)
            if beyond.any():
                place = int(np.flatnonzero(beyond)[0])
                raise InputError(
                    f"'{name}' of {counted(int(beyond.sum()), 'payment')} is no whole number of 64 "
                    f"bits in the unit in which money comes now, such as {column[place]} times "
                    f"{factors[place]:.3g}. Limit the column in the contract, or make it float64."
                )
        made = pa.array(np.where(is_other, values, 0), from_pandas=True).cast(field.type)
        rows = rows.set_column(at, field, pc.if_else(pa.array(is_other), made, column))
    return rows


def _in_runs(factors: Floats, bounds: Floats) -> Floats:
    """The factors of pieces that follow each other and are alike, each the mean of its run.

    Too short a run is no other unit. Runs that are alike are of one unit: what they are apart is
    chance.
    """
    logarithms = np.log(factors)
    begins = np.abs(np.diff(logarithms)) >= np.log(UNITS_ALIKE)
    for run in np.split(np.arange(len(factors)), np.flatnonzero(begins) + 1):
        if len(run) < _LEAST_RUN or bounds[run[-1] + 1] - bounds[run[0]] < _LEAST_S:
            logarithms[run] = 0.0
    is_of_now = np.abs(logarithms - logarithms[-1]) < np.log(UNITS_ALIKE)
    logarithms[is_of_now] = logarithms[is_of_now].mean()
    found: Floats = np.exp(logarithms)
    return found


def _logarithms(preparation: Preparation, money: tuple[int, ...]) -> list[tuple[int, int]]:
    """Feature, and number of its logarithm among the inputs, of money that has one."""
    first = len(preparation.inputs.plain)
    taken = enumerate(preparation.inputs.logarithm, first)
    return [(feature, at) for at, feature in taken if feature in money]


def _factor(preparation: Preparation, places: list[tuple[int, int]], features: Matrix) -> float:
    """How many times as large money is than it was learned; 1 where chance or habits may do it."""
    found = []
    for feature, at in places:
        values = features[:, feature].astype(np.float64)
        values = values[~np.isnan(values)]
        if not (values != 0).any():
            return 1.0
        mean, deviation = float(preparation.mean[at]), float(preparation.scale[at])
        found.append(_times_as_large(values, mean))
        moved = abs(_mean_logarithm(values, 0.0) - mean)
        if moved < _DEVIATIONS * deviation / np.sqrt(len(values)):
            return 1.0
    if max(found) - min(found) > np.log(UNITS_ALIKE):
        return 1.0
    factor = float(np.mean(found))
    return float(np.exp(factor)) if abs(factor) >= np.log(LEAST_FACTOR) else 1.0


def _times_as_large(values: Floats, mean: float) -> float:
    """The logarithm of what values are divided by to have this mean of logarithms; by halving."""
    low, high = -_FURTHEST, _FURTHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _mean_logarithm(values, middle) > mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _mean_logarithm(values: Floats, by: float) -> float:
    """Of values over e to the power `by`, as an input is taken."""
    return float((np.sign(values) * np.log1p(np.abs(values) * np.exp(-by))).mean())
