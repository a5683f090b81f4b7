"""The creditcard data's second day, hour by hour, with labels that come hours late."""

from __future__ import annotations

from functools import partial

import numpy as np
from benchmarks.learning import told
from benchmarks.learning.follow import FIXED, LINE
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.quiet import ROADS, seeds_told
from benchmarks.learning.rows import TwoDays
from benchmarks.learning.runs import CHOSEN, FROZEN, ONE_IN, of_all, run
from benchmarks.learning.streams import Streamed, second_day
from benchmarks.measure import say, table
from sklearn.metrics import average_precision_score

from fraudline.measures.bootstrap import ENDS, RESAMPLES, average_precision_resamples

TITLE = "Learning from late labels: creditcard, the second day"
DELAYS_H = (1, 6, 12)
RETRAINED_EVERY_H = 4
# What learning has to gain over frozen, by hours of delay.
FLOORS = {1: 0.012, 6: 0.006, 12: -0.002}


def measure(days: TwoDays, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Frozen and each road, for each delay."""
    rows = []
    for delay in DELAYS_H:
        make = partial(second_day, days, delay)
        found: dict[str, list[Found]] = {road: [] for road in ROADS}
        for seed in seeds:
            for road in ROADS:
                name = f"creditcard+{delay}h"
                each = run(name, make, road, recipe, seed, CHOSEN, RETRAINED_EVERY_H, kept, of_all)
                found[road].append(each)
                say(f"delay {delay} h, seed {seed}, {road}")
        rows += _rows(make(), found, delay)
    streamed = second_day(days, 1)
    return [
        f"Recipe `{recipe}`, {seeds_told(seeds)}; the first day is learned, all of its labels are "
        f"known at midnight; of the second day's {len(streamed.labels):,} transactions, "
        f"{int(streamed.labels.sum())} frauds, each label is known so many hours after its "
        "transaction. Roads learn hourly, full retraining every "
        f"{RETRAINED_EVERY_H} hours. Average precision is over the whole day, by scores calibrated "
        f"hourly on all known frauds and one in {ONE_IN} legitimate transactions, so that they are "
        f"of one scale, but for `frozen`. Gains are over frozen, the mean over the seeds, with "
        f"95 % of {RESAMPLES:,} stratified resamples, paired.",
        table(
            ("way", "labels after", "average precision", "gain over frozen", "learning, s"), rows
        ),
    ]


def _rows(streamed: Streamed, found: dict[str, list[Found]], delay: int) -> list[list[str]]:
    labels = streamed.labels
    ways = [(FROZEN, FIXED), *((road, LINE) for road in ROADS)]
    names = ["frozen", "frozen, calibrated hourly", *ROADS[1:]]
    scores = [[each["scores"][:, way] for each in found[road]] for road, way in ways]
    seeds = len(scores[0])
    resampled = average_precision_resamples(labels, [s for each in scores for s in each])
    means = resampled.reshape(len(ways), seeds, -1).mean(axis=1)
    rows = []
    for number, name in enumerate(names):
        reached = [float(average_precision_score(labels, each)) for each in scores[number]]
        base = np.mean([average_precision_score(labels, each) for each in scores[0]])
        low, high = np.percentile(means[number] - means[0], ENDS)
        learn_s = np.mean([each["learn_s"].sum() for each in found[ways[number][0]]])
        rows.append(
            [
                name,
                f"{delay} h",
                f"{np.mean(reached):.3f} ({min(reached):.3f} to {max(reached):.3f})",
                told.signed_interval((float(np.mean(reached) - base), low, high)) if number else "",
                f"{learn_s:,.1f}" if number > 1 else "",
            ]
        )
    return rows
