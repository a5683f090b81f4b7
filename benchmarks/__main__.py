"""Run benchmarks and keep what they found: `make bench`, or `make bench ONLY=model`."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import sys
import time
from pathlib import Path

from benchmarks.measure import machine
from benchmarks.place import SAMPLE, opened

RESULTS = Path(__file__).parent / "RESULTS.md"
BENCHES = ("model", "scorer", "latency", "sink", "scaling", "start")
_INTRODUCTION = """# Results

Each section is written by the command in it, which replaces that section and no other. What is
compared took turns in the same run. Machines differ, and so do their busy moments: trust the
ratios, and measure on yours."""


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all but the soak."""
    unknown = set(names) - set(BENCHES) - {"soak"}
    if unknown:
        sys.exit(f"no benchmark '{', '.join(unknown)}'; there are {', '.join(BENCHES)} and soak")
    for name in names or BENCHES:
        bench = importlib.import_module(f"benchmarks.{name}")
        print(f"{bench.TITLE}", flush=True)
        where, began_at, begun = machine(), dt.datetime.now(dt.UTC), time.monotonic()
        with opened() as place:
            place.run("load", str(SAMPLE))
            said = bench.measure(place)
        title = f"## {bench.TITLE}"
        how = (
            f"`make bench ONLY={name}`, {began_at:%Y-%m-%d %H:%M} UTC, "
            f"{time.monotonic() - begun:.0f} s. {where}."
        )
        section = "\n\n".join([title, how, *said])
        print(f"\n{section}\n", flush=True)
        RESULTS.write_text(_with(section, RESULTS.read_text() if RESULTS.exists() else ""))


def _with(section: str, results: str) -> str:
    """The results with a section put in the place of the one with the same title."""
    sections = {
        found.partition("\n")[0]: found.strip()
        for found in [*re.split(r"^(?=## )", results, flags=re.MULTILINE)[1:], section]
    }
    return "\n\n".join([_INTRODUCTION, *sections.values()]) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
