"""What every benchmark shares: taking turns, median and spread, tables, the machine.

A figure is only worth something beside its baseline, measured in the same run on the same
machine. Contenders therefore take turns (A B A B …), so that whatever else the machine does
falls on all of them, and a median is told with the least and the most that was seen.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

Figure = TypeVar("Figure")


def take_turns(
    contenders: Mapping[str, Callable[[], Figure]], rounds: int
) -> dict[str, list[Figure]]:
    """Measure each contender once a round, in order, and keep every figure."""
    figures: dict[str, list[Figure]] = {name: [] for name in contenders}
    for turn in range(1, rounds + 1):
        for name, measure in contenders.items():
            figures[name].append(measure())
            say(f"round {turn} of {rounds}, {name}: {figures[name][-1]}")
    return figures


def cpu_seconds_a_call(call: Callable[[], object], at_least_s: float = 0.12) -> float:
    """Mean processor time of a call, all threads, after one call that does not count.

    On an idle machine a call of one thread takes just as long; on a busy one the time during
    which others have the core is not in it.
    """
    call()
    calls, begun_at = 0, time.process_time()
    while (passed_s := time.process_time() - begun_at) < at_least_s:
        call()
        calls += 1
    return passed_s / calls


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def spread(values: Sequence[float], digits: int = 0) -> str:
    """The median, and in brackets the least and the most."""
    low, high = min(values), max(values)
    return f"{median(values):,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """The median over the rounds of one figure's ratio to another of the same round.

    A machine that is slow for a while is slow for both: the ratio stands where figures move.
    """
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return f"{share:.0%}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def say(sentence: str) -> None:
    """Tell a person who waits."""
    print(f"  {sentence}", flush=True)


def machine() -> str:
    """The machine and how busy it is, in one line."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{models[0]}, {len(os.sched_getaffinity(0))} cores, {memory_gib:.0f} GiB, "
        f"{platform.system()} {platform.release().partition('-')[0]}, "
        f"Python {platform.python_version()}; load at start {load}"
    )
