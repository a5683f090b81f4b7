"""What a learner is told, tried on weeks of the handbook that judge nothing.

By hand: `make bench-learning ONLY=choose`. What is better is to be written into `runs.py` and into
the defaults of the settings. One thing is changed at a time.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarks.alarms_handbook import Stream
from benchmarks.learning import told
from benchmarks.learning.follow import FIXED, LINE
from benchmarks.learning.kept import Kept
from benchmarks.learning.quiet import seeds_told
from benchmarks.learning.rows import WEEK_DAYS
from benchmarks.learning.runs import CHOSEN, FINE_TUNED, LAST_LAYER, RETRAINED, run
from benchmarks.learning.streams import Streamed, changed, quiet
from benchmarks.measure import say, table

TITLE = "Learning from late labels: other settings"
CHOOSING = "weeks that judge nothing"
WORLDS = ("none", "a1")
TRIED = {
    "fine-tuning, 2,000 frauds, 80 legitimate rows a fraud": (FINE_TUNED, CHOSEN),
    "500 frauds": (FINE_TUNED, replace(CHOSEN, memory=500)),
    "20 legitimate rows a fraud": (FINE_TUNED, replace(CHOSEN, legitimate=20)),
    "the last layer": (LAST_LAYER, CHOSEN),
    "full retraining, weekly": (RETRAINED, CHOSEN),
    "learning rate 1e-3": (FINE_TUNED, replace(CHOSEN, learning_rate=1e-3)),
}


def measure(stream: Stream, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Every try in a world where nothing changes, and in one with a new pattern."""
    rows = []
    for name, (road, choices) in TRIED.items():
        cells = []
        for world in WORLDS:
            make = partial(_world, stream, world)
            found = [
                # Ranks within days are the same whatever the calibration.
                run(f"choose-{world}", make, road, recipe, seed, choices, WEEK_DAYS, kept, None)
                for seed in seeds
            ]
            streamed = make()
            gains = [
                told.by_week(streamed, each["scores"][:, LINE])
                - told.by_week(streamed, each["scores"][:, FIXED])
                for each in found
            ]
            mean = sum(gains) / len(gains)
            cells += [told.signed(float(mean[1:].mean()), 4), told.signed(float(mean[-1]), 4)]
            cells.append(f"{sum(each['learn_s'].sum() for each in found) / len(found):.0f}")
            say(f"{name}, {world}: {cells[-3:]}")
        rows.append([name, *cells])
    heads = [f"{world}: {what}" for world in WORLDS for what in ("mean gain", "last week", "s")]
    return [
        f"Recipe `{recipe}`, {seeds_told(seeds)}, five weeks that judge nothing, without a change "
        "and with a new pattern (a1) in the second. Gain in average precision within days over the "
        "frozen model from the second week on, and in the last; seconds of the processor, in one "
        "thread, for five weeks of learning daily.",
        table(("what is told", *heads), rows),
    ]


def _world(stream: Stream, world: str) -> Streamed:
    return quiet(stream, CHOOSING) if world == "quiet" else changed(stream, CHOOSING, world)
