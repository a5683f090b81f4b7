"""What a person is told of the levels of categories is so of all payments, not of those read."""

import numpy as np
import pytest
from tests.orders import orders
from tests.transactions import SHOP

from fraudline.training.categories import told_levels


def test_of_a_draw_the_others_are_told_by_how_often_each_row_counts():
    features, labels = SHOP.feature_matrix(orders()), SHOP.labels(orders())
    at = SHOP.features.index("code")
    features[:, at] = 1
    rare = np.flatnonzero(labels == 1)[:9]  # too few to be a level of their own
    features[rare, at] = 2

    def share(fraud_share: float) -> float:
        told = next(
            each
            for each in told_levels(SHOP, features, labels, fraud_share)
            if each.startswith("column 'code' has 2 levels in the train part: 1 are told apart")
        )
        return float(told.split()[-4])

    frauds = labels.sum()
    assert share(frauds / len(labels)) == pytest.approx(100 * 9 / len(labels), rel=0.01)
    as_often = frauds + 10 * (len(labels) - frauds)  # one in ten of the legitimate ones was drawn
    assert share(frauds / as_often) == pytest.approx(100 * 9 / as_often, rel=0.01)


def test_of_buckets_it_is_told_how_many_are_known_and_how_many_rows_are_of_others():
    rows = orders()
    told = told_levels(SHOP, SHOP.feature_matrix(rows), SHOP.labels(rows), 0.1)
    merchant = next(each for each in told if each.startswith("column 'merchant'"))
    assert (
        "sorted into 32 buckets by their codes, of which 32 are told apart, the others" in merchant
    )
    assert merchant.endswith("% of rows")
