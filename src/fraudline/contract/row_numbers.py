"""Decoded rows to the numbers that a model takes, without a column or an array for each value."""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from fraudline.contract.array_types import Floats, Matrix
from fraudline.contract.columns import Column
from fraudline.contract.contract import Contract
from fraudline.contract.decoder import Row
from fraudline.contract.derived import derive
from fraudline.contract.feature_values import shown_values
from fraudline.contract.level_codes import codes_from

_NULL = {None: math.nan}


class RowNumbers:
    """Takes features and amounts from rows as `Decoder.decode_rows` gives them.

    They are those of `Contract.feature_matrix` and `Contract.amounts`, bit for bit; a test
    holds the two together.

    Args:
        contract: What a transaction looks like.
    """

    def __init__(self, contract: Contract) -> None:
        columns = contract.transaction_columns
        places = {column.name: index for index, column in enumerate(columns)}
        features = [places[name] for name in contract.own_features]
        amounts = [] if contract.amount is None else [places[contract.amount]]
        picked = list(dict.fromkeys((*features, *amounts)))
        self._width = len(features)
        self._amount = picked.index(amounts[0]) if amounts else None
        self._of_row = len(picked)
        self._pick = _picker(picked) if picked != list(range(len(columns))) else None
        self._features = _picker(features)
        self._times = [
            index for index, place in enumerate(features) if columns[place].type == "timestamp"
        ]
        converters = [_converter(columns[place]) for place in picked]
        self._converters = converters if any(converters) else None
        self._contract = contract
        self._derived = [name for name in contract.features if name not in contract.own_features]
        self._sources = [
            (name, places[name], columns[places[name]].arrow_type) for name in contract.derived_from
        ]

    def read(self, rows: Sequence[Row]) -> tuple[Matrix, Floats]:
        """Features, shape (rows, features), and amounts, shape (rows,)."""
        picked: Iterable[Row] = rows if self._pick is None else map(self._pick, rows)
        shape = len(rows), self._of_row
        if self._converters is None or not rows:
            numbers = np.frombuffer(_packed(picked, shape)).reshape(shape)
        else:
            columns = zip(*picked, strict=True)
            converted = (
                values if convert is None else convert(values)
                for convert, values in zip(self._converters, columns, strict=True)
            )
            numbers = np.frombuffer(_packed(converted, shape)).reshape(shape[::-1]).T
        amounts = np.zeros(len(rows)) if self._amount is None else numbers[:, self._amount]
        features = numbers[:, : self._width].astype(np.float32, order="C")
        if self._derived:
            found = self._derive(rows)
            derived = np.column_stack([found[name] for name in self._derived])
            features = np.concatenate([features, derived.astype(np.float32)], axis=1)
        return features, amounts

    def _derive(self, rows: Sequence[Row]) -> dict[str, Floats]:
        """The derived columns of rows, by name."""
        columns = {
            name: pa.array([row[place] for row in rows], kind)
            for name, place, kind in self._sources
        }
        return derive(self._contract.derivations, columns)

    def features(self, row: Row) -> Row:
        """The values of the features as they were sent, or derived, in order; times are in UTC."""
        values = self._features(row)
        if not self._times and not self._derived:
            return values
        changed = list(values)
        for index in self._times:
            if changed[index] is not None:
                changed[index] = changed[index].astimezone(dt.UTC)
        if self._derived:
            found = self._derive([row])
            for name in self._derived:
                changed += shown_values(found[name], self._contract.column(name))
        return tuple(changed)


def _picker(places: list[int]) -> Callable[[Row], Row]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda _: ()
    (place,) = places
    return lambda row: (row[place],)


def _packed(numbers: Iterable[Iterable[float]], shape: tuple[int, int]) -> bytes:
    """All of them as float64, one after the other; so many rows and columns of them."""
    return struct.pack(f"{shape[0] * shape[1]}d", *chain.from_iterable(numbers))


def _converter(column: Column) -> Callable[[Sequence[Any]], Iterable[float]] | None:
    """What turns the values of a column, or nulls, into numbers, or NaN; None if they are that."""
    if column.seen_as == "level":
        return codes_from(column)
    if column.seen_as == "second of the day":
        return partial(map, _second_of_day)
    if column.is_nullable:
        # A value is not in the dictionary, and stands for itself: no Python for each of them.
        return lambda values: map(_NULL.get, values, values)
    return None


def _second_of_day(at: dt.datetime | None) -> float:
    if at is None:
        return math.nan
    at = at.astimezone(dt.UTC)
    minute = at.hour * 60 + at.minute
    return ((minute * 60 + at.second) * 1_000_000 + at.microsecond) / 1e6
