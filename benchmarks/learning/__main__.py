"""What learning from late labels is worth, and what it costs: `make bench-learning`.

Every row is judged before its label is known (`world.py`). What was computed is kept, so that a run
that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import importlib
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

PARTS = {
    "gate": "gate",
    "creditcard": "second_day",
    "quiet": "quiet",
    "changes": "changes",
    "hidden": "hidden",
    "picture": "picture",
}
# By hand only: what it finds is written down in `runs.py` and in the settings.
BY_HAND = {"choose": "choose"}
NEEDS_NO_HANDBOOK = {"creditcard"}


def main() -> None:
    """Measure the parts that are asked for, and put each into its section of `RESULTS.md`."""
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
        if name not in NEEDS_NO_HANDBOOK and asked.handbook is None:
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
    if name in NEEDS_NO_HANDBOOK:
        options.pop("HANDBOOK")
    command = " ".join(["make bench-learning", *(f"{k}={v}" for k, v in options.items())])

    def said() -> list[str]:
        read = rows.creditcard if name in NEEDS_NO_HANDBOOK else stream
        found: list[str] = part.measure(read(), asked.recipe, range(asked.seeds), kept)
        commits = ", ".join(sorted(kept.commits))
        return [*found, f"Pieces that were kept are from commit {commits}."] if commits else found

    measured(part.TITLE, command, said)


if __name__ == "__main__":
    main()
