"""Why a message is no row: what msgspec says, sorted into our reasons and put into our words."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from fraudline.contract.columns import NUMERIC_TYPES, Column
from fraudline.contract.rejects import RejectReason


class Fault(NamedTuple):
    """Why one message is not a row."""

    reason: RejectReason
    message: str


def no_json(message: bytes) -> str | None:
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


class FaultWords:
    """Puts into words what msgspec says of an object; its own wording is held by the tests.

    Args:
        columns: What a message has.
        tells_keys: Whether to name the key of a contract file by which a fault would be none.
    """

    def __init__(self, columns: Sequence[Column], *, tells_keys: bool) -> None:
        self._names = [column.name for column in columns]
        self._columns = {column.name: column for column in columns}
        self._tells_keys = tells_keys

    def of(self, text: str) -> Fault:
        """The fault that msgspec tells."""
        if missing := re.match(r"Object missing required field `(.*)`", text):
            return Fault(
                RejectReason.MISSING_COLUMN,
                f"column '{missing[1]}' is missing; expected exactly: {', '.join(self._names)}",
            )
        if unknown := re.match(r"Object contains unknown field `(.*)`", text, re.DOTALL):
            return Fault(
                RejectReason.UNKNOWN_COLUMN,
                f"column {unknown[1][:100]!r} is unknown; expected exactly: "
                f"{', '.join(self._names)}"
                + ('; [messages] unknown = "ignore" would allow it' if self._tells_keys else ""),
            )
        return self._of_value(text)

    def _of_value(self, text: str) -> Fault:
        where = re.search(r" - at `\$\.(.*)`", text)
        if where is None:
            if "Expected `object`" in text:
                found = text.partition("got ")[2].strip("`")
                return Fault(
                    RejectReason.NOT_AN_OBJECT,
                    f"expected one JSON object a message, found {found}",
                )
            return Fault(RejectReason.INVALID_JSON, text.replace("Input data", "the message"))
        column, fault = where[1], text[: where.start()].replace("`", "")
        fault = fault[:1].lower() + fault[1:]
        if other := re.match(r"invalid enum value (.*)", fault, re.DOTALL):
            expected = ", ".join(self._columns[column].words)
            return Fault(
                RejectReason.OUT_OF_RANGE,
                f"column '{column}': expected one of {expected}, found {other[1][:100]}",
            )
        is_range = re.search(r"[<>]=? ?-?\d|out of range|of length", fault) is not None
        return Fault(
            RejectReason.OUT_OF_RANGE if is_range else RejectReason.WRONG_TYPE,
            f"column '{column}': {fault}{self._key(column, fault)}",
        )

    def _key(self, name: str, fault: str) -> str:
        """The key of a contract file that would let a value pass, as the end of a sentence."""
        column = self._columns.get(name)
        if column is None or not self._tells_keys:
            return ""
        allowed = ""
        if fault.endswith("got null"):
            allowed = "nullable = true would allow it"
        elif column.type in NUMERIC_TYPES and fault.endswith("got str") and not column.is_lenient:
            allowed = "lenient = true would allow numbers in quotes"
        elif column.type == "bool" and fault.endswith("got int") and not column.is_lenient:
            allowed = "lenient = true would allow 0 and 1"
        elif "of length <=" in fault:
            allowed = "a greater max_length would allow it"
        elif fault.partition(" ")[0] == "expected" and ">=" in fault and column.min is not None:
            allowed = "a lower min would allow it"
        elif fault.partition(" ")[0] == "expected" and "<=" in fault and column.max is not None:
            allowed = "a higher max would allow it"
        return f"; {allowed}" if allowed else ""
