"""How soon an alarm comes before labels do, and how often for nothing: `make bench-alarms`.

On the creditcard data's two days, and on the Fraud Detection Handbook's where its raw transactions
are at hand. What is measured is what `fraudline learn` runs: the reference that `train` keeps, and
the detectors of `fraudline.measures`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
from benchmarks.alarms_handbook import (
    AMOUNT,
    QUIET_DAYS,
    REFERENCE_DAYS,
    WEEKS,
    Stream,
    read_stream,
    times,
)
from benchmarks.alarms_rivals import rivals
from benchmarks.alarms_watch import (
    Champion,
    Seen,
    amount_alarms,
    columns_that_alarm,
    first,
    look,
    score_alarms,
    trained,
)
from benchmarks.measure import say, spread, table
from benchmarks.results import measured

from fraudline import datasets
from fraudline.bundle.reference import watched_values
from fraudline.contract import load_contract
from fraudline.datasets.files import read_transactions
from fraudline.training.reference_file import BLOCK_ROWS

SEEDS = range(1)
FACTORS = (4.0, 1.2, 1.1, 1.05)
# Days after which a change begins, in the days that are watched, and how long it is looked for.
STARTS = range(0, QUIET_DAYS - 13, 6)
PATIENCE_DAYS = 14
DAY_S = 86400.0

# By columns, by scores, by amounts, by any of them: days until a change is found, for each of
# `STARTS`.
Outcome = list[tuple[int | None, int | None, int | None, int | None]]


def main() -> None:
    """Print the tables, and keep them in `RESULTS.md`."""
    parser = argparse.ArgumentParser(prog="make bench-alarms", description=__doc__)
    parser.add_argument("--handbook", type=Path, help="Parquet file of its raw transactions")
    raw = parser.parse_args().handbook
    measured("Alarms before labels: creditcard", "make bench-alarms", creditcard)
    if raw is None:
        say("for the handbook's days: make bench-alarms HANDBOOK=FILE, a file as bench-model takes")
    else:
        measured(
            "Alarms before labels: the handbook's days",
            f"make bench-alarms HANDBOOK={raw.name}",
            lambda: handbook(raw),
        )


def handbook(raw: Path) -> list[str]:
    """False alarms of quiet weeks, and how soon changes are found."""
    stream = read_stream(raw)
    said = [
        f"{REFERENCE_DAYS} days train each champion (recipe `mlp`, seed 0) and are its "
        f"reference; {QUIET_DAYS} days are watched. A factor is put on `{AMOUNT}` alone. A new "
        "pattern is scenario 3 of the simulation, which the champion and the days before have not "
        f"seen; `rate x 3` has one in three frauds until then. Changes begin after "
        f"{', '.join(map(str, STARTS))} of the days, and are looked for over {PATIENCE_DAYS}. "
        "Days until found, 1 is the first: median (least to most)."
    ]
    for name, (begin, watched) in WEEKS.items():
        said += [f"**The {name}**, watched from day {watched} of the data:"]
        said += [_weeks(stream, begin, watched)]
    said += ["Other ways to watch the columns, in the same weeks that judge:", _rivals(stream)]
    return said


def _rivals(stream: Stream) -> str:
    """False alarms of other statistics, and on how many days they find a factor at once."""
    begin, watched = WEEKS["weeks that judge"]
    values = partial(watched_values, stream.contract)
    reference = [
        values(stream.between(day, day + 1)) for day in range(begin, begin + REFERENCE_DAYS)
    ]
    weekend = stream.contract.features.index("TX_DURING_WEEKEND")
    found = rivals(reference, [weekend])
    days = stream.each_day(watched)
    rows: dict[str, list[str]] = {
        name: [name, f"{rival.threshold:.3g}"] for name, rival in found.items()
    }
    for factor in (1.0, *FACTORS):
        changed = [values(times(day, factor)) for day in days]
        for name, rival in found.items():
            alarms = sum(rival.statistic(day) >= rival.threshold for day in changed)
            rows[name].append(f"{alarms} of {QUIET_DAYS}")
    head = ("statistic", "alarms at", "nothing", *(f"x {factor:g}" for factor in FACTORS))
    return table(head, rows.values())


def _weeks(stream: Stream, begin: int, watched: int) -> str:
    learned = begin, begin + REFERENCE_DAYS
    worlds = {
        "none": None,
        "a new pattern": stream.is_known_pattern,
        "rate x 3": stream.is_at_low_rate,
    }
    everything = stream.each_day(watched)
    rows, false = [], {}
    for world, kept in worlds.items():
        before = everything if kept is None else stream.each_day(watched, kept)
        changes = (
            {world: everything}
            if kept is not None
            else {
                f"`{AMOUNT}` x {factor:g}": [times(day, factor) for day in everything]
                for factor in FACTORS
            }
        )
        outcomes: dict[str, list[Outcome]] = {change: [] for change in changes}
        false[world] = []
        for seed in SEEDS:
            champion = trained(stream.between(*learned, kept), stream.contract, seed)
            quiet = Watched.of(champion, before)
            false[world].append(quiet)
            for change, days in changes.items():
                outcomes[change].append(found_in(quiet, Watched.of(champion, days)))
            say(f"{world}, seed {seed}: {quiet.false_alarms()}")
        rows += [[change, *_told(each)] for change, each in outcomes.items()]
    for world, quiet in false.items():
        named = "nothing" if world == "none" else f"nothing, before {world}"
        counts = zip(*(each.false_alarms() for each in quiet), strict=True)
        rows.append([f"{named}: days with an alarm", *(spread(each) for each in counts)])
    return table(("change", "columns", "scores", "amounts", "any"), rows)


def _told(outcomes: Sequence[Outcome]) -> list[str]:
    """Days until found, by columns, scores, amounts and any of them; how often not at all."""
    cells = []
    for at in range(4):
        delays = [delays[at] for outcome in outcomes for delays in outcome]
        found = [delay for delay in delays if delay is not None]
        missed = f", not in {len(delays) - len(found)} of {len(delays)}"
        told = spread(found) if found else "not found"
        cells.append(told + (missed if found and len(found) < len(delays) else ""))
    return cells


@dataclass(frozen=True)
class Watched:
    """Days as a champion's detectors see them.

    Attributes:
        champion: Whose.
        days: What they see.
        columns: The columns that alarm, day by day.
    """

    champion: Champion
    days: list[Seen]
    columns: list[list[str]]

    @classmethod
    def of(cls, champion: Champion, days: Sequence[pa.Table]) -> Watched:
        """Look at each day."""
        seen = [look(champion, day, number) for number, day in enumerate(days)]
        columns = [[each.name for each in columns_that_alarm(champion, day)] for day in seen]
        return cls(champion, seen, columns)

    def false_alarms(self) -> tuple[int, int, int, int]:
        """Days on which columns, scores, amounts, and any of them alarm."""
        columns = [bool(each) for each in self.columns]
        scores = score_alarms(self.champion, self.days)
        amounts = amount_alarms(self.champion, self.days)
        either = [any(each) for each in zip(columns, scores, amounts, strict=True)]
        return sum(columns), sum(scores), sum(amounts), sum(either)


def found_in(quiet: Watched, changed: Watched) -> Outcome:
    """Days until a change is found, for each day that it begins with."""
    outcome = []
    for start in STARTS:
        end = start + PATIENCE_DAYS
        columns = first([bool(each) for each in changed.columns[start:end]])
        days = [*quiet.days[:start], *changed.days[start:end]]
        scores = first(score_alarms(quiet.champion, days)[start:])
        amounts = first(amount_alarms(quiet.champion, days)[start:])
        soonest = min((each for each in (columns, scores, amounts) if each), default=None)
        outcome.append((columns, scores, amounts, soonest))
    return outcome


def creditcard() -> list[str]:
    """The second day, in blocks, by a champion of the first; and with a change in it."""
    contract = load_contract("creditcard")
    path = datasets.fetch(datasets.find("creditcard"), datasets.user_cache(), lambda *_: None)
    rows = read_transactions(path, contract).rows.sort_by(contract.event_time)
    is_first = contract.event_seconds(rows) < DAY_S
    learned, later = rows.filter(pa.array(is_first)), rows.filter(pa.array(~is_first))
    blocks = [
        later.slice(start, BLOCK_ROWS)
        for start in range(0, later.num_rows - BLOCK_ROWS // 2, BLOCK_ROWS)
    ]
    champion = trained(learned, contract, seed=0)
    facts = champion.reference.facts
    at = contract.amount
    lines = []
    for change, factor in (("nothing", 1.0), ("x 1.05", 1.05), ("x 1.2", 1.2), ("x 4", 4.0)):
        changed = [times(block, factor, [at]) for block in blocks]
        watched = Watched.of(champion, changed)
        named = Counter(name for names in watched.columns for name in names)
        others = sum(count for name, count in named.items() if name != at)
        scores = sum(score_alarms(champion, watched.days))
        lines.append(
            [f"`{at}` {change}", str(named[at]), f"{others / len(blocks):.1f}", str(scores)]
        )
        if factor == 1:
            alarming = ", ".join(f"{name} in {count}" for name, count in named.most_common())
    unlike = sorted(facts.distances.items(), key=lambda each: -each[1].mean)[:4]
    usual = ", ".join(f"{column} {each.mean:.1f}" for column, each in unlike)
    return [
        f"The first day trains (recipe `mlp`, seed 0) and is the reference: {facts}. The second "
        f"is watched in {len(blocks)} blocks of {BLOCK_ROWS:,}. Blocks of one day differ by "
        "themselves, with the hour: mean scaled distance from the others, where chance alone "
        f"gives .9: {usual}. So do the two days: alarms without any change are {alarming}, of "
        f"{len(blocks)} blocks.",
        table(
            ("change", f"blocks in which `{at}` alarms", "other columns a block", "blocks: scores"),
            lines,
        ),
    ]


if __name__ == "__main__":
    main()
