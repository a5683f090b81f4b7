"""JSON messages to an Arrow batch, and a reason for each message that is not one."""

from __future__ import annotations

import codecs
import datetime as dt
import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import astuple

from fraudline.contract.columns import NUMERIC_TYPES, Column, arrow_schema
from fraudline.contract.messages import RefusedValue
from fraudline.contract.rejects import Reject, RejectReason
from fraudline.contract.time_formats import COUNTS
from fraudline.contract.times_of_column import TimesOfColumn, put_times

MAX_MESSAGE_BYTES = 64 * 1024
_PYTHON_TYPES = {
    "float64": float,
    "int64": int,
    "bool": bool,
    "string": str,
    "timestamp": dt.datetime,
    "date": dt.date,
    "bytes": bytes,
}
_MOST_TIME_CHARACTERS = 128  # of a time in a format of its own
# To be raised with each change of what `Decoder` takes for a row and what for a fault.
_RULES = 1
# Of a time: a digit beyond the sixth of its second's fraction.
_FINER = re.compile(rb":\d\d\.\d{6}0*[1-9]")
_FINER_DIGITS = re.compile(r"(\.\d{6})\d+")
_QUOTES_ROWS = 100  # looked through at once: small enough to stay in the processor's cache

Row = tuple[Any, ...]
"""The values of a message, in the order of its columns."""


