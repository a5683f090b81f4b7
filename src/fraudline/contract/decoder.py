"""JSON messages to an Arrow batch, and a reason for each message that is not one."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import astuple

from fraudline.contract.columns import Column, arrow_schema
from fraudline.contract.decode_faults import Fault, FaultWords, no_json
from fraudline.contract.messages import RefusedValue
from fraudline.contract.rejects import Reject, RejectReason
from fraudline.contract.row_structs import PYTHON_TYPES, row_struct
from fraudline.contract.time_formats import COUNTS
from fraudline.contract.times_of_column import TimesOfColumn, put_times

MAX_MESSAGE_BYTES = 64 * 1024
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

    _tells_keys = True  # of a contract file, by which a fault would be none

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
        self._fault_words = FaultWords(columns, tells_keys=self._tells_keys)
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
            if PYTHON_TYPES[column.type] not in (float, int, bool) and column.format not in COUNTS
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
        faults: dict[int, Fault] = {}
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

    def _unread(self, message: bytes | None) -> Fault:
        if message is None:
            return Fault(RejectReason.TOMBSTONE, "the message has a key but no value (a tombstone)")
        return Fault(
            RejectReason.TOO_LARGE,
            f"the message has {len(message):,} bytes, "
            f"at most {self._max_message_bytes:,} are allowed",
        )

    def _second_look(
        self,
        messages: Sequence[bytes | None],
        accepted: Sequence[int],
        rows: list[Row],
    ) -> Iterator[tuple[int, Fault]]:
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
                    yield row, Fault(RejectReason.DUPLICATE_COLUMN, words)
            if self._timestamps and _FINER.search(joined):
                for row, text in enumerate(piece, start):
                    if _FINER.search(text):  # msgspec has rounded it
                        rows[row] = astuple(self._decode(self._cut(text)))
        yield from self._beyond(rows)

    def _beyond(self, rows: list[Row]) -> Iterator[tuple[int, Fault]]:
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
                    yield row, Fault(RejectReason.OUT_OF_RANGE, words)
        for index, (earliest, latest) in self._timestamps.items():
            for row, values in enumerate(rows):
                # With an offset from UTC, the first and last days of the calendar leave it.
                if values[index] is not None and not earliest <= values[index] <= latest:
                    yield (
                        row,
                        Fault(
                            RejectReason.OUT_OF_RANGE,
                            f"column '{self._names[index]}': expected a time of the years 1 to "
                            f"9999 in UTC, found {values[index].isoformat()}",
                        ),
                    )

    def _read_times(
        self, rows: list[Row], index: int, times: TimesOfColumn, *, is_text: bool
    ) -> Iterator[tuple[int, Fault]]:
        """Put the times of a column into rows; those that are none stay as null, and are told."""
        name = self._names[index]
        for row, is_read, found in put_times(rows, index, times, is_text=is_text):
            reason = RejectReason.OUT_OF_RANGE if is_read else RejectReason.WRONG_TYPE
            expected = times.possible_words if is_read else times.words
            yield row, Fault(reason, f"column '{name}': expected {expected}, found {found!r}")

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

    def _fault(self, message: bytes | None, text: str) -> Fault:
        """Sort what msgspec says into our reasons; its wording is held by the tests."""
        if message is None or len(message) > self._max_message_bytes:
            return self._unread(message)
        if isinstance(message, RefusedValue):
            return Fault(message.reason, message.why)
        if not message.strip():
            return Fault(RejectReason.EMPTY, "the message is empty")
        try:
            message.decode()
        except UnicodeDecodeError as invalid:
            return Fault(
                RejectReason.INVALID_UTF8,
                f"byte {invalid.start} is not valid UTF-8: {invalid.reason}",
            )
        if (why := no_json(message)) is not None:
            return Fault(RejectReason.INVALID_JSON, why)
        return self._fault_words.of(text)


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
