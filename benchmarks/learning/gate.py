"""The gate's bet: how often it promotes what is no better, and how soon what is.

Two tables. Simulated models of which neither is better, whose frauds share their luck. And models
of other weeks, seeds and sizes on the handbook's days, each pair as champion and challenger, in
several orders of the days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from benchmarks.alarms_handbook import Stream
from benchmarks.learning.gate_pairs import WEEKS, Judged, judged
from benchmarks.learning.gate_rivals import PlainBet
from benchmarks.learning.gate_simulated import EQUAL, Simulated
from benchmarks.learning.kept import Found, Kept
from benchmarks.measure import say, table

from fraudline.measures.fair_bet import DayGains, FairBet

TITLE = "Learning from late labels: the gate"
LAWS: dict[str, Callable[[], Any]] = {"plain bet": PlainBet, "the product's": FairBet}
SIMULATED_RUNS = 300
LOOKS = (300, 1000, 4000)  # frauds
RUNS, MOST_PAIRS = 300, 75  # of each truth: pairs, in as many orders of the days as are needed


@dataclass(frozen=True)
class Truth:
    """How much better a challenger is over all days, from and to; the order of days is left."""

    told: str
    least: float
    most: float


TRUTHS = (
    Truth("worse by over .01", -1.0, -0.01),
    Truth("worse by .002 to .01", -0.01, -0.002),
    Truth("equal, within .002", -0.002, 0.002),
    Truth("better by .002 to .01", 0.002, 0.01),
    Truth("better by .01 to .03", 0.01, 0.03),
    Truth("better by .03 to .04", 0.03, 0.04),
    Truth("better by over .04", 0.04, 1.0),
)


def measure(stream: Stream, recipe: str, seeds: range, kept: Kept) -> list[str]:
    """Both tables; recipe and seeds are not asked for."""
    del recipe, seeds
    said = [
        f"Wealth of 20 promotes, looked at after each day. Simulated, two models of equal noise, "
        f"{SIMULATED_RUNS} runs each, share that was ever promoted; a model shares noise of its "
        "own within twenty kinds of payment, other ones each day:",
        table(
            ("noise that is shared", "days x frauds", *LAWS),
            [_simulated(number, each, kept) for number, each in enumerate(EQUAL)],
        ),
    ]
    for weeks in WEEKS:
        found = judged(stream, weeks, kept)
        truths = _truths(found)
        rows = []
        for truth in TRUTHS:
            pairs = [pair for pair, gain in truths.items() if truth.least < gain <= truth.most]
            mean = np.mean([truths[pair] for pair in pairs]) if pairs else 0.0
            name = f"gate-{weeks.replace(' ', '-')}-{TRUTHS.index(truth)}"
            proved = kept.piece(name, partial(_proved_pairs, found, pairs))
            say(f"{weeks}, {truth.told}: {len(pairs)} pairs")
            rows.append([f"{truth.told} (mean {mean:+.3f})", str(len(pairs)), *_told(proved)])
        frauds = sum(int(labels.sum()) for labels in found.labels)
        said += [
            f"**The handbook, {weeks}**: {found.models} boosted trees of other days, lengths, "
            f"sizes and seeds, {len(found.labels)} days, {frauds:,} frauds. Share promoted by "
            f"{' / '.join(f'{look:,}' for look in LOOKS)} frauds; at most {MOST_PAIRS} pairs of "
            f"each truth, in as many orders of the days as make {RUNS} runs.",
            table(("truth over all days", "pairs", "runs", *LAWS), rows),
        ]
    return said


def _simulated(number: int, world: Simulated, kept: Kept) -> list[str]:
    def compute() -> Found:
        proved: dict[str, list[float]] = {law: [] for law in LAWS}
        for seed in range(SIMULATED_RUNS):
            days = [DayGains.of(*day) for day in world.run(seed)]
            for law, make in LAWS.items():
                proved[law].append(first(make(), days))
        return {law: np.array(each) for law, each in proved.items()}

    found = kept.piece(f"gate-simulated-{number}", compute)
    say(f"simulated, {world.told}")
    shares = (f"{np.isfinite(found[law]).mean():.3f}" for law in LAWS)
    return [world.told, f"{world.days} x {world.frauds}", *shares]


def first(bet: Any, days: Iterable[DayGains]) -> float:
    """After how many frauds the bet proves the challenger; infinity: never."""
    for number, of_day in enumerate(days):
        bet = bet.after_gains(number, of_day)
        if bet.is_proved:
            return float(bet.frauds)
    return float("inf")


def _truths(found: Judged) -> dict[tuple[int, int], float]:
    """Mean gain of a fraud over all days, of each pair."""
    reached = found.average_precisions()
    return {pair: float(reached[pair[1]] - reached[pair[0]]) for pair in found.pairs()}


def _proved_pairs(found: Judged, pairs: list[tuple[int, int]]) -> Found:
    """After how many frauds each run of a pair is proved."""
    random = np.random.default_rng(0)
    proved: dict[str, list[float]] = {law: [] for law in LAWS}
    chosen = random.permutation(len(pairs))[:MOST_PAIRS]
    orders = -(-RUNS // max(len(chosen), 1))
    for number in chosen:
        days = found.days(*pairs[number])
        for _ in range(orders):
            order = random.permutation(len(days))
            for law, make in LAWS.items():
                proved[law].append(first(make(), (days[day] for day in order)))
    return {law: np.array(each) for law, each in proved.items()}


def _told(proved: Found) -> list[str]:
    runs = len(next(iter(proved.values())))
    cells = [
        " / ".join(f"{(proved[law] <= look).mean():.3f}" if runs else "" for look in LOOKS)
        for law in LAWS
    ]
    return [str(runs), *cells]
