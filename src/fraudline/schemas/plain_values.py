"""What values of other forms are in JSON, which is the one form that is decoded.

A value that JSON does not have becomes one that fits no column, so that who needs it is told and
who ignores it is not disturbed.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from typing import Any

import msgspec

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECONDS = 1_000_000

encode = msgspec.json.Encoder(decimal_format="number").encode
"""A message as JSON. A decimal keeps its digits; a float has the fewest that give it back."""


MOST_SCHEMA_CHARACTERS = 1024 * 1024


class UnusableSchemaError(Exception):
    """No message of a schema can be read; the message says why, as the end of a sentence."""


class MalformedError(Exception):
    """The bytes of a message do not fit its schema; the message says why, in words."""


def as_number(value: float) -> float | str:
    """A float, or in words what JSON has no number for."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def as_bytes(value: bytes) -> Any:
    """Bytes, in base64; no column has any."""
    return {"bytes": base64.b64encode(value).decode()}


def as_time(count: int, per_second: int) -> dt.datetime | str:
    """A moment, cut to the microsecond before it; in words if it is beyond the calendar.

    Args:
        count: Since 1970, in UTC.
        per_second: How many make a second.
    """
    try:
        return _EPOCH + dt.timedelta(microseconds=count * _MICROSECONDS // per_second)
    except OverflowError:
        return f"{count} / {per_second} s after 1970"
