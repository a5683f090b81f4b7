"""Decoded rows to the numbers that a model takes, without a column or an array for each value."""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from fraudline.contract.array_types import Floats, Matrix
from fraudline.contract.columns import Column
from fraudline.contract.contract import Contract, shown_values
from fraudline.contract.decoder import Row
from fraudline.contract.derived import derive
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
        amount = places[contract.amount]
        self._width = len(features)
        self._amount = features.index(amount) if amount in features else len(features)
        picked = features if amount in features else [*features, amount]
        self._of_row = len(picked)
        self._pick = _picker(picked) if picked != list(range(len(columns))) else None
        self._features = _picker(features)
        self._converters = {
            index: _converter(columns[place])
            for index, place in enumerate(picked)
            if columns[place].is_nullable or columns[place].seen_as != "number"
        }
        self._plain = [index for index in range(len(picked)) if index not in self._converters]
        self._contract = contract
        self._derived = [name for name in contract.features if name not in contract.own_features]
        self._sources = [(name, places[name], columns[places[name]].arrow_type)
                         for name in contract.derived_from]  # fmt: skip

    def read(self, rows: Sequence[Row]) -> tuple[Matrix, Floats]:
        """Features, shape (rows, features), and amounts, shape (rows,)."""
        values: Iterable[Row] = rows if self._pick is None else map(self._pick, rows)
        if self._converters and rows:
            numbers = self._by_column(list(zip(*values, strict=True)), len(rows))
        else:
            flat = struct.pack(f"{len(rows) * self._of_row}d", *chain.from_iterable(values))
            numbers = np.frombuffer(flat).reshape(len(rows), self._of_row)
        features, amounts = numbers[:, : self._width].astype(np.float32), numbers[:, self._amount]
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

    def _by_column(self, columns: list[Sequence[Any]], rows: int) -> Floats:
        """The numbers of columns, of which some are no numbers yet, shape (rows, columns)."""
        numbers = np.empty((rows, self._of_row))
        plain = [columns[index] for index in self._plain]
        flat = struct.pack(f"{rows * len(plain)}d", *chain.from_iterable(plain))
        numbers[:, self._plain] = np.frombuffer(flat).reshape(len(plain), rows).T
        for index, convert in self._converters.items():
            numbers[:, index] = convert(columns[index])
        return numbers

    def features(self, row: Row) -> Row:
        """The values of the features as they were sent, or derived, in order; times are in UTC."""
        sent = tuple(
            value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else value
            for value in self._features(row)
        )
        if not self._derived:
            return sent
        found = self._derive([row])
        shown = (shown_values(found[name], self._contract.column(name)) for name in self._derived)
        return (*sent, *chain.from_iterable(shown))


def _picker(places: list[int]) -> Callable[[Row], Row]:
    if len(places) > 1:
        return itemgetter(*places)
    if not places:
        return lambda _: ()
    (place,) = places
    return lambda row: (row[place],)


def _converter(column: Column) -> Callable[[Sequence[Any]], Floats]:
    """What turns the values of a column, or nulls, into numbers, or NaN."""
    if column.seen_as == "level":
        return codes_from(column.type, is_nullable=column.is_nullable)
    if column.seen_as == "second of the day":
        return lambda values: np.fromiter(map(_second_of_day, values), np.float64, len(values))
    # A value is not in the dictionary, and stands for itself: no Python for each of them.
    return lambda values: np.fromiter(map(_NULL.get, values, values), np.float64, len(values))


def _second_of_day(at: dt.datetime | None) -> float:
    if at is None:
        return math.nan
    at = at.astimezone(dt.UTC)
    minute = at.hour * 60 + at.minute
    return ((minute * 60 + at.second) * 1_000_000 + at.microsecond) / 1e6
