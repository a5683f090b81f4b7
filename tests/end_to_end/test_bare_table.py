"""A table that says neither what a payment is worth nor when it was made goes the whole road."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.end_to_end.test_pipeline import assert_well
from tests.harness import SCREEN, place, typed

from fraudline.warehouse.query import query

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]  # it loads TensorFlow and trains
ROWS = 800
ONE_ANSWER = ("--payments-a-day", "400")


def bare_table() -> pa.Table:
    random = np.random.default_rng(5)
    is_fraud = random.random(ROWS) < 0.1
    return pa.table(
        {
            "TRANSACTION_ID": np.arange(ROWS),
            "Account Age": random.integers(1, 2000, ROWS),
            "speed": random.normal(1.5 * is_fraud, 1.0),
            "method": random.choice(["paypal", "card", "credit"], ROWS),
            "is_fraud": is_fraud.astype(np.int8),
        }
    )


def test_a_table_without_amounts_and_times_goes_from_a_guess_to_a_proof(
    services_home: Path, tmp_path: Path
) -> None:
    table = tmp_path / "bare.parquet"
    pq.write_table(bare_table(), table)
    environment = {**os.environ, **SCREEN}
    asked = typed(("contract", "init", table.name), environment, tmp_path)
    assert (asked.code, "--payments-a-day" in asked.said) == (1, True)
    assert_well(typed(("contract", "init", table.name, *ONE_ANSWER), environment, tmp_path))
    with place(services_home, tmp_path, str(tmp_path / "bare.toml")) as made:
        assert_well(made.run("contract", "check"))
        assert_well(made.run("load", table.name))
        checked = made.run("check")
        assert_well(checked)
        assert "800 rows count as 2 days" in checked.said
        trained = made.run("train", "--promote", FRAUDLINE_TRAINING__MOST_STEPS="200")
        assert_well(trained)
        said = " ".join(trained.said.split())
        assert "contract 'bare' has no event time. Its parts are drawn at random" in said
        assert "Costs are per payment: each missed fraud counts 37.00" in said
        made.start("score")
        made.start("sink")
        assert_well(made.run("replay", table.name, "--rate", "0"))
        proof = made.run("reconcile", "--wait", "50")
        assert_well(proof)
        assert "missing 0, doubled 0, differing 0" in proof.said
        kept = query(
            made.project.warehouse,
            "SELECT COUNT(*) AS n, COUNT(DISTINCT threshold) AS thresholds FROM decisions "
            "WHERE transaction_id = CAST(own_TRANSACTION_ID AS STRING) AND Account_Age > 0",
        )
        assert kept.to_pylist() == [{"n": ROWS, "thresholds": 1}]
