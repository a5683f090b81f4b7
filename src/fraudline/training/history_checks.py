"""The labelled history: checked before anything is learned from it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraudline.contract import Contract
from fraudline.contract.number_words import number_words
from fraudline.contract.time_units import seconds_of, unit_since_1970
from fraudline.errors import InputError
from fraudline.training.levels import LEAST_ROWS, WIDTH
from fraudline.training.preparation import Inputs
from fraudline.training.recipes.recipe import Recipe

MIN_ROWS = 100
MIN_INPUTS = 3  # the tutorial's two convolutions of two inputs each


def require_trainable(history: pa.Table, contract: Contract, test_share: float) -> None:
    """Refuse a history that is malformed, out of order, or too small.

    Raises:
        InputError: the message says what was found, where, and what was expected.
    """
    if not 0 <= test_share < 1:
        raise InputError(f"the test share is {test_share}, expected 0 to less than 1.")
    missing = [name for name in contract.history_schema.names if name not in history.schema.names]
    if missing:
        raise InputError(
            f"the history lacks column {', '.join(missing)} of contract '{contract.name}'. "
            "Read a table that was loaded with this contract."
        )
    if history.num_rows < MIN_ROWS:
        raise InputError(
            f"the history has {history.num_rows} transactions, expected at least {MIN_ROWS}. "
            "Take a longer period."
        )
    roles = filter(None, (contract.label, contract.amount, contract.event_time))
    for name in {*contract.own_features, *roles}:
        nulls = history.column(name).null_count
        if nulls and not contract.column(name).is_nullable:
            raise InputError(f"column '{name}' of the history is null in {nulls} transactions.")
    _require_no_raw_times(history, contract)
    unusable = contract.unusable(contract.feature_matrix(history))
    if unusable.any():
        row, column = np.argwhere(unusable)[0]
        raise InputError(
            f"{int(unusable.sum())} values of the history are not finite numbers. First: "
            f"row {row}, column '{contract.features[column]}', found "
            f"{contract.seen_values(history.slice(int(row), 1))[column][0]}."
        )
    labels = contract.labels(history)
    if not np.isin(labels, (0, 1)).all():
        raise InputError(
            f"label column '{contract.label}' has the values "
            f"{', '.join(str(value) for value in np.unique(labels))}; expected 0 and 1."
        )
    if contract.event_time is not None:
        _require_order(history, contract.event_time)


def _require_order(history: pa.Table, event_time: str) -> None:
    times = history.column(event_time)
    backwards = pc.less(times.slice(1), times.slice(0, len(times) - 1))
    if pc.any(backwards).as_py():
        row = pc.index(backwards, value=True).as_py() + 1
        raise InputError(
            f"the history is not in order of '{event_time}': row {row} is earlier "
            "than the one before. Read it ordered by event time."
        )


def _require_no_raw_times(history: pa.Table, contract: Contract) -> None:
    """Refuse a feature that counts from 1970: as float32, its steps are minutes or days.

    Raises:
        InputError: there is one, and no unit says that it is something else.
    """
    for name in contract.own_features:
        column = contract.column(name)
        is_number = column.seen_as == "number" and column.type != "bool"
        is_other = bool(column.unit) and seconds_of(column.unit) is None
        if not is_number or is_other or name == contract.event_time:
            continue
        low, high = pc.min_max(history.column(name)).as_py().values()
        if low is not None and (unit := unit_since_1970(low, high)):
            raise InputError(
                f"feature '{name}' goes from {number_words(low)} to {number_words(high)}, as times "
                f"do that count {unit} since 1970, which a network sees too coarsely to learn. "
                f'Let it be type = "timestamp", format = "unix_{unit}" and parts = ["hour"], or a '
                "difference to the event time; or write feature = false. If it is no time, say its "
                "unit."
            )


def require_fitting_recipe(recipe: Recipe, contract: Contract) -> None:
    """Refuse a recipe that cannot learn from what the contract's features may be.

    Raises:
        InputError: it invents frauds between known ones, and a feature may be null or is a
            category; or no feature is a number.
    """
    nullable = [name for name in contract.features if contract.column(name).is_nullable]
    for names, fault, what in (
        (nullable, "a value and a null", "may be null"),
        (list(contract.categories), "two levels of a category", "are categories"),
    ):
        if recipe.learned_share is not None and names:
            raise InputError(
                f"recipe '{recipe.name}' invents frauds between known ones, and nothing lies "
                f"between {fault}; of contract '{contract.name}' {what}: {', '.join(names)}. Take "
                "recipe 'default' or 'mlp', or set feature = false for these columns."
            )
    if len(contract.categories) == len(contract.features):
        raise InputError(
            f"every feature of contract '{contract.name}' is a category; expected at least one "
            "number: let an amount be a feature, for example."
        )


def require_enough_inputs(recipe: Recipe, inputs: Inputs, contract: Contract) -> None:
    """Refuse features of which too few inputs follow for a network to be laid over them.

    Raises:
        InputError: it tells how many follow, by this recipe.
    """
    found = len(inputs.sources) + len(inputs.missing) + WIDTH * len(inputs.levels)
    if found < MIN_INPUTS:
        raise InputError(
            f"contract '{contract.name}' has {len(contract.features)} features, of which recipe "
            f"'{recipe.name}' makes {found} inputs, expected at least {MIN_INPUTS}: mark more "
            "columns as feature = true."
        )


def told_constants(features: npt.NDArray[np.float32], contract: Contract) -> list[str]:
    """A sentence for each feature that has one value in all rows that have one, or none at all.

    Args:
        features: Of the train part.
        contract: What a transaction looks like.
    """
    least = np.fmin.reduce(features, axis=0)  # NaN only where all are
    is_constant = ~(np.fmax.reduce(features, axis=0) > least)
    nulls = np.isnan(features).sum(axis=0)
    told = []
    for at in np.flatnonzero(is_constant):
        begin = f"column '{contract.features[at]}' has one value in the whole train part"
        end = "A longer period may have others."
        if min(nulls[at], len(features) - nulls[at]) >= LEAST_ROWS:
            told.append(
                f"{begin}, or none, so all that is learned of it is whether it is null. {end}"
            )
        else:
            told.append(
                f"{begin}, so nothing can be learned of it and no value of it will change a score. "
                + end
            )
    return told


def coarse_event_times(history: pa.Table, contract: Contract) -> list[str]:
    """A sentence where float32, which is what a network sees, cannot tell event times apart."""
    if contract.event_time is None or contract.has_timestamps:
        return []
    largest = float(np.abs(np.asarray(history.column(contract.event_time), np.float64)).max())
    error_s = contract.event_time_error_s(largest)
    if error_s < 1:
        return []
    return [
        f"LOOK: a network sees '{contract.event_time}' as float32, up to {error_s:g} s away: set "
        "feature = false in the contract, give a timestamp, or count from the first event"
    ]


def told_of_no_time(contract: Contract, rows: int) -> list[str]:
    """What a person must know of a history that tells no time; nothing of one that does.

    Args:
        contract: What a transaction looks like.
        rows: How many the history has.
    """
    if contract.event_time is not None:
        return []
    a_day = contract.payments_a_day or 1.0
    return [
        f"LOOK: contract '{contract.name}' has no event time. Its parts are drawn at random, by "
        "what rows hold, so no figure tells how a model ages, and the stream will be compared with "
        "blocks that differ less than days do: expect alarms of smaller changes. Days and reviews "
        f"a day follow from payments_a_day = {a_day:.15g}: {rows:,} rows count as "
        f"{rows / a_day:,.3g} days"
    ]


def event_text(history: pa.Table, contract: Contract, row: int) -> str:
    """Event time of a row, for people, in the contract's unit; its place where it has none."""
    if contract.event_time is None:
        return f"drawn row {row % history.num_rows + 1:,}"
    value = history.column(contract.event_time)[row].as_py()
    if contract.has_timestamps:
        return str(value.isoformat())
    return f"{value:.15g} {contract.column(contract.event_time).unit}".strip()
