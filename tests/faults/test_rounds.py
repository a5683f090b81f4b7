"""Random faults, drawn from a fixed seed."""

import pytest
from tests.faults.rounds import Result, drawn, run
from tests.faults.trial import Trial

# Among these rounds no broker is killed, after which its groups may wait for a minute; a scenario
# kills it, and `make faults` does.
SEED = 25
ROUNDS = 20
QUICK = (8, 11)  # four that strike two scorers and two sinks, and for no longer than 2 s


def prove(ready: Trial, first: int, last: int) -> None:
    result = Result()
    run(ready, drawn(SEED, last)[first - 1 :], result, print, first)
    assert len(result.catch_ups_s) == last - first + 1


@pytest.mark.timeout(300)  # a group that lost a member may need a minute to settle
def test_a_few_rounds_of_random_faults_lose_double_and_alter_nothing(ready: Trial) -> None:
    prove(ready, *QUICK)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_twenty_rounds_of_random_faults_lose_double_and_alter_nothing(ready: Trial) -> None:
    prove(ready, 1, ROUNDS)
