"""A blocked payment is learned as what the reviewed ones most like it turned out to be."""

from __future__ import annotations

import numpy as np
import pytest
from tests.training.later import fresh_model, recipes, soft_labels

pytestmark = pytest.mark.timeout(300)  # TensorFlow is loaded


def test_a_payment_is_as_much_of_a_fraud_as_the_reviewed_ones_most_like_it(creditcard):
    random, width = np.random.default_rng(4), len(creditcard.features)
    nearest = soft_labels().NEAREST
    kinds = np.repeat([-2.0, 2.0], nearest)  # the second is an honest habit that looks like fraud
    explored = random.normal(kinds[:, None], 0.3, (2 * nearest, width))
    labels = (kinds < 0).astype(np.int8)
    labels[:2] = 0  # of ten that are stopped, two were none
    asked = random.normal(np.repeat([2.0, -2.0], 20)[:, None], 0.3, (40, width))
    model = fresh_model(recipes()["mlp"], creditcard, explored.astype("f4"))
    shares = soft_labels().shares_of_frauds(
        model, explored.astype("f4"), labels, asked.astype("f4")
    )
    assert (shares[:20] == 0).all()
    assert shares[20:] == pytest.approx(0.8)


def test_without_enough_reviewed_ones_nothing_is_said_of_the_others(creditcard):
    module, width = soft_labels(), len(creditcard.features)
    few, asked = np.zeros((module.LEAST_EXPLORED - 1, width), "f4"), np.ones((3, width), "f4")
    labels = np.ones(len(few), np.int8)
    assert module.shares_of_frauds(None, few, labels, asked) is None
    enough = np.zeros((module.LEAST_EXPLORED, width), "f4")
    nobody = module.shares_of_frauds(None, enough, np.ones(len(enough), np.int8), asked[:0])
    assert nobody.shape == (0,)


def test_a_share_keeps_its_odds_where_few_of_the_legitimate_are_learned():
    """One payment in two is a fraud, but of two legitimate ones one is drawn: two frauds of 3."""
    shares = soft_labels().among_drawn(np.array([0.0, 0.5, 1.0]), 0.5)
    assert shares == pytest.approx([0.0, 2 / 3, 1.0])
