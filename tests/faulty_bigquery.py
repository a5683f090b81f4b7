"""A bqlite whose calls fail on request, for tests of what is done about that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

import bqlite
from fraudline.settings import BigQuerySettings
from fraudline.warehouse.client import Endpoint, Warehouse

WRITE_CALLS = ("AppendRows", "CreateWriteStream", "FinalizeWriteStream")
_TIMEOUT_S = 10


class FaultyBigQuery:
    """A running bqlite, and what of its calls fails."""

    def __init__(self, running: bqlite.Bqlite) -> None:
        self._running = running
        self._faults = f"{running.rest}/bqlite/faults"

    def warehouse(self, settings: BigQuerySettings) -> Warehouse:
        """A data set of it."""
        return Warehouse(settings, Endpoint(self._running.rest, self._running.storage))

    def arm(self, call: str, effect: str, **options: Any) -> None:
        """Let calls fail, as packages/bqlite/docs/reference.md tells, section Faults."""
        body = {"call": call, "effect": effect, **options}
        answer = requests.post(self._faults, json=body, timeout=_TIMEOUT_S)
        assert answer.status_code == 200, answer.text

    def go_away(self) -> None:
        """Answer no call that writes, until `clear`."""
        for call in WRITE_CALLS:
            self.arm(call, "error", code="UNAVAILABLE", times=None)

    def watch(self, call: str) -> None:
        """Count the calls from now on, by a fault that never comes; the last of all armed."""
        self.arm(call, "drop", nth=1_000_000)

    def clear(self) -> None:
        """Let all calls go well."""
        requests.delete(self._faults, timeout=_TIMEOUT_S)

    def seen(self, call: str) -> int:
        """How many calls the faults armed for it have met."""
        return sum(fault["seen"] for fault in self._armed(call))

    def fired(self, call: str) -> int:
        """How many calls failed."""
        return sum(fault["fired"] for fault in self._armed(call))

    def _armed(self, call: str) -> list[dict[str, Any]]:
        armed = requests.get(self._faults, timeout=_TIMEOUT_S).json()["faults"]
        return [fault for fault in armed if fault["call"] == call]


@contextmanager
def faulty_bigquery(directory: Path) -> Iterator[FaultyBigQuery]:
    """Run one for as long as the block lasts."""
    with bqlite.serve(directory, faults=True) as running:
        yield FaultyBigQuery(running)
