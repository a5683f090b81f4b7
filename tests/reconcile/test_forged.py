"""Rows and records that no scorer and no sink of ours made: named, and never the end of a proof."""

from __future__ import annotations

import pytest
from tests.harness import Place
from tests.reconcile.test_reconcile import (
    broken,
    check,
    kept,
    mark,
    one_offset,
    position,
    run,
    stored,
)

from fraudline.contract.columns import MAX_OFFSET
from fraudline.reconcile import ledger_sql
from fraudline.warehouse.query import query

__all__ = ["kept", "stored"]  # fixtures

LARGEST, SMALLEST = 2**63 - 1, -(2**63)


def forge(made: Place, table: str, changes: str) -> None:
    """Store a copy of a row with other values in some columns."""
    run(
        made,
        f"INSERT INTO {table} SELECT * REPLACE ({changes}) FROM kept_{table} "
        f"WHERE {one_offset(made, f'kept_{table}')}",
    )


@pytest.mark.parametrize("table", ["decisions", "rejects"])
def test_rows_of_positions_that_no_message_has_are_unexpected_and_each_is_named(
    kept: Place, table: str
) -> None:
    partition = int(one_offset(kept, table).split()[2])
    places = [
        (partition, LARGEST),
        (partition, SMALLEST),
        (partition, -1),
        (partition, 1000),
        (77, 5),
        (SMALLEST, 5),
        (LARGEST, LARGEST),
    ]
    for of, offset in places:
        forge(kept, table, f"{of} AS source_partition, {offset} AS source_offset")
    ledger = check(kept)
    assert (ledger.totals.unexpected, ledger.totals.wrong) == (len(places), len(places))
    told = "stored, but there is no such message (table"
    assert sorted(ledger.examples) == sorted(
        f"partition {of}, offset {offset}: {told} {table})" for of, offset in places
    )


ODD_TIMES = ("0001-01-01", "1970-01-01", "2020-06-01", "9999-12-31 23:59:59")


@pytest.mark.parametrize("table", ["decisions", "rejects"])
def test_rows_that_were_made_at_odd_times_are_seen_like_any_others(kept: Place, table: str) -> None:
    made_at = "decided_at" if table == "decisions" else "rejected_at"
    rows = query(
        kept.project.warehouse,
        f"SELECT source_partition AS p, source_offset AS o FROM {table} ORDER BY 1, 2 LIMIT 4",
    ).to_pylist()
    places = [f"source_partition = {row['p']} AND source_offset = {row['o']}" for row in rows]
    for place, at in zip(places, ODD_TIMES, strict=True):
        run(kept, f"UPDATE {table} SET {made_at} = TIMESTAMP '{at}' WHERE {place}")
    assert check(kept).is_exact
    run(kept, f"DELETE FROM {table} WHERE {places[2]}")
    assert check(kept).totals.missing == 1


def test_a_second_row_of_another_time_is_doubled_and_named(kept: Place) -> None:
    forge(kept, "decisions", f"TIMESTAMP '{ODD_TIMES[2]}' AS decided_at")
    ledger = check(kept)
    assert (ledger.totals.doubled, ledger.totals.wrong) == (1, 1)
    assert "stored more than once" in ledger.examples[0]


def test_sql_stands_rows_of_impossible_positions_and_counts_them(kept: Place) -> None:
    for number in (LARGEST, SMALLEST, -1, MAX_OFFSET + 1):
        forge(kept, "decisions", f"{number} AS source_offset")
    sql = ledger_sql(kept.project.kafka, kept.project.warehouse)
    rows = query(kept.project.warehouse, sql).to_pylist()
    assert sum(row["impossible"] for row in rows) == 4
    assert all(row["without_row"] == row["doubled"] == 0 for row in rows)
    assert kept.run("reconcile", "--sql").code == 1


def test_marks_of_messages_that_were_not_sent_again_are_named(kept: Place) -> None:
    topic = kept.project.kafka.topic_transactions
    rows = query(
        kept.project.warehouse,
        "SELECT source_partition AS p, source_offset AS o FROM rejects ORDER BY p, o",
    ).to_pylist()
    texts = [
        "sent again as {topic}:{p}:1000000",  # where no message is
        "sent again as {topic}:{p}:0",  # where another one is, before it
        "sent again as elsewhere:{p}:1000",
        "sent again",
    ]
    for row, text in zip(rows, texts, strict=True):
        mark(kept, (row["p"], row["o"]), text.format(topic=topic, p=row["p"]))
    ledger = check(kept)
    assert (ledger.totals.unexpected, ledger.totals.wrong) == (4, 4)
    told = "marked as sent again, and the message is not where the marker says"
    assert sorted(ledger.examples) == sorted(
        f"partition {row['p']}, offset {row['o']}: {told}" for row in rows
    )


def test_a_mark_that_names_another_message_is_named(kept: Place) -> None:
    (partition, first), _ = broken(kept)
    mark(kept, (partition, first), f"sent again as {position(kept, (partition, first + 2))}")
    assert check(kept).totals.unexpected == 1


def test_a_mark_at_a_message_that_was_decided_is_differing(kept: Place) -> None:
    where = query(
        kept.project.warehouse,
        "SELECT source_partition AS p, source_offset AS o FROM decisions LIMIT 1",
    ).to_pylist()[0]
    _, second = broken(kept)
    mark(kept, broken(kept)[0], f"sent again as {position(kept, second)}")
    run(
        kept,
        f"UPDATE rejects SET source_partition = {where['p']}, source_offset = {where['o']} "
        "WHERE reason = 'replayed'",
    )
    assert check(kept).totals.differing == 1


def test_the_command_says_what_it_takes_on_trust(stored: Place) -> None:
    done = stored.run("reconcile")
    assert done.code == 0
    assert "Taken on trust" in done.said
    assert "docs/guides/operations.md" in done.said
