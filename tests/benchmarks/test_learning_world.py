"""What the learning benchmark gives a learner: never a label before its moment."""

import numpy as np
import pytest
from benchmarks.learning.world import World
from hypothesis import given, settings
from hypothesis import strategies as st

ROWS = 40


def a_world(seed: int, labels: np.ndarray | None = None) -> World:
    random = np.random.default_rng(seed)
    event_at = np.sort(random.random(ROWS)) * 10
    features = random.random((ROWS, 3)).astype(np.float32)
    told = random.integers(0, 2, ROWS).astype(np.int8)
    delay = random.exponential(2, ROWS)
    delay[random.random(ROWS) < 0.1] = np.inf
    labels = told if labels is None else labels
    return World(features, labels, event_at + 1, event_at, event_at + delay, begin=3, step=1)


def seen(world: World) -> list[list[np.ndarray]]:
    """Everything that a learner can ask for, moment by moment."""
    found = []
    for moment in world.moments():
        arrived = moment.arriving()
        found.append(
            [
                *vars(moment.known()).values(),
                *vars(moment.known(since=2)).values(),
                *vars(moment.became_known(moment.at - 1)).values(),
                *vars(moment.latest(0.5)).values(),
                *vars(arrived).values(),
            ]
        )
        world.put_down(arrived, np.zeros((len(arrived.rows), 1)))
    return found


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_that_a_learner_can_ask_for_depends_on_a_label_that_is_not_known_yet(seed):
    """Every label that is not known at a moment is turned round; all that is seen is the same."""
    whole = seen(a_world(seed))
    event_at, known_at, labels = (
        getattr(a_world(seed), name) for name in ("_event_at", "_known_at", "_labels")
    )
    for number, expected in enumerate(whole):
        now = 3 + number
        turned = np.where((known_at > now) | (event_at >= now), 1 - labels, labels)
        found = seen(a_world(seed, turned.astype(np.int8)))
        for one, other in zip(found[number], expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_each_label_is_told_once_it_is_known_and_each_transaction_arrives_once():
    world = a_world(1)
    arrived, told = [], [row for row in range(ROWS) if world._known_at[row] <= 2]
    for moment in world.moments():
        now = moment.arriving()
        assert (world._event_at[now.rows] >= moment.at).all()
        assert (world._event_at[now.rows] < moment.until).all()
        arrived += now.rows.tolist()
        told += moment.became_known(moment.at - 1).rows.tolist()
        assert sorted(told) == sorted(moment.known().rows.tolist())
        world.put_down(now, np.zeros((len(now.rows), 1)))
    assert arrived == list(range(world.first_row, ROWS))


def test_what_a_learner_changes_is_its_own():
    world = a_world(1)
    moment = next(world.moments())
    known = moment.known()
    known.labels[:] = 7
    known.features[:] = 7
    assert moment.known().labels.max() <= 1
    assert moment.known().features.max() <= 1


def test_the_next_moment_comes_when_all_that_arrived_has_its_score():
    moments = a_world(1).moments()
    next(moments)
    with pytest.raises(ValueError, match=r"transactions from 3.* have no score"):
        next(moments)


def test_labels_are_told_at_the_end_and_a_score_stands():
    world = a_world(1)
    with pytest.raises(ValueError, match="when every transaction has its score"):
        world.outcome()
    arrived = next(world.moments()).arriving()
    world.put_down(arrived, np.zeros((len(arrived.rows), 1)))
    with pytest.raises(ValueError, match="scored once"):
        world.put_down(arrived, np.ones((len(arrived.rows), 1)))


def test_a_label_that_is_hidden_when_its_transaction_is_scored_never_becomes_known():
    world = a_world(1)
    hidden: set[int] = set()
    for moment in world.moments():
        assert not hidden & set(moment.known().rows.tolist())
        arrived = moment.arriving()
        world.put_down(arrived, np.zeros((len(arrived.rows), 1)))
        world.hide(arrived.rows[::2])
        hidden |= set(arrived.rows[::2].tolist())
    assert hidden
    with pytest.raises(ValueError, match="what is known stays known"):
        world.hide(np.array([world.first_row]))


def test_a_world_out_of_order_or_with_labels_before_their_transactions_is_refused():
    one = np.ones(2)
    with pytest.raises(ValueError, match="in order of time"):
        World(one[:, None], one, one, np.array([2.0, 1.0]), one * 3, 0, 1)
    with pytest.raises(ValueError, match="before its transaction"):
        World(one[:, None], one, one, one * 2, one, 0, 1)