class Decoder:
    """Decodes JSON objects that have exactly the given columns.

    Strict by design: a missing, unknown or repeated column, a number in quotes, `NaN`, or a
    number out of its column's range rejects the message, and only that message.

    Args:
        columns: What a message has, and nothing else.
        max_message_bytes: Largest message that is decoded.
        id_columns: Which of them identify a transaction: a blank text in one rejects the message.
            Records of our own have none: earlier releases wrote what they were sent.

    Attributes:
        schema: Arrow schema of the rows.
        fingerprint: Twelve characters; two decoders that have the same agree on each message
            whether it is a row.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        *,
        id_columns: Sequence[str] = (),
    ) -> None:
        self.schema = arrow_schema(columns)
        self.fingerprint = _fingerprint(columns, max_message_bytes, id_columns)
        self._names = [column.name for column in columns]
        self._words = {column.name: column.words for column in columns if column.words}
        self._timestamps = {
            index: (column.limits.least, column.limits.most)
            for index, column in enumerate(columns)
            if column.type == "timestamp"
        }
        # Of these msgspec gives texts, or times that may be of a clock somewhere.
        self._written = {
            index: (bool(column.format), TimesOfColumn(column))
            for index, column in enumerate(columns)
            if column.format or column.timezone
        }
        self._text_ids = [
            index
            for index, one in enumerate(columns)
            if one.type == "string" and one.name in id_columns
        ]
        self._is_part = len(id_columns) > 1
        self._max_message_bytes = max_message_bytes
        self._decode = msgspec.json.Decoder(row_struct(columns)).decode
        # A column's name takes two quotation marks and a string or timestamp that is not null at
        # least two more. A repeated column therefore shows as a surplus, and only a message with
        # a surplus (a repeat, or quotes inside a string) is worth a second, slow look.
        quoted = [
            index
            for index, column in enumerate(columns)
            if _PYTHON_TYPES[column.type] not in (float, int, bool) and column.format not in COUNTS
        ]
        self._quoted_or_null = [index for index in quoted if columns[index].is_nullable]
        self._fewest_quotes = 2 * (len(columns) + len(quoted) - len(self._quoted_or_null))

    def continues(self, fingerprint: str) -> bool:
        """Whether this is a decoder, or agrees with one, that has the given fingerprint."""
        return fingerprint == self.fingerprint

    def newer_column(self, message: bytes | None) -> str | None:  # noqa: ARG002 - for records of our own
        """A column that only a later fraudline knows; others' messages are of no release."""
        return None

    def decode(
        self, messages: Sequence[bytes | None]
    ) -> tuple[pa.RecordBatch, list[int], list[Reject]]:
        """Decode messages, each on its own, to Arrow.

        Returns:
            A batch with one row for each message that could be decoded, in order; the
            index of each row's message; and a reject for each of the others.
        """
        rows, accepted, rejects = self.decode_rows(messages)
        return self._batch(rows), accepted, rejects

    def decode_rows(
        self, messages: Sequence[bytes | None]
    ) -> tuple[list[Row], list[int], list[Reject]]:
        """Decode messages, each on its own, to plain rows, which costs the least.

        Returns:
            The values of each message that could be decoded, in the order of the columns;
            the index of each row's message; and a reject for each of the others.
        """
        faults: dict[int, _Fault] = {}
        structs: list[msgspec.Struct] = []
        left = iter(self._readable(messages))
        while True:
            try:
                structs.extend(map(self._decode, left))
                break
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                # Those before it are in the list, and `left` goes on after it.
                index = len(structs) + len(faults)
                row = self._decode_cut(messages[index])
                if row is None:
                    faults[index] = self._fault(messages[index], str(error))
                else:
                    structs.append(row)
        rows: list[Row] = list(map(astuple, structs))
        accepted = list(range(len(messages)))
        if faults:
            accepted = [index for index in accepted if index not in faults]
        found = dict(self._second_look(messages, accepted, rows))
        if found:
            faults |= {accepted[row]: fault for row, fault in found.items()}
            rows = [values for row, values in enumerate(rows) if row not in found]
            accepted = [index for index in accepted if index not in faults]
        rejects = [
            Reject(index, faults[index].reason, faults[index].message) for index in sorted(faults)
        ]
        return rows, accepted, rejects

    def _readable(self, messages: Sequence[bytes | None]) -> Sequence[bytes]:
        """The messages, with nothing in the place of each that is not to be read."""
        most = self._max_message_bytes
        try:
            if max(map(len, messages), default=0) <= most:  # type: ignore[arg-type] # see below
                return messages  # type: ignore[return-value] # each has a length
        except TypeError:  # a tombstone has none
            pass
        return [text if text is not None and len(text) <= most else b"" for text in messages]

    def _batch(self, rows: list[Row]) -> pa.RecordBatch:
        columns = zip(*rows, strict=True) if rows else [()] * len(self._names)
        arrays = []
        for values, field in zip(columns, self.schema, strict=True):
            if field.type == pa.float64() and not field.nullable:
                # They are floats, all of them: this takes a quarter of the time.
                packed = pa.py_buffer(struct.pack(f"{len(rows)}d", *values))
                arrays.append(pa.Array.from_buffers(field.type, len(rows), [None, packed]))
            else:
                arrays.append(pa.array(values, field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _unread(self, message: bytes | None) -> _Fault:
        if message is None:
            return _Fault(
                RejectReason.TOMBSTONE, "the message has a key but no value (a tombstone)"
            )
        return _Fault(
            RejectReason.TOO_LARGE,
            f"the message has {len(message):,} bytes, "
            f"at most {self._max_message_bytes:,} are allowed",
        )

    def _second_look(
        self,
        messages: Sequence[bytes | None],
        accepted: Sequence[int],
        rows: list[Row],
    ) -> Iterator[tuple[int, _Fault]]:
        """Faults that the decoder let pass, each with the row it is in; times are cut."""
        texts = [messages[index] or b"" for index in accepted]
        # Each row has the fewest quotes or more, so where the sum is the fewest, all have it.
        for start in range(0, len(texts), _QUOTES_ROWS):
            piece = texts[start : start + _QUOTES_ROWS]
            joined = b"".join(piece)
            quotes = np.count_nonzero(np.frombuffer(joined, np.uint8) == ord('"'))
            fewest = list(map(self._fewest, rows[start : start + _QUOTES_ROWS]))
            for row, text in enumerate(piece if quotes != sum(fewest) else (), start):
                is_more = text.count(b'"') > fewest[row - start]
                repeated = repeated_key(text) if is_more else None
                if repeated is not None:
                    words = f"column '{repeated}' is there more than once"
                    yield row, _Fault(RejectReason.DUPLICATE_COLUMN, words)
            if self._timestamps and _FINER.search(joined):
                for row, text in enumerate(piece, start):
                    if _FINER.search(text):  # msgspec has rounded it
                        rows[row] = astuple(self._decode(self._cut(text)))
        yield from self._beyond(rows)

    def _beyond(self, rows: list[Row]) -> Iterator[tuple[int, _Fault]]:
        """Each time that is none or out of range, and each id that is none, with the row it is in.

        Times that are written in a way of their own are read.
        """
        for index, (is_text, times) in self._written.items():
            yield from self._read_times(rows, index, times, is_text=is_text)
        for index in self._text_ids:
            for row, values in enumerate(rows):
                if not (values[index] or "").strip():
                    what = "this part of the id" if self._is_part else "the id"
                    name = self._names[index]
                    words = f"column '{name}': {what} is empty; each transaction needs its own"
                    yield row, _Fault(RejectReason.OUT_OF_RANGE, words)
        for index, (earliest, latest) in self._timestamps.items():
            for row, values in enumerate(rows):
                # With an offset from UTC, the first and last days of the calendar leave it.
                if values[index] is not None and not earliest <= values[index] <= latest:
                    yield (
                        row,
                        _Fault(
                            RejectReason.OUT_OF_RANGE,
                            f"column '{self._names[index]}': expected a time of the years 1 to "
                            f"9999 in UTC, found {values[index].isoformat()}",
                        ),
                    )

    def _read_times(
        self, rows: list[Row], index: int, times: TimesOfColumn, *, is_text: bool
    ) -> Iterator[tuple[int, _Fault]]:
        """Put the times of a column into rows; those that are none stay as null, and are told."""
        name = self._names[index]
        for row, is_read, found in put_times(rows, index, times, is_text=is_text):
            reason = RejectReason.OUT_OF_RANGE if is_read else RejectReason.WRONG_TYPE
            expected = times.possible_words if is_read else times.words
            yield row, _Fault(reason, f"column '{name}': expected {expected}, found {found!r}")

    def _decode_cut(self, text: bytes | None) -> msgspec.Struct | None:
        """What a message is with its times cut, if these are beyond the calendar when rounded."""
        try:
            cut = self._cut(text)
            return self._decode(cut) if cut != text else None
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None

    def _cut(self, text: bytes | None) -> bytes:
        """The message with no more than microseconds in its times; empty if it is not to be read.

        Raises:
            ValueError: it is no JSON.
            RecursionError: it is too deep.
        """
        if text is None or len(text) > self._max_message_bytes:
            return b""
        if not self._timestamps or not _FINER.search(text):
            return text
        values = json.loads(text)
        for index in self._timestamps:
            if self._written.get(index, (False,))[0]:  # its fraction is cut as it is read
                continue
            value = values.get(self._names[index]) if isinstance(values, dict) else None
            if isinstance(value, str):
                values[self._names[index]] = _FINER_DIGITS.sub(r"\1", value)
        return json.dumps(values).encode()

    def _fewest(self, values: Row) -> int:
        """How many quotation marks a row takes at least."""
        fewest = self._fewest_quotes
        for index in self._quoted_or_null:
            if values[index] is not None:
                fewest += 2
        return fewest

    def _fault(self, message: bytes | None, text: str) -> _Fault:
        """Sort what msgspec says into our reasons; its wording is held by the tests."""
        if message is None or len(message) > self._max_message_bytes:
            return self._unread(message)
        if isinstance(message, RefusedValue):
            return _Fault(message.reason, message.why)
        if not message.strip():
            return _Fault(RejectReason.EMPTY, "the message is empty")
        try:
            message.decode()
        except UnicodeDecodeError as invalid:
            return _Fault(
                RejectReason.INVALID_UTF8,
                f"byte {invalid.start} is not valid UTF-8: {invalid.reason}",
            )
        if (why := _no_json(message)) is not None:
            return _Fault(RejectReason.INVALID_JSON, why)
        return self._object_fault(text)

    def _object_fault(self, text: str) -> _Fault:
        if missing := re.match(r"Object missing required field `(.*)`", text):
            return _Fault(
                RejectReason.MISSING_COLUMN,
                f"column '{missing[1]}' is missing; expected exactly: {', '.join(self._names)}",
            )
        if unknown := re.match(r"Object contains unknown field `(.*)`", text, re.DOTALL):
            return _Fault(
                RejectReason.UNKNOWN_COLUMN,
                f"column {unknown[1][:100]!r} is unknown; expected exactly: "
                f"{', '.join(self._names)}",
            )
        return self._typed_fault(text)

    def _typed_fault(self, text: str) -> _Fault:
        where = re.search(r" - at `\$\.(.*)`", text)
        if where is None:
            if "Expected `object`" in text:
                found = text.partition("got ")[2].strip("`")
                return _Fault(
                    RejectReason.NOT_AN_OBJECT,
                    f"expected one JSON object a message, found {found}",
                )
            return _Fault(RejectReason.INVALID_JSON, text.replace("Input data", "the message"))
        column, fault = where[1], text[: where.start()].replace("`", "")
        fault = fault[:1].lower() + fault[1:]
        if other := re.match(r"invalid enum value (.*)", fault, re.DOTALL):
            expected = ", ".join(self._words.get(column, ()))
            return _Fault(
                RejectReason.OUT_OF_RANGE,
                f"column '{column}': expected one of {expected}, found {other[1][:100]}",
            )
        is_range = re.search(r"[<>]=? ?-?\d|out of range|of length", fault) is not None
        return _Fault(
            RejectReason.OUT_OF_RANGE if is_range else RejectReason.WRONG_TYPE,
            f"column '{column}': {fault}",
        )


class _Fault(NamedTuple):
    """Why one message is not a row."""

    reason: RejectReason
    message: str


def _no_json(message: bytes) -> str | None:
    """What is wrong with a message that is no JSON, where msgspec's words would be a riddle."""
    if message.startswith(b"\0"):
        return (
            "the message begins with byte 0, as those do that a schema registry knows (Avro, "
            "Protobuf, JSON Schema); set schema_registry.url to have such messages decoded"
        )
    if message.startswith(codecs.BOM_UTF8):
        return (
            "the message begins with a UTF-8 byte order mark, which JSON forbids (RFC 8259); "
            "send it without these three bytes"
        )
    if _has_lone_surrogate(message):
        return (
            "a text has half of a surrogate pair, such as \\ud83d without a low half after "
            "it, which is no character"
        )
    return None


def _has_lone_surrogate(message: bytes) -> bool:
    """Whether that is what is wrong with a message: Python's own parser lets it pass."""
    if re.search(rb"\\u[dD][89a-fA-F]", message) is None:
        return False
    try:
        json.dumps(json.loads(message), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except (ValueError, RecursionError):
        return False
    return False


def repeated_key(message: bytes) -> str | None:
    """The first key that an object has more than once, if there is one."""
    repeated: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        counts = Counter(key for key, _ in pairs)
        repeated.extend(key for key, count in counts.items() if count > 1)

    json.loads(message, object_pairs_hook=look)
    return repeated[0] if repeated else None


def _fingerprint(
    columns: Sequence[Column], max_message_bytes: int, id_columns: Sequence[str]
) -> str:
    limits = [
        (
            *(column.name, column.type, column.min, column.max, column.max_length),
            *(column.is_nullable, *column.words),
        )
        for column in columns
    ]
    written = [
        (column.name, column.format, column.timezone)
        for column in columns
        if column.format or column.timezone
    ]
    rules = [_RULES, msgspec.__version__, max_message_bytes, limits]
    if written:
        rules.append(written)
    rules += id_columns  # as before for all that is stored, which has none
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()[:12]


def row_struct(
    columns: Sequence[Column], *, always: int | None = None, is_open: bool = False
) -> type[msgspec.Struct]:
    """What msgspec decodes a message to; its fields are in the order of the columns.

    Args:
        columns: What a message has.
        always: How many of the first columns must be there, nullable or not; None: all.
        is_open: Whether other columns may be there, which are ignored.
    """
    return msgspec.defstruct(
        "Row",
        [
            (f"column_{index}", _python_type(column), None)
            if column.is_nullable and always is not None and index >= always
            else (f"column_{index}", _python_type(column))
            for index, column in enumerate(columns)
        ],
        # A column may be called `from` or `class`, which no Python attribute can be.
        rename={f"column_{index}": column.name for index, column in enumerate(columns)},
        forbid_unknown_fields=not is_open,
        kw_only=always is not None,  # one with a default may stand before one without
        gc=False,
    )


def _python_type(column: Column) -> Any:
    limits = column.limits
    kind: Any = _PYTHON_TYPES[column.type]
    if column.type in NUMERIC_TYPES:  # what is not finite is no number in JSON
        kind = Annotated[kind, msgspec.Meta(ge=limits.least, le=limits.most)]  # type: ignore[arg-type] # numbers
    elif column.format:
        kind = Annotated[str, msgspec.Meta(max_length=_MOST_TIME_CHARACTERS)]
        if column.format in COUNTS:
            kind |= int
    elif column.type == "timestamp" and not column.timezone:  # see `_beyond` for its limits
        kind = Annotated[kind, msgspec.Meta(tz=True)]
    elif limits.words:
        kind = Literal[limits.words]
    elif limits.most_characters is not None:
        kind = Annotated[kind, msgspec.Meta(max_length=limits.most_characters)]
    return kind | None if column.is_nullable else kind
