"""A challenger and the champion on the same days: what counts of all days, and what lately."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fraudline.measures.challenge import Challenge, DayOfOne


def day(scores: list[float], codes: list[int] | None = None) -> DayOfOne:
    blocked = np.array([0] * len(scores) if codes is None else codes, np.int8)
    return DayOfOne(np.array(scores), blocked, blocked.astype(float))


def test_the_log_loss_of_a_day_counts_half_as_much_as_that_of_the_day_after() -> None:
    labels = np.array([1, 0, 0], np.int8)
    bad, good = day([0.1, 0.5, 0.5]), day([0.8, 0.1, 0.1])
    found = Challenge()
    for number, challenger in enumerate((bad, good, good)):
        found = found.after(number, labels, good, challenger, np.ones(3))
    of_bad = -math.log(0.1) - 2 * math.log(0.5)
    of_good = -math.log(0.8) - 2 * math.log(0.9)
    assert found.challenger.log_loss == pytest.approx(of_bad / 4 + of_good / 2 + of_good)
    assert found.champion.log_loss == pytest.approx(of_good * 1.75)
    assert found.lately == pytest.approx(3 * 1.75), "of so many payments"
    assert found.rows == 9, "all others count all days alike"
    assert found.cost_of_approving == 9


def test_cost_and_what_is_stopped_are_sums_of_all_days() -> None:
    labels, found = np.array([1, 0], np.int8), Challenge()
    for number in range(2):
        none, all_of_them = day([0.5, 0.5]), day([0.5, 0.5], [2, 1])
        found = found.after(number, labels, none, all_of_them, np.ones(2))
    assert (found.challenger.stopped, found.challenger.stopped_frauds) == (4, 2)
    assert (found.challenger.cost, found.champion.cost) == (6.0, 0.0)


def test_a_score_that_is_certain_and_wrong_costs_much_and_not_everything() -> None:
    found = Challenge().after(0, np.array([1], np.int8), day([0.5]), day([0.0]), np.ones(1))
    assert 30 < found.challenger.log_loss < math.inf
