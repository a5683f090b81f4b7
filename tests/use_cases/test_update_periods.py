"""The step that learns: in a process of its own, once a period, and told when it cannot."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from tests.faults.proxy import Proxy
from tests.harness import Place
from tests.transactions import CREDITCARD
from tests.use_cases.versions import add_learned, add_version
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows
from fraudline.contract import Period
from fraudline.errors import RegistryError
from fraudline.settings import RegistrySettings
from fraudline.use_cases import make_beside, own_process
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_learning import LearningRun, StepDone
from fraudline.use_cases.update_periods import UpdatePeriods, last_update
from fraudline.warehouse.known_rows import LEAST_FRAUDS
from fraudline.warehouse.learning_tables import read_rows

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
DAY_S = 86400.0
DAY = dt.timedelta(seconds=DAY_S)
TODAY = Period.holding(NOW, DAY_S)
LAST = Period.holding(NOW - DAY, DAY_S)


def rows(place: Place) -> list[dict]:
    return read_rows(place.project.warehouse, flows.UPDATES, place.project.contract)


def tell_frauds(place: Place) -> None:
    """As many mature frauds as are needed, and as many that were none."""
    project, begin = place.project, NOW - dt.timedelta(days=90)
    decided = [
        decision(
            project.contract,
            number,
            decided_at=begin + number * HOUR,
            received_at=begin + number * HOUR,
        )
        for number in range(2 * LEAST_FRAUDS + 12)
    ]
    told = [Told(row, "fraud", "customer", begin, begin, at) for at, row in enumerate(decided[::2])]
    fill(project.warehouse, flows.DECISIONS, project.contract, decided)
    labels = [one.row(project.contract) for one in told]
    fill(project.warehouse, flows.LABELS, project.contract, labels)


def test_a_period_is_learned_once_and_why_nothing_was_is_written(here: Place) -> None:
    project = here.project
    step = UpdatePeriods(project)
    assert step.due(NOW) == [], "there is no champion"
    project.registry.promote(add_version(project.registry, CREDITCARD, 1.0))
    assert step.due(NOW) == [Due(LAST, LAST.end)]
    done: list[StepDone] = []
    run = LearningRun(project, clock=lambda: NOW, on_done=done.append, steps=[step])
    assert run.advance() == 1
    assert run.advance() == 0, "once"
    (row,) = rows(here)
    assert (row["version"], row["road"], row["rows"]) == (None, "fine-tuning", 0)
    assert row["told"] == done[0].said
    assert row["told"].startswith("nothing was learned: 0 mature frauds of the stream")
    last = last_update(project, NOW)
    assert last is not None
    assert (last.period, last.version) == (LAST, None)
    status = here.run("learning", "status", "--as-of", "2026-03-01T12:00:00Z")
    assert "0 mature frauds of the stream" in " ".join(status.said.split())


def test_frauds_are_counted_by_the_process_that_learns_alone_once_a_version_has_learned(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time it is a query over the decisions of weeks, which is paid for."""
    project, counted = here.project, list[dt.datetime]()

    def count(_warehouse: object, _contract: object, at: dt.datetime) -> int:
        counted.append(at)
        return 0

    monkeypatch.setattr(make_beside, "count_mature_frauds", count)
    monkeypatch.setattr(make_beside, "ask", lambda *_, **__: own_process.Answer(told="asked"))
    champion = add_version(project.registry, CREDITCARD, 1.0)
    project.registry.promote(champion)
    step = UpdatePeriods(project)
    assert "0 mature frauds" in step.do(Due(LAST, LAST.end))
    add_learned(project.registry, CREDITCARD, champion, LAST.end, 2.0)
    assert step.do(Due(TODAY, TODAY.end)) == "asked"
    assert counted == [LAST.end]


def children() -> list[int]:
    """Processes of ours that learn."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            parent = int(path.with_name("stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if b"fraudline.use_cases.update_process" in words and parent == os.getpid():
            found.append(int(path.parent.name))
    return found


def test_a_learner_that_cannot_or_is_killed_is_told_of_and_leaves_nothing(
    here: Place, caplog: pytest.LogCaptureFixture
) -> None:
    project = here.project
    champion = add_version(project.registry, CREDITCARD, 1.0)
    project.registry.promote(champion)
    tell_frauds(here)
    refused = UpdatePeriods(project).do(Due(TODAY, NOW))
    assert f"LOOK: nothing was learned: version {champion} has recipe 'tiny'" in refused
    versions = {path.name for path in project.registry.directory.iterdir()}

    def kill() -> None:
        while not (found := children()):
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    said = UpdatePeriods(project).do(Due(LAST, LAST.end))
    killer.join()
    assert "its process ended with exit code -9" in said
    assert "exit code -9" in caplog.text
    for row in rows(here):
        assert row["version"] is None
        assert row["told"].startswith("LOOK: nothing was learned")
    assert {path.name for path in project.registry.directory.iterdir()} == versions


def test_a_registry_that_is_away_is_told_as_that_and_learned_from_later(
    here: Place, bucket: str, way: Proxy
) -> None:
    """It is another thing to mend than BigQuery."""
    settings = here.project.settings
    away = settings.model_copy(update={"registry": RegistrySettings(url=f"{bucket}/models")})
    tell_frauds(here)
    way.is_refusing = True
    with pytest.raises(RegistryError, match="registry"):
        UpdatePeriods(Project(away)).do(Due(LAST, LAST.end))
    assert rows(here) == [], "so that it is done again"


FULL_DISK = """
import errno, os, sys
from fraudline.use_cases import update_process
def write(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "models/new")
update_process._do = write
sys.argv[1:] = ["update", "2026-01-01T00:00:00+00:00"]
update_process.learn_once()
"""


def test_a_disk_that_is_full_is_told_by_its_file_and_not_as_an_end_without_an_answer() -> None:
    done = subprocess.run([sys.executable, "-c", FULL_DISK], capture_output=True, check=True)
    answer = msgspec.json.decode(done.stdout, type=own_process.Answer)
    assert answer.fault == "models/new: No space left on device"
