"""Eight weeks of the handbook in which nothing changes: what learning gains, and what it takes."""

from __future__ import annotations

from functools import partial

import numpy as np
from benchmarks.alarms_handbook import Stream
from benchmarks.learning import told
from benchmarks.learning.follow import CHAMPION, FIXED, LINE
from benchmarks.learning.follow import FROZEN as RECALIBRATED
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.rows import DELAY_DAYS, WEEK_DAYS
from benchmarks.learning.runs import (
    CHOSEN,
    FINE_TUNED,
    FROZEN,
    LAST_LAYER,
    RETRAINED,
    run,
)
from benchmarks.learning.streams import Streamed, quiet
from benchmarks.measure import say, table

TITLE = "Learning from late labels: eight quiet weeks of the handbook"
JUDGED = "weeks that judge"
ROADS = (FROZEN, FINE_TUNED, LAST_LAYER, RETRAINED)


def measure(stream: Stream, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Frozen and each road, week by week."""
    make = partial(quiet, stream, JUDGED)
    found: dict[str, list[Found]] = {road: [] for road in ROADS}
    for seed in seeds:
        for road in ROADS:
            each = run("quiet-judge", make, road, recipe, seed, CHOSEN, WEEK_DAYS, kept)
            found[road].append(each)
            say(f"seed {seed}, {road}")
    return said(make(), found, recipe, seeds)


def said(streamed: Streamed, found: dict[str, list[Found]], recipe: str, seeds: range) -> list[str]:
    """The section's paragraphs and tables."""
    ways = {
        "frozen": (FROZEN, FIXED),
        "frozen, calibrated daily": (FROZEN, RECALIBRATED),
        **{road: (road, LINE) for road in ROADS[1:]},
        "the champion: fine-tuning, if the gate says so": (FINE_TUNED, CHAMPION),
    }
    frozen = [each["scores"][:, FIXED] for each in found[FROZEN]]
    first = np.mean([told.by_week(streamed, each) for each in frozen], axis=0)
    dear = np.mean([told.costs_by_week(streamed, each) for each in frozen])
    retrained_s = np.mean([each["learn_s"].sum() for each in found[RETRAINED]])
    rows, weeks = [], []
    for name, (road, way) in ways.items():
        scores = [each["scores"][:, way] for each in found[road]]
        weekly = np.mean([told.by_week(streamed, each) for each in scores], axis=0)
        cost = np.mean([told.costs_by_week(streamed, each) for each in scores])
        learn_s = np.mean([each["learn_s"].sum() for each in found[road]])
        is_learned = road != FROZEN
        rows.append(
            [
                name,
                f"{weekly.mean():.4f}",
                told.signed_interval(told.gain_interval(streamed, frozen, scores))
                if name != "frozen"
                else "",
                told.signed((weekly - first).min()) if name != "frozen" else "",
                f"{cost:,.0f}",
                f"{cost / dear - 1:+.1%}" if name != "frozen" else "",
                f"{learn_s:,.0f}" if is_learned and way == LINE else "",
                f"{learn_s / retrained_s:.3f}" if is_learned and way == LINE else "",
            ]
        )
        weeks.append([name, *(f"{value:.3f}" for value in weekly)])
    promoted = sum(len(each["promoted"]) for each in found[FINE_TUNED])
    rows_scored, frauds = len(streamed.labels), int(streamed.labels.sum())
    return [
        f"Recipe `{recipe}`, {seeds_told(seeds)}; {rows_scored:,} transactions, {frauds:,} frauds, "
        f"a day's labels known {DELAY_DAYS} days after it began. The first champion learned the 28 "
        "days that were known. Roads learn daily, full retraining weekly from all that is known. "
        "Average precision is within days, the mean over a week's frauds, then over weeks; the "
        "interval holds 95 % of resamples of days. Cost a day by the policy without a cap of "
        f"reviews; approving everything costs {told.cost_of_approving(streamed):,.0f}. Seconds of "
        f"the processor, in one thread, for learning alone. The gate promoted {promoted} times.",
        table(
            (
                "way",
                "AP, mean of weeks",
                "gain over frozen",
                "least week's gain",
                "cost a day",
                "beside frozen",
                "learning, s",
                "of full retraining",
            ),
            rows,
        ),
        table(("AP by week", *(str(week + 1) for week in range(len(first)))), weeks),
    ]


def seeds_told(seeds: range) -> str:
    """Which seeds, in words."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
