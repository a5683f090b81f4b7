"""Each period is judged by the labels that had arrived, and by no other, at known moments."""

from __future__ import annotations

import datetime as dt
import errno
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.harness import Place, eventually
from tests.measures.test_prequential import Payment, expected, of_part
from tests.models import tiny_policy, write_tiny_bundle
from tests.transactions import CREDITCARD, WALLET
from tests.warehouse.test_counting_labels import Told, counts, decision, drawn, fill

from fraudline import flows
from fraudline.cli.learning_words import rolling_facts
from fraudline.contract import DECISIONS, Contract, Period
from fraudline.errors import InputError
from fraudline.measures.prequential import PARTS
from fraudline.registry.directory_store import DirectoryStore
from fraudline.settings import BigQuerySettings, LearningSettings, Settings
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.use_cases.judge_periods import JudgePeriods, looks
from fraudline.use_cases.learning_status import learning_status
from fraudline.use_cases.learning_steps import Due
from fraudline.use_cases.one_period import other_period
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_learning import LearningRun, StepDone
from fraudline.warehouse.client import RETRY
from fraudline.warehouse.learning_tables import create_learning_tables, read_rows
from fraudline.warehouse.query import query
from fraudline.warehouse.tables import create_stream_tables

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
LENGTH_S, DAY_S = 6 * 3600.0, 86400.0
LENGTH = dt.timedelta(seconds=LENGTH_S)
MATURITY_DAYS = 1.0


def project_of(
    faulty: FaultyBigQuery, home: Path, contract: Contract, name: str, length_s: float = LENGTH_S
) -> Project:
    """A project with a data set of its own, and nothing but BigQuery."""
    settings = Settings(
        home=home,
        bigquery=BigQuerySettings(project="local", dataset=name),
        learning=LearningSettings(period_s=length_s),
    )
    project = Project(settings)
    project.contract = replace(contract, maturity_days=MATURITY_DAYS)
    project.warehouse = faulty.warehouse(settings.bigquery)
    create_stream_tables(project.warehouse, project.contract)
    create_learning_tables(project.warehouse)
    return project


def version_of(project: Project, **changes: object) -> str:
    directory = project.registry.new_directory()
    write_tiny_bundle(directory, project.contract, policy=tiny_policy(**changes))
    return project.registry.add(directory).version


def run_at(
    project: Project, at: dt.datetime, done: Callable[[StepDone], None] = lambda _: None
) -> int:
    judging = [JudgePeriods(project)]
    return LearningRun(project, clock=lambda: at, on_done=done, steps=judging).advance()


def test_another_maturity_than_before_is_told_and_written_down_by_who_judges_next(
    faulty: FaultyBigQuery, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = project_of(faulty, tmp_path / "home", CREDITCARD, "maturity_changes")
    assert [LearningRun(project).look for _ in range(2)] == [None, None]
    project.contract = replace(CREDITCARD, maturity_days=2.0)
    look = LearningRun(project).look
    assert look is not None
    assert "labels count by another rule than before: maturity_days 1.0 -> 2.0." in look
    assert LearningRun(project).look is None
    assert [each.what for each in project.registry.changes()] == ["label rule changed"] * 2
    project.contract = replace(CREDITCARD, maturity_days=3.0)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DirectoryStore, "append", refuse)
        assert "maturity_days 2.0 -> 3.0" in str(LearningRun(project).look)
    assert "could not be written: Read-only file system" in caplog.text


