"""Whoever changes rows behind our back is found out, row by row, however the proof came by them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.harness import Place, eventually, place
from tests.reconcile.test_reconcile import check, count, run
from tests.stream.test_score_loop import Scorer, send, transactions
from tests.stream.test_sink_loop import run_sink

from fraudline.reconcile.incremental_proof import IncrementalProof
from fraudline.reconcile.ledger import LedgerCounts
from fraudline.stream.read_topic import offset_ranges
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

FEW, MANY = 1_000, 100_000


@dataclass
class Tampering:
    """Changes of rows, each at a message of its own, and what a proof has to find of them.

    Attributes:
        expected: How many disagreements of each kind.
        places: Where each is.
    """

    made: Place
    dice: random.Random
    untouched: list[tuple[int, int]]
    expected: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)

    def change(self, ways: tuple[str, ...], times: int) -> None:
        """Change so many rows in random ways."""
        for _ in range(times):
            way = self.dice.choice(ways)
            kind, statement = WAYS[way]
            at = self.untouched.pop(self.dice.randrange(len(self.untouched)))
            where = f"source_partition = {at[0]} AND source_offset = {at[1]}"
            day = f"TIMESTAMP '20{self.dice.randrange(10, 99)}-01-01'"
            run(self.made, statement.format(where=where, day=day))
            if kind:
                self.expected[kind] += 1
                offset = at[1] + (MANY * 10 if kind == "unexpected" else 0)
                self.places.add(f"partition {at[0]}, offset {offset}")


COPY = "INSERT INTO decisions SELECT * REPLACE ({}) FROM decisions WHERE {{where}}"
WAYS = {
    "alter": ("differing", "UPDATE decisions SET Amount = Amount + 1 WHERE {where}"),
    "drop": ("missing", "DELETE FROM decisions WHERE {where}"),
    "double": ("doubled", COPY.format("'forged' AS model_version")),
    "double elsewhere": ("doubled", COPY.format("{day} AS decided_at")),
    "forge": ("unexpected", COPY.format(f"source_offset + {MANY * 10} AS source_offset")),
    "move in time": ("", "UPDATE decisions SET decided_at = {day} WHERE {where}"),
}


@pytest.fixture(
    params=[
        FEW,
        pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),  # to be stored
    ]
)
def filled(
    request: pytest.FixtureRequest, services_home: Path, tmp_path: Path
) -> Iterator[tuple[Place, int]]:
    """A project in which so many messages are stored as they should be."""
    messages: int = request.param
    with place(services_home, tmp_path / "home") as made:
        send(made, list(transactions(made, messages)))
        with Scorer(made) as scorer:
            eventually(lambda: scorer.done == messages, 600)
        for part in range(1, 9):  # each within the patience of a test
            stored = messages * part // 8
            run_sink(made, routes(made.project), until=lambda: count(made) >= stored)  # noqa: B023 - called here and now
        yield made, messages


def wrong(counts: LedgerCounts) -> Counter[str]:
    kinds = ("missing", "doubled", "differing", "unexpected")
    return Counter({kind: getattr(counts, kind) for kind in kinds})


def test_random_tampering_is_found_by_the_live_proof_as_by_the_whole_one(
    filled: tuple[Place, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraudline.reconcile.incremental_proof._MISSING_FOR_GOOD_S", 0.0)
    monkeypatch.setattr("fraudline.reconcile.ledger.MOST_EXAMPLES", 1_000)
    made, messages = filled
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown where it fails
    found = query(
        made.project.warehouse, "SELECT source_partition AS p, source_offset AS o FROM decisions"
    )
    places = sorted((row["p"], row["o"]) for row in found.to_pylist())
    tampering = Tampering(made, random.Random(seed), places)
    proof = IncrementalProof(made.project.kafka, made.project.warehouse, made.project.contract)
    ends = offset_ranges(made.project.kafka, made.project.kafka.topic_transactions)
    for partition in ends:
        proof.advance(partition, 0)

    tampering.change(tuple(WAYS), 8)  # before anything is proved
    for share in (0.5, 1.0):
        for partition, (_, end) in ends.items():
            proof.advance(partition, int(end * share))
        proof.count_again()
        tampering.change(("drop", "double", "double elsewhere", "forge", "move in time"), 4)
        proof._counted_at = float("-inf")  # as if half a minute had passed
        proof.count_again()

    proof._recounted_rows = 0  # as if twice as much had been proved: one more and one less cancel
    proof._counted_at = float("-inf")
    proof.count_again()

    assert proof.state.proved == messages
    ledger = check(made)
    assert wrong(ledger.totals) == wrong(LedgerCounts(**tampering.expected))
    assert wrong(proof._ledger.totals) == wrong(ledger.totals)
    for examples in (ledger.examples, proof.state.examples):
        assert {example.split(":")[0] for example in examples} >= tampering.places
