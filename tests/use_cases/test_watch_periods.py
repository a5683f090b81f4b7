"""What `fraudline learn` finds before any label, of decisions in bqlite."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.harness import Place, place
from tests.models import manifest_for, tiny_policy, write_tiny_bundle, write_tiny_files
from tests.transactions import WALLET, WALLET_FILE
from tests.use_cases.test_run_learning import project_of
from tests.warehouse.test_counting_labels import decision, fill

from fraudline import flows
from fraudline.bundle.bundle_files import write_manifest
from fraudline.bundle.reference import read_reference, write_reference
from fraudline.contract import Contract
from fraudline.contract.alarms import DETECTORS
from fraudline.contract.columns import Category
from fraudline.stream.counts import Task
from fraudline.stream.progress import Progress
from fraudline.training.reference_file import keep_reference
from fraudline.training.split import split_by_time
from fraudline.use_cases.look_at_alarms import look_at_alarms
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_learning import LearningRun
from fraudline.use_cases.watch_periods import WatchPeriods
from fraudline.warehouse.learning_tables import read_rows

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
DAY_ROWS = 400


def payments(
    contract: Contract, seed: int, rows: int, merchants: Sequence[str] = ("shop",)
) -> list[dict]:
    """Payments of a day, evenly spread over it."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(rows):
        row = {
            "payment_id": f"p-{seed}-{number}",
            "paid_at": START + number * DAY / rows,
            "amount_minor": int(random.gamma(2, 20)),
            "velocity": float(random.normal()),
            "distance_km": float(random.exponential()),
            "is_abroad": bool(random.random() < 0.2),
            "risk_note": 1.0 if random.random() < 0.7 else None,
            "merchant": merchants[number * 7919 % 101 % len(merchants)],
            "is_fraud": bool(random.random() < 0.02),
        }
        made.append({name: row[name] for name in contract.history_schema.names})
    return made


def scores_of(velocities: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-velocities))


def reject(number: int, at: dt.datetime) -> dict[str, object]:
    return {
        "source_topic": "transactions",
        "source_partition": 0,
        "source_offset": 10**6 + number,
        "reason": "invalid_json",
        "message": "no JSON",
        "original": b"{",
        "original_size_bytes": 1,
        "rejected_at": at + number * dt.timedelta(seconds=1),
    }


class Stream:
    """A version with a reference of 21 days, and days that it decides."""

    def __init__(self, project: Project, merchants: Sequence[str] = ("shop",)) -> None:
        self.project, self.contract, self.merchants = project, project.contract, merchants
        self._days = 0
        self.version = self.new_version("tiny")

    def new_version(self, recipe: str) -> str:
        contract, registry = self.contract, self.project.registry
        days = [payments(contract, 1000 + day, DAY_ROWS, self.merchants) for day in range(21)]
        for number, rows in enumerate(days):
            for row in rows:
                row["paid_at"] += number * DAY
        history = pa.Table.from_pylist(
            [row for rows in days for row in rows], contract.history_schema
        )
        directory = registry.new_directory()
        write_tiny_files(directory, contract)
        split = split_by_time(contract.labels(history), 0.2, 0)
        scores = scores_of(history.column("velocity").to_numpy())
        keep_reference(directory, contract, history, split, scores, seed=1)
        write_manifest(directory, manifest_for(contract, recipe=recipe))
        return registry.add(directory).version

    def day(
        self,
        *,
        rows: int = DAY_ROWS,
        times: int = 1,
        highest: int = 0,
        dearest: int = 0,
        hours: float = 24,
        **changes: object,
    ) -> None:
        """Decide one more day, with amounts that many times as high, and so many high scores or
        very high amounts.

        Its payments were made in so many hours.
        """
        contract, begin = self.contract, START + self._days * DAY
        made = payments(contract, self._days, rows, self.merchants)
        for row in made:
            row["amount_minor"] *= times
            row["paid_at"] = START + (row["paid_at"] - START) * hours / 24
            row.update(changes)
            del row["is_fraud"]
        for row in made[:dearest]:
            row["amount_minor"] = 10_000
        scores = scores_of(np.array([row["velocity"] for row in made]))
        scores[:highest] = 0.999
        decided = [
            decision(
                contract,
                1000 * self._days + number,
                **row,
                score=float(score),
                decision="review" if score > 0.9 else "approve",
                model_version=self.version,
                decided_at=begin + number * DAY / rows,
                received_at=begin,
            )
            for number, (row, score) in enumerate(zip(made, scores, strict=True))
        ]
        fill(self.project.warehouse, flows.DECISIONS, contract, decided)
        self._days += 1

    def watch(self) -> list[str]:
        """What is said of the days that were not watched yet."""
        project, said = self.project, []
        self.progress = Progress(Task.LEARN)
        at = START + self._days * DAY + dt.timedelta(minutes=1)
        LearningRun(
            project,
            clock=lambda: at,
            on_done=lambda done: said.append(done.said),
            steps=[WatchPeriods(project, self.progress)],
        ).advance()
        return said

    @property
    def rows(self) -> list[dict]:
        return read_rows(self.project.warehouse, flows.ALARMS, self.contract)

    def alarms(self) -> list[tuple[int, str, str | None]]:
        return [
            ((row["period_start"] - START).days, row["detector"], row["column_name"])
            for row in self.rows
            if row["is_alarm"]
        ]


