import numpy as np
import pytest

from fraudline.errors import InputError
from fraudline.training.calibration import best_f1, fit_platt


def test_the_line_brings_log_odds_back_to_probabilities():
    random = np.random.default_rng(3)
    truth = random.normal(-4, 2, size=200_000)
    labels = (random.random(len(truth)) < 1 / (1 + np.exp(-truth))).astype(np.int8)
    distorted = (truth - 3) / 2  # as if fitted on rows with another share of frauds

    line = fit_platt(labels, distorted)

    assert line.slope == pytest.approx(2, rel=0.03)
    assert line.intercept == pytest.approx(3, rel=0.05)


def test_perfectly_separated_rows_still_give_a_finite_line():
    labels = np.repeat([0, 1], [500, 5]).astype(np.int8)
    line = fit_platt(labels, np.where(labels == 1, 4.0, -4.0))
    highest = 1 / (1 + np.exp(-(line.slope * 4 + line.intercept)))
    assert highest == pytest.approx(6 / 7, abs=1e-3)  # Platt's target for five frauds


def test_scores_that_fall_with_fraud_are_refused():
    labels = np.repeat([0, 1], [500, 50]).astype(np.int8)
    with pytest.raises(InputError, match="do not rise with fraud"):
        fit_platt(labels, np.linspace(1, -1, 550))


def test_the_best_f1_is_that_of_the_best_threshold():
    labels = np.array([0, 0, 1, 0, 1, 1], dtype=np.int8)
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert best_f1(labels, scores) == pytest.approx(2 * 0.75 / 1.75)  # threshold 0.3
