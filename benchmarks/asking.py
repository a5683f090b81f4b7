"""Ask for a table's sums over and over for some seconds, then tell how it went as JSON.

A program of its own, so that it does not wait for the one that measures, nor that for it.
"""

from __future__ import annotations

import json
import sys
import time

import bqlite


def main(rest: str, project: str, table: str, seconds: str) -> None:
    """Ask again as soon as there is an answer.

    Args:
        rest: Address of the REST endpoint.
        project: Its project.
        table: `dataset.table`, with rows as `appends.py` makes them.
        seconds: How long.
    """
    client = bqlite.Bqlite(rest, "", project).client()
    until = time.monotonic() + float(seconds)
    took_ms = []
    print("asking", flush=True)
    while time.monotonic() < until:
        begun = time.monotonic()
        client.query_and_wait(
            f"SELECT MOD(n, 10) AS tenth, COUNT(*) AS n, AVG(f0) AS mean, MAX(f1) AS most "
            f"FROM {table} GROUP BY tenth ORDER BY tenth",
            job_retry=None,
        )
        took_ms.append((time.monotonic() - begun) * 1000)
    print(json.dumps(took_ms), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
