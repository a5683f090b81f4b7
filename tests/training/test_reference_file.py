import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.models import manifest_for
from tests.orders import orders
from tests.transactions import SHOP, WALLET

from fraudline.bundle.bundle_files import write_manifest
from fraudline.bundle.policy import below_never
from fraudline.bundle.reference import SCORE, Reference, read_reference, watched_values
from fraudline.measures.period_watch import compare_columns
from fraudline.training.reference_file import cut_periods, keep_reference
from fraudline.training.split import split_by_time

DAY_S = 86400.0


def times(days: float, rows: int) -> np.ndarray:
    return np.linspace(0, days * DAY_S, rows, endpoint=False)


@pytest.mark.parametrize(
    ("event_s", "kind", "periods", "left_out"),
    [
        (times(15, 3000), "days", 15, 0),
        (times(15.2, 3040), "days", 15, 40),  # the last day has hardly begun
        (times(40, 4000), "days", 28, 1200),  # the latest
        (times(2, 284_000), "blocks", 28, 0),
        (times(2, 400_000), "blocks", 28, 120_000),
        (times(9, 5000), "blocks", 10, 0),
        (times(100, 5000), "blocks", 10, 0),  # 50 a day tell nothing
    ],
)
def test_a_history_is_cut_in_days_or_where_it_is_short_in_blocks(event_s, kind, periods, left_out):
    cut = cut_periods(event_s)
    assert (cut.kind, cut.periods) == (kind, periods)
    assert (cut.period == -1).sum() == left_out
    assert set(cut.period) - {-1} == set(range(periods))


@pytest.fixture
def history() -> pa.Table:
    random = np.random.default_rng(5)
    rows = 6000
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return pa.table(
        {
            "payment_id": [f"p-{row}" for row in range(rows)],
            "paid_at": [begin + dt.timedelta(minutes=5 * row) for row in range(rows)],
            "amount_minor": random.gamma(2, 1000, rows).astype(np.int64),
            "velocity": random.normal(size=rows),
            "distance_km": random.normal(size=rows),
            "is_abroad": random.random(rows) < 0.2,
            "risk_note": [None if each else 1.0 for each in random.random(rows) < 0.3],
            "merchant": ["shop"] * rows,
            "is_fraud": random.random(rows) < 0.01,
        },
        schema=WALLET.history_schema,
    )


def test_levels_and_nulls_of_another_draw_are_as_usual_and_others_are_not(tmp_path):
    history = orders(6000)
    split = split_by_time(SHOP.labels(history), 0.2, 0)
    facts = keep_reference(tmp_path, SHOP, history, split, np.linspace(0, 0.9, 6000), seed=1)
    write_manifest(tmp_path, manifest_for(SHOP, reference=str(facts)))
    reference = read_reference(tmp_path)
    assert reference.facts == facts
    assert set(facts.levels) == {"country", "code", "is_gift", "merchant"}
    assert facts.levels["country"].names[0] == "AT"
    assert facts.levels["is_gift"].names == ("false", "true")
    assert len(facts.levels["merchant"].names) == 100
    assert facts.levels["country"].other.mean == 0
    assert 0.01 < facts.levels["merchant"].other.mean < 0.5

    seen = watched_values(SHOP, orders(1000, seed=12))
    compared = compare_columns(reference, seen)
    assert {each.name for each in compared} == set(SHOP.features)
    assert [each.name for each in compared if each.is_alarm] == []
    seen[:, SHOP.features.index("country")] = 7
    seen[5:, SHOP.features.index("items")] = np.nan
    compared = compare_columns(reference, seen)
    (alarm,) = [each for each in compared if each.is_alarm]
    assert (alarm.name, alarm.levels[0], alarm.found[0]) == ("country", "other levels", 1.0)
    assert alarm.distance == 1
    assert "items" not in {each.name for each in compared}  # too few values are left


def read(directory: Path) -> Reference:
    write_manifest(directory, manifest_for(WALLET))
    return read_reference(directory)


def test_a_reference_says_what_is_usual_of_columns_scores_and_nulls(history, tmp_path):
    scores = np.random.default_rng(6).random(history.num_rows)
    split = split_by_time(WALLET.labels(history), 0.2, 0)
    scores[split.train] += 10  # what was learned from says nothing of scores
    facts = keep_reference(tmp_path, WALLET, history, split, scores, seed=1)
    first = (tmp_path / "reference.arrow").read_bytes()
    assert keep_reference(tmp_path, WALLET, history, split, scores, seed=1) == facts
    assert (tmp_path / "reference.arrow").read_bytes() == first

    assert str(facts).startswith("21 days of 285 transactions, 2026-01-01T00:00:00+00:00 to ")
    assert tuple(facts.distances) == WALLET.features
    assert facts.high_score == pytest.approx(0.995, abs=0.005)
    assert facts.high_share.mean == pytest.approx(0.005, abs=0.001)
    assert facts.score_rows == len(split.validation) + len(split.test)
    assert facts.nulls["risk_note"].mean == pytest.approx(0.3, abs=0.02)

    amounts = WALLET.amounts(history)
    high = read(tmp_path).amounts
    assert high.share.mean == pytest.approx((amounts >= high.amount).mean(), abs=0.001)
    amounts_of_judged = amounts[np.concatenate([split.validation, split.test])]
    keep_reference(tmp_path, WALLET, history, split, scores, seed=1, has_all_frauds=False)
    high = read(tmp_path).amounts
    assert high.amount == np.quantile(amounts_of_judged, 0.995, method="inverted_cdf")

    scores[split.test] = 1.0 - 1e-12  # calibrated in double precision, which no scorer gives
    sure = keep_reference(tmp_path, WALLET, history, split, scores, seed=1)
    as_scored = below_never(np.float64(np.float32(scores[split.test])))
    assert (as_scored >= sure.high_score).all()

    keep_reference(tmp_path, WALLET, history, split, np.where(scores < 1, scores, 0.9), seed=1)
    write_manifest(tmp_path, manifest_for(WALLET))
    columns = read_reference(tmp_path).columns
    assert columns["amount_minor"].max() <= 1e5
    assert np.median(columns["velocity"]) == pytest.approx(0, abs=0.1)
    assert columns[SCORE].max() < 1
