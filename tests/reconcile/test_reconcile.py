"""The proof finds what is wrong: a proof that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.harness import Place, eventually, place
from tests.stream.test_score_loop import Scorer, send, transactions
from tests.stream.test_sink_loop import run_sink

from fraudline.contract import REJECT_COLUMNS
from fraudline.reconcile import Ledger, ledger_sql, reconcile
from fraudline.use_cases.sink_routes import routes
from fraudline.warehouse.query import query

DECIDED, REJECTED = 60, 4


@pytest.fixture(scope="module")
def stored(services_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A topic of which every message is stored as it should be."""
    with place(services_home, tmp_path_factory.mktemp("stored") / "home") as made:
        send(made, [*transactions(made, DECIDED), None])
        send(made, [b"broken", b"broken", b"[]"], key_of=lambda _: b"of one partition")
        with Scorer(made) as scorer:
            eventually(lambda: scorer.done == DECIDED + REJECTED)
        run_sink(made, routes(made.project), until=lambda: count(made) == DECIDED + REJECTED)
        yield made


def count(made: Place) -> int:
    sql = "SELECT (SELECT COUNT(*) FROM decisions) + (SELECT COUNT(*) FROM rejects) AS n"
    total: int = query(made.project.warehouse, sql).to_pylist()[0]["n"]
    return total


def check(made: Place) -> Ledger:
    project = made.project
    return reconcile(project.kafka, project.warehouse, project.contract)


def run(made: Place, sql: str) -> None:
    made.project.warehouse.client.query(sql).result()


def one_offset(made: Place, table: str) -> str:
    """A condition that picks one row of a table."""
    row = query(
        made.project.warehouse,
        f"SELECT source_partition AS p, source_offset AS o FROM {table} "
        "ORDER BY source_partition, source_offset LIMIT 1",
    ).to_pylist()[0]
    return f"source_partition = {row['p']} AND source_offset = {row['o']}"


def broken(made: Place) -> list[tuple[int, int]]:
    """Where the two messages are that cannot be decoded and have the same bytes."""
    rows = query(
        made.project.warehouse,
        "SELECT source_partition AS p, source_offset AS o FROM rejects "
        "WHERE original = b'broken' ORDER BY source_offset",
    ).to_pylist()
    return [(row["p"], row["o"]) for row in rows]


def position(made: Place, at: tuple[int, int]) -> str:
    return f"{made.project.kafka.topic_transactions}:{at[0]}:{at[1]}"


def mark(made: Place, at: tuple[int, int], message: str) -> None:
    """Store a mark that a message was sent again."""
    columns = ", ".join(column.name for column in REJECT_COLUMNS)
    values = columns.replace(" reason", " 'replayed'").replace(" message", f" '{message}'")
    run(
        made,
        f"INSERT INTO rejects ({columns}) SELECT {values} FROM kept_rejects "
        f"WHERE source_partition = {at[0]} AND source_offset = {at[1]}",
    )


@pytest.fixture
def kept(stored: Place) -> Iterator[Place]:
    """The same, put back after the test has spoilt it."""
    for table in ("decisions", "rejects"):
        run(stored, f"CREATE OR REPLACE TABLE kept_{table} AS SELECT * FROM {table}")
    yield stored
    for table in ("decisions", "rejects"):
        run(stored, f"DELETE FROM {table} WHERE TRUE")
        run(stored, f"INSERT INTO {table} SELECT * FROM kept_{table}")


def test_what_is_stored_once_and_as_sent_is_exact(stored: Place) -> None:
    ledger = check(stored)
    assert ledger.is_exact, ledger.examples
    assert ledger.totals.inputs == DECIDED + REJECTED
    assert ledger.totals.decisions == DECIDED
    assert ledger.totals.rejects == REJECTED


@pytest.mark.parametrize("table", ["decisions", "rejects"])
def test_a_row_that_is_gone_is_missing(kept: Place, table: str) -> None:
    run(kept, f"DELETE FROM {table} WHERE {one_offset(kept, table)}")
    ledger = check(kept)
    assert not ledger.is_exact
    assert not ledger.is_complete
    assert ledger.totals.missing == 1
    assert "neither decided nor rejected" in ledger.examples[0]


@pytest.mark.parametrize("table", ["decisions", "rejects"])
def test_a_row_that_is_there_twice_is_doubled(kept: Place, table: str) -> None:
    condition = one_offset(kept, table)
    run(kept, f"INSERT INTO {table} SELECT * FROM kept_{table} WHERE {condition}")
    assert check(kept).totals.doubled == 1


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("decisions", "Amount = Amount + 0.001"),
        ("decisions", "V28 = -V28 - 1"),
        ("rejects", "original = b'other'"),
        ("rejects", "original_key = b'other'"),
    ],
)
def test_a_value_that_was_altered_is_differing(kept: Place, table: str, change: str) -> None:
    run(kept, f"UPDATE {table} SET {change} WHERE {one_offset(kept, table)}")
    assert check(kept).totals.differing == 1


@pytest.mark.parametrize(("marks", "doubled"), [(1, 0), (2, 1)])
def test_a_mark_that_a_reject_was_sent_again_is_no_row_but_two_of_them_are_one_too_many(
    kept: Place, marks: int, doubled: int
) -> None:
    first, second = broken(kept)
    for _ in range(marks):
        mark(kept, first, f"sent again as {position(kept, second)}")
    ledger = check(kept)
    assert (ledger.totals.rejects, ledger.totals.sent_again) == (REJECTED, 1)
    assert ledger.totals.doubled == doubled
    assert ledger.is_exact == (doubled == 0)
    sql = ledger_sql(kept.project.kafka, kept.project.warehouse)
    answer = query(kept.project.warehouse, sql).to_pylist()
    assert sum(row["rejects"] for row in answer) == REJECTED
    assert all(row["without_row"] == row["doubled"] == 0 for row in answer)


def test_a_row_without_a_message_is_unexpected(kept: Place) -> None:
    condition = one_offset(kept, "decisions")
    run(kept, f"UPDATE decisions SET source_offset = 1000000 WHERE {condition}")
    ledger = check(kept)
    assert ledger.totals.missing == 1
    assert ledger.totals.unexpected == 1
    assert "there is no such message" in ledger.examples[1]


def test_the_sql_gives_the_same_answer(stored: Place) -> None:
    project = stored.project
    answer = query(project.warehouse, ledger_sql(project.kafka, project.warehouse)).to_pylist()
    assert sum(row["decisions"] for row in answer) == DECIDED
    assert sum(row["rejects"] for row in answer) == REJECTED
    assert all(row["without_row"] == row["doubled"] == 0 for row in answer)
