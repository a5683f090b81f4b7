"""Which tests run on which of several workers, and in which order (`pytest -n`).

Tests of one file run one after the other on one worker, since they share fixtures; so do all
tests of a folder in which one dear thing serves them all. The longest begin first, and the
others fill the gaps.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

# One thing that is dear to make serves all tests of each of these folders.
TOGETHER = (
    "tests/faults",  # a whole pipeline
    "tests/training",  # a candidate of each recipe
    "tests/local",  # a broker that is stopped and started again
)
# What takes longest, the longest first.
FIRST = ("tests/faults", "tests/training", "tests/local")


def lane(nodeid: str) -> str:
    """What a test must not be separated from: its file, or its folder."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


def rank(nodeid: str) -> int:
    """Place in the order in which tests begin; those of one rank stay in the order they have."""
    return next((place for place, it in enumerate(FIRST) if nodeid.startswith(it)), len(FIRST))


class Lanes(LoadScopeScheduling):
    """Gives a worker that is nearly done the next lane."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)


def in_order(items: list[pytest.Item]) -> None:
    """Sort what was collected, and perhaps shuffled, so that the longest begins first."""
    items.sort(key=lambda item: rank(item.nodeid))
