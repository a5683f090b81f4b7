"""Round after round of random faults; `make faults` runs this for long.

A seed says what goes wrong, and when in its round. What the processes are just doing then
differs from run to run, so a seed that failed is run several times to see it again.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.faults import Round, draw
from tests.faults.outage import outage
from tests.faults.trial import Trial, trial

from fraudline.errors import FraudlineError


@dataclass
class Result:
    """What has been proved.

    Attributes:
        catch_ups_s: Of each round, from the last fault's end until all was stored.
        kinds: How many faults there were of each kind and target.
    """

    catch_ups_s: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


def drawn(seed: int, count: int) -> list[Round]:
    """The first rounds of a seed."""
    chance = random.Random(seed)
    return [draw(chance) for _ in range(count)]


def run(trial: Trial, rounds: list[Round], say: Callable[[str], None]) -> Result:
    """Let each round's faults strike, and check after each.

    Raises:
        AssertionError: a message was lost, doubled or altered, a worker gave up, or the round
            could not be carried out.
    """
    result = Result()
    for number, faults in enumerate(rounds, 1):
        begun_at = time.monotonic()
        trial.traffic.begin()
        try:
            trial.traffic.burst(faults.burst)
            with ThreadPoolExecutor() as threads:
                strikes = [threads.submit(one.strike, trial.pipeline) for one in faults.faults]
                for strike in strikes:
                    strike.result()
            took_s = trial.prove()
        except (AssertionError, FraudlineError) as error:
            raise AssertionError(f"round {number} ({faults}): {error}") from error
        result.catch_ups_s.append(took_s)
        result.kinds.update(f"{fault.kind} {fault.target}" for fault in faults.faults)
        say(
            f"{number:4d}  caught up in {took_s:4.1f} s, "
            f"round {time.monotonic() - begun_at:4.1f} s  {faults}"
        )
    return result


def main() -> None:
    """Run rounds from the command line."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--first", type=int, default=1, help="skip the rounds before this one")
    parser.add_argument("--outage-s", type=float, default=300.0, help="BigQuery's, at the end")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    rounds = drawn(options.seed, options.rounds)[options.first - 1 :]
    home = Path(tempfile.mkdtemp(prefix="fraudline-faults-"))

    def say(line: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()

    say(f"seed {options.seed}, {len(rounds)} rounds; logs in {home}/logs")
    with (home / "services.log").open("w") as told:

        def note(line: str) -> None:
            told.write(f"{time.strftime('%H:%M:%S')} {line}\n")
            told.flush()

        try:
            with trial(home, note) as ready:
                result = run(ready, rounds, say)
                proof = ready.proof
                if options.outage_s:
                    say(outage(ready, options.outage_s))
        except AssertionError as error:
            say(f"FAILED with seed {options.seed}: {error}\nlogs: {home}/logs")
            sys.exit(1)
    for kind, count in sorted(result.kinds.items()):
        say(f"{count:5d}  {kind}")
    say(
        f"{len(rounds)} rounds, {result.kinds.total()} faults, seed {options.seed}: "
        f"{proof.decisions:,} decisions and {proof.rejects:,} rejects, "
        f"0 lost, 0 doubled, 0 altered. Caught up in {statistics.median(result.catch_ups_s):.1f} s "
        f"(median), {max(result.catch_ups_s):.1f} s (longest)"
    )


if __name__ == "__main__":
    main()
