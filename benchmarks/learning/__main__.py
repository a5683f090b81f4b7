"""What learning from late labels is worth, and what it costs: `make bench-learning`.

Every row is judged before its label is known (`world.py`). What was computed is kept, so that a run
that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.learning import rows
from benchmarks.learning.kept import Kept
from benchmarks.measure import say
from benchmarks.results import measured

from fraudline.datasets import user_cache
from fraudline.use_cases.update_process import THREADS

PARTS = {
    "gate": "gate",
    "creditcard-1h": "second_day",
    "creditcard-6h": "second_day",
    "creditcard-12h": "second_day",
    "quiet": "quiet",
    "changes": "changes",
    "hidden": "hidden",
    "picture": "picture",
}
# By hand only: what it finds better is to be written into `runs.py` and into the settings.
BY_HAND = {"choose": "choose"}
# Hours until a label of the second day is known; these parts need no handbook.
DELAYS_H = {"creditcard-1h": 1, "creditcard-6h": 6, "creditcard-12h": 12}


def main() -> None:
    """Measure the parts that are asked for, and put each into its section of `RESULTS.md`."""
    if THREADS.items() - os.environ.items():  # as the product learns; threads that wait cost, too
        os.execve(sys.executable, [*sys.orig_argv], os.environ | THREADS)
    parser = argparse.ArgumentParser(prog="make bench-learning", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join([*PARTS, *BY_HAND])}; all but it")
    parser.add_argument("--handbook", type=Path, help="Parquet file of its raw transactions")
    parser.add_argument("--recipe", default="mlp")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--keep", type=Path, default=user_cache() / "bench-learning")
    asked = parser.parse_args()
    parts = PARTS | BY_HAND
    if unknown := set(asked.parts) - set(parts):
        sys.exit(f"no part '{', '.join(sorted(unknown))}'; there are {', '.join(parts)}")
    stream = cache(lambda: rows.handbook(asked.handbook, Kept(asked.keep)))
    for name in asked.parts or PARTS:
        if name not in DELAYS_H and asked.handbook is None:
            say(
                f"{name} needs the handbook's raw transactions, which are not ours to hand on; "
                "docs/guides/model-quality.md says where they are. Then: make bench-learning "
                "HANDBOOK=FILE"
            )
            continue
        part = importlib.import_module(f"benchmarks.learning.{parts[name]}")
        _measure(name, part, asked, stream)


def _measure(name: str, part: Any, asked: argparse.Namespace, stream: Callable[[], Any]) -> None:
    kept = Kept(asked.keep)
    options = {"HANDBOOK": asked.handbook and asked.handbook.name, "ONLY": name}
    if name != "gate":
        options |= {"SEEDS": asked.seeds, "RECIPE": asked.recipe}
    title = part.TITLE
    if name in DELAYS_H:
        title += f", labels {DELAYS_H[name]} h late"
        options.pop("HANDBOOK")
    command = " ".join(["make bench-learning", *(f"{k}={v}" for k, v in options.items())])

    def said() -> list[str]:
        seeds = range(asked.seeds)
        found: list[str]
        if name in DELAYS_H:
            found = part.measure(rows.creditcard(), asked.recipe, seeds, kept, DELAYS_H[name])
        else:
            found = part.measure(stream(), asked.recipe, seeds, kept)
        commits = ", ".join(sorted(kept.commits))
        return [*found, f"Pieces that were kept are from commit {commits}."] if commits else found

    measured(title, command, said)


if __name__ == "__main__":
    main()
