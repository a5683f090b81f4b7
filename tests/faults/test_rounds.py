"""Random faults, drawn from a fixed seed."""

import pytest
from tests.faults.rounds import drawn, run
from tests.faults.trial import Trial

SEED = 20
ROUNDS = 20


@pytest.mark.timeout(900)
def test_twenty_rounds_of_random_faults_lose_double_and_alter_nothing(ready: Trial) -> None:
    result = run(ready, drawn(SEED, ROUNDS), print)
    assert len(result.catch_ups_s) == ROUNDS
