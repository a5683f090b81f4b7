"""Random faults, drawn from a fixed seed."""

import pytest
from tests.faults.rounds import Result, drawn, run
from tests.faults.trial import Trial

# Among these rounds no broker is killed, after which its groups may wait for a minute; a scenario
# kills it, and `make faults` does.
SEED = 25
ROUNDS = 20


@pytest.mark.timeout(900)
def test_twenty_rounds_of_random_faults_lose_double_and_alter_nothing(ready: Trial) -> None:
    result = Result()
    run(ready, drawn(SEED, ROUNDS), result, print)
    assert len(result.catch_ups_s) == ROUNDS
