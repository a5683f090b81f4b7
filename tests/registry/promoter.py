"""A process of a machine of its own that promotes what it is told, for tests of races.

It takes a version a line. With `step` as its last argument it says `ready` when it has read who the
champion is and written down what it is about to do, and goes on at the next line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fraudline.errors import FraudlineError
from fraudline.registry import Registry


def main() -> None:
    home, url, how = sys.argv[1:]
    registry = Registry(Path(home), lambda: "wallet", url)
    append = registry._store.append

    def append_and_wait(name: str, line: bytes) -> None:
        append(name, line)
        _say("ready")
        sys.stdin.readline()

    if how == "step":
        registry._store.append = append_and_wait  # type: ignore[method-assign]
    for version in sys.stdin:
        try:
            registry.promote(version.strip())
            _say("won")
        except FraudlineError as error:
            _say(f"lost: {error}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
