"""When a message was sent, as it says itself."""

from __future__ import annotations

import datetime as dt

import pytest

from fraudline.contract.messages import received_at


@pytest.mark.parametrize(
    ("sent_at_ms", "expected"),
    [
        (-1, None),  # Kafka's own word for none
        (-(2**63), None),
        (2**63 - 1, None),
        (253_402_300_800_000, None),  # the year 10000
        (0, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        (253_402_300_799_999, dt.datetime(9999, 12, 31, 23, 59, 59, 999_000, dt.UTC)),
        (253_402_300_799_001, dt.datetime(9999, 12, 31, 23, 59, 59, 1_000, dt.UTC)),
        (1_798_761_599_123, dt.datetime(2026, 12, 31, 23, 59, 59, 123_000, dt.UTC)),
    ],
)
def test_a_time_stamp_is_an_exact_time_or_none(
    sent_at_ms: int, expected: dt.datetime | None
) -> None:
    assert received_at(sent_at_ms) == expected
