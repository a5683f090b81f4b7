"""Processes are killed and paused while a stream runs; nothing may be lost or doubled."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time

import pytest
from tests.conftest import Place, eventually
from tests.models import tiny_bundle
from tests.stream.test_score_loop import transactions

from fraudline.reconcile import Ledger, reconcile
from fraudline.stream.replay import replay
from fraudline.warehouse.query import query

ROWS = 6_000
RATE = 500.0


@pytest.fixture
def workers(here: Place) -> Place:
    """A project with a champion."""
    registry = here.project.registry
    candidate = registry.new_directory()
    tiny_bundle(candidate, here.project.contract)
    registry.promote(registry.add(candidate).version)
    return here


class Stream(threading.Thread):
    """Sends transactions, a bad message among every hundred, at a steady rate."""

    def __init__(self, place: Place, rows: int = ROWS) -> None:
        super().__init__(daemon=True)
        self._kafka = place.project.kafka
        lines: list[bytes | None] = list(transactions(place, rows))
        lines[50::100] = [b"broken"] * len(lines[50::100])
        self._lines = lines

    def run(self) -> None:
        replay(
            self._kafka,
            self._kafka.topic_transactions,
            self._lines,
            rate=RATE,
            stop=threading.Event(),
            on_sent=lambda _: None,
        )


def assert_exact(place: Place) -> None:
    """By offsets and values, and by an independent count in SQL."""
    project = place.project
    found: list[Ledger] = []

    def is_complete() -> bool:
        found[:] = [reconcile(project.kafka, project.warehouse, project.contract)]
        return found[0].is_complete

    eventually(is_complete, 120)
    ledger = found[0]
    assert ledger.is_exact, ledger.examples
    assert ledger.total("inputs") == ROWS
    assert ledger.total("rejects") == ROWS // 100
    for table, rows in (("decisions", ROWS - ROWS // 100), ("rejects", ROWS // 100)):
        counted = query(
            project.warehouse,
            "SELECT COUNT(*) AS n, COUNT(DISTINCT CONCAT(CAST(source_partition AS STRING), ':', "
            f"CAST(source_offset AS STRING))) AS positions FROM {table}",
        ).to_pylist()
        assert counted == [{"n": rows, "positions": rows}]


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_9_of_scorers_and_sinks_loses_and_doubles_nothing(workers: Place, seed: int) -> None:
    chance = random.Random(seed)
    running: dict[str, subprocess.Popen[str]] = {
        f"{command} {number}": workers.start(command)
        for command in ("score", "sink")
        for number in (1, 2)
    }
    stream = Stream(workers)
    stream.start()
    for _ in range(6):
        time.sleep(chance.uniform(0.2, 2.0))
        name = chance.choice(sorted(running))
        running[name].kill()
        running[name].wait()
        running[name] = workers.start(name.split()[0])
    stream.join()
    assert_exact(workers)


def test_a_scorer_and_a_sink_that_sleep_past_their_session_cannot_do_harm(workers: Place) -> None:
    sleepers = [workers.start("score"), workers.start("sink")]
    first = Stream(workers, ROWS // 2)
    first.start()
    time.sleep(3.5)
    for process in sleepers:
        process.send_signal(signal.SIGSTOP)
    for command in ("score", "sink"):
        workers.start(command)
    time.sleep(12.0)  # the session time-out of the group is 10 s: the others own all by now
    for process in sleepers:
        process.send_signal(signal.SIGCONT)
    second = Stream(workers, ROWS // 2)  # while they come to, and are let in again
    second.start()
    first.join()
    second.join()
    assert_exact(workers)
    for process, log in workers.logs():
        assert process.poll() is None, log.read_text()
