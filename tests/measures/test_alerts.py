import numpy as np
import pytest

from fraudline.measures import alerts
from fraudline.measures.alerts import measure_budgets, measure_days
from fraudline.training.preparation import DAY_S


@pytest.fixture
def two_days() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two whole days of 1,000 transactions; the frauds of each have its 10 highest scores."""
    event_s = np.linspace(0, 2 * DAY_S - 1, 2000)
    scores = np.tile(np.linspace(0, 1, 1000), 2)
    labels = np.tile((np.arange(1000) >= 990).astype(np.int8), 2)
    return event_s, labels, scores


def test_alerts_are_the_highest_scores_of_each_day(two_days):
    event_s, labels, scores = two_days
    scores[1000:] += 5  # a second day that scores higher takes no alert of the first
    first = measure_budgets(event_s, labels, scores)[0]
    assert (first.alerts_a_day, first.alerts) == (20, 40)
    assert first.precision == 0.5
    assert first.recall == 1.0


def test_half_a_day_has_half_the_alerts(two_days):
    event_s, labels, scores = (values[1500:] for values in two_days)
    by_count = {each.alerts_a_day: each for each in measure_budgets(event_s, labels, scores)}
    assert by_count[20].alerts == 10
    assert by_count[20].recall == 1.0


def test_a_day_with_fewer_transactions_than_alerts_has_them_all(monkeypatch, two_days):
    monkeypatch.setattr(alerts, "ALERTS_A_DAY", (5000,))
    (budget,) = measure_budgets(*two_days)
    assert budget.alerts == 2000


def test_each_day_is_judged_alone_and_one_without_frauds_is_not(two_days):
    event_s, labels, scores = two_days
    labels[1000:] = 0
    first, second = measure_days(event_s, labels, scores)
    assert (first.frauds, first.average_precision, first.roc_auc) == (10, 1.0, 1.0)
    assert (second.rows, second.average_precision, second.roc_auc) == (1000, None, None)
