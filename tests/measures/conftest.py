"""Scores to measure."""

import numpy as np
import pytest


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of 3,000 transactions, with many equal scores."""
    random = np.random.default_rng(5)
    labels = (random.random(3000) < 0.03).astype(np.int8)
    scores = np.round(np.clip(random.normal(0.3 + 0.25 * labels, 0.15), 0, 1), 2)
    return labels, scores
