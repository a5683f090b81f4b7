"""What commands that run until they are stopped say when they begin."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.test_models import judged_version
from tests.harness import eventually, place
from tests.transactions import WALLET, WALLET_FILE

from fraudline import local
from fraudline.local import Companion


@pytest.mark.timeout(240)  # a process starts
def test_a_scorer_says_at_its_start_that_nobody_gave_the_costs_by_which_it_decides(
    services_home: Path, tmp_path: Path
) -> None:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as wallet:
        version = judged_version(wallet.project.registry, WALLET)
        wallet.project.registry.promote(version)  # as the last release would have done
        home = wallet.project.settings.home
        scorer = Companion(local.call("score"), wallet.environment, home / "score.log", home)
        scorer.start()
        wallet.companions.append(scorer)
        eventually(lambda: f"{version} decides by them" in " ".join(scorer.said.split()), 120)
        said = " ".join(scorer.said.split())
        assert "LOOK: contract 'wallet' is a file of your own" in said
        assert said.count("LOOK") == 1
        assert scorer.is_alive
