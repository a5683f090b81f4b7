"""What a bet on calibrations goes on from, where the version that judged is there no more."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from fraudline.contract import Period
from fraudline.measures.calibration_bet import CalibrationChallenge
from fraudline.use_cases.calibration_state import Money, money_before, so_far, state_text

DAY = dt.timedelta(days=1)
FIRST = Period(start := dt.datetime(2026, 3, 1, tzinfo=dt.UTC), start + DAY)
NEXT = Period(FIRST.end, FIRST.end + DAY)
JUDGED = replace(CalibrationChallenge(), bound=5.0)
AS_LEARNED, IN_CENTS = Money("net"), Money("net", 100.0)


def row(state: str) -> dict[str, Any]:
    return {"state": state, "period_start": FIRST.start, "period_end": FIRST.end, "version": "gone"}


@pytest.mark.parametrize(
    ("money", "why"),
    [
        (IN_CENTS, "money is divided by 100 instead of 1"),
        (Money("other"), "the network is other instead of net"),
    ],
)
def test_another_unit_begins_another_bet_though_the_version_that_judged_was_removed(money, why):
    last = row(state_text(JUDGED, AS_LEARNED))
    found, told = so_far(last, NEXT, money_before(last, {}), money)
    assert found == CalibrationChallenge()
    assert told == f"begins anew, at wealth 1 instead of 1.00: {why}; "


def test_the_bet_goes_on_where_money_is_taken_alike_or_nothing_judges():
    last = row(state_text(JUDGED, IN_CENTS))
    for money in (Money("net", 110.0), None):
        assert so_far(last, NEXT, money_before(last, {}), money) == (JUDGED, "")


def test_a_row_of_before_that_says_nothing_of_money_and_whose_version_is_gone_begins_another_bet():
    last = row(msgspec.json.encode(JUDGED).decode())
    found, told = so_far(last, NEXT, money_before(last, {}), AS_LEARNED)
    assert found == CalibrationChallenge()
    assert "is written nowhere any more" in told
    assert so_far(None, NEXT, None, AS_LEARNED) == (CalibrationChallenge(), "")