def test_of_two_learners_with_periods_of_other_lengths_the_one_that_began_first_ends_by_name(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    """In turns they would begin each other's bets anew, and judge each payment twice."""
    six_hours, daily = (
        project_of(faulty, tmp_path, CREDITCARD, "lengths", length_s)
        for length_s in (LENGTH_S, DAY_S)
    )
    first, beside = (LearningRun(six_hours, steps=[]) for _ in range(2))
    assert (first.look, first.advance(), beside.advance()) == (None, 0, 0), "two alike may run"
    assert other_period(daily) is not None
    second = LearningRun(daily, steps=[])
    assert second.look is not None
    assert second.look.startswith("periods are 1 day, 0:00:00 long from now on; they were 6:00:00,")
    for ending in (first, beside):
        with pytest.raises(InputError, match=r"learning\.period_s is 21600 here, but another"):
            ending.advance()
    assert second.advance() == 0
    assert other_period(daily) is None
    assert "the learner has periods of 1 day, 0:00:00, as " in str(other_period(six_hours))
    LearningRun(six_hours, steps=[]).advance()
    with pytest.raises(InputError, match=r"learning\.period_s is 86400 here"):
        second.advance()


def test_a_clock_that_is_set_back_judges_nothing_twice_and_nothing_otherwise(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    project = project_of(faulty, tmp_path / "home", CREDITCARD, "clock_back")
    World(project, "clock", decisions=40)
    assert run_at(project, START + 40 * HOUR) > 0
    before = measures(project)
    for hours in (20, -5, 40):
        assert run_at(project, START + hours * HOUR) == 0
    assert measures(project) == before


def test_a_clock_that_was_ahead_and_is_set_back_lets_no_learner_sleep_until_then(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    project = project_of(faulty, tmp_path / "home", CREDITCARD, "clock_ahead")
    clock, looked, stop = [START + dt.timedelta(days=900)], list[dt.datetime](), threading.Event()

    class Looks(JudgePeriods):
        def due(self, now: dt.datetime) -> list[Due]:
            looked.append(now)
            return []

    run = LearningRun(project, clock=lambda: clock[0], steps=[Looks(project)])
    learner = threading.Thread(target=run.until, args=(stop,))
    learner.start()
    try:
        eventually(lambda: bool(looked))
        clock[0] = START
        eventually(lambda: looked[-1] < START)
    finally:
        stop.set()
        learner.join()


def measures(project: Project) -> list[dict]:
    return read_rows(project.warehouse, flows.MEASURES, project.contract)


def some_decision(
    chance: random.Random, contract: Contract, number: int, versions: list[str]
) -> dict[str, object]:
    at = START + chance.uniform(0, 30) * HOUR
    kinds = {"float64": float, "int64": int}
    amount = kinds[contract.column(contract.amount).type](chance.choice([0, 5, 80]))
    decided = chance.choices(DECISIONS, [6, 2, 1])[0]
    return decision(
        contract,
        number,
        score=chance.choice([0.1, 0.5, chance.random()]),
        decision=decided,
        propensity=0.05 if decided == "review" and chance.random() < 0.4 else None,
        model_version=chance.choice(versions),
        decided_at=at,
        received_at=at,
        **{contract.amount: amount},
    )


class World:
    """Decisions and labels, and what the slow reference knows of them at a moment."""

    def __init__(self, project: Project, seed: object, decisions: int = 150) -> None:
        self.project, self.contract = project, project.contract
        chance = random.Random(f"{seed}")
        self.fraud_costs = {version_of(project, fraud_cost=cost): cost for cost in (15.0, 150.0)}
        versions = list(self.fraud_costs)
        self.decided = [
            some_decision(chance, self.contract, number, versions) for number in range(decisions)
        ]
        self.told = [drawn(chance, self.decided, offset) for offset in range(3 * decisions)]
        fill(project.warehouse, flows.DECISIONS, self.contract, self.decided)
        rows = [one.row(self.contract) for one in self.told]
        fill(project.warehouse, flows.LABELS, self.contract, rows)

    def payments(self, period: Period, at: dt.datetime) -> list[Payment]:
        return [
            self._payment(row, at)
            for row in self.decided
            if period.start <= row["decided_at"] < period.end
        ]

    def _payment(self, row: dict, at: dt.datetime) -> Payment:
        """What is known of a decision at a moment, from the labels one by one."""
        one = counts([each for each in self.told if each.decision is row], at)
        is_mature = row["decided_at"] + dt.timedelta(days=MATURITY_DAYS) <= at
        is_fraud = one is not None and one.label == "fraud"
        loss = row[self.contract.amount] + self.fraud_costs[row["model_version"]]
        approving = loss if is_fraud else 0.0
        costs = {"approve": approving, "review": 4.0, "block": 0.0 if is_fraud else 25.0}
        return Payment(
            row["score"],
            DECISIONS.index(row["decision"]),
            None if one is None else is_fraud,
            one is None and (not is_mature or row["propensity"] is not None),
            None if one is None else (one.arrived_at - row["decided_at"]).total_seconds(),
            costs[row["decision"]],
            approving,
            one is None and row["propensity"] is not None,
        )


@pytest.mark.parametrize(
    ("contract", "seed"), [(WALLET, 1), (CREDITCARD, 2)], ids=["by id", "by position"]
)
def test_every_judgement_is_of_the_labels_that_had_arrived_and_of_no_other(
    faulty: FaultyBigQuery, tmp_path: Path, contract: Contract, seed: int
) -> None:
    """All labels lie in the table from the start, and those to come must not be seen.

    With random delays, corrections, withdrawals and contradictions.
    """
    project = project_of(faulty, tmp_path, contract, f"judged_{contract.name}_{seed}")
    world, chance = World(project, (contract.name, seed)), random.Random(seed)
    for hours in [13, *sorted(chance.uniform(14, 90) for _ in range(5))]:
        run_at(project, START + dt.timedelta(hours=hours))
    rows = measures(project)
    assert {row["part"] for row in rows} == set(PARTS)
    assert len({row["period_start"] for row in rows}) >= 5
    for row in rows:
        period = Period(row["period_start"], row["period_end"])
        assert row["as_of"] == period.end + row["look"] * LENGTH
        assert row["as_of"] < row["written_at"]
        known = of_part(world.payments(period, row["as_of"]), row["part"])
        for name, wanted in expected(known, alerts_a_day=100.0, days=0.25).items():
            assert (row[name] is None) == (wanted is None), (row["row_key"], name)
            assert wanted is None or row[name] == pytest.approx(wanted), (row["row_key"], name)
    corrected = {
        (row["period_start"], row["part"]): row["frauds"] for row in rows if row["look"] == 1
    }
    assert any(
        row["frauds"] != corrected.get((row["period_start"], row["part"]), row["frauds"])
        for row in rows
    ), "no period was corrected, so nothing was tried"


def test_a_period_is_judged_a_few_times_at_known_ages_and_once_when_it_is_mature() -> None:
    assert looks(86400.0, 30.0) == [1, 2, 4, 8, 16, 30, 32, 64, 128, 256, 512]
    assert looks(3600.0, 0.25) == [1, 2, 4, 6, 8, 16, 32, 64, 128]
    assert looks(86400.0, 0.5) == [1, 2, 4, 8, 16]
    assert len(looks(60.0, 365.0)) == 26


def test_looks_that_were_missed_are_left_out_and_none_is_taken_twice(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "missed")
    fill(project.warehouse, flows.DECISIONS, WALLET, [decision(WALLET, 1), decision(WALLET, 20)])
    assert run_at(project, START + 11 * HOUR) == 0  # the first ends at six, and is judged at 12
    late = START + 12 * HOUR + dt.timedelta(seconds=11)
    assert run_at(project, late) == 1
    assert run_at(project, late) == 0
    assert run_at(project, START) == 0  # the clock was set back
    later = START + 36 * HOUR + dt.timedelta(seconds=11)  # five lengths after, and two
    assert run_at(project, later) == 2
    assert [(row["period_start"].hour, row["look"]) for row in measures(project)][::5] == [
        (0, 1), (0, 4), (18, 2),
    ]  # fmt: skip
    assert run_at(project, START + 400 * HOUR) == 2
    assert run_at(project, START + 400 * HOUR) == 0


def test_metrics_are_told_of_first_looks_alone_which_all_periods_have_at_one_age(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "metered")
    fill(
        project.warehouse,
        flows.DECISIONS,
        WALLET,
        [decision(WALLET, n, model_version=version_of(project)) for n in (1, 2, 7)],
    )
    progress = Progress(Task.LEARN)
    step = JudgePeriods(project, progress)
    for hours, decisions in ((13, 2), (19, 1), (31, 1)):
        for due in sorted(step.due(START + hours * HOUR)):
            step.do(due)
        judged = progress.snapshot().judged
        assert judged["all"]["decisions"] == decisions
    assert judged["all"]["saved"] == judged["blocked"]["decisions"] == 0
    assert "average_precision" not in judged["all"]  # there is no fraud
    assert len({row["row_key"] for row in measures(project)}) == 5 * len(PARTS)


def test_judging_begins_where_a_period_is_just_mature_and_a_late_decision_is_counted_next(
    faulty: FaultyBigQuery, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "begins")
    fill(project.warehouse, flows.DECISIONS, WALLET, [decision(WALLET, n) for n in (1, 31, 32)])
    assert run_at(project, START + 60 * HOUR + dt.timedelta(seconds=20)) == 1
    told = "learn: judging begins with 2026-03-02 06:00:00 UTC. 1 period before, from 2026-03-01"
    assert told in caplog.text
    caplog.clear()
    fill(project.warehouse, flows.DECISIONS, WALLET, [decision(WALLET, n) for n in (33, 45)])
    run_at(project, START + 66 * HOUR + dt.timedelta(seconds=20))
    assert "judging begins" not in caplog.text
    rows = [row for row in measures(project) if row["part"] == "all"]
    assert [(row["period_start"], row["look"], row["decisions"]) for row in rows] == [
        (START + 30 * HOUR, 4, 2),
        (START + 42 * HOUR, 2, 1),
    ]
    run_at(project, START + 90 * HOUR)
    last = [row for row in measures(project) if row["part"] == "all" and row["look"] == 8]
    assert [row["decisions"] for row in last] == [3]


def test_a_learner_that_dies_after_any_step_or_runs_twice_leaves_the_same_rows(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "killed")
    World(project, "killed", 40)
    at = START + 40 * HOUR

    class CrashError(Exception):
        """Stands for the death of a process."""

    def die(_: StepDone) -> None:
        raise CrashError

    deaths = 0
    while True:
        try:
            run_at(project, at, die)
        except CrashError:
            deaths += 1
            continue
        break
    assert deaths >= 4
    rows = measures(project)
    assert set(Counter(row["row_key"] for row in rows).values()) == {1}
    step = JudgePeriods(project)
    for row in rows[:: len(PARTS)]:
        step.do(Due(Period(row["period_start"], row["period_end"]), row["as_of"]))
    assert measures(project) == rows


def test_while_bigquery_is_away_learning_waits_says_so_and_goes_on(
    faulty: FaultyBigQuery,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "away")
    monkeypatch.setattr("fraudline.warehouse.query.RETRY", RETRY.with_timeout(0.3))
    fill(project.warehouse, flows.DECISIONS, WALLET, [decision(WALLET, 1)])
    done: list[StepDone] = []
    judging = [JudgePeriods(project)]
    run = LearningRun(project, clock=lambda: START + 20 * HOUR, on_done=done.append, steps=judging)
    stop = threading.Event()
    faulty.arm("jobs.insert", "error", code="UNAVAILABLE", times=None)
    thread = threading.Thread(target=run.until, args=(stop,))
    thread.start()
    try:
        eventually(lambda: "learn: no progress" in caplog.text, timeout_s=90)
        assert "BigQuery does not answer" in caplog.text
        faulty.clear()
        eventually(lambda: len(done) == 1, timeout_s=90)
    finally:
        stop.set()
        began = time.monotonic()
        thread.join()
    assert time.monotonic() - began < 30
    assert done[0].said.startswith("1 decision, 0 frauds so far")


def test_what_looks_read_is_their_periods_however_much_is_stored(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    read = []
    for name in ("few", "many"):
        project = project_of(faulty, tmp_path / name, WALLET, f"costs_{name}", 86400.0)
        rows = [decision(WALLET, number) for number in range(48)]
        fill(project.warehouse, flows.DECISIONS, WALLET, rows)
        assert run_at(project, START + 49 * HOUR) == 1
        if name == "many":
            query(
                project.warehouse,
                "INSERT INTO decisions SELECT * EXCEPT (n) REPLACE (TIMESTAMP_SUB(decided_at, "
                "INTERVAL n DAY) AS decided_at) FROM decisions, UNNEST(GENERATE_ARRAY(10, 110)) n",
            )
        read.append(bytes_read(project, lambda: run_at(project, START + 73 * HOUR)))  # noqa: B023 - at once
    assert read[0] == read[1] > 0


def bytes_read(project: Project, work: Callable[[], int]) -> int:
    began_at = dt.datetime.now(dt.UTC)
    assert work() == 2
    jobs = project.warehouse.client.list_jobs(min_creation_time=began_at)
    return sum(job.total_bytes_processed for job in jobs if "MERGE" not in job.query)


def test_costs_of_a_version_that_is_not_here_are_not_told_and_that_is_said(
    faulty: FaultyBigQuery, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "foreign")
    fill(project.warehouse, flows.DECISIONS, WALLET, [decision(WALLET, 1)])
    done: list[StepDone] = []
    run_at(project, START + 20 * HOUR, done.append)
    assert "LOOK: cost is not told, since the registry here has no v" in done[0].said
    assert "there is no model version 'v'" in caplog.text
    assert {row["cost"] for row in measures(project) if row["decisions"]} == {None}


def test_status_puts_the_last_periods_together_and_shows_what_was_corrected(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    project = project_of(faulty, tmp_path, WALLET, "status")
    world = World(project, "status")
    nothing = learning_status(project, as_of=START + 13 * HOUR)
    assert (nothing.periods, nothing.rolling) == ([], {})
    assert [period.start for period in nothing.unjudged] == [START]
    for hours in range(13, 80, 18):
        run_at(project, START + dt.timedelta(hours=hours, minutes=1))
    found = learning_status(project, most=4, as_of=START + 80 * HOUR)
    assert [each.period.start.hour for each in found.periods] == [0, 18, 12, 6]
    assert found.unjudged == []
    assert any(each.first["all"] != each.parts["all"] for each in found.periods)
    payments = [
        payment for each in found.periods for payment in world.payments(each.period, each.as_of)
    ]
    assert found.rolling["all"].decisions == len(payments)
    assert found.rolling["all"].frauds == sum(each.told is True for each in payments)
    told = [each for each in payments if not each.is_hidden]
    assert found.rolling["all"].left_out == len(payments) - len(told) > 0
    assert found.rolling["all"].cost == pytest.approx(sum(each.cost for each in told))
    assert "in place of being blocked, which no figure holds" in str(rolling_facts(found))
    assert "days of maturity" not in str(rolling_facts(found))
    project.contract = replace(project.contract, maturity_days=2.0)
    run_at(project, START + 92 * HOUR)
    facts = rolling_facts(learning_status(project, most=40))
    assert any("by 1 and 2 days of maturity" in text for name, text in facts if name == "LOOK")
    earlier = learning_status(project, most=4, as_of=START + 30 * HOUR)
    assert all(each.as_of <= START + 30 * HOUR for each in earlier.periods)


def test_the_command_tells_what_is_judged_on_a_narrow_screen_and_what_to_do_without(
    here: Place,
) -> None:
    none = here.run("learning", "status", COLUMNS="80")
    assert none.code == 0
    assert "nothing is judged yet" in none.said
    assert "Run `fraudline learn`" in none.said
    now = dt.datetime.now(dt.UTC)
    period = Period.holding(now - 2 * dt.timedelta(days=1), 86400.0)
    contract = here.project.contract
    version = version_of(here.project)
    rows = [
        decision(
            contract,
            number,
            decided_at=period.start + number * HOUR,
            received_at=period.start,
            decision=DECISIONS[number % 3],
            model_version=version,
        )
        for number in range(20)
    ]
    fill(here.project.warehouse, flows.DECISIONS, contract, rows)
    told = [
        Told(row, "fraud", "customer", at, at, offset).row(contract)
        for offset, row in enumerate(rows[:4])
        for at in [row["decided_at"] + HOUR]
    ]
    fill(here.project.warehouse, flows.LABELS, contract, told)
    asked = here.run("learning", "status", COLUMNS="80")
    assert "1 period from" in " ".join(asked.said.split())
    learner = here.start("learn")
    eventually(lambda: "judge " in learner.said)
    learner.stop()
    assert "20 decisions, 4 frauds so far, average precision" in learner.said
    shown = here.run("learning", "status", COLUMNS="80")
    assert shown.code == 0
    assert max(map(len, shown.said.splitlines())) <= 80
    said = " ".join(shown.said.split())
    assert "100 alerts a day" in said
    assert "6 blocked, 1 of them labelled (1 fraud)" in said
    assert "LOOK 5 of 6 blocked payments have no label" in said
