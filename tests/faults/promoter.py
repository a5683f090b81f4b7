"""A process that promotes and rolls back without end, until it is killed in the middle of it."""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

from fraudline.errors import InputError
from fraudline.registry import Registry, Signature

_PAUSE_S = 0.005
_BY = Signature("promoter", "tests", "to be killed")


def main() -> None:
    """Take turns with the versions that are named, one step back after each second one."""
    home, contract, *versions = sys.argv[1:]
    registry = Registry(Path(home), lambda: contract)
    sys.stdout.write("promoting\n")
    sys.stdout.flush()
    for version in itertools.cycle(versions):
        registry.promote(version, _BY)
        time.sleep(_PAUSE_S)
        if version == versions[-1]:
            try:
                registry.roll_back(registry.earlier_champion(), _BY)
            except InputError:  # there is none
                continue
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main()
