"""Which tests run on which of several workers, and in which order (`pytest -n`).

Tests of one file run one after the other on one worker, since they share fixtures; so do all
tests of a folder in which one dear thing serves them all. The longest begin first, and the
others fill the gaps.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling

# What is dear to make serves all tests of a lane. The longest lane stands first.
LANES: dict[str, tuple[str, ...]] = {
    "learning": (  # TensorFlow, which takes ten seconds of a processor, and candidates
        "tests/training/",
        "tests/end_to_end/test_pipeline.py",
        "tests/end_to_end/test_second_contract.py",
        "tests/use_cases/test_update_version.py",
        "tests/cli/test_train.py",
    ),
    "faults": ("tests/faults/",),  # a whole pipeline
    "local": ("tests/local/",),  # a broker that is stopped and started again
}
# Alone in their lanes, but long.
ALSO_FIRST = (
    "tests/tracking/",
    "tests/stream/",
    "packages/bqlite/tests/test_server.py",
    "tests/notebooks/",
)


def lane(nodeid: str) -> str:
    """What a test must not be separated from: the lane of its folder or file, or its file."""
    file = nodeid.partition("::")[0]
    return next((name for name, ways in LANES.items() if file.startswith(ways)), file)


def rank(nodeid: str) -> int:
    """Place in the order in which tests begin; those of one rank stay in the order they have."""
    order = [*LANES, *ALSO_FIRST]
    found = lane(nodeid)
    return next((place for place, it in enumerate(order) if found.startswith(it)), len(order))


class Lanes(LoadScopeScheduling):
    """Gives a worker that is nearly done the next lane."""

    def _split_scope(self, nodeid: str) -> str:
        return lane(nodeid)


def in_order(items: list[pytest.Item]) -> None:
    """Sort what was collected, and perhaps shuffled, so that the longest begins first."""
    items.sort(key=lambda item: rank(item.nodeid))
