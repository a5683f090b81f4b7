"""A share is widened on what was judged since it was given, and on nothing else."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from fraudline.contract import Period
from fraudline.use_cases.widening_rule import (
    LEAST_FRAUDS,
    SHARES,
    AtShare,
    PeriodOfRollout,
    at_share,
    next_step,
    what_is_next,
)

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def judged(**changes: float) -> AtShare:
    content = {"share": 0.05, "wealth": 1.5, "wealth_then": 1.2, "frauds": LEAST_FRAUDS}
    return AtShare(**{**content, **changes})


@pytest.mark.parametrize(
    ("found", "missing", "is_proved", "what", "why"),
    [
        (judged(), [], False, ("widen", 0.2), "wealth 1.50, 1.20 when it was given 5 %"),
        (judged(share=0.1), [], False, ("widen", 0.2), "given 10 %"),
        (judged(wealth=1.2), [], False, ("widen", 0.2), "wealth 1.20"),
        (judged(wealth=1.19), [], True, ("wait", None), "the wealth fell"),
        (judged(), ["cost", "reasons"], True, ("wait", None), "not met: cost, reasons"),
        (judged(frauds=LEAST_FRAUDS - 1), [], True, ("wait", None), "19 frauds judged of periods"),
        (judged(share=0.5), [], False, ("wait", None), "all of them needs the gate's proof"),
        (judged(share=0.5), [], True, ("promote", None), "wealth 1.50"),
        (judged(share=0.2), [], True, ("widen", 0.5), "wealth 1.50"),
    ],
)
def test_one_step_follows_from_what_was_judged(found, missing, is_proved, what, why):
    step = next_step(found, missing, is_proved=is_proved, is_worse=False)
    assert (step.what, step.share) == what
    assert why in step.why


def test_what_is_proved_worse_is_ended_whatever_else_was_found():
    step = next_step(judged(frauds=0), ["cost"], is_proved=False, is_worse=True)
    assert (step.what, step.share) == ("end", None)
    assert "the champion is proved to rank better" in step.why


def test_people_are_told_what_a_rollout_waits_for():
    assert what_is_next(0.05, START).startswith("20 % once 20 frauds of periods that began after")
    assert what_is_next(0.5, START).startswith("all once")
    assert "the gate's proof is there" in what_is_next(0.5, START)


def test_no_share_is_widened_on_what_the_wealth_does_not_cover():
    """Whatever the maturity, the frauds of a day, the path of the wealth, and how late one looks.

    Before each step the version must have had its share for whole periods that are mature by then,
    with the least number of frauds in them, and the wealth as of then must not be below that of
    the step before.
    """
    widened = 0
    for seed in range(300):
        chance = random.Random(seed)
        maturity = chance.uniform(0, 9) * DAY
        began = START + chance.uniform(0, 1) * DAY
        path, wealth, frauds = [], 1.0, 0
        for number in range(1, 60):
            day = Period(START + number * DAY, START + (number + 1) * DAY)
            of_day = chance.choice([0, 3, 12, 40])
            wealth *= chance.uniform(0.85, 1.25) if of_day else 1.0
            frauds += of_day
            path.append((PeriodOfRollout(day, wealth, frauds), of_day))
        share, widened_at, wealth_then, now = 0.01, began, 1.0, began
        while now < START + 70 * DAY:
            now += chance.choice([0.3, 1.0, 1.0, 4.0]) * DAY
            mature = [each for each, _ in path if each.period.end + maturity <= now]
            found = at_share(share, widened_at, mature, maturity)
            step = next_step(found, [], is_proved=False, is_worse=False)
            if step.what == "wait":
                continue
            assert step.what == "widen"
            assert step.share is not None
            covered = sum(
                of_day
                for each, of_day in path
                if each.period.start >= widened_at and each.period.end + maturity <= now
            )
            assert covered >= LEAST_FRAUDS
            assert mature[-1].wealth >= wealth_then
            assert share < step.share <= SHARES[-1]
            share, widened_at, wealth_then = step.share, now, mature[-1].wealth
            widened += 1
    assert widened > 300, "too little was widened to prove anything"
