"""A stream with late labels, judged while it runs by a learner that is killed again and again."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.harness import SAMPLE, Place, eventually
from tests.use_cases.test_run_learning import version_of

from fraudline import flows
from fraudline.measures.prequential import PARTS
from fraudline.settings import LearningSettings
from fraudline.use_cases.look_at_labels import labelled_decisions
from fraudline.use_cases.project import Project
from fraudline.warehouse.learning_tables import read_rows

PERIOD_S = 4
RUNS_S = 24
PLAYED = 600


def played(file: Path) -> Path:
    """Some of the sample's rows, one in ten of them a fraud, in half a minute of time."""
    head, *lines = SAMPLE.read_text().splitlines()
    rows = [line.rsplit(",", 1)[0].split(",")[1:] for line in lines[:PLAYED]]
    timed = [
        ",".join([str(RUNS_S * place / PLAYED), *row, str(int(place % 10 == 0))])
        for place, row in enumerate(rows)
    ]
    file.write_text("\n".join([head, *timed]))
    return file


@pytest.mark.slow
@pytest.mark.timeout(300)  # half a minute of stream, and the looks that follow
def test_a_learner_that_is_killed_again_and_again_judges_each_period_once_a_look(
    here: Place, tmp_path: Path
) -> None:
    short = {"learning": LearningSettings(period_s=PERIOD_S)}
    here.project = Project(here.project.settings.model_copy(update=short))
    here.project.registry.promote(version_of(here.project))
    for command in ("score", "sink"):
        here.start(command)
    replay = here.start(
        *("replay", str(played(tmp_path / "played.csv")), "--labels"),
        *("--delay", "lognormal(median=6s, sigma=0.8)", "--speed", "1"),
    )
    deaths = 0
    while replay.is_alive:
        learner = here.start("learn")
        eventually(lambda: "judge " in learner.said or not replay.is_alive, timeout_s=120)  # noqa: B023 - asked at once
        time.sleep(deaths % 4 / 10)
        learner.kill()
        deaths += 1
    assert replay.process.wait() == 0, replay.said
    learner = here.start("learn")
    eventually(lambda: are_all_old(here), timeout_s=120)
    assert learner.stop() == 0

    assert deaths >= 2
    rows = measures(here)
    assert set(Counter(row["row_key"] for row in rows).values()) == {1}
    for row in rows[:: len(PARTS)]:  # of all payments
        of = {"since": row["period_start"], "until": row["period_end"], "as_of": row["as_of"]}
        known = labelled_decisions(here.project, **of).column("label").to_pylist()
        # Between taking a label and storing it lies an append, so a look may know less, never more.
        assert row["part"] == "all"
        assert row["frauds"] <= known.count("fraud")
        assert row["decisions"] <= len(known)
    last = last_looks(here)
    assert sum(row["decisions"] for row in last) == PLAYED
    assert sum(row["frauds"] for row in last) == PLAYED / 10
    assert len(rows) > len(PARTS) * len(last), "each was judged once only"
    since = min(row["period_start"] for row in rows)
    until = dt.datetime.now(dt.UTC)
    again = here.run("backtest", "--from", since.isoformat(), "--to", until.isoformat())
    assert again.code == 0, again.said
    assert f"all of its own {PLAYED} decisions are the same" in again.said


def measures(here: Place) -> list[dict]:
    return read_rows(here.project.warehouse, flows.MEASURES, here.project.contract)


def last_looks(here: Place) -> list[dict]:
    """Of each period what was found last, of all payments."""
    rows = [row for row in measures(here) if row["part"] == "all"]
    return list({row["period_start"]: row for row in sorted(rows, key=by_look)}.values())


def are_all_old(here: Place) -> bool:
    """Whether all that was played has been judged, and its labels have come since."""
    last = last_looks(here)
    return sum(row["decisions"] for row in last) == PLAYED and min(map(by_look, last)) >= 8


def by_look(row: dict) -> int:
    look: int = row["look"]
    return look
