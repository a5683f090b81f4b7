"""Another kind of transaction goes the whole road with a contract file and no new code."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.card_table import ROWS as CARDS
from tests.card_table import write_card_table
from tests.deploy.test_guides import GUIDES, blocks
from tests.deploy.test_guides import commands as calls
from tests.end_to_end.test_pipeline import assert_well
from tests.harness import SCREEN, Answer, Place, place, typed

from fraudline.contract import load_contract
from fraudline.warehouse.query import query

pytestmark = pytest.mark.timeout(300)  # it loads TensorFlow and trains
CONTRACT = Path(__file__).parents[1] / "data" / "contracts" / "wallet.toml"
(GUIDE,) = (page for page in GUIDES if page.stem == "first-contract")
ROWS = 800
COSTS = {  # in cents
    "FRAUDLINE_POLICY__FRAUD_COST": "1500",
    "FRAUDLINE_POLICY__REVIEW_COST": "400",
    "FRAUDLINE_POLICY__WRONG_BLOCK_COST": "2500",
}


@pytest.fixture(scope="module")
def wallet(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project for made-up wallet payments."""
    with place(services_home, tmp_path_factory.mktemp("wallet") / "home", str(CONTRACT)) as made:
        yield made


def made_up_history() -> pa.Table:
    random = np.random.default_rng(7)
    is_fraud = random.random(ROWS) < 0.1
    begin = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    values = {
        "payment_id": [f"p-{number}" for number in range(ROWS)],
        "paid_at": [begin + dt.timedelta(minutes=7 * number) for number in range(ROWS)],
        "amount_minor": random.integers(1, 50_000, ROWS),
        "velocity": random.normal(2 * is_fraud, 1.0),
        "distance_km": np.abs(random.normal(30 * is_fraud, 10.0)),
        "is_abroad": random.random(ROWS) < 0.3,
        "risk_note": [None if number % 3 else 0.5 for number in range(ROWS)],
        "is_fraud": is_fraud,
        "merchant": ["a “quoted” shop {x}" if number % 2 else None for number in range(ROWS)],
    }
    return pa.table(values, schema=load_contract(str(CONTRACT)).history_schema)


def test_the_guide_leads_a_table_that_nobody_described_from_a_guess_to_a_proof(
    services_home: Path, tmp_path: Path
) -> None:
    table = write_card_table(tmp_path / "payments.csv")
    guide, answers = calls(GUIDE), []
    while guide[0][0] == "contract":
        answers.append(typed(tuple(guide.pop(0)), {**os.environ, **SCREEN}, tmp_path))
    assert [each.code for each in answers] == [1, 0, 0]
    said = [" ".join(each.said.split()) for each in answers]
    for answer, shown in zip(said, blocks(GUIDE, "text"), strict=False):
        assert all(" ".join(line.split()) in answer for line in shown.splitlines())
    with place(services_home, tmp_path, str(tmp_path / "payments.toml")) as made:
        done = {call[0]: _do(made, call) for call in guide if call[0] != "up"}
        assert "missing 0, doubled 0, differing 0" in done["reconcile"].said
        assert_well(made.run("replay", table.name, "--rate", "0"))
        assert_well(made.run("reconcile", "--wait", "50"))
        counted = "SELECT COUNTIF(repeat_of IS NULL) AS first, COUNT(*) AS n FROM decisions"
        kept = query(made.project.warehouse, counted)
        assert kept.to_pylist() == [{"first": CARDS, "n": 2 * CARDS}]


def _do(made: Place, call: list[str]) -> Answer:
    if call[0] in {"score", "sink"}:
        made.start(*call)
        return Answer(0, b"", "")
    answer = made.run(*call)
    assert_well(answer)
    return answer


@pytest.mark.slow  # the guide's table goes the same road, by a contract that was guessed
def test_a_made_up_contract_needs_no_new_code(wallet: Place) -> None:
    history = wallet.project.settings.home / "history.parquet"
    pq.write_table(made_up_history(), history)
    assert_well(wallet.run("load", str(history)))
    assert_well(wallet.run("check"))
    assert_well(wallet.run("train", "--promote", **COSTS, FRAUDLINE_TRAINING__MOST_STEPS="300"))
    wallet.start("score")
    wallet.start("sink")
    assert_well(wallet.run("replay", str(history), "--rate", "0"))
    proof = wallet.run("reconcile", "--wait", "50")
    assert_well(proof)
    assert "missing 0, doubled 0, differing 0" in proof.said
    kept = query(
        wallet.project.warehouse,
        "SELECT COUNT(*) AS n FROM decisions "
        "WHERE transaction_id = payment_id AND merchant IS NULL AND paid_at IS NOT NULL",
    )
    assert kept.to_pylist() == [{"n": ROWS // 2}]

    assert_well(wallet.run("replay", str(history), "--rate", "0"))
    proof = wallet.run("reconcile", "--wait", "50")
    assert_well(proof)
    repeats = query(
        wallet.project.warehouse,
        "SELECT COUNT(*) AS n, COUNT(DISTINCT again.transaction_id) AS ids FROM decisions again "
        "JOIN decisions first ON again.repeat_of = CONCAT(first.source_topic, ':', "
        "CAST(first.source_partition AS STRING), ':', CAST(first.source_offset AS STRING)) "
        "WHERE again.score = first.score AND again.transaction_id = first.transaction_id",
    )
    assert repeats.to_pylist() == [{"n": ROWS, "ids": ROWS}]
