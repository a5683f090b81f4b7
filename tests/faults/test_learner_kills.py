"""A learner that is killed a few times; `make learner-kills` does it a hundred times."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.faults.learner_kills import kill_learners, warehouse_of_worlds


@pytest.mark.slow
def test_a_learner_that_is_killed_anywhere_leaves_what_one_finds_that_nobody_kills(
    tmp_path: Path,
) -> None:
    with warehouse_of_worlds(tmp_path / "home") as settings:
        count = kill_learners(settings, kills=4, seed=4711)
    assert count.kills == 4
    assert count.rows > 0
