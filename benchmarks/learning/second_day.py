"""The creditcard data's second day, hour by hour, with labels that come hours late."""

from __future__ import annotations

from functools import partial

import numpy as np
from benchmarks.learning import told
from benchmarks.learning.follow import LINE
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.quiet import ROADS, seeds_told
from benchmarks.learning.rows import TwoDays
from benchmarks.learning.runs import CHOSEN, run
from benchmarks.learning.streams import Streamed, second_day
from benchmarks.measure import say, table
from sklearn.metrics import average_precision_score

from fraudline.measures.bootstrap import ENDS, RESAMPLES, average_precision_resamples

TITLE = "Learning from late labels: creditcard, the second day"
RETRAINED_EVERY_H = 4


def measure(days: TwoDays, recipe: str, seeds: range, kept: Kept, delay_h: int) -> list[str]:
    """Frozen and each road."""
    make = partial(second_day, days, delay_h)
    found: dict[str, list[Found]] = {road: [] for road in ROADS}
    for seed in seeds:
        for road in ROADS:
            name = f"creditcard+{delay_h}h"
            each = run(name, make, road, recipe, seed, CHOSEN, RETRAINED_EVERY_H, kept, None)
            found[road].append(each)
            say(f"delay {delay_h} h, seed {seed}, {road}")
    streamed = make()
    return [
        f"Recipe `{recipe}`, {seeds_told(seeds)}; the first day is learned, all of its labels are "
        f"known at midnight; of the second day's {len(streamed.labels):,} transactions, "
        f"{int(streamed.labels.sum())} frauds, each label is known {delay_h} h after its "
        "transaction. Roads learn hourly, full retraining every "
        f"{RETRAINED_EVERY_H} hours. Average precision is over the whole day, by scores as they "
        "were learned: calibrated anew each hour, scores of two hours are of two scales. Gains are "
        f"over frozen, the mean over the seeds, with 95 % of {RESAMPLES:,} stratified resamples, "
        "paired. Seconds of the processor, for learning alone.",
        table(
            ("way", "average precision", "gain over frozen", "learning, s"), _rows(streamed, found)
        ),
    ]


def _rows(streamed: Streamed, found: dict[str, list[Found]]) -> list[list[str]]:
    labels = streamed.labels
    scores = [[each["scores"][:, LINE] for each in found[road]] for road in ROADS]
    seeds = len(scores[0])
    resampled = average_precision_resamples(labels, [s for each in scores for s in each])
    means = resampled.reshape(len(ROADS), seeds, -1).mean(axis=1)
    rows = []
    for number, name in enumerate(ROADS):
        reached = [float(average_precision_score(labels, each)) for each in scores[number]]
        base = np.mean([average_precision_score(labels, each) for each in scores[0]])
        low, high = np.percentile(means[number] - means[0], ENDS)
        learn_s = np.mean([each["learn_s"].sum() for each in found[name]])
        rows.append(
            [
                name,
                f"{np.mean(reached):.3f} ({min(reached):.3f} to {max(reached):.3f})",
                told.signed_interval((float(np.mean(reached) - base), low, high)) if number else "",
                f"{learn_s:,.1f}" if number else "",
            ]
        )
    return rows
