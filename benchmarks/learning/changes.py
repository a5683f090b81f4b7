"""Changes put into the handbook's days: how soon learning is worth something, and is promoted."""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import partial

import numpy as np
from benchmarks.alarms_handbook import Stream
from benchmarks.learning import told
from benchmarks.learning.follow import CHAMPION, FIXED, GATED, LINE
from benchmarks.learning.follow import FROZEN as RECALIBRATED
from benchmarks.learning.kept import Found, Kept
from benchmarks.learning.quiet import ROADS, seeds_told
from benchmarks.learning.rows import WEEK_DAYS
from benchmarks.learning.runs import CHOSEN, FINE_TUNED, FROZEN, RETRAINED, run
from benchmarks.learning.streams import (
    CHANGE_AFTER,
    CHANGES,
    Streamed,
    changed,
)
from benchmarks.measure import say, table

TITLE = "Learning from late labels: changes put into the handbook's days"
JUDGED = "weeks that judge"
QUIET = "none"
_WEEKS = ("week 1", "week 2", "week 3", "week 4")
RETRAINED_DAYS = 28.0  # what was before a change is soon forgotten


def measure(stream: Stream, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Each change, frozen and by each road."""
    said = []
    without = _runs(stream, QUIET, (FROZEN,), recipe, seeds, kept)
    plain = changed(stream, JUDGED, QUIET)
    usual = _costs(plain, without[FROZEN], RECALIBRATED)[1:].mean()
    for change, words in CHANGES.items():
        found = _runs(stream, change, ROADS, recipe, seeds, kept)
        said += [f"**{change}**: {words}.", _one(changed(stream, JUDGED, change), found, change)]
    return [
        f"Recipe `{recipe}`, {seeds_told(seeds)}. The change comes a week after the first day that "
        "is scored, and each day's labels are known eight days after it began: no change can be "
        "learned in its first week. Full retraining is weekly, on the last "
        f"{RETRAINED_DAYS:g} days that are known. Average precision is within days, the mean over "
        "a week's frauds. In brackets: the share of what the best learner of that change gains "
        "over frozen in the fourth week. Promotion: days from the change until the gate proves the "
        "line of daily updates better, and until it promotes the first calibration. As "
        "`fraudline learn` does, it judges a day by the version that was newest as the day began, "
        "so what was learned of a change is promoted on day 16, two delays, at the earliest. Costs "
        "are a day's by the policy without a cap; it is told the amounts as they come, and true "
        f"ones are lost. A quiet week costs {usual:,.0f} a day.",
        *said,
    ]


def _runs(
    stream: Stream, change: str, roads: tuple[str, ...], recipe: str, seeds: range, kept: Kept
) -> dict[str, list[Found]]:
    found: dict[str, list[Found]] = {road: [] for road in roads}
    for seed in seeds:
        for road in roads:
            found[road].append(follow_change(stream, change, road, recipe, seed, kept))
            say(f"{change}, seed {seed}, {road}")
    return found


def follow_change(
    stream: Stream, change: str, road: str, recipe: str, seed: int, kept: Kept
) -> Found:
    """One road through one change."""
    # What begins alike, begins with the same champion.
    name = f"change-judge{'+' if change in {QUIET, 'x4'} else '-'}{change}"
    make = partial(changed, stream, JUDGED, change)
    choices = replace(CHOSEN, window=RETRAINED_DAYS) if road == RETRAINED else CHOSEN
    return run(name, make, road, recipe, seed, choices, WEEK_DAYS, kept)


def _one(streamed: Streamed, found: dict[str, list[Found]], change: str) -> str:
    weekly = {
        road: np.mean(
            [told.by_week(streamed, each["scores"][:, LINE]) for each in found[road]], axis=0
        )
        for road in ROADS
    }
    frozen = weekly[FROZEN]
    best = max((weekly[road] - frozen)[-1] for road in ROADS)
    ways = {
        "frozen": (FROZEN, FIXED),
        "frozen, calibrated daily": (FROZEN, RECALIBRATED),
        "frozen, calibrated by its gate": (FROZEN, GATED),
        **{road: (road, LINE) for road in ROADS[1:]},
        "the champion: fine-tuning, by both gates": (FINE_TUNED, CHAMPION),
    }
    rows = []
    for name, (road, way) in ways.items():
        scores = [each["scores"][:, way] for each in found[road]]
        reached = np.mean([told.by_week(streamed, each) for each in scores], axis=0)
        shares = (reached - frozen) / best if best > 0 else np.zeros_like(reached)
        cells = [f"{reached[0]:.3f}"] + [
            f"{value:.3f}" + (f" ({share:.0%})" if road != FROZEN else "")
            for value, share in zip(reached[1:], shares[1:], strict=True)
        ]
        costs = " / ".join(f"{value:,.0f}" for value in _costs(streamed, found[road], way)[1:])
        rows.append([name, *cells, costs, _promoted_by(found[road], way)])
    return table(
        (change, "before", *_WEEKS, "cost a day by week", "promoted"),
        rows,
    )


def _costs(streamed: Streamed, found: list[Found], way: int) -> np.ndarray:
    costs = [told.costs_by_week(streamed, each["scores"][:, way]) for each in found]
    return np.asarray(np.mean(costs, axis=0))


def _promoted_by(found: list[Found], way: int) -> str:
    """What the gate of a way promoted, if it has one."""
    return (
        _promoted(found, {LINE: "promoted", GATED: "calibrated"}[way])
        if way in {LINE, GATED}
        else ""
    )


def _promoted(found: list[Found], by: str) -> str:
    """Days from the change until the first promotion, the median over seeds."""
    firsts = [_first(each[by]) for each in found]
    if all(each == np.inf for each in firsts):
        return "never"
    median = statistics.median(firsts)
    before = sum(int((each[by] < CHANGE_AFTER).sum()) for each in found)
    return (f"day {median:g}" if np.isfinite(median) else "seldom") + (
        f"; {before} before the change" if before else ""
    )


def _first(promoted: np.ndarray) -> float:
    after = promoted[promoted >= CHANGE_AFTER]
    return float(after[0] - CHANGE_AFTER) if len(after) else np.inf
