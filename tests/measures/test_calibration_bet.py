"""The bet on what scores mean: fair where nothing is amiss, and soon won where something is."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from fraudline.measures.calibration_bet import (
    LEAST_SCORE,
    CalibrationBet,
    CalibrationChallenge,
    losses,
    most_apart,
)
from fraudline.measures.fair_bet import MOST_A_DAY

ROWS = 300


def scores(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


def bet_after(days: int, *, champion: float, other: float, seed: int, luck: float = 0.0) -> list:
    """Days of payments by the odds of a network; both say them times something, in logarithms."""
    random, bet, found = np.random.default_rng(seed), CalibrationBet(), []
    for day in range(days):
        odds = random.normal(-3, 2, ROWS)
        shared = random.normal(-(luck**2) / 2, luck)
        labels = (random.random(ROWS) < scores(odds + shared)).astype(np.int8)
        said = scores(odds + champion), scores(odds + other)
        bet = bet.after(day, labels, *said, max(4.0, abs(champion - other)))
        found.append(bet)
    return found


def test_a_calibration_that_is_no_better_is_seldom_taken_for_better_however_often_one_looks() -> (
    None
):
    runs = 120
    for luck, other in ((0.0, 0.3), (0.4, 0.4)):
        won = sum(
            any(
                each.is_proved for each in bet_after(40, champion=0, other=other, seed=n, luck=luck)
            )
            for n in range(runs)
        )
        assert won <= 0.05 * runs


@pytest.mark.parametrize("amiss", [-1.5, 1.5])
def test_what_is_amiss_is_proved_within_days_also_after_weeks_in_which_nothing_was(
    amiss: float,
) -> None:
    quiet = bet_after(60, champion=0, other=0.3, seed=1)[-1]
    assert 0.3 < quiet.wealth < 1.5, "the reserve is kept"
    random, bet, days = np.random.default_rng(2), quiet, 0
    while not bet.is_proved:
        odds = random.normal(-3, 2, ROWS)
        labels = (random.random(ROWS) < scores(odds)).astype(np.int8)
        before, days = bet, days + 1
        bet = bet.after(60 + days, labels, scores(odds + amiss), scores(odds), 4.0)
        assert bet.wealth <= 1.0001 * MOST_A_DAY * before.wealth
    assert 2 <= days <= 10


def test_no_payment_counts_more_than_two_calibrations_are_apart() -> None:
    random = np.random.default_rng(3)
    for _ in range(50):
        one, other = ((float(random.uniform(0.2, 3)), float(random.normal(0, 4))) for _ in "ab")
        odds = random.normal(0, 8, 2000)
        said = [scores(slope * odds + intercept) for slope, intercept in (one, other)]
        for label in (0, 1):
            labels = np.full(len(odds), label)
            apart = np.abs(losses(labels, said[0]) - losses(labels, said[1])).max()
            assert apart <= most_apart(one, other) + 1e-6
    assert most_apart((1.0, 0.0), (1.0, 0.0)) == 0
    assert losses(np.ones(1), np.zeros(1))[0] == pytest.approx(-np.log(LEAST_SCORE))


def test_what_is_kept_of_it_as_json_goes_on_as_it_was() -> None:
    bet = bet_after(3, champion=0, other=1.0, seed=4)[-1]
    found = replace(CalibrationChallenge(calibration=bet), bound=5.0)
    again = msgspec.json.decode(msgspec.json.encode(found), type=CalibrationChallenge)
    assert again == found
    for day in (2, 1):
        with pytest.raises(ValueError, match="not later"):
            again.calibration.after(day, np.ones(1), np.ones(1), np.ones(1), 4.0)
