"""Measures of periods against a slow and obvious reference, and what they must never do."""

from __future__ import annotations

import math
import random
import tracemalloc
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pytest

from fraudline.contract import MEASURE_COLUMNS
from fraudline.measures.prequential import (
    PARTS,
    PeriodMeasures,
    PeriodTally,
    TurnedOut,
    put_together,
)
from fraudline.measures.ranking import rank

DAYS = 0.25


@dataclass(frozen=True)
class Payment:
    """One payment, as the reference sees it."""

    score: float
    code: int
    told: bool | None
    is_open: bool
    delay_s: float | None
    cost: float = 1.0
    approving: float = 2.0
    is_hidden: bool = False


def drawn(chance: random.Random, count: int) -> list[Payment]:
    """Payments with few different scores, so that many are equal."""
    payments = []
    for _ in range(count):
        told = chance.choices([True, False, None], [2, 1, 9])[0]
        payments.append(
            Payment(
                chance.choice([0.0, 0.1, 0.25, 0.5, chance.random(), math.nextafter(1, 0)]),
                chance.randrange(3),
                told,
                told is None and chance.random() < 0.5,
                None if told is None else chance.uniform(-10, 1e6),
                chance.uniform(0, 9),
                chance.uniform(0, 9),
                told is None and chance.random() < 0.2,
            )
        )
    return payments


def arrays(payments: list[Payment]) -> TurnedOut:
    return TurnedOut(
        scores=np.array([each.score for each in payments], np.float64),
        codes=np.array([each.code for each in payments], np.int8),
        is_fraud=np.array([each.told is True for each in payments], np.bool_),
        is_told=np.array([each.told is not None for each in payments], np.bool_),
        is_open=np.array([each.is_open for each in payments], np.bool_),
        delays_s=np.array(
            [math.nan if each.delay_s is None else each.delay_s for each in payments], np.float64
        ),
        is_hidden=np.array([each.is_hidden for each in payments], np.bool_),
        costs=np.array([each.cost for each in payments], np.float64),
        costs_of_approving=np.array([each.approving for each in payments], np.float64),
    )


