import numpy as np
import pytest

from fraudline.measures.column_drift import usual_distances
from fraudline.measures.level_drift import (
    count_levels,
    level_distance,
    level_distances_from_others,
    watched_levels,
)

LEVELS = 3000 * np.arange(1, 21)
SHARES = np.linspace(20, 1, 20) / 210


def day(random: np.random.Generator, shares: np.ndarray = SHARES, rows: int = 2000) -> np.ndarray:
    codes = random.choice(LEVELS, rows, p=shares / shares.sum()).astype(np.float32)
    codes[random.random(rows) < 0.2] = np.nan
    return codes


def test_the_distance_is_the_share_of_rows_with_other_levels():
    counts = count_levels(np.array([30, 10]), np.float32([10, 10, 30, 99, np.nan]))
    assert counts.tolist() == [1, 2, 1]
    distance, scaled = level_distance(np.array([0.5, 0.5, 0.0]), 12, counts)
    assert distance == pytest.approx(0.25)
    assert scaled == pytest.approx(0.25 * (12 * 4 / 16) ** 0.5)
    assert count_levels(np.array([], np.int64), np.float32([1, np.nan, 2])).tolist() == [2]


def test_without_a_change_no_day_alarms_and_a_change_of_shares_or_a_new_level_does():
    random = np.random.default_rng(5)
    days = [day(random) for _ in range(28)]
    means, sds, thresholds = usual_distances(level_distances_from_others(days)[:, None])
    levels, shares = watched_levels(np.concatenate(days))
    assert levels.tolist()[:3] == [3000, 6000, 9000]
    shares = np.append(shares, 0.0)
    rows = int(sum((~np.isnan(each)).sum() for each in days))

    def is_alarm(codes: np.ndarray) -> bool:
        _, scaled = level_distance(shares, rows, count_levels(levels, codes))
        return bool((scaled - means[0]) / sds[0] >= thresholds[0])

    assert not any(is_alarm(day(random)) for _ in range(100))
    swapped = SHARES.copy()
    swapped[[0, 10]] = swapped[[10, 0]]  # neighbours or not, in whatever order
    assert is_alarm(day(random, swapped))
    renamed = day(random)
    renamed[renamed == 3000] = 77
    assert is_alarm(renamed)


def test_a_period_without_levels_has_no_distance():
    some = [np.full(9, np.nan), np.float32([1, 2]), np.float32([1, 2])]
    assert level_distances_from_others(some).tolist() == [0, 0, 0]
    assert level_distances_from_others(some[:1] * 2).tolist() == [0, 0]
