"""JSON messages to an Arrow batch, and a reason for each message that is not one."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import pyarrow as pa

from fraudline.contract.columns import EARLIEST, LATEST, Column, arrow_schema
from fraudline.contract.records import RejectReason

MAX_MESSAGE_BYTES = 64 * 1024
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class Reject:
    """A message that could not be decoded.

    Attributes:
        index: Its place in the sequence that was given to `Decoder.decode`.
        reason: The kind of fault.
        message: The fault in words: which column, what was expected, what was found.
    """

    index: int
    reason: RejectReason
    message: str


class Decoder:
    """Decodes JSON objects that have exactly the given columns.

    Strict by design: a missing, unknown or repeated column, a number in quotes, `NaN`, or a
    number out of its column's range rejects the message, and only that message.
    """

    def __init__(
        self, columns: Sequence[Column], max_message_bytes: int = MAX_MESSAGE_BYTES
    ) -> None:
        self.schema = arrow_schema(columns)
        self._names = [column.name for column in columns]
        self._timestamps = [
            index for index, column in enumerate(columns) if column.type == "timestamp"
        ]
        self._max_message_bytes = max_message_bytes
        self._decode = msgspec.json.Decoder(_struct(columns)).decode
        # A column's name takes two quotation marks and a string or timestamp at least two
        # more. A repeated column therefore shows as a surplus, and only a message with a
        # surplus (a repeat, or quotes inside a string) is worth a second, slow look.
        self._fewest_quotes = 2 * len(columns) + 2 * sum(
            column.type in ("string", "timestamp", "bytes") and not column.is_nullable
            for column in columns
        )

    def decode(
        self, messages: Sequence[bytes | None]
    ) -> tuple[pa.RecordBatch, list[int], list[Reject]]:
        """Decode messages, each on its own.

        Returns:
            A batch with one row for each message that could be decoded, in order; the
            index of each row's message; and a reject for each of the others.
        """
        rows: list[tuple[Any, ...]] = []
        accepted: list[int] = []
        rejects: list[Reject] = []
        for index, message in enumerate(messages):
            try:
                rows.append(self._decode_one(message))
                accepted.append(index)
            except _MessageError as fault:
                rejects.append(Reject(index, fault.reason, fault.message))
        values = zip(*rows, strict=True) if rows else [()] * len(self._names)
        arrays = [
            pa.array(column, field.type) for column, field in zip(values, self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), accepted, rejects

    def _decode_one(self, message: bytes | None) -> tuple[Any, ...]:
        if message is None:
            raise _MessageError(
                RejectReason.TOMBSTONE, "the message has a key but no value (a tombstone)"
            )
        if len(message) > self._max_message_bytes:
            raise _MessageError(
                RejectReason.TOO_LARGE,
                f"the message has {len(message):,} bytes, "
                f"at most {self._max_message_bytes:,} are allowed",
            )
        try:
            row = msgspec.structs.astuple(self._decode(message))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._fault(message, str(error)) from None
        if message.count(b'"') > self._fewest_quotes:
            _refuse_repeats(message)
        for index in self._timestamps:
            # With an offset from UTC, the first and last days of the calendar leave it.
            if row[index] is not None and not EARLIEST <= row[index] <= LATEST:
                raise _MessageError(
                    RejectReason.OUT_OF_RANGE,
                    f"column '{self._names[index]}': expected a time of the years 1 to 9999 "
                    f"in UTC, found {row[index].isoformat()}",
                )
        return row

    def _fault(self, message: bytes, text: str) -> _MessageError:
        """Sort what msgspec says into our reasons; its wording is held by the tests."""
        if not message.strip():
            return _MessageError(RejectReason.EMPTY, "the message is empty")
        try:
            message.decode()
        except UnicodeDecodeError as invalid:
            return _MessageError(
                RejectReason.INVALID_UTF8,
                f"byte {invalid.start} is not valid UTF-8: {invalid.reason}",
            )
        if missing := re.match(r"Object missing required field `(.*)`", text):
            return _MessageError(
                RejectReason.MISSING_COLUMN,
                f"column '{missing[1]}' is missing; expected exactly: {', '.join(self._names)}",
            )
        if unknown := re.match(r"Object contains unknown field `(.*)`", text, re.DOTALL):
            return _MessageError(
                RejectReason.UNKNOWN_COLUMN,
                f"column {unknown[1][:100]!r} is unknown; expected exactly: "
                f"{', '.join(self._names)}",
            )
        return self._typed_fault(text)

    @staticmethod
    def _typed_fault(text: str) -> _MessageError:
        where = re.search(r" - at `\$\.(.*)`", text)
        if where is None:
            if "Expected `object`" in text:
                found = text.partition("got ")[2].strip("`")
                return _MessageError(
                    RejectReason.NOT_AN_OBJECT,
                    f"expected one JSON object a message, found {found}",
                )
            return _MessageError(
                RejectReason.INVALID_JSON, text.replace("Input data", "the message")
            )
        column, fault = where[1], text[: where.start()].replace("`", "")
        fault = fault[:1].lower() + fault[1:]
        is_range = re.search(r"[<>]=? ?-?\d|out of range|of length", fault) is not None
        return _MessageError(
            RejectReason.OUT_OF_RANGE if is_range else RejectReason.WRONG_TYPE,
            f"column '{column}': {fault}",
        )


class _MessageError(Exception):
    """Why one message is not a row."""

    def __init__(self, reason: RejectReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def _refuse_repeats(message: bytes) -> None:
    def keys(pairs: list[tuple[str, Any]]) -> None:
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise _MessageError(
                    RejectReason.DUPLICATE_COLUMN, f"column '{key}' is there more than once"
                )
            seen.add(key)

    json.loads(message, object_pairs_hook=keys)


def _struct(columns: Sequence[Column]) -> type[msgspec.Struct]:
    return msgspec.defstruct(
        "Row",
        [(f"column_{index}", _python_type(column)) for index, column in enumerate(columns)],
        # A column may be called `from` or `class`, which no Python attribute can be.
        rename={f"column_{index}": column.name for index, column in enumerate(columns)},
        forbid_unknown_fields=True,
        gc=False,
    )


def _python_type(column: Column) -> Any:
    low, high = column.min, column.max
    kind: Any
    if column.type == "float64":
        kind = Annotated[float, msgspec.Meta(ge=low, le=high)]
    elif column.type == "int64":
        kind = Annotated[
            int,
            msgspec.Meta(
                ge=_INT64_MIN if low is None else int(low),
                le=_INT64_MAX if high is None else int(high),
            ),
        ]
    elif column.type == "timestamp":
        kind = Annotated[dt.datetime, msgspec.Meta(tz=True)]
    elif column.type == "string":
        kind = Annotated[str, msgspec.Meta(max_length=column.max_length)]
    else:
        kind = {"bool": bool, "bytes": bytes}[column.type]
    return kind | None if column.is_nullable else kind
