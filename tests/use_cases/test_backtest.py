"""What was decided is what the version says of the same transactions, to the last bit."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import Place, eventually, place
from tests.stream.test_score_loop import Scorer, send
from tests.stream.test_sink_loop import run_sink
from tests.stream.test_swap import scoring
from tests.transactions import CARD_ROW, WALLET_FILE, WALLET_ROW, message
from tests.use_cases.test_run_learning import version_of
from tests.warehouse.test_counting_labels import Told, fill

from fraudline import flows
from fraudline.bundle.bundle import open_bundle
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.errors import InputError
from fraudline.scoring import Judge
from fraudline.use_cases.backtest import backtest
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

COUNT = 120
EVER = ("--from", "2000-01-01", "--to", "2100-01-01")


def lines(contract: str) -> list[bytes]:
    """Transactions that are written in many ways, and decided in all of them."""
    chance = random.Random(contract)
    made = []
    for number in range(COUNT):
        if contract == "creditcard":
            row: dict[str, object] = {name: chance.uniform(-3, 3) for name in CARD_ROW}
            row |= {"Time": chance.choice([1, 1.5, 86400]), "Amount": chance.choice([0, 12.34])}
        else:
            row = WALLET_ROW | {
                "payment_id": f"p-{number}",
                "paid_at": chance.choice(
                    ["2026-01-02T00:00:00Z", "2026-01-02T02:00:01.123456789+02:00"]
                ),
                "amount_minor": chance.randrange(9),
                "velocity": chance.choice([0, 0.1, 1 / 3, 1e-9]),
                "distance_km": chance.uniform(0, 9),
                "is_abroad": chance.random() < 0.5,
                "risk_note": chance.choice([None, 0, 1 / 3]),
                "merchant": chance.choice([None, "", 'a "Café"']),
            }
        made.append(message(row))
    return made


@pytest.fixture(scope="module", params=["creditcard", str(WALLET_FILE)], ids=["card", "wallet"])
def decided(
    request: pytest.FixtureRequest, services_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, str]]:
    """Transactions that went by topic, scorer and sink into BigQuery, and the champion."""
    home = tmp_path_factory.mktemp("backtest") / "home"
    with place(services_home, home, request.param) as made:
        version = version_of(made.project)
        made.project.registry.promote(version)
        send(made, list(lines(request.param)))
        with Scorer(made) as scorer:
            eventually(lambda: scorer.done == COUNT)
        run_sink(made, routes(made.project), until=lambda: len(stored(made)) == COUNT)
        yield made, version


def stored(made: Place) -> list[dict]:
    return query(made.project.warehouse, "SELECT * FROM decisions ORDER BY decided_at").to_pylist()


def test_the_champion_gives_each_of_its_decisions_again(decided: tuple[Place, str]) -> None:
    made, version = decided
    found = backtest(made.project, EARLIEST, LATEST)
    assert (found.version, found.decisions, found.own, found.differing) == (
        version, COUNT, COUNT, 0,
    )  # fmt: skip
    assert {move for move in found.moves if move[0] != move[1]} == set()
    assert len(found.moves) > 1, "they were all decided alike, so nothing was tried"
    assert found.now == found.then
    done = made.run("backtest", *EVER, COLUMNS="80")
    assert done.code == 0, done.said
    said = " ".join(done.said.split())
    assert f"all of its own {COUNT} decisions are the same to the last bit" in said
    assert max(map(len, done.out.decode().splitlines())) <= 80


ALTERATIONS = {
    "score": "score = score + 1e-12",
    "threshold": "threshold = threshold - 1e-12",
    "decision": "decision = 'review'",
    "reasons": "reasons = CONCAT(reasons, ' ')",
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_an_altered_decision_is_found_and_named(decided: tuple[Place, str], what: str) -> None:
    made, _ = decided
    before = next(row for row in stored(made) if row["decision"] == "block")
    where = (
        f"source_partition = {before['source_partition']} "
        f"AND source_offset = {before['source_offset']}"
    )
    change(made, f"UPDATE decisions SET {ALTERATIONS[what]} WHERE {where}")
    try:
        done = made.run("backtest", *EVER)
        assert done.code == 1
        assert f"1 of its own {COUNT} decisions differ" in done.said
        assert f"{before['transaction_id']}, {what}: then " in done.said
        assert "`fraudline reconcile` finds" in done.said
    finally:
        value = "NULL" if before[what] is None else repr(before[what])
        change(made, f"UPDATE decisions SET {what} = {value} WHERE {where}")
    assert backtest(made.project, EARLIEST, LATEST).differing == 0


def change(made: Place, sql: str) -> None:
    made.project.warehouse.client.query(sql).result()


def test_what_was_explored_is_explored_again_and_an_altered_propensity_is_found(
    services_home: Path, tmp_path: Path
) -> None:
    with place(services_home, tmp_path / "home") as made:
        made.project.registry.promote(version_of(made.project, explore_share=0.25))
        send(made, list(lines("creditcard")))
        with scoring(made.project, []) as run:
            eventually(lambda: run.progress.snapshot().done == COUNT)
        run_sink(made, routes(made.project), until=lambda: len(stored(made)) == COUNT)
        explored = [row for row in stored(made) if row["propensity"] is not None]
        assert {(row["decision"], row["propensity"]) for row in explored} == {("review", 0.25)}
        assert len(explored) < sum(row["decision"] != "approve" for row in stored(made))
        found = backtest(made.project, EARLIEST, LATEST)
        assert (found.own, found.differing) == (COUNT, 0)
        assert made.run("reconcile").code == 0
        change(made, "UPDATE decisions SET propensity = 0.5 WHERE propensity IS NOT NULL")
        done = made.run("backtest", *EVER)
        assert done.code == 1
        assert "propensity: then 0.5, now 0.25" in done.said


def test_another_version_is_held_against_what_was_decided_by_the_same_labels(
    decided: tuple[Place, str],
) -> None:
    made, version = decided
    contract = made.project.contract
    rows = stored(made)
    told = [
        Told(row, "fraud", "customer", row["decided_at"], row["decided_at"], offset).row(contract)
        for offset, row in enumerate(rows[::10])
    ]
    other = version_of(made.project, review_from=0.3, block_from=0.9)
    nothing_known = backtest(made.project, EARLIEST, LATEST, other)
    fill(made.project.warehouse, flows.LABELS, contract, told)
    found = backtest(made.project, EARLIEST, LATEST, other)
    assert (found.version, found.own, found.differing) == (other, 0, 0)
    assert nothing_known.then["all"].frauds == 0
    assert found.then["all"].frauds == found.now["all"].frauds == len(told)
    assert found.now["all"].average_precision == found.then["all"].average_precision
    bundle = open_bundle(made.project.registry.path(other), contract)
    verdicts = Judge(bundle).judge(lines(made.project.settings.contract))
    expected = Counter(verdict.decision for verdict in verdicts)
    now = found.now
    assert expected == Counter(
        approve=now["approved"].decisions,
        review=now["reviewed"].decisions,
        block=now["blocked"].decisions,
    )
    assert now["all"].cost != found.then["all"].cost
    done = made.run("backtest", *EVER, "--model", other)
    assert done.code == 0, done.said
    assert "none of these decisions was made by this version" in done.said
    assert "block -> review" in done.said
    assert version != other


def test_a_transaction_that_the_contract_no_longer_takes_is_told_and_differs(
    decided: tuple[Place, str],
) -> None:
    made, _ = decided
    if made.project.contract.id is not None:
        pytest.skip("one contract is enough")
    row = stored(made)[0]
    where = (
        f"source_partition = {row['source_partition']} AND source_offset = {row['source_offset']}"
    )
    change(made, f"UPDATE decisions SET Amount = -5.0 WHERE {where}")
    try:
        done = made.run("backtest", *EVER)
        assert done.code == 1
        assert "1 transactions have no verdict (out_of_range)" in done.said
        assert "now refused (out_of_range)" in done.said
    finally:
        change(made, f"UPDATE decisions SET Amount = {row['Amount']!r} WHERE {where}")


def test_a_time_in_which_nothing_was_decided_proves_nothing(decided: tuple[Place, str]) -> None:
    made, _ = decided
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(InputError, match=r"nothing was decided from .*, so there is nothing to"):
        backtest(made.project, EARLIEST, now - dt.timedelta(days=999))
    assert made.run("backtest", "--from", "2100-01-01", "--to", "2000-01-01").code == 2
