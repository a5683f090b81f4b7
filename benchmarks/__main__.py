"""Run benchmarks and keep what they found: `make bench`, or `make bench ONLY=model`."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from benchmarks.place import SAMPLE, opened
from benchmarks.results import measured

BENCHES = (
    *("model", "scorer", "wide", "reasons", "latency", "sink", "scaling", "start", "proof"),
    *("swap", "forms", "api"),
)


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all but the soak."""
    unknown = set(names) - set(BENCHES) - {"soak"}
    if unknown:
        sys.exit(f"no benchmark '{', '.join(unknown)}'; there are {', '.join(BENCHES)} and soak")
    for name in names or BENCHES:
        bench = importlib.import_module(f"benchmarks.{name}")
        measured(bench.TITLE, f"make bench ONLY={name}", lambda: _measure(bench))  # noqa: B023 - called here and now


def _measure(bench: Any) -> list[str]:
    with opened() as place:
        place.run("load", str(SAMPLE))
        said: list[str] = bench.measure(place)
    return said


if __name__ == "__main__":
    main(sys.argv[1:])