@pytest.fixture
def stream(faulty: FaultyBigQuery, tmp_path: Path, request: pytest.FixtureRequest) -> Stream:
    name = f"watch_{abs(hash(request.node.name)) % 10**8}"
    return Stream(project_of(faulty, tmp_path, WALLET, name, 86400.0))


def test_a_column_times_4_is_one_alarm_that_names_it_and_nothing_before_is(stream, caplog):
    for _ in range(2):
        stream.day()
    assert [said.split("; ")[1] for said in stream.watch()] == ["nothing alarms"] * 2
    assert stream.alarms() == []
    stream.day(times=4)
    stream.day(times=4)
    said = stream.watch()
    assert "ALARM (columns): 'amount_minor': " in said[0]
    assert "ALARM (columns): 'amount_minor'" in caplog.text
    assert stream.alarms() == [
        (day, detector, "amount_minor") for day in (2, 3) for detector in ("amounts", "columns")
    ]
    shown = stream.progress.snapshot().alarms
    assert shown == dict.fromkeys(DETECTORS, 0) | {"columns": 1, "amounts": 1}
    assert stream.watch() == []  # each once

    found = look_at_alarms(stream.project, most=7)
    (alarm,) = [each for each in found.alarms if each.detector == "columns"]
    assert alarm.stands
    assert alarm.since == START + 2 * DAY
    assert alarm.unit == "cent"
    assert alarm.found["0.5"] == pytest.approx(4 * alarm.usual["0.5"], rel=0.2)
    assert alarm.statistic > alarm.threshold
    assert found.estimate.rows == DAY_ROWS
    assert 0 < found.estimate.recall <= 1


def test_many_high_scores_alarm_and_a_sum_goes_on_where_another_process_left_it(stream):
    stream.day()
    for _ in range(4):
        stream.day(highest=7)  # two are usual
        stream.watch()
    assert "scores" in {detector for _, detector, _ in stream.alarms()}
    states = [
        json.loads(row["state"])["above"]
        for row in stream.rows
        if row["state"] and row["detector"] == "scores"
    ]
    assert states == sorted(states)
    assert states[-1] > 6
    (alarm,) = look_at_alarms(stream.project, most=7).standing
    assert alarm.since == START + DAY
    assert "of the scores reach" in alarm.told
    assert "too high" in alarm.told


def test_a_few_very_high_amounts_a_day_alarm_though_the_column_is_as_it_was(stream):
    """As a kind of fraud does that no score knows: the distribution hardly moves."""
    stream.day()
    for _ in range(4):
        stream.day(dearest=8)  # two are usual
    stream.watch()
    assert {(detector, name) for _, detector, name in stream.alarms()} == {
        ("amounts", "amount_minor")
    }
    (alarm,) = look_at_alarms(stream.project, most=7).standing
    assert alarm.since == START + DAY
    assert "of the payments: 'amount_minor' is at least" in alarm.told


def test_that_nothing_watches_amounts_is_told_of_a_version_of_before(stream):
    directory = stream.project.registry.path(stream.version)
    reference = read_reference(directory)
    older = stream.project.registry.new_directory()
    write_tiny_files(older, stream.contract)
    write_reference(older, replace(reference, amounts=None))
    write_manifest(older, manifest_for(stream.contract, recipe="older"))
    stream.version = stream.project.registry.add(older).version
    stream.day()
    assert "nothing alarms" in stream.watch()[0]
    (untold,) = look_at_alarms(stream.project, 7).untold
    assert "keeps no share of high amounts, so nothing watches them" in untold


def test_a_stream_without_amounts_or_times_of_its_own_is_watched_and_says_so(faulty, tmp_path):
    bare = replace(WALLET, name="bare", amount=None, event_time=None, payments_a_day=400.0)
    stream = Stream(project_of(faulty, tmp_path, bare, "watch_bare", 86400.0))
    stream.day()
    stream.day(velocity=9.0)
    assert "nothing alarms" in stream.watch()[0]
    assert {name for _, _, name in stream.alarms()} == {"velocity", None}
    found = look_at_alarms(stream.project, most=7)
    assert "amounts are not watched: contract 'bare' has none to look at" in found.untold


def test_a_period_that_covers_less_event_time_than_the_reference_says_so(stream):
    stream.day(hours=3)
    said = stream.watch()[0]
    assert "ALARM (columns): 'paid_at'" in said
    assert "the period covers 2.99 hours of event time, those of the reference 23.9" in said


