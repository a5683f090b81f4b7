"""Bootstrap intervals, beside those that drawing row by row gives."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from fraudline.measures.bootstrap import (
    ENDS,
    Ranked,
    average_precision_interval,
    average_precision_resamples,
    average_precisions,
)


def test_average_precision_by_counts_is_scikit_learns_even_with_ties(scored):
    labels, scores = scored
    levels = np.unique(scores[labels == 1])[::-1]
    frauds = np.array([[((scores == level) & (labels == 1)).sum() for level in levels]])
    above = np.array([((scores >= level) & (labels == 0)).sum() for level in levels])
    legitimate = np.diff(above, prepend=0)[None]

    assert average_precisions(frauds, legitimate)[0] == pytest.approx(
        average_precision_score(labels, scores)
    )


def test_the_interval_is_that_of_drawing_rows_class_by_class(scored):
    labels, scores = scored
    random = np.random.default_rng(1)
    frauds, legitimate = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    drawn = []
    for _ in range(1000):
        rows = np.concatenate(
            [random.choice(frauds, len(frauds)), random.choice(legitimate, len(legitimate))]
        )
        drawn.append(average_precision_score(labels[rows], scores[rows]))

    expected = np.percentile(drawn, ENDS)

    assert average_precision_interval(labels, scores) == pytest.approx(expected, abs=0.02)


def test_the_same_scores_have_the_same_interval_each_time(scored):
    assert average_precision_interval(*scored) == average_precision_interval(*scored)


def test_contenders_are_resampled_together_and_a_copy_never_differs():
    random = np.random.default_rng(4)
    labels = (random.random(4000) < 0.02).astype(np.int8)
    scores = random.normal(size=4000) + 2 * labels

    found = average_precision_resamples(labels, [scores, scores, scores + labels])

    assert np.array_equal(found[0], found[1])
    assert np.all(found[2] > found[0])
    alone = average_precision_interval(labels, scores)
    assert np.percentile(found[0], ENDS) == pytest.approx(alone, abs=0.02)


def test_a_resample_that_draws_every_row_once_is_the_average_precision_with_ties():
    random = np.random.default_rng(5)
    labels = (random.random(3000) < 0.05).astype(np.int8)
    scores = (random.normal(size=3000) + 2 * labels).round(1)
    ranked = Ranked(scores[labels == 1], scores[labels == 0])
    once = ranked.average_precision(
        np.ones(labels.sum(), dtype=int), np.ones((labels == 0).sum(), dtype=int)
    )
    assert once == pytest.approx(average_precision_score(labels, scores))
