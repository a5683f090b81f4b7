import math

import numpy as np
import pytest

from fraudline.measures.rate_ratio import absence_words, rate_ratio, set_apart


def test_a_ratio_is_told_where_its_interval_leaves_out_1():
    found = rate_ratio(46, 1000, 200, 10_000)
    assert found.ratio == pytest.approx(2.3)
    assert (found.low, found.high) == pytest.approx((1.68, 3.15), rel=0.02)
    assert found.is_told
    assert not rate_ratio(3, 100, 200, 10_000).is_told
    assert absence_words(found) == (
        "is fraud 2.3 times as often where it is null (95 % interval 1.7 to 3.2)"
    )


def test_where_no_fraud_is_elsewhere_or_none_at_all_the_interval_is_still_a_number():
    every, none = rate_ratio(560, 560, 0, 38_661), rate_ratio(0, 10, 0, 10)
    assert math.isinf(every.ratio)
    assert every.low > 1000
    assert absence_words(every).startswith("is null in every fraud (95 % interval")
    assert math.isnan(none.ratio)
    assert not none.is_told
    assert absence_words(none).startswith("says nothing of fraud by being null")


def test_the_interval_holds_the_ratio_in_19_of_20_draws():
    random = np.random.default_rng(3)
    draws = [
        rate_ratio(random.binomial(2000, 0.02), 2000, random.binomial(20_000, 0.01), 20_000)
        for _ in range(1000)
    ]
    assert np.mean([each.low <= 2 <= each.high for each in draws]) == pytest.approx(0.95, abs=0.02)


def test_a_draw_of_the_legitimate_rows_tells_the_ratio_of_all_payments():
    random = np.random.default_rng(4)
    labels = (random.random(400_000) < 0.01).astype(np.int8)
    is_null = random.random(400_000) < np.where(labels == 1, 0.5, 0.1)
    share = float(labels.mean())
    whole = set_apart(is_null, labels, share)
    kept = (labels == 1) | (random.random(400_000) < 0.02)
    drawn = set_apart(is_null[kept], labels[kept], share)
    assert whole.ratio is not None
    assert drawn.ratio is not None
    assert drawn.ratio.ratio == pytest.approx(whole.ratio.ratio, rel=0.1)
    assert drawn.share == pytest.approx(0.1, abs=0.01)
    assert drawn.fraud_share == pytest.approx(whole.fraud_share, rel=0.1)
