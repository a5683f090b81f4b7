import numpy as np
import pytest

from fraudline.errors import InputError
from fraudline.measures.evaluation import evaluate


def test_counts_and_money_are_those_one_finds_by_hand():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 0], dtype=np.int8)
    scores = np.array([0.1, 0.2, 0.9, 0.3, 0.8, 0.5, 0.4, 0.0])
    amounts = np.array([1.0, 2, 4, 8, 16, 32, 64, 128])

    judged = evaluate(labels, scores, 0.5, amounts)

    assert (judged.frauds_caught, judged.frauds_missed) == (2, 1)
    assert (judged.legitimate_stopped, judged.legitimate_approved) == (1, 4)
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


def test_every_figure_of_an_evaluation_reaches_the_manifest(scored):
    labels, scores = scored
    judged = evaluate(labels, scores, 0.5, np.ones(len(labels)))
    figures = judged.metrics()
    assert set(vars(judged)) - set(figures) == {"classification_report"}
    assert all(isinstance(value, float) for value in figures.values())