def measured(
    payments: list[Payment], pieces: int = 1, alerts_a_day: float | None = 40.0
) -> dict[str, PeriodMeasures]:
    size = max(1, -(-len(payments) // pieces))
    cut = [arrays(payments[at : at + size]) for at in range(0, len(payments), size)]
    frauds = [(each.scores[each.is_fraud], each.codes[each.is_fraud]) for each in cut]
    tally = PeriodTally(frauds, alerts_a_day, DAYS)
    for piece in cut:
        tally.add(piece)
    return tally.measure()


def share_above(payments: list[Payment], score: float) -> float:
    above = [each for each in payments if each.score >= score]
    return sum(each.told is True for each in above) / len(above)


def caught_of(payments: list[Payment], alerts: float) -> float:
    """Looks at the highest scores one level after the other, and at a part of the last one."""
    caught, left = 0.0, alerts
    for score in sorted({each.score for each in payments}, reverse=True):
        level = [each for each in payments if each.score == score]
        caught += min(1.0, left / len(level)) * sum(each.told is True for each in level)
        left -= min(left, len(level))
    return caught


def expected(
    payments: list[Payment], alerts_a_day: float = 40.0, days: float = DAYS
) -> dict[str, float | None]:
    """The figures, each as its description says, in no hurry."""
    whole, payments = payments, [each for each in payments if not each.is_hidden]
    frauds = [each for each in payments if each.told is True]
    alerts = min(alerts_a_day * days, len(payments))
    losses = [
        -math.log(max(each.score if each.told is True else 1 - each.score, 2.0**-52))
        for each in payments
    ]
    precisions = [share_above(payments, each.score) for each in frauds]
    return {
        "decisions": len(whole),
        "frauds": len(frauds),
        "legitimate": sum(each.told is False for each in payments),
        "unlabelled": sum(each.told is None for each in whole),
        "immature": sum(each.is_open for each in whole),
        "left_out": len(whole) - len(payments),
        "average_precision": sum(precisions) / len(frauds) if frauds else None,
        "alerts_a_day": alerts_a_day,
        "alerts": alerts,
        "caught": caught_of(payments, alerts),
        "log_loss": sum(losses) / len(payments) if payments else None,
        "expected_frauds": sum(each.score for each in payments),
        "cost": sum(each.cost for each in payments),
        "cost_of_approving": sum(each.approving for each in payments),
        "delay_s_max": max((each.delay_s for each in frauds), default=None),
        "delay_s_p50": float(np.median([each.delay_s for each in frauds])) if frauds else None,
    }


def of_part(payments: list[Payment], part: str) -> list[Payment]:
    return [each for each in payments if each.code in PARTS[part]]


@pytest.mark.parametrize("seed", range(12))
def test_every_figure_is_that_of_the_reference_however_the_payments_are_cut(seed: int) -> None:
    chance = random.Random(seed)
    payments = drawn(chance, chance.choice([1, 2, 30, 300]))
    for pieces in (1, 3, 7):
        chance.shuffle(payments)
        found = measured(payments, pieces)
        assert list(found) == list(PARTS)
        for part, measures in found.items():
            for name, wanted in expected(of_part(payments, part)).items():
                got = getattr(measures, name)
                assert (got is None) == (wanted is None), (part, name)
                assert wanted is None or got == pytest.approx(wanted, abs=1e-9), (part, name)


def test_average_precision_is_that_of_a_whole_ranking(scored: tuple) -> None:
    labels, scores = scored
    payments = [
        Payment(float(score), 0, bool(label), False, 1.0)
        for label, score in zip(labels, scores, strict=True)
    ]
    found = measured(payments, pieces=11)["all"]
    assert found.average_precision == pytest.approx(rank(labels, scores).average_precision)


def test_what_is_not_known_is_none_and_no_figure() -> None:
    nobody = measured([])["all"]
    assert (nobody.decisions, nobody.average_precision, nobody.log_loss) == (0, None, None)
    assert (nobody.precision, nobody.recall, nobody.immature_share) == (None, None, 0.0)
    payments = [Payment(0.5, 0, None, True, None), Payment(0.9, 2, True, False, 5.0)]
    priceless = replace(payments[0], cost=math.nan, approving=math.nan)
    parts = measured([priceless, payments[1]], alerts_a_day=None)
    assert (parts["all"].cost, parts["all"].saved, parts["all"].caught) == (None, None, None)
    assert parts["blocked"].saved == 1.0
    assert parts["approved"].delay_s_p50 is None


def test_a_score_on_another_scale_in_one_period_does_not_weigh_on_another() -> None:
    """Pooled into one ranking, the second period's scores would stand before all of the first."""
    first = [Payment(score / 100, 0, score >= 8, False, 1.0) for score in range(10)]
    second = [replace(each, score=each.score * 9) for each in first]
    alone = [measured(each)["all"] for each in (first, second)]
    together = put_together(alone)
    assert together.average_precision == 1.0
    pooled = measured([*first, *second])["all"].average_precision
    assert pooled is not None
    assert pooled < 0.8


@pytest.mark.parametrize("seed", range(4))
def test_periods_put_together_are_the_sums_and_the_means_over_frauds_and_payments(
    seed: int,
) -> None:
    chance = random.Random(seed)
    periods = [drawn(chance, count) for count in (40, 0, 7, 1)]
    together = put_together([measured(each)["all"] for each in periods])
    wanted = [expected(each) for each in periods]
    frauds = [sum(each.told is True for each in period) for period in periods]
    precisions = [
        share_above([one for one in period if not one.is_hidden], each.score)
        for period in periods
        for each in period
        if each.told
    ]
    assert together.average_precision == pytest.approx(sum(precisions) / sum(frauds))
    counts = ("decisions", "frauds", "immature", "left_out")
    for name in (*counts, "alerts", "caught", "cost", "expected_frauds"):
        total = sum(each[name] for each in wanted)
        assert getattr(together, name) == pytest.approx(total), name
    ranked = [each["decisions"] - each["left_out"] for each in wanted]
    losses = sum(each["log_loss"] * rows for each, rows in zip(wanted, ranked, strict=True) if rows)
    assert together.log_loss == pytest.approx(losses / sum(ranked))
    assert together.delay_s_p50 is None


def test_payments_are_counted_and_not_kept() -> None:
    """Ten times the payments take the memory of their frauds, and of nothing else."""
    random_scores = np.random.default_rng(1).random((40, 20_000))
    piece = arrays([Payment(0.5, 0, None, True, None)] * 20_000)
    tally = PeriodTally([], 100.0, 1.0)
    held = []
    tracemalloc.start()
    for scores in random_scores:
        tally.add(replace(piece, scores=scores))
        held.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert held[-1] - held[3] < 30_000
    assert tally.measure()["all"].decisions == 800_000


def test_the_table_has_a_column_for_each_figure_and_for_what_it_is_of() -> None:
    figures = [field.name for field in fields(PeriodMeasures)]
    columns = [column.name for column in MEASURE_COLUMNS]
    assert columns == ["as_of", "look", "part", "model_versions", "maturity_days", *figures]
    nullable = {column.name for column in MEASURE_COLUMNS if column.is_nullable}
    nothing = asdict(measured([], alerts_a_day=None)["all"])
    assert {name for name, value in nothing.items() if value is None} <= nullable
