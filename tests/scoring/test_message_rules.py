"""Decisions on messages that are not as the columns are carry the columns, and nothing else."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from tests.contract.test_message_rules import contract_of, sent
from tests.models import tiny_bundle, tiny_policy

from fraudline import flows
from fraudline.contract import Messages
from fraudline.scoring import Decider
from fraudline.scoring.judge import Judge
from fraudline.scoring.rollout_judge import RolloutJudge

AT = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def arrived(*values: bytes) -> Messages:
    places = range(len(values))
    return Messages(
        "t", [0] * len(values), list(places), [None] * len(values), values, [0] * len(values)
    )


@pytest.mark.parametrize("is_rolled_out", [False, True])
def test_a_decision_carries_the_columns_of_the_contract_and_not_what_is_ignored(
    tmp_path, is_rolled_out
):
    contract = contract_of(tmp_path)
    by_costs = tiny_policy(review_from=None, block_from=None)
    bundle = tiny_bundle(tmp_path / "bundle", contract, policy=by_costs)
    rollout = RolloutJudge(bundle, bundle, 0.5) if is_rolled_out else None
    texts = [sent(), sent(TRANSACTION_ID=8, note="x" * 99), b"{", sent(TRANSACTION_ID=9, age="NA")]
    outcomes = Decider(bundle, rollout=rollout).decide(arrived(*texts), AT)
    assert [one.is_reject for one in outcomes] == [False, False, False, True]
    assert [one.is_cut for one in outcomes] == [False, True, False, False]
    for outcome in outcomes[:3]:
        decision = json.loads(outcome.value)
        assert set(decision) == {column.name for column in contract.decision_columns}
    assert json.loads(outcomes[0].value)["amount"] == 12.5
    assert [json.loads(one.value)["transaction_id"] for one in outcomes[:3]] == ["7", "8", "9"]
    rows, *_, rejects = flows.DECISIONS.decoder(contract).decode(
        [one.value for one in outcomes[:3]]
    )
    assert rejects == []
    assert rows.column("age").to_pylist() == [41, 41, None]


def test_a_verdict_is_that_of_the_plain_message(tmp_path):
    contract = contract_of(tmp_path)
    bundle = tiny_bundle(tmp_path / "bundle", contract)
    rows, *_ = contract.decoder().decode([sent()])
    lines = contract.message_lines(rows)
    assert Judge(bundle).judge([sent(note=1)]) == Judge(bundle).judge(lines)
