"""The bet on a challenger: fair whenever it is looked at, and won by who is better."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from fraudline.measures.fair_bet import (
    MOST_A_DAY,
    PROVED_AT,
    STAKES,
    FairBet,
    added_by_payments,
    precision_gains,
)

Day = tuple[np.ndarray, np.ndarray, np.ndarray]
ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=60
)


def a_day(rows: list[tuple[int, int, int]]) -> Day:
    labels, champion, challenger = (np.array(each) for each in zip(*rows, strict=True))
    return labels, champion / 8, challenger / 8


def numbers(bet: FairBet) -> list[float]:
    return [*bet.log_purses, bet.frauds, bet.gain_sum, bet.spread, bet.surprise]


def simulated(random: np.random.Generator, noises: tuple[float, float], shared: float = 0.3) -> Day:
    """A day of two models that see the same payments, each with noise of its own.

    Args:
        random: Where chance comes from.
        noises: Of the champion and of the challenger, beside a spread of legitimate payments of 1.
        shared: Noise that a model has in common for payments of a kind, of which there are twenty.
    """
    labels = np.zeros(600, np.int8)
    labels[:20] = 1
    seen = random.normal(size=600) + labels * random.choice([0.5, 4.5], 600, p=[0.35, 0.65])
    kind = random.integers(0, 20, 600)
    champion, challenger = (
        seen + random.normal(size=600) * noise + random.normal(size=20)[kind] * shared
        for noise in noises
    )
    return labels, champion, challenger


def passed_after(
    seed: int, days: int, noises: tuple[float, float], shared: float = 0.3
) -> int | None:
    """How many frauds it took, looked at after each day; None if it never passed."""
    random = np.random.default_rng(seed)
    bet = FairBet()
    for day in range(days):
        bet = bet.after(day, *simulated(random, noises, shared))
        if bet.is_proved:
            return bet.frauds
    return None


@given(ROWS)
def test_the_mean_gain_is_the_difference_of_the_average_precisions_with_ties_too(rows):
    labels, champion, challenger = a_day(rows)
    gains = precision_gains(labels, champion, challenger)
    assert len(gains) == labels.sum()
    assert (np.abs(gains) <= 1).all()
    if labels.any():
        assert gains.mean() == pytest.approx(
            average_precision_score(labels, challenger) - average_precision_score(labels, champion)
        )


@given(st.lists(ROWS, max_size=6), st.integers(0, 2**32))
def test_neither_the_order_of_rows_nor_a_scale_of_a_day_changes_anything(days, seed):
    random = np.random.default_rng(seed)
    bet = moved = FairBet()
    for number, rows in enumerate(days):
        labels, champion, challenger = a_day(rows)
        bet = bet.after(number, labels, champion, challenger)
        order = random.permutation(len(rows))
        scale = random.integers(1, 100)
        moved = moved.after(
            number, labels[order], champion[order] * scale - 7, challenger[order] ** 3
        )
    assert numbers(moved) == pytest.approx(numbers(bet))


@given(st.lists(ROWS, min_size=1, max_size=6))
def test_it_goes_on_from_what_was_written_down_to_the_last_bit(days):
    bet = resumed = FairBet()
    for number, rows in enumerate(days):
        bet = bet.after(number, *a_day(rows))
        resumed = FairBet(**json.loads(json.dumps(asdict(resumed)))).after(number, *a_day(rows))
    assert resumed == bet
    assert bet.shared_luck >= 1
    assert bet.wealth > 0


def sum_of_precisions(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """Over the frauds, where a payment may be there in part."""
    as_high = scores[None, :] >= scores[:, None]
    precisions = (as_high * weights * labels).sum(axis=1) / (as_high * weights).sum(axis=1)
    return float((precisions * weights)[labels == 1].sum())


@settings(deadline=None, max_examples=20)
@given(ROWS)
def test_what_a_payment_adds_is_how_the_sum_of_precisions_changes_with_the_first_bit_of_it(rows):
    labels, scores, _ = a_day(rows)
    found, whole, bit = added_by_payments(labels, scores), np.ones(len(labels)), 1e-6
    for number, added in enumerate(found):
        more, less = (whole + sign * bit * (np.arange(len(labels)) == number) for sign in (1, -1))
        change = sum_of_precisions(labels, scores, more) - sum_of_precisions(labels, scores, less)
        assert added == pytest.approx(change / (2 * bit), abs=1e-6)
    assert found.sum() == pytest.approx(sum_of_precisions(labels, scores, whole))


@settings(deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=6))
def test_what_a_day_pays_and_what_it_can_win_depend_on_no_later_day(days):
    """The law by hand: D from earlier days alone, and the same stakes whatever happened."""
    bet, purses, earlier = FairBet(), np.ones(len(STAKES)), []
    for number, rows in enumerate(days):
        labels, champion, challenger = a_day(rows)
        gains = precision_gains(labels, champion, challenger)
        added = added_by_payments(labels, challenger) - added_by_payments(labels, champion)
        spread = np.square(added).sum()
        of_spread = sum(s for s, _ in earlier) / sum(v for _, v in earlier) if earlier else 0
        apart = sum((s - of_spread * v) ** 2 / v for s, v in earlier)
        shared = max(1.0, (1.2 + apart) / max(len(earlier), 1))
        assert bet.shared_luck == pytest.approx(shared)
        before = purses.mean()
        for place, stake in enumerate(STAKES):
            paid = 0.5 * stake**2 * max(shared * spread - np.square(gains).sum(), 0)
            purses[place] *= np.prod(1 + stake * gains) * np.exp(-paid)
        purses /= max(purses.mean() / before / MOST_A_DAY, 1)
        bet = bet.after(number, labels, champion, challenger)
        assert bet.wealth == pytest.approx(purses.mean())
        earlier += [(gains.sum(), spread)] if spread else []


def test_no_day_alone_proves_anything():
    labels = np.repeat([1, 0], [500, 500])
    best, worst = labels.astype(float), 1.0 - labels
    bet = FairBet().after(1, labels, worst, best)
    assert bet.wealth == pytest.approx(MOST_A_DAY)
    assert MOST_A_DAY < PROVED_AT
    assert bet.after(2, labels, worst, best).is_proved


@pytest.mark.parametrize("shared", [0.0, 0.3, 1.0], ids=lambda each: f"shared luck {each}")
def test_of_equal_challengers_at_most_one_in_twenty_ever_passes_however_often_it_is_looked_at(
    shared,
):
    passed = [passed_after(seed, 30, (0.5, 0.5), shared) for seed in range(240)]
    assert sum(each is not None for each in passed) <= 12


def test_a_worse_challenger_does_not_pass():
    assert [passed_after(seed, 40, (0.5, 0.6)) for seed in range(50)] == [None] * 50


def test_a_better_challenger_passes_and_soon():
    passed = [passed_after(seed, 50, (0.7, 0.42)) or 1000 for seed in range(50)]
    assert np.median(passed) < 400
    assert np.quantile(passed, 0.95) < 1000


def test_a_champion_whose_scores_changed_their_scale_is_not_taken_for_worse():
    """Pooled over the change its frauds of before stand among the legitimate ones of after."""
    random = np.random.default_rng(3)
    bet, pooled = FairBet(), []
    for day in range(14):
        labels, champion, challenger = simulated(random, (0.5, 0.6))
        champion += 4 * (day >= 7)
        pooled.append((labels, champion, challenger))
        bet = bet.after(day, labels, champion, challenger)
        assert not bet.is_proved
    labels, champion, challenger = (np.concatenate(each) for each in zip(*pooled, strict=True))
    gain = average_precision_score(labels, challenger) - average_precision_score(labels, champion)
    assert gain > 0.1, "a pooled comparison is fooled"
    assert bet.mean_gain < 0
    assert bet.wealth < PROVED_AT / 4


def test_a_day_without_frauds_is_over_and_changes_nothing_else():
    before = FairBet().after(1, *a_day([(1, 3, 5), (0, 4, 4)]))
    after = before.after(2, *a_day([(0, 1, 2)]))
    assert after == FairBet(**{**asdict(before), "day": 2})


def test_a_day_that_was_counted_is_not_counted_again():
    bet = FairBet().after(7, *a_day([(1, 3, 5)]))
    for day in (6, 7):
        with pytest.raises(ValueError, match=f"day {day} is not later than day 7"):
            bet.after(day, *a_day([(1, 3, 5)]))


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="1 of 2 scores are not numbers"):
        FairBet().after(1, np.array([1, 0]), np.array([0.5, np.nan]), np.array([0.5, 0.5]))
