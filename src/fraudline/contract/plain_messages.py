"""Messages as they are, brought into the form that a contract's columns say, byte for byte.

What is read is a JSON object with exactly the columns, each value in the bytes in which it came. So
all that decodes, decides, keys and proves transactions meets one form, and knows no other.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from fraudline.contract.columns import NUMERIC_TYPES, Column
from fraudline.contract.message_keys import MessageRules

_OBJECT = dict[str, msgspec.Raw]
_NUMBER = re.compile(rb'"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"')
_FLAGS = {b"0": b"false", b"1": b"true"}
_NULL, _QUOTE = b"null", b'"'
_encode = msgspec.json.Encoder().encode


@dataclass
class _Level:
    """An object of a message.

    Attributes:
        columns: By its keys, the number of the column that stands there.
        groups: Likewise, the objects in it.
    """

    columns: dict[str, int] = field(default_factory=dict)
    groups: dict[str, _Level] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        """The numbers of all columns in it."""
        return [
            *self.columns.values(),
            *(number for group in self.groups.values() for number in group.numbers),
        ]


class PlainMessage(NamedTuple):
    """A message in the form of the columns.

    Attributes:
        text: It.
        is_cut: Whether something in it was ignored.
    """

    text: bytes
    is_cut: bool


class Repeated(NamedTuple):
    """Why a message has no such form: something is there more than once.

    Attributes:
        place: What, keys with dots between.
    """

    place: str


class PlainMessages:
    """Brings messages into the form of the columns.

    Args:
        columns: What a message has, each at its place.
        rules: What else it may have, and which texts are null.
    """

    def __init__(self, columns: Sequence[Column], rules: MessageRules) -> None:
        self._ignores_unknown = rules.ignores_unknown
        self._heads = [b"," + _encode(column.name) + b":" for column in columns]
        self._lenient = [
            "" if not column.is_lenient else "number" if column.type in NUMERIC_TYPES else "flag"
            for column in columns
        ]
        nulls = frozenset(map(_encode, rules.null_as))
        self._nulls = [nulls if column.is_nullable else frozenset() for column in columns]
        # The number of each column of which a value may have to be changed.
        self._changed = [
            number if self._lenient[number] or self._nulls[number] else None
            for number, _ in enumerate(columns)
        ]
        self._top = _Level()
        for number, column in enumerate(columns):
            *groups, last = column.place.split(".")
            level = self._top
            for group in groups:
                level = level.groups.setdefault(group, _Level())
            level.columns[last] = number
        self._decode = msgspec.json.Decoder(_OBJECT).decode

    def read(self, message: bytes) -> PlainMessage | Repeated:
        """A message in the form of the columns, or what of it is there more than once.

        What is missing stays so, and what no column names is kept, unless it is to be ignored: the
        decoder refuses both.

        Raises:
            msgspec.DecodeError: it is no JSON object, or holds none where one should be.
            UnicodeDecodeError: it is not UTF-8.
        """
        values: list[msgspec.Raw | None] = [None] * len(self._heads)
        others: list[tuple[str, msgspec.Raw]] = []
        keys = self._take(self._decode(message), self._top, "", values, others)
        pieces: list[Any] = []
        quotes = 2 * keys
        for head, raw, number in zip(self._heads, values, self._changed, strict=True):
            if raw is not None and number is None:
                pieces += (head, raw)
            elif raw is not None:
                assert number is not None
                value = bytes(raw)
                changed = self._value(number, value)
                quotes += value.count(_QUOTE) - changed.count(_QUOTE)
                pieces += (head, changed)
        text = b"{" + b"".join(pieces)[1:] + b"}"
        # Each key takes two quotation marks, and one that is there twice is in the message alone.
        quotes += text.count(_QUOTE) - len(pieces)
        quotes += sum(bytes(raw).count(_QUOTE) for _, raw in others)
        if quotes != message.count(_QUOTE) or b"\\" in message:
            repeated = _repeated(message, self._top)
            if repeated is not None:
                return Repeated(repeated)
        if others and not self._ignores_unknown:
            more = (b"," + _encode(place) + b":" + bytes(raw) for place, raw in others)
            text = b"{" + (text[1:-1] + b"".join(more)).removeprefix(b",") + b"}"
        return PlainMessage(text, bool(others))

    def _take(
        self,
        found: dict[str, msgspec.Raw],
        level: _Level,
        place: str,
        values: list[msgspec.Raw | None],
        others: list[tuple[str, msgspec.Raw]],
    ) -> int:
        """Take the values of columns out of an object; gives how many keys there are."""
        keys = len(found)
        take = found.pop
        for key, number in level.columns.items():
            values[number] = take(key, None)
        for key, group in level.groups.items():
            raw = take(key, None)
            if raw is None:
                continue
            text = bytes(raw)
            if text == _NULL:  # so is all in it
                for number in group.numbers:
                    values[number] = raw
            else:
                inner = self._inner(text, place + key)
                keys += self._take(inner, group, f"{place}{key}.", values, others)
        others += [(place + key, raw) for key, raw in found.items()]
        return keys

    def _inner(self, text: bytes, place: str) -> dict[str, msgspec.Raw]:
        try:
            return self._decode(text)
        except msgspec.ValidationError as error:
            raise msgspec.ValidationError(f"{error} - at `$.{place}`") from None

    def _value(self, number: int, value: bytes) -> bytes:
        """A value that may be in quotes, or 0 or 1, or a text for null, as JSON has it."""
        if self._nulls[number] and value[:1] == b'"':
            text = _encode(msgspec.json.decode(value)) if b"\\" in value else value
            if text in self._nulls[number]:
                return _NULL
        if self._lenient[number] == "number" and _NUMBER.fullmatch(value):
            return value[1:-1]
        if self._lenient[number] == "flag":
            return _FLAGS.get(value, value)
        return value

    def write(self, line: bytes) -> bytes:
        """The message of a line in the form of the columns: each value at its place.

        Args:
            line: As `read` gives it.
        """
        values = [bytes(raw) for raw in self._decode(line).values()]
        return self._written(self._top, values)

    def _written(self, level: _Level, values: Sequence[bytes]) -> bytes:
        members = [
            *(_encode(key) + b":" + values[number] for key, number in level.columns.items()),
            *(
                _encode(key) + b":" + self._written(group, values)
                for key, group in level.groups.items()
            ),
        ]
        return b"{" + b",".join(members) + b"}"


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, repeated ones, too."""


def _repeated(message: bytes, top: _Level) -> str | None:
    """The first place of a column that is there more than once, if there is one."""
    try:
        found = json.loads(message, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None  # it is no JSON, which is told elsewhere
    return _repeated_in(found, top, "")


def _repeated_in(found: Any, level: _Level, place: str) -> str | None:
    if not isinstance(found, _Pairs):
        return None
    for key, times in Counter(key for key, _ in found).items():
        if times > 1 and (key in level.columns or key in level.groups):
            return place + key
    for key, value in found:
        group = level.groups.get(key)
        if group is not None:
            repeated = _repeated_in(value, group, f"{place}{key}.")
            if repeated is not None:
                return repeated
    return None