def test_nulls_and_rejects_alarm(stream):
    for _ in range(2):
        stream.day()
    stream.day(risk_note=None)
    rejects = [reject(number, START + 2 * DAY) for number in range(30)]
    fill(stream.project.warehouse, flows.REJECTS, stream.contract, rejects)
    stream.watch()
    assert stream.alarms() == [(2, "nulls", "risk_note"), (2, "rejects", None)]
    told = {alarm.detector: alarm.told for alarm in look_at_alarms(stream.project, 7).standing}
    assert told["nulls"].startswith("'risk_note' is null in 100 %, usually in 30.4 %")
    assert told["rejects"] == "6.98 % of 430 messages were rejected, usually 0 %"


SHOPS = ["corner", "net", "Bäckerei", "mall"]
LEVELS = replace(
    WALLET,
    columns=tuple(
        replace(each, is_feature=True, category=Category() if each.name == "merchant" else None)
        if each.name in {"merchant", "risk_note"}
        else each
        for each in WALLET.columns
    ),
)


def test_levels_that_are_new_or_more_frequent_alarm_by_their_names(faulty, tmp_path):
    stream = Stream(project_of(faulty, tmp_path, LEVELS, "watch_levels", 86400.0), SHOPS)
    stream.day()
    assert "nothing alarms" in stream.watch()[0]
    stream.day(risk_note=None)
    stream.merchants = ["corner", "net", "Bäckerei", "mall", "web"]
    stream.day()
    stream.merchants = ["net"]
    stream.day()
    stream.watch()
    assert stream.alarms() == [
        (1, "nulls", "risk_note"),
        (2, "columns", "merchant"),
        (2, "levels", "merchant"),
        (3, "columns", "merchant"),
    ]
    left_out = ["'risk_note' not compared: fewer than" in row["told"] for row in stream.rows]
    assert left_out.count(True) == 1, "of the day on which it has no value"
    told = [row["told"] for row in stream.rows if row["is_alarm"]]
    assert told[1].startswith("'merchant': 19.5 % of the values are other levels. 19.5 % are other")
    assert "were rare or unseen, such as 'web', in 19.5 %, usually in 0 %" in told[2]
    assert ". 100 % are 'net', of the reference 2" in told[3]
    (alarm,) = look_at_alarms(stream.project, most=7).standing
    assert alarm.is_category
    assert alarm.found["net"] == 1.0


def test_a_period_of_nothing_but_rejects_is_watched_too(stream):
    rejects = [reject(number, START) for number in range(30)]
    fill(stream.project.warehouse, flows.REJECTS, stream.contract, rejects)
    stream.day(rows=0)
    assert "100 % of 30 messages were rejected" in stream.watch()[0]


def test_another_champion_is_compared_with_its_own_reference_and_sums_begin_anew(stream):
    stream.day(highest=7)
    stream.watch()
    stream.version = stream.new_version("other")
    stream.day()
    (said,) = stream.watch()
    assert f"{stream.version} decides now, and is compared with a reference of its own" in said
    begun = [
        json.loads(row["state"])["above_since"]
        for row in stream.rows
        if row["state"] and row["detector"] == "scores"
    ]
    assert begun[0] is not None
    assert begun[1] in {None, "2026-03-02T00:00:00Z"}


def test_a_version_without_a_reference_is_an_alarm_that_names_it_and_says_what_to_do(stream):
    directory = stream.project.registry.new_directory()
    write_tiny_bundle(directory, stream.contract, policy=tiny_policy(), recipe="older")
    stream.version = stream.project.registry.add(directory).version
    stream.day()
    (said,) = stream.watch()
    assert f"version {stream.version} has no reference.arrow" in said
    assert "`fraudline train`" in said
    assert stream.alarms() == [(0, "reference", None)]


def test_a_period_with_too_few_transactions_is_not_compared_and_says_so(stream):
    stream.day(rows=40)
    assert "nothing alarms" in stream.watch()[0]
    (untold,) = look_at_alarms(stream.project, 7).untold
    assert "40 transactions, fewer than the 100" in untold
    assert "learning.period_s" in untold


@pytest.fixture
def wallets(services_home: Path, tmp_path: Path) -> Iterator[Place]:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as made:
        yield made


def test_the_commands_tell_alarms_on_a_narrow_screen_and_what_to_do_without_any(wallets: Place):
    none = wallets.run("learning", "alarms", COLUMNS="80")
    assert none.code == 0
    assert "`fraudline learn` watches each period" in none.said
    assert "alarms" in wallets.run("learning", "status", COLUMNS="80").said

    stream = Stream(wallets.project)
    for times in (1, 4):
        stream.day(times=times)
    stream.watch()
    shown = wallets.run("learning", "alarms", COLUMNS="80")
    assert shown.code == 1
    assert max(map(len, shown.said.splitlines())) <= 80
    said = " ".join(shown.said.split())
    assert "columns: amount_minor since 2026-03-02 00:00:00 UTC, it stands" in said
    assert "(cent) 5 % 25 % 50 % 75 % 95 %" in said
    assert "next ask who produces it what changed" in said
    status = " ".join(wallets.run("learning", "status", COLUMNS="80").said.split())
    assert "columns: amount_minor: see `fraudline learning alarms`" in status
    assert "not valid, since an alarm stands" in status
