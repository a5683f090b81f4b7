"""A command of ours beside this process: handed over when it works, told when it does not."""

from __future__ import annotations

import pytest
from tests.harness import Place
from tests.models import write_tiny_bundle

from fraudline import flows
from fraudline.errors import LocalServiceError
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_beside import Command, run_beside
from fraudline.warehouse.learning_tables import read_rows


def test_a_learner_has_its_tables_when_it_is_handed_over(here: Place) -> None:
    learner = run_beside(here.project, "learn")
    try:
        assert not read_rows(here.project.warehouse, flows.MEASURES, here.project.contract)
    finally:
        assert learner.stop() == 0


def test_a_scorer_is_handed_over_when_it_has_its_share_of_the_topic(here: Place) -> None:
    candidate = here.project.registry.new_directory()
    write_tiny_bundle(candidate, here.project.contract)
    here.project.registry.promote(here.project.registry.add(candidate).version)
    scorer = run_beside(here.project, "score")
    try:
        assert scorer.is_alive
    finally:
        assert scorer.stop() == 0


@pytest.mark.parametrize("command", ["score", "learn"])
def test_what_ends_at_once_is_told_at_once_with_its_code_and_its_log(
    here: Place, command: Command
) -> None:
    nowhere = here.project.settings.model_copy(update={"contract": "nowhere.toml"})
    broken = Project(nowhere)
    broken.__dict__["kafka"] = here.project.kafka
    with pytest.raises(LocalServiceError, match=r"(?s)ended with exit code 2.*nowhere.toml"):
        run_beside(broken, command)
