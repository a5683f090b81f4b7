import numpy as np
import pytest

from fraudline.errors import InputError
from fraudline.training.split import (
    check_split,
    drop_twins,
    find_twins,
    split_at_random,
    split_by_time,
    split_by_time_in_two,
    split_drawn,
)


@pytest.fixture
def labels() -> np.ndarray:
    return (np.arange(1000) % 20 == 0).astype(np.int8)


def test_a_split_by_time_keeps_the_order_of_train_validation_and_test(labels):
    split = split_by_time(labels, 0.2, seed=1)
    assert split.train.tolist() == list(range(640))
    assert split.validation.tolist() == list(range(640, 800))
    assert split.test.tolist() == list(range(800, 1000))
    assert split.judged_by == "test"


def test_without_a_test_share_the_validation_part_judges(labels):
    split = split_by_time(labels, 0.0, seed=1)
    assert len(split.train) == 800
    assert list(split.parts) == ["train", "validation"]
    assert split.judged_by == "validation"


def test_a_random_split_has_the_same_share_of_frauds_and_no_row_twice(labels):
    split = split_at_random(labels, 0.2, seed=1)
    assert labels[split.test].mean() == labels[split.train].mean()
    assert sorted([*split.train, *split.test]) == list(range(1000))
    assert split.test.tolist() == split_at_random(labels, 0.2, seed=1).test.tolist()
    assert split.test.tolist() != split_at_random(labels, 0.2, seed=2).test.tolist()


def test_a_split_by_time_in_two_leaves_no_row_to_choose_by(labels):
    split = split_by_time_in_two(labels, 0.2, seed=1)
    assert split.train.tolist() == list(range(800))
    assert split.test.tolist() == list(range(800, 1000))
    assert list(split.parts) == ["train", "test"]
    assert not split.is_random


@pytest.mark.parametrize("split", [split_at_random, split_by_time_in_two])
def test_a_split_without_validation_or_test_part_is_refused(labels, split):
    with pytest.raises(InputError, match="nothing is left to judge"):
        split(labels, 0.0, seed=1)


def test_a_random_split_of_a_single_fraud_is_refused():
    labels = np.zeros(1000, dtype=np.int8)
    labels[3] = 1
    with pytest.raises(InputError, match="1 frauds among 1000"):
        split_at_random(labels, 0.2, seed=1)


@pytest.mark.parametrize(
    ("frauds_at", "part"), [((900, 990), "train"), ((0, 600), "validation"), ((100, 700), "test")]
)
def test_a_part_without_frauds_is_refused_by_name(frauds_at, part):
    labels = np.zeros(1000, dtype=np.int8)
    labels[slice(*frauds_at)] = 1
    with pytest.raises(InputError, match=f"the {part} part"):
        check_split(split_by_time(labels, 0.2, seed=1), labels)


def test_twins_are_the_rows_that_judge_and_equal_a_row_that_was_learned_from(labels):
    features = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float32)
    features[850] = features[10]  # test equals train
    features[855] = features[700]  # test equals validation
    features[720] = features[20]  # validation equals train
    features[860] = features[870]  # test equals test
    assert find_twins(features, split_by_time(labels, 0.2, seed=1)).tolist() == [850, 855]


def test_twins_leave_the_test_part_of_a_random_split_and_stay_in_one_by_time(labels):
    random, by_time = split_at_random(labels, 0.2, seed=1), split_by_time(labels, 0.2, seed=1)
    twins = random.test[:3]
    assert set(random.test) - set(drop_twins(random, twins).test) == set(twins)
    assert drop_twins(by_time, by_time.test[:3]) is by_time


@pytest.mark.parametrize("split", [split_by_time, split_by_time_in_two])
def test_of_a_draw_a_split_by_time_is_where_it_would_be_among_all_rows(split):
    random = np.random.default_rng(5)
    labels = np.zeros(60_000, np.int8)
    labels[random.choice(20_000, 1500, replace=False)] = 1  # all frauds lie in the first third
    drawn = np.flatnonzero((labels == 1) | (random.random(len(labels)) < 1 / 6))
    found = split_drawn(split, labels[drawn], 6, 0.2, 0)
    whole = split(labels, 0.2, 0)
    for name, rows in found.parts.items():
        first, last = drawn[rows[[0, -1]]]
        expected = whole.parts[name]
        assert abs(first - expected[0]) < 600
        assert abs(last - expected[-1]) < 600
    assert sum(map(len, found.parts.values())) == len(drawn)
    assert len(split(labels[drawn], 0.2, 0).test) - len(found.test) > 200  # where it would be else


def test_a_split_of_rows_without_a_time_is_by_their_order_and_counts_as_random():
    labels = (np.arange(500) % 10 == 0).astype(np.int8)
    by_order = split_by_time(labels, 0.2, 1)
    for one_in in (1, 3):
        drawn = split_drawn(split_by_time, labels, one_in, 0.2, 1, has_time=False)
        assert drawn.is_random
        assert np.concatenate(list(drawn.parts.values())).tolist() == list(range(500))
    assert split_drawn(split_by_time, labels, 1, 0.2, 1, has_time=False).test.tolist() == (
        by_order.test.tolist()
    )


def test_of_a_draw_a_random_split_is_random_among_the_rows_that_were_drawn():
    labels = np.repeat(np.array([0, 1], np.int8), [900, 100])
    assert (
        split_drawn(split_at_random, labels, 6, 0.2, 3).test.tolist()
        == split_at_random(labels, 0.2, 3).test.tolist()
    )
