"""Run benchmarks and keep what they found: `make bench`, or `make bench ONLY=model`."""

from __future__ import annotations

import datetime as dt
import importlib
import subprocess
import sys
import time

from benchmarks.measure import machine
from benchmarks.place import SAMPLE, opened
from benchmarks.results import keep

BENCHES = ("model", "scorer", "reasons", "latency", "sink", "scaling", "start")


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
            f"{time.monotonic() - begun:.0f} s, at commit {_commit()}. {where}."
        )
        section = "\n\n".join([title, how, *said])
        print(f"\n{section}\n", flush=True)
        keep(section)


def _commit() -> str:
    asked = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(asked, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main(sys.argv[1:])
