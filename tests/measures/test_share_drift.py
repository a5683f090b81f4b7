import datetime as dt

import numpy as np
import pytest

from fraudline.measures.estimated_performance import Estimate
from fraudline.measures.share_drift import (
    MOST_SDS,
    Cusum,
    UsualShare,
    share_limits,
    usual_share,
)

ROWS, SHARE = 10_000, 0.005
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def day(number: int) -> dt.datetime:
    return BEGIN + dt.timedelta(days=number)


def shares(seed: int, days: int, share: float = SHARE) -> np.ndarray:
    return np.random.default_rng(seed).binomial(ROWS, share, days)


def first_alarm(usual: UsualShare, counts: np.ndarray) -> int | None:
    """Number of the first period that alarms, from 1."""
    cusum = Cusum()
    for number, count in enumerate(counts):
        cusum = cusum.after(usual, int(count), ROWS, day(number))
        if cusum.is_alarm:
            return number + 1
    return None


def test_few_quiet_streams_of_56_periods_raise_an_alarm():
    """Of 400, each with a reference of 28 periods of its own."""
    rows = np.full(28, ROWS)
    alarms = sum(
        first_alarm(usual_share(shares(seed, 28), rows), shares(1000 + seed, 56)) is not None
        for seed in range(400)
    )
    assert alarms < 20


@pytest.mark.parametrize(("factor", "within"), [(3.0, 1), (0.0, 1), (1.5, 4), (0.5, 4)])
def test_a_share_that_changed_alarms_within_few_periods(factor, within):
    usual = usual_share(shares(1, 28), np.full(28, ROWS))
    found = [first_alarm(usual, shares(seed, 20, SHARE * factor)) for seed in range(30)]
    assert None not in found
    assert sorted(found)[15] <= within


def test_an_alarm_says_since_when_and_ends_some_periods_after_all_is_as_before():
    usual = UsualShare(SHARE, 0.0, 0.0)
    cusum = Cusum()
    for number in range(4):  # a little low, so neither sum has begun
        cusum = cusum.after(usual, 49, ROWS, day(number))
    assert (cusum.greatest, cusum.since) == (0, None)
    for number in range(4, 7):
        cusum = cusum.after(usual, 300, ROWS, day(number))
    assert cusum.is_alarm
    assert cusum.since == day(4)
    assert cusum.above == MOST_SDS
    for number in range(7, 12):
        cusum = cusum.after(usual, 50, ROWS, day(number))
    assert not cusum.is_alarm


def test_a_reference_that_is_uncertain_is_believed_less():
    certain, uncertain = UsualShare(SHARE, 0.0, 0.0), UsualShare(SHARE, 0.0, 0.001)
    alarms = [first_alarm(usual, np.full(50, 60)) for usual in (certain, uncertain)]
    assert alarms[0] is not None
    assert alarms[1] is None


def test_what_periods_differ_by_beyond_chance_is_no_alarm():
    random = np.random.default_rng(4)
    levels = SHARE * np.exp(random.normal(0, 0.3, 84))
    counts = random.binomial(ROWS, levels)
    usual = usual_share(counts[:28], np.full(28, ROWS))
    assert usual.between_sd == pytest.approx(SHARE * 0.3, rel=0.5)
    assert first_alarm(usual, counts[28:]) is None
    by_chance_alone = UsualShare(usual.mean, 0.0, 0.0)
    assert first_alarm(by_chance_alone, counts[28:]) is not None


def test_nulls_alarm_where_there_were_none_and_where_there_were_many():
    none, many = UsualShare(0.0, 0.0, 0.0), UsualShare(0.4, 0.01, 0.0)
    assert share_limits(none, ROWS)[1] < 0.002
    low, high = share_limits(many, ROWS)
    assert 0.35 < low < 0.36
    assert 0.44 < high < 0.45
    assert share_limits(none, 1)[1] > 1  # a single row tells nothing


def test_an_estimate_adds_scores_up_and_divides_by_nothing_where_there_is_nothing():
    estimate = Estimate(rows=1000, stopped=10, expected_frauds=12.0, expected_caught=6.0)
    assert (estimate.fraud_share, estimate.precision, estimate.recall) == (0.012, 0.6, 0.5)
    empty = Estimate(0, 0, 0.0, 0.0)
    assert (empty.fraud_share, empty.precision, empty.recall) == (None, None, None)
