"""Measures of a ranking, and the table of classes, are scikit-learn's; needed is numpy alone."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from fraudline.measures.classification_table import ConfusionCounts, classification_table
from fraudline.measures.ranking import rank

SCORED = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0])),
    min_size=2,
    max_size=200,
).filter(lambda rows: 0 < sum(label for label, _ in rows) < len(rows))


def arrays(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = zip(*rows, strict=True)
    return np.array(labels, dtype=np.int8), np.array(scores)


@given(SCORED)
def test_areas_are_scikit_learns_with_ties_too(rows):
    labels, scores = arrays(rows)
    ranking = rank(labels, scores)
    assert ranking.average_precision == pytest.approx(
        metrics.average_precision_score(labels, scores), abs=1e-12
    )
    assert ranking.roc_auc == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)


@given(SCORED, st.floats(0, 1))
def test_recall_within_a_share_of_false_alarms_is_read_off_the_whole_curve(rows, share):
    labels, scores = arrays(rows)
    wrong, caught, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
    assert rank(labels, scores).recall_within(share) == caught[wrong <= share].max()


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=2, max_size=1000).filter(
        lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
    )
)
def test_the_table_is_scikit_learns_to_the_letter(rows):
    labels, stopped = (np.array(each, dtype=np.int8) for each in zip(*rows, strict=True))
    counted = ConfusionCounts(
        *(int(((labels == label) & (stopped == stop)).sum()) for label in (0, 1) for stop in (0, 1))
    )
    expected = metrics.classification_report(
        labels,
        stopped,
        labels=[0, 1],
        target_names=["legitimate", "fraud"],
        digits=4,
        zero_division=0,
    )
    # It counts rows in floating point where a class has none that was told rightly.
    assert classification_table(counted) == re.sub(r"(?m)(\d+)\.0$", r"  \1", expected)
