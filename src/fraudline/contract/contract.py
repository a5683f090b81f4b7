"""The contract, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from fraudline.contract.array_types import Flags, Floats, Integers, Labels, Matrix
from fraudline.contract.columns import Category, Column, arrow_schema
from fraudline.contract.decisions import DECISION_COLUMNS
from fraudline.contract.decoder import MAX_MESSAGE_BYTES, Decoder
from fraudline.contract.derived import Derived, derive, parts_of
from fraudline.contract.encode import json_lines
from fraudline.contract.feature_values import (
    as_floats,
    permitted,
    shown_values,
    whole_array,
)
from fraudline.contract.id_texts import message_id, row_ids
from fraudline.contract.local_times import UTC
from fraudline.contract.message_decoder import MessageDecoder
from fraudline.contract.message_keys import AS_COLUMNS, MessageRules
from fraudline.contract.plain_messages import PlainMessage, PlainMessages
from fraudline.contract.time_units import seconds_of, to_seconds
from fraudline.errors import ContractError

_DAY_S = 86400.0
MATURITY_DAYS = 30.0
"""Of a contract that does not say; most cardholders see a fraud on their next statement."""


@dataclass(frozen=True)
class Entity:
    """Somebody or something that takes part in a transaction: a card, a terminal, a merchant.

    Attributes:
        name: What it is called.
        columns: Those that name it, together.
    """

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """What one kind of transaction looks like.

    Attributes:
        name: Short name, used in versions and messages.
        description: For people.
        columns: All columns of a labelled transaction, in the order of the file.
        label: Column that is 1 (or true) where the transaction was a fraud.
        amount: Column with what is lost if a fraud is approved; None: a fraud costs the same,
            whichever payment it is.
        event_time: Column that orders the history: a number in a unit of time, or a timestamp.
            None: the history tells no time, and in flight it is the message's own.
        id: Column that identifies a transaction, or the several that do so together, if there
            are any.
        maturity_days: How long after its decision a transaction without a label counts as
            legitimate, until told otherwise.
        entities: Who and what takes part in it.
        payments_a_day: How many rows of a history without an event time count as a day; None
            where there is one.
        messages: How messages may differ from the columns.
        derived: Columns that follow from these, in an order in which each follows from what is
            before it. No message and no table has them.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    label: str
    amount: str | None
    event_time: str | None
    id: str | tuple[str, ...] | None = None
    maturity_days: float = MATURITY_DAYS
    entities: tuple[Entity, ...] = ()
    payments_a_day: float | None = None
    messages: MessageRules = AS_COLUMNS
    derived: tuple[Derived, ...] = ()

    @cached_property
    def transaction_columns(self) -> tuple[Column, ...]:
        """The columns of a transaction in flight: all but the label."""
        return tuple(column for column in self.columns if column.name != self.label)

    @cached_property
    def decision_columns(self) -> tuple[Column, ...]:
        """The columns of a decision: the transaction's, then what was decided."""
        return (*self.transaction_columns, *DECISION_COLUMNS)

    @cached_property
    def transaction_schema(self) -> pa.Schema:
        """Arrow schema of a batch of transactions in flight."""
        return arrow_schema(self.transaction_columns)

    @cached_property
    def history_schema(self) -> pa.Schema:
        """Arrow schema of labelled transactions."""
        return arrow_schema(self.columns)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """Names of what a network sees, in the order of its input; derived columns come last."""
        return self.own_features + tuple(each.name for each in self.derivations if each.is_feature)

    @cached_property
    def own_features(self) -> tuple[str, ...]:
        """The features that are columns of a transaction, in their order."""
        return tuple(column.name for column in self.transaction_columns if column.is_feature)

    @cached_property
    def derivations(self) -> tuple[Derived, ...]:
        """All derived columns: the parts of times, and those that the contract declares."""
        parts = (part for column in self.transaction_columns for part in parts_of(column))
        return (*parts, *self.derived)

    @cached_property
    def derived_from(self) -> tuple[str, ...]:
        """The columns of a transaction that derived ones follow from, each once."""
        names = {column.name for column in self.transaction_columns}
        named = (name for each in self.derivations for name in each.of if name in names)
        return tuple(dict.fromkeys(named))

    @cached_property
    def seen_columns(self) -> tuple[str, ...]:
        """The columns of a transaction without which a network sees nothing, each once."""
        return tuple(dict.fromkeys((*self.own_features, *self.derived_from)))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over columns, types, limits and roles: equal when data are interchangeable.

        What entities are called alters no data: they may be named at any time. Nor does what
        messages look like: rows are the same.
        """
        content = asdict(self)
        for key in ("description", "maturity_days", "entities", "payments_a_day", "messages"):
            del content[key]
        for each in content["derived"]:
            del each["description"]
        if not content["derived"]:  # as before there were any
            del content["derived"]
        for column in content["columns"]:
            for key in ("description", "words", "source", "is_lenient"):
                del column[key]
            # As before there were any. Whether a clock's times are taken as UTC or not at all
            # changes nothing of what is.
            if column["timezone"] == UTC and not column["format"]:
                column["timezone"] = ""
            for key in ("category", "format", "timezone", "parts"):
                if not column[key]:
                    del column[key]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def key_of(self, message: bytes) -> bytes | None:
        """The key under which a transaction is sent: its id, so that repeats meet; else none."""
        if self.id is None:
            return None
        if self.plain is not None:
            try:
                read = self.plain.read(message)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return None
            if not isinstance(read, PlainMessage):
                return None
            message = read.text
        found = self._message_id(message)
        return None if found is None else found.encode()  # it will be rejected, wherever it goes

    @cached_property
    def plain(self) -> PlainMessages | None:
        """What brings messages into the form of the columns; None where they have it already."""
        columns, rules = self.transaction_columns, self.messages
        has_own = any(column.source or column.is_lenient for column in columns)
        if not has_own and rules == AS_COLUMNS:
            return None
        return PlainMessages(columns, rules)

    def decoder(
        self, max_message_bytes: int = MAX_MESSAGE_BYTES, *, looks_at_id: bool = True
    ) -> Decoder:
        """What decodes messages of transactions in flight.

        Args:
            max_message_bytes: Largest message that is decoded.
            looks_at_id: Whether one with an empty id is none.
        """
        names = self.id_columns if looks_at_id else ()
        if self.plain is None:
            return Decoder(self.transaction_columns, max_message_bytes, id_columns=names)
        return MessageDecoder(
            self.transaction_columns, self.plain, max_message_bytes, id_columns=names
        )

    def message_lines(self, rows: pa.RecordBatch | pa.Table) -> list[bytes]:
        """Each row as a message that has just such transactions, without a line end.

        Args:
            rows: With the columns of a transaction; others are left out.
        """
        columns = self.transaction_columns
        lines = json_lines(rows.select([column.name for column in columns]))
        return lines if self.plain is None else list(map(self.plain.write, lines))

    @cached_property
    def _message_id(self) -> Callable[[bytes], str | None]:
        return message_id(self.id_columns)

    @cached_property
    def id_columns(self) -> tuple[str, ...]:
        """The columns of the id in their order; none where it has no id."""
        if self.id is None:
            return ()
        return (self.id,) if isinstance(self.id, str) else self.id

    def row_ids(self, rows: Iterable[Sequence[Any]]) -> list[str]:
        """The id of each transaction as text; for a contract with an id.

        Args:
            rows: The values of each, in the order of `transaction_columns`.
        """
        return row_ids(self._id_places, rows)

    @cached_property
    def _id_places(self) -> tuple[int, ...]:
        names = [column.name for column in self.transaction_columns]
        return tuple(map(names.index, self.id_columns))

    def column(self, name: str) -> Column:
        """The column with this name, a derived one or another."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        derived = {each.name: each.column for each in self.derivations}
        return {column.name: column for column in self.columns} | derived

    def told_name(self, name: str) -> str:
        """What a column is called before people; of a derived one, also what it follows from."""
        return self._told_names.get(name, name)

    @cached_property
    def _told_names(self) -> dict[str, str]:
        told = {each.name: f"{each.name} ({each.words})" for each in self.derivations}
        parts = {each.name: each.of[0] for each in self.derivations if each.turn is not None}
        return told | parts

    @cached_property
    def turns(self) -> dict[str, float]:
        """The features that begin anew as the hand of a clock does, and after how much."""
        turns = ((each.name, each.turn) for each in self.derivations if each.is_feature)
        return {name: turn for name, turn in turns if turn is not None}

    def feature_matrix(self, transactions: pa.RecordBatch | pa.Table) -> Matrix:
        """The input of a network: float32, shape (rows, features), in feature order.

        A bool counts as 0 or 1, and a timestamp as its second of the day in UTC, since a
        float32 could not tell two seconds of this century apart. Of a category it is the level's
        code. A null is NaN. Derived columns are computed.

        Raises:
            InputError: a feature is null where the contract permits none.
        """
        columns = [
            as_floats(transactions.column(name), self.column(name)) for name in self.own_features
        ]
        if self.derivations:
            found = self.derive(transactions)
            columns += [permitted(found[name], self.column(name))
                        for name in self.features[len(columns) :]]  # fmt: skip
        batch = pa.RecordBatch.from_arrays(columns, names=list(self.features))
        tensor = batch.to_tensor(null_to_nan=True, row_major=True)
        matrix: Matrix = tensor.to_numpy().astype("f4")
        return matrix

    def derive(self, transactions: pa.RecordBatch | pa.Table) -> dict[str, Floats]:
        """The derived columns of transactions, by name; see `fraudline.contract.derived`."""
        columns = {name: whole_array(transactions.column(name)) for name in self.derived_from}
        return derive(self.derivations, columns)

    def seen_values(self, transactions: pa.RecordBatch | pa.Table) -> list[list[Any]]:
        """The values of each feature as they were sent, or as they were derived, None for null."""
        derived = self.derive(transactions) if self.derivations else {}
        return [
            shown_values(derived[name], self.column(name))
            if name in derived
            else transactions.column(name).to_pylist()
            for name in self.features
        ]

    @cached_property
    def categories(self) -> dict[str, Category]:
        """The features that are categories, in the order of the features."""
        columns = map(self.column, self.features)
        return {each.name: each.category for each in columns if each.category is not None}

    @cached_property
    def nullable(self) -> tuple[str, ...]:
        """The columns that may be null, those of a transaction and derived features."""
        derived = (each.column for each in self.derivations if each.is_feature)
        return tuple(
            each.name for each in (*self.transaction_columns, *derived) if each.is_nullable
        )

    @cached_property
    def may_be_null(self) -> Flags:
        """Of each feature whether it may be null, shape (features,)."""
        return np.array([self.column(name).is_nullable for name in self.features], dtype=np.bool_)

    def unusable(self, features: Matrix) -> Flags:
        """Where a feature matrix holds no number that a network could see, nor a permitted null.

        Args:
            features: As `feature_matrix` gives them.

        Returns:
            Shape (rows, features).
        """
        is_null = np.isnan(features) & self.may_be_null
        unusable: Flags = ~(np.isfinite(features) | is_null)
        return unusable

    def labels(self, history: pa.RecordBatch | pa.Table) -> Labels:
        """The label of each row, 1 for fraud, shape (rows,)."""
        return np.asarray(history.column(self.label).cast(pa.int8()), dtype=np.int8)

    @cached_property
    def has_timestamps(self) -> bool:
        """Whether the event time is a timestamp."""
        return self.event_time is not None and self.column(self.event_time).type == "timestamp"

    @cached_property
    def event_unit_s(self) -> float:
        """How many seconds one of the event time's unit is; a timestamp has microseconds."""
        if self.event_time is None or self.has_timestamps:
            return 1e-6
        column = self.column(self.event_time)
        seconds = seconds_of(column.unit)
        if seconds is None:  # a contract file is refused for it
            raise ContractError(f"'{column.unit}' of '{column.name}' is no unit of time.")
        return seconds

    def event_seconds(
        self, transactions: pa.RecordBatch | pa.Table, places: Integers | None = None
    ) -> Floats:
        """The event time of each row in seconds, from where the contract counts, shape (rows,).

        A timestamp counts from 1970, in UTC. Without an event time the rows are those of the
        history in the order in which it is read, and come evenly, `payments_a_day` of them.

        Args:
            transactions: The rows.
            places: Without an event time, where in the whole history each one is, if some of its
                rows were left out.
        """
        if self.event_time is None:
            order = np.arange(transactions.num_rows) if places is None else places
            return np.asarray(order * (_DAY_S / (self.payments_a_day or 1.0)), np.float64)
        times = transactions.column(self.event_time)
        if pa.types.is_timestamp(times.type):
            times = times.cast(pa.timestamp("us", times.type.tz)).cast(pa.int64())
        return to_seconds(np.asarray(times, dtype=np.float64), self.event_unit_s)

    def event_time_error_s(self, largest: float) -> float:
        """By how many seconds a network may see event times displaced, 0 if it sees none.

        It sees float32, which tells seconds of 1970 apart by steps of 128.

        Args:
            largest: The greatest event time by amount, in the contract's unit.
        """
        if self.event_time not in self.features or self.has_timestamps:
            return 0.0
        return float(to_seconds(float(np.spacing(np.float32(abs(largest)))) / 2, self.event_unit_s))

    def amounts(self, transactions: pa.RecordBatch | pa.Table) -> Floats:
        """The amount of each row, in the contract's unit, shape (rows,); 0 where there is none.

        A policy takes no share of them then: what a fraud costs is the same for each payment.
        """
        if self.amount is None:
            return np.zeros(transactions.num_rows)
        return np.asarray(transactions.column(self.amount), dtype=np.float64)

    def known_amounts(self, transactions: pa.RecordBatch | pa.Table) -> Floats | None:
        """As `amounts`, for who tells them: None where the contract has no amount."""
        return None if self.amount is None else self.amounts(transactions)

    @cached_property
    def amount_unit(self) -> str:
        """The unit of the amount, for people; empty where none is said."""
        return "" if self.amount is None else self.column(self.amount).unit
