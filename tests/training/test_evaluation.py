import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fraudline.errors import InputError
from fraudline.training.evaluation import (
    Ranked,
    average_precision_interval,
    average_precision_resamples,
    average_precisions,
    evaluate,
)


@pytest.fixture
def judged() -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of 3,000 transactions, with many equal scores."""
    random = np.random.default_rng(5)
    labels = (random.random(3000) < 0.03).astype(np.int8)
    scores = np.round(np.clip(random.normal(0.3 + 0.25 * labels, 0.15), 0, 1), 2)
    return labels, scores


def test_counts_and_money_are_those_one_finds_by_hand():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 0], dtype=np.int8)
    scores = np.array([0.1, 0.2, 0.9, 0.3, 0.8, 0.5, 0.4, 0.0])
    amounts = np.array([1.0, 2, 4, 8, 16, 32, 64, 128])

    judged = evaluate(labels, scores, 0.5, amounts)

    assert (judged.frauds_caught, judged.frauds_missed) == (2, 1)
    assert (judged.legitimate_blocked, judged.legitimate_approved) == (1, 4)
    assert (judged.amount_caught, judged.amount_missed) == (48.0, 64.0)
    assert judged.precision == pytest.approx(2 / 3)
    assert judged.recall == pytest.approx(2 / 3)
    assert judged.accuracy == pytest.approx(6 / 8)
    assert judged.average_precision == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3)
    assert judged.roc_auc == pytest.approx(12 / 15)
    assert judged.recall_at_1pct_fpr == 0.0  # the highest score is a legitimate one
    assert (judged.rows, judged.frauds) == (8, 3)


def test_a_score_that_equals_the_threshold_is_blocked():
    labels = np.array([0, 1], dtype=np.int8)
    judged = evaluate(labels, np.array([0.1, 0.5]), 0.5, np.ones(2))
    assert judged.frauds_caught == 1


def test_nothing_blocked_is_precision_zero_and_no_warning(recwarn):
    labels = np.array([0, 1], dtype=np.int8)
    judged = evaluate(labels, np.array([0.1, 0.2]), 0.5, np.ones(2))
    assert (judged.precision, judged.recall, judged.f1) == (0.0, 0.0, 0.0)
    assert not recwarn.list


@pytest.mark.parametrize("label", [0, 1])
def test_labels_of_one_kind_are_refused(label):
    with pytest.raises(InputError, match="at least one fraud and one legitimate"):
        evaluate(np.full(10, label, dtype=np.int8), np.linspace(0, 1, 10), 0.5, np.ones(10))


def test_average_precision_by_counts_is_scikit_learns_even_with_ties(judged):
    labels, scores = judged
    levels = np.unique(scores[labels == 1])[::-1]
    frauds = np.array([[((scores == level) & (labels == 1)).sum() for level in levels]])
    above = np.array([((scores >= level) & (labels == 0)).sum() for level in levels])
    legitimate = np.diff(above, prepend=0)[None]

    assert average_precisions(frauds, legitimate)[0] == pytest.approx(
        average_precision_score(labels, scores)
    )


def test_the_interval_is_that_of_drawing_rows_class_by_class(judged):
    labels, scores = judged
    random = np.random.default_rng(1)
    frauds, legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    drawn = []
    for _ in range(1000):
        rows = np.concatenate(
            [random.choice(frauds, len(frauds)), random.choice(legitimate, len(legitimate))]
        )
        drawn.append(average_precision_score(labels[rows], scores[rows]))

    expected = np.percentile(drawn, (2.5, 97.5))

    assert average_precision_interval(labels, scores) == pytest.approx(expected, abs=0.02)


def test_the_same_scores_have_the_same_interval_each_time(judged):
    assert average_precision_interval(*judged) == average_precision_interval(*judged)


def test_every_figure_of_an_evaluation_reaches_the_manifest(judged):
    labels, scores = judged
    judged = evaluate(labels, scores, 0.5, np.ones(len(labels)))
    figures = judged.metrics()
    assert set(vars(judged)) - set(figures) == {"classification_report"}
    assert all(isinstance(value, float) for value in figures.values())


def test_contenders_are_resampled_together_and_a_copy_never_differs():
    random = np.random.default_rng(4)
    labels = (random.random(4000) < 0.02).astype(np.int8)
    scores = random.normal(size=4000) + 2 * labels

    found = average_precision_resamples(labels, [scores, scores, scores + labels], resamples=200)

    assert np.array_equal(found[0], found[1])
    assert np.all(found[2] > found[0])
    alone = average_precision_interval(labels, scores)
    assert np.percentile(found[0], (2.5, 97.5)) == pytest.approx(alone, abs=0.02)


def test_a_resample_that_draws_every_row_once_is_the_average_precision_with_ties():
    random = np.random.default_rng(5)
    labels = (random.random(3000) < 0.05).astype(np.int8)
    scores = (random.normal(size=3000) + 2 * labels).round(1)
    ranked = Ranked(scores[labels == 1], scores[labels == 0])
    once = ranked.average_precision(
        np.ones(labels.sum(), dtype=int), np.ones((labels == 0).sum(), dtype=int)
    )
    assert once == pytest.approx(average_precision_score(labels, scores))
