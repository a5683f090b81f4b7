import numpy as np
import pytest

from fraudline.measures.reliability import (
    calibration_error,
    measure_reliability,
    without_prior_shift,
)

RANDOM = np.random.default_rng(3)


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores, and labels that come true as often as the scores say."""
    scores = RANDOM.beta(0.1, 4, count)
    return (RANDOM.random(count) < scores).astype(np.int8), scores


def test_scores_that_come_true_have_hardly_an_error():
    labels, scores = drawn(200_000)
    found = measure_reliability(labels, scores)
    assert found.calibration_error < 0.003
    assert found.expected_frauds == pytest.approx(labels.sum(), rel=0.05)
    assert found.brier < found.brier_of_share


def test_the_error_is_the_distance_of_mean_score_and_share_in_each_bin():
    labels = np.array([0, 1, 0, 0], dtype=np.int8)
    scores = np.array([0.50, 0.52, 0.10, 0.99])
    # Of the first two, half are frauds, and their mean is 0.51; the others stand alone.
    assert calibration_error(labels, scores) == pytest.approx((2 * 0.01 + 0.10 + 0.99) / 4)


def test_inflated_scores_show_among_alerts_though_hardly_among_all():
    labels, scores = drawn(100_000)
    labels[:90_000], scores[:90_000] = 0, 0.0
    inflated = measure_reliability(labels, np.sqrt(scores))
    assert inflated.calibration_error_of_alerts > 4 * inflated.calibration_error


def test_a_score_of_one_falls_into_the_last_bin():
    assert calibration_error(np.array([1], dtype=np.int8), np.array([1.0])) == 0


def test_the_prior_that_balancing_shifted_is_undone():
    labels, scores = drawn(200_000)
    share = scores.mean()
    odds = scores / (1 - scores) * (1 - share) / share  # as if half had been frauds
    balanced = odds / (1 + odds)

    corrected = without_prior_shift(balanced, 0.5, share)

    assert corrected == pytest.approx(scores)
    assert calibration_error(labels, balanced) > 20 * calibration_error(labels, corrected)


def test_certain_scores_stay_certain_when_the_prior_is_undone():
    assert without_prior_shift(np.array([0.0, 1.0]), 0.5, 0.002).tolist() == [0.0, 1.0]
