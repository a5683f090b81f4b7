"""Round after round of random faults; `make faults` runs this for long.

A seed says what goes wrong, and when in its round. What the processes are just doing then
differs from run to run, so a seed that failed is run several times to see it again.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import FrameType

from tests.faults.faults import Round, draw, draw_beside
from tests.faults.outage import outage
from tests.faults.trial import Trial, trial
from tests.faults.upheavals import UPHEAVALS, Upheaval

from fraudline.errors import FraudlineError

_UPHEAVAL_SHARE = 0.25


@dataclass
class Result:
    """What has been proved.

    Attributes:
        catch_ups_s: Of each round, from the last fault's end until all was stored.
        kinds: How many faults there were of each kind and target.
        decisions: How many rows were proved to be exact.
        rejects: Likewise.
    """

    catch_ups_s: list[float] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    decisions: int = 0
    rejects: int = 0

    def __str__(self) -> str:
        told = (
            f"{len(self.catch_ups_s)} rounds were exact, {self.kinds.total()} faults: "
            f"{self.decisions:,} decisions and {self.rejects:,} rejects, "
            "0 lost, 0 doubled, 0 altered"
        )
        if not self.catch_ups_s:
            return told
        middle, longest = statistics.median(self.catch_ups_s), max(self.catch_ups_s)
        return f"{told}. Caught up in {middle:.1f} s (median), {longest:.1f} s (longest)"


def drawn(seed: int, count: int, *, with_upheavals: bool = False) -> list[Round]:
    """The first rounds of a seed.

    With upheavals, one in four has one after its faults, and most have a fault beside the workers.
    """
    chance, others = random.Random(seed), random.Random(f"{seed} upheavals")
    rounds = [draw(chance) for _ in range(count)]
    if not with_upheavals:
        return rounds
    besides = random.Random(f"{seed} beside")
    rounds = [
        replace(one, faults=(*one.faults, beside)) if (beside := draw_beside(besides)) else one
        for one in rounds
    ]
    return [
        replace(one, upheaval=Upheaval(others.choice(UPHEAVALS)))
        if others.random() < _UPHEAVAL_SHARE
        else one
        for one in rounds
    ]


def run(
    trial: Trial, rounds: list[Round], result: Result, say: Callable[[str], None], first: int = 1
) -> None:
    """Let each round's faults strike, and check after each.

    Args:
        trial: What they strike.
        rounds: What goes wrong.
        result: Told of each round that was proved; so it stands however this ends.
        say: Told the same in words.
        first: Number of the first of these rounds in its seed.

    Raises:
        AssertionError: a message was lost, doubled or altered, a worker gave up, or the round
            could not be carried out.
    """
    for number, faults in enumerate(rounds, first):
        begun_at = time.monotonic()
        trial.traffic.begin()
        try:
            trial.traffic.burst(faults.burst)
            with ThreadPoolExecutor() as threads:
                strikes = [threads.submit(one.strike, trial.pipeline) for one in faults.faults]
                for strike in strikes:
                    strike.result()
            took_s = trial.prove()
            if faults.upheaval is not None:
                faults.upheaval.strike(trial)
                took_s = max(took_s, trial.prove())
                result.kinds[str(faults.upheaval)] += 1
        except (AssertionError, FraudlineError) as error:
            raise AssertionError(f"round {number} ({faults}): {error}") from error
        result.catch_ups_s.append(took_s)
        result.kinds.update(f"{fault.kind} {fault.target}" for fault in faults.faults)
        earlier = trial.proof.earlier
        result.decisions = earlier[0] + trial.proof.decisions
        result.rejects = earlier[1] + trial.proof.rejects
        say(
            f"{number:4d}  caught up in {took_s:4.1f} s, "
            f"round {time.monotonic() - begun_at:4.1f} s  {faults}"
        )


def end_in_order_at_signals() -> None:
    """Have SIGTERM and Ctrl-C raise KeyboardInterrupt, so that all that was started is ended.

    Only the first one: a second would break that off.
    """

    def end(number: int, _: FrameType | None) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, end)


def main() -> None:
    """Run rounds from the command line."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--first", type=int, default=1, help="skip the rounds before this one")
    parser.add_argument("--outage-s", type=float, default=300.0, help="BigQuery's, at the end")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    rounds = drawn(options.seed, options.rounds, with_upheavals=True)[options.first - 1 :]
    home = Path(tempfile.mkdtemp(prefix="fraudline-faults-"))

    def say(line: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stdout.flush()

    say(f"seed {options.seed}, {len(rounds)} rounds; logs in {home}/logs")
    result, code = Result(), 0
    end_in_order_at_signals()
    with (home / "services.log").open("w") as told:

        def note(line: str) -> None:
            told.write(f"{time.strftime('%H:%M:%S')} {line}\n")
            told.flush()

        try:
            with trial(home, note) as ready:
                run(ready, rounds, result, say, options.first)
                if options.outage_s:
                    say(outage(ready, options.outage_s))
        except AssertionError as error:
            say(f"FAILED with seed {options.seed}: {error}\nlogs: {home}/logs")
            code = 1
        except KeyboardInterrupt as by:
            say(f"ended by {by}; every process it started is ended, too. Until then:")
            code = 1
    for kind, count in sorted(result.kinds.items()):
        say(f"{count:5d}  {kind}")
    say(f"seed {options.seed}: {result}")
    sys.exit(code)


if __name__ == "__main__":
    main()
