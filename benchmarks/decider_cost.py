"""What deciding costs in one process: run by `benchmarks/scorer.py` with ours and with older code.

Prints a JSON object. It uses only what both revisions have.
"""

from __future__ import annotations

import datetime as dt
import inspect
import json
import sys
import time
from pathlib import Path

import fraudline.scoring
from fraudline.bundle.bundle import open_bundle
from fraudline.contract import Contract, Messages, load_contract
from fraudline.scoring import Decider

WINDOW = 100_000  # the default of `scoring.repeat_window_offsets`
BEYOND = 40_000  # what is forgotten must not make it slower either
_MEASURED = 2_000
_BATCH = 500
_ALONE = 2_000
_SENT_MS = 1_767_323_045_678


def main(way: str, contract_file: str, directory: str, lines_file: str) -> None:
    """Measure one way: `alone`, `stopped` or `ids`."""
    contract = load_contract(contract_file)
    lines = Path(lines_file).read_bytes().splitlines()
    measure = {"alone": alone, "stopped": stopped, "ids": ids}[way]
    print(json.dumps(measure(contract, Path(directory), lines)))


def alone(contract: Contract, directory: Path, lines: list[bytes]) -> dict[str, float]:
    """Processor time of one message by itself, from its bytes to its decision's."""
    return _by_itself(contract, directory, lines[:200], is_approved=True)


def stopped(contract: Contract, directory: Path, lines: list[bytes]) -> dict[str, float]:
    """The same of messages that are not approved, so that their decisions have reasons."""
    return _by_itself(contract, directory, lines, is_approved=False)


def _by_itself(
    contract: Contract, directory: Path, lines: list[bytes], *, is_approved: bool
) -> dict[str, float]:
    decide = decider(contract, directory, None).decide
    outcomes = decide(at(0, lines), now())
    wanted = [
        line
        for line, outcome in zip(lines, outcomes, strict=True)
        if (b'"decision":"approve"' in outcome.value) == is_approved
    ]
    begun = time.process_time()
    for number in range(_ALONE):
        decide(at(number, [wanted[number % len(wanted)]]), now())
    return {"us": (time.process_time() - begun) / _ALONE * 1e6}


def ids(contract: Contract, directory: Path, lines: list[bytes]) -> dict[str, float]:
    """Processor time of a message whose id is remembered, and memory of an id, window full."""
    kind = getattr(fraudline.scoring, "RepeatMemory", None) or fraudline.scoring.FirstDecisions
    decide = decider(contract, directory, kind(contract, WINDOW)).decide
    numbered = [line[:-1] + b',"payment_id":"' for line in lines]

    def run(begin: int, end: int) -> float:
        begun = time.process_time()
        for start in range(begin, end, _BATCH):
            values = [
                b'%bpayment-%09d"}' % (numbered[number % len(numbered)], number)
                for number in range(start, start + _BATCH)
            ]
            decide(at(start, values), now())
        return (time.process_time() - begun) / (end - begin) * 1e6

    run(0, _BATCH)
    before = resident()
    run(_BATCH, WINDOW)
    held = resident() - before
    begin = WINDOW + BEYOND
    run(WINDOW, begin)
    return {"us": run(begin, begin + _MEASURED), "bytes": held / WINDOW}


def decider(contract: Contract, directory: Path, memory: object) -> Decider:
    """A decider, of this revision or of one whose bundles did not carry their contract."""
    bundle = open_bundle(directory, contract)
    takes = list(inspect.signature(Decider).parameters)
    return Decider(contract, bundle, memory) if "contract" in takes else Decider(bundle, memory)


def at(offset: int, values: list[bytes]) -> Messages:
    """Messages of one partition, from an offset on."""
    count = len(values)
    offsets = range(offset, offset + count)
    return Messages("bench", [0] * count, list(offsets), [None] * count, values, [_SENT_MS] * count)


def now() -> dt.datetime:
    """The time of a decision."""
    return dt.datetime.now(dt.UTC)


def resident() -> int:
    """Memory that this process holds, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


if __name__ == "__main__":
    main(*sys.argv[1:])
