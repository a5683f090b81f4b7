from collections.abc import Iterator

import numpy as np
import pytest

from fraudline.measures.column_drift import (
    distances_from_others,
    scaled_distance,
    sketch,
    usual_distances,
)

ROWS, AMOUNT = 2000, 1


def stream(seed: int) -> Iterator[np.ndarray]:
    """Days of a weekend flag, an amount, a count and noise."""
    random = np.random.default_rng(seed)
    day = 0
    while True:
        yield np.column_stack(
            [
                np.full(ROWS, day % 7 >= 5),
                np.exp(random.normal(3, 0.7, ROWS)),
                random.poisson(3, ROWS),
                random.normal(size=(ROWS, 3)),
            ]
        ).astype(np.float32)
        day += 1


class Watch:
    """What is usual over the first days, and how far later ones are from it."""

    def __init__(self, days: list[np.ndarray]) -> None:
        self.means, self.sds, self.thresholds = usual_distances(distances_from_others(days))
        values = np.concatenate(days)
        self.rows = len(values)
        self.sketches = [sketch(values[:, at], 2000) for at in range(values.shape[1])]

    def excess(self, day: np.ndarray) -> np.ndarray:
        found = [
            scaled_distance(each, self.rows, np.sort(day[:, at]))[1]
            for at, each in enumerate(self.sketches)
        ]
        return (np.array(found) - self.means) / self.sds

    def alarms(self, day: np.ndarray) -> list[int]:
        return np.flatnonzero(self.excess(day) >= self.thresholds).tolist()


def test_the_distance_is_the_greatest_difference_of_the_cumulative_shares():
    reference, sample = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 3.0, 5.0, 6.0, 7.0])
    distance, scaled = scaled_distance(reference, 4, sample)
    assert distance == pytest.approx(0.6)  # at 4: all of one, two fifths of the other
    assert scaled == pytest.approx(0.6 * (4 * 5 / 9) ** 0.5)
    assert scaled_distance(reference, 4, reference)[0] == 0


def test_each_period_is_compared_with_the_others_alone():
    periods = [next(stream(seed))[:200] for seed in range(3)]
    found = distances_from_others(periods)
    for number, period in enumerate(periods):
        others = np.concatenate([each for at, each in enumerate(periods) if at != number])
        for column in range(period.shape[1]):
            ours, theirs = np.sort(period[:, column]), np.sort(others[:, column])
            slow = scaled_distance(theirs, len(theirs), ours)[1]
            assert found[number, column] == pytest.approx(slow)


def test_few_quiet_periods_raise_an_alarm():
    """Five references, 56 later days each; a weekend is no alarm, though none is like a workday."""
    false = 0
    for seed in range(5):
        days = stream(seed)
        watch = Watch([next(days) for _ in range(28)])
        false += sum(bool(watch.alarms(next(days))) for _ in range(56))
    assert false <= 1


@pytest.mark.parametrize("factor", [4.0, 1.2])
def test_a_change_of_unit_is_found_in_the_first_period_and_by_its_name(factor):
    days = stream(7)
    watch = Watch([next(days) for _ in range(28)])
    for _ in range(7):
        day = next(days)
        day[:, AMOUNT] *= factor
        assert watch.alarms(day) == [AMOUNT]


def test_a_column_that_never_changed_alarms_when_it_does():
    days = [np.column_stack([day, np.ones(ROWS)]) for day in (next(stream(3)) for _ in range(5))]
    watch = Watch(days)
    days[0][: ROWS // 10, -1] = 2
    assert watch.alarms(days[0]) == [6]


def test_more_columns_and_few_periods_do_not_make_the_threshold_less_than_chance():
    quiet = np.full((3, 100), 0.87)
    assert usual_distances(quiet)[2].min() > usual_distances(quiet[:, :10])[2].max() > 4


def test_a_column_that_differs_by_itself_leaves_the_others_their_thresholds():
    calm = np.full((14, 2), 0.87)
    calm[7, 0] = 20
    thresholds = usual_distances(calm)[2]
    assert thresholds[0] > 2 * thresholds[1]
    assert thresholds[1] == usual_distances(calm[:, 1:].repeat(2, axis=1))[2][1]


def test_a_sketch_stands_for_all_values():
    values = np.random.default_rng(1).gamma(2, size=5000)
    assert scaled_distance(sketch(values, 1000), 5000, np.sort(values))[0] <= 0.001
    assert sketch(values[:3], 7).tolist() == np.sort(values[:3])[[0, 0, 1, 1, 1, 2, 2]].tolist()


def test_what_is_null_is_left_out_of_a_distance_and_of_what_is_kept():
    random = np.random.default_rng(8)
    whole = [random.normal(size=(500, 2)) for _ in range(4)]
    some = [np.where(random.random((900, 2)) < 0.4, np.nan, 1.0) for _ in range(4)]
    mixed = [np.concatenate([a, np.full((400, 2), np.nan)]) for a in whole]
    assert distances_from_others(mixed) == pytest.approx(distances_from_others(whole))
    assert not distances_from_others(some).any()
    empty = [np.full((500, 2), np.nan), *whole]
    found = distances_from_others(empty)
    assert not found[0].any()
    assert found[1:] == pytest.approx(distances_from_others(whole))
    assert not distances_from_others([np.full((5, 1), np.nan)] * 3).any()
    assert sketch(mixed[0][:, 0], 100).tolist() == sketch(whole[0][:, 0], 100).tolist()
    assert np.isnan(sketch(np.full(7, np.nan), 3)).all()
