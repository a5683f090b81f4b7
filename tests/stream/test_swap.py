"""Champions that change while transactions flow: each decision is its named version's own."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.harness import Place, eventually, place
from tests.stream.test_score_loop import committed, send
from tests.transactions import CARD_ROW, CREDITCARD, WALLET, WALLET_FILE, WALLET_ROW, message
from tests.use_cases.versions import add_version

from fraudline import flows
from fraudline.bundle.bundle import open_bundle
from fraudline.bundle.bundle_files import GRAPH_FILE
from fraudline.local.process import free_port
from fraudline.scoring.judge import Judge, Verdict
from fraudline.settings import MetricsSettings
from fraudline.stream.health import assess_health
from fraudline.stream.produce_lines import produce_lines
from fraudline.stream.read_topic import offset_ranges, read_range
from fraudline.stream.served_model import ServedModel
from fraudline.use_cases.project import Project
from fraudline.use_cases.run_scorer import ScorerRun


@contextmanager
def scoring(project: Project, told: list[str]) -> Iterator[ScorerRun]:
    """A scorer as `fraudline score` runs it, in a thread of the test."""
    stop = threading.Event()
    run = ScorerRun(project)
    thread = threading.Thread(target=run.until, args=(stop, told.append))
    thread.start()
    try:
        yield run
    finally:
        stop.set()
        thread.join()


def judges(project: Project, versions: list[str]) -> dict[str, Judge]:
    return {
        version: Judge(open_bundle(project.registry.path(version), project.contract))
        for version in versions
    }


def by_transaction(project: Project) -> Iterator[list[dict[str, object]]]:
    """The decisions of each Kafka transaction in a partition: its end takes an offset, too."""
    kafka, topic = project.kafka, project.kafka.topic(flows.DECISIONS)
    for partition, (start, stop) in offset_ranges(kafka, topic).items():
        rows = [
            (offset, msgspec.json.decode(value or b""))
            for _, _, messages in read_range(kafka, topic, partition, start, stop, 1000)
            for offset, value in zip(messages.offsets, messages.values, strict=True)
        ]
        runs = itertools.groupby(enumerate(rows), key=lambda each: each[1][0] - each[0])
        for _, run in runs:
            yield [row for _, (_, row) in run]


COLUMNS = [column.name for column in CREDITCARD.transaction_columns]


def endless(is_over: threading.Event) -> Iterator[bytes]:
    """Transactions that differ, until it is over."""
    for number in itertools.count():
        if is_over.is_set():
            return
        yield message(dict.fromkeys(COLUMNS, number % 100 / 50), **{COLUMNS[1]: float(number)})


def assert_as_judged(rows: list[dict[str, object]], judge: Judge) -> None:
    """Each decision is what its version says of the same transaction, to the last bit."""
    inputs = [msgspec.json.encode({name: row[name] for name in COLUMNS}) for row in rows]
    for row, verdict in zip(rows, judge.judge(inputs), strict=True):
        assert isinstance(verdict, Verdict)
        assert row["score"] == verdict.score
        assert row["decision"] == verdict.decision
        assert row["threshold"] == verdict.threshold
        reasons = None if verdict.reasons is None else msgspec.to_builtins(verdict.reasons)
        told = row["reasons"]
        assert (None if told is None else msgspec.json.decode(str(told))) == reasons


def test_versions_change_while_messages_flow_and_no_decision_is_lost_doubled_or_mixed(
    here: Place,
) -> None:
    project = here.project
    registry = project.registry
    first, second = (add_version(registry, CREDITCARD, power, power / 7) for power in (1.0, 3.0))
    registry.promote(first)
    is_over = threading.Event()
    sent: list[int] = []

    def produce() -> None:
        topic = project.kafka.topic(flows.TRANSACTIONS)
        done = produce_lines(
            project.kafka,
            topic,
            endless(is_over),
            rate=1000,
            stop=threading.Event(),
            on_sent=lambda _: None,
        )
        sent.append(done)

    told: list[str] = []
    producer = threading.Thread(target=produce)
    with scoring(project, told) as run:

        def decide_more() -> None:
            before = run.progress.snapshot().done
            eventually(lambda: run.progress.snapshot().done > before + 400)

        producer.start()
        try:
            for swaps in range(1, 4):
                decide_more()
                registry.promote((first, second)[swaps % 2])
                eventually(lambda now=swaps: len(told) == now)
            decide_more()
        finally:
            is_over.set()
            producer.join()
        eventually(lambda: run.progress.snapshot().done == sent[0])
    order = [first, second, first, second]
    named = judges(project, [first, second])
    found: dict[int, list[dict[str, object]]] = {partition: [] for partition in range(4)}
    for rows in by_transaction(project):
        assert len({row["model_version"] for row in rows}) == 1, "a mixed batch"
        found[int(str(rows[0]["source_partition"]))] += rows
    assert sum(map(len, found.values())) == sent[0]
    for rows in found.values():
        assert [row["source_offset"] for row in rows] == list(range(len(rows)))
        versions = [version for version, _ in itertools.groupby(r["model_version"] for r in rows)]
        assert versions == order
        for version, judge in named.items():
            assert_as_judged([row for row in rows if row["model_version"] == version], judge)
    assert len(told) == 3


def test_a_version_takes_over_by_share_and_each_decision_is_wholly_one_version_s(
    here: Place,
) -> None:
    project, registry = here.project, here.project.registry
    first, second = (add_version(registry, CREDITCARD, power, power / 7) for power in (1.0, 3.0))
    registry.promote(first)
    lines = [message(dict.fromkeys(COLUMNS, number % 40 / 40)) for number in range(200)]
    done = 0
    with scoring(project, []) as run:

        def decided_by_second(is_so: Callable[[ServedModel], bool]) -> float:
            """Which share of the lines the second version decides, once the scorer knows of it."""
            nonlocal done
            eventually(lambda: is_so(run.progress.snapshot().model or ServedModel("")))
            send(here, list(lines))
            before, done = done, done + len(lines)
            eventually(lambda: run.progress.snapshot().done == done)
            rows = committed(here, project.kafka.topic_decisions)
            rows.sort(key=lambda row: str(row["decided_at"]))
            return sum(row["model_version"] == second for row in rows[before:]) / len(lines)

        assert decided_by_second(lambda model: model.version == first) == 0
        assert here.run("models", "promote", second, "--share", "0.2").code == 0
        assert 0.05 < decided_by_second(lambda model: model.rollout_share == 0.2) < 0.4
        assert here.run("models", "rollout", "--share", "0.7").code == 0
        assert 0.5 < decided_by_second(lambda model: model.rollout_share == 0.7) < 0.9
        assert f"the rollout of {second} is over" in here.run("models", "rollback").said
        assert decided_by_second(lambda model: model.rollout is None) == 0
        here.run("models", "promote", second, "--share", "0.5")
        here.run("models", "promote", second)
        assert decided_by_second(lambda model: model.version == second) == 1
    rows = committed(here, project.kafka.topic_decisions)
    for version, judge in judges(project, [first, second]).items():
        assert_as_judged([row for row in rows if row["model_version"] == version], judge)


def test_challengers_score_beside_the_champion_and_a_broken_one_changes_no_decision(
    here: Place,
) -> None:
    project, registry = here.project, here.project.registry
    first, second, broken = (add_version(registry, CREDITCARD, power) for power in (1.0, 3.0, 2.0))
    registry.promote(first)
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    lines = [message(dict.fromkeys(COLUMNS, number / 40)) for number in range(40)]
    told: list[str] = []
    with scoring(project, told) as run:

        def decide_all(times: int) -> None:
            send(here, list(lines))
            eventually(lambda: run.progress.snapshot().done == times * len(lines))

        def model() -> ServedModel:
            served = run.progress.snapshot().model
            assert served is not None
            return served

        decide_all(1)
        registry.challenge(second, until, is_live=True)
        eventually(lambda: model().challengers == (second,))
        decide_all(2)
        (registry.path(broken) / GRAPH_FILE).write_bytes(b"x")
        shutil.rmtree(registry.path(second))  # which goes on as it was opened
        registry.challenge(broken, until, is_live=True)
        eventually(lambda: broken in model().challenger_faults)
        decide_all(3)
        assert assess_health(run.progress.snapshot(), time.monotonic(), 60).is_healthy
    rows = committed(here, project.kafka.topic_decisions)
    rows.sort(key=lambda row: str(row["decided_at"]))
    before, *after = rows[:40], rows[40:80], rows[80:]
    assert {row["challenger_scores"] for row in before} == {None}
    for part in after:
        assert len(part) == 40
        for row in part:
            assert set(msgspec.json.decode(str(row["challenger_scores"]))) == {second}
    judge = Judge(open_bundle(registry.path(first), CREDITCARD))
    assert_as_judged(rows, judge)


def test_a_transaction_sent_again_after_a_swap_is_given_its_first_decision(
    services_home: Path, tmp_path: Path
) -> None:
    with place(services_home, tmp_path / "home", str(WALLET_FILE)) as wallet:
        project, registry = wallet.project, wallet.project.registry
        first, second = (add_version(registry, WALLET, power) for power in (1.0, 3.0))
        registry.promote(first)
        payments = [message(WALLET_ROW, payment_id=f"p-{number}") for number in range(50)]
        told: list[str] = []
        with scoring(project, told) as run:
            send(wallet, payments, key_of=project.contract.key_of)
            eventually(lambda: run.progress.snapshot().done == 50)
            registry.promote(second)
            eventually(lambda: run.version == second)
            later = [message(WALLET_ROW, payment_id=f"later-{number}") for number in range(50)]
            send(wallet, payments + later, key_of=project.contract.key_of)
            eventually(lambda: run.progress.snapshot().done == 150)
        rows = committed(wallet, project.kafka.topic_decisions)
        repeats = [row for row in rows if row["repeat_of"] is not None]
        assert {row["transaction_id"] for row in repeats} == {f"p-{n}" for n in range(50)}
        assert {row["model_version"] for row in repeats} == {first}
        anew = [row for row in rows if str(row["transaction_id"]).startswith("later")]
        assert {row["model_version"] for row in anew} == {second}


@pytest.mark.timeout(240)  # a process starts
def test_a_scorer_that_runs_takes_what_is_promoted_and_refuses_what_was_altered(
    here: Place,
) -> None:
    registry = here.project.registry
    first, second, bad = (add_version(registry, CREDITCARD, power) for power in (1.0, 3.0, 5.0))
    registry.promote(first)
    port = free_port()
    settings = here.project.settings.model_copy(update={"metrics": MetricsSettings(port=port)})
    with_metrics = Place(Project(settings))
    try:
        scorer = with_metrics.start("score")

        def model() -> dict[str, object]:
            try:
                return dict(httpx.get(f"http://127.0.0.1:{port}/health").json()["model"])
            except httpx.TransportError:
                return {}

        eventually(lambda: model().get("version") == first, 120)
        done = here.run("models", "promote", second)
        assert done.code == 0, done.said
        assert "Scorers that run take it within two seconds" in done.said
        eventually(lambda: model()["version"] == second)
        assert f"{second} is the champion and decides from now on, instead of" in scorer.said
        (registry.path(bad) / GRAPH_FILE).write_bytes(b"x")
        refused = here.run("models", "promote", bad)
        assert refused.code == 1
        registry.promote(bad)  # as another machine may do, before all of its files have arrived
        eventually(lambda: model()["refused"] == bad)
        assert model()["version"] == second
        assert f"champion {bad} is refused, and {second} decides on" in scorer.said
        send(here, [message(CARD_ROW)] * 20)
        eventually(lambda: len(committed(here, here.project.kafka.topic_decisions)) == 20)
        rows = committed(here, here.project.kafka.topic_decisions)
        assert {row["model_version"] for row in rows} == {second}
        assert scorer.is_alive
    finally:
        with_metrics.close()
