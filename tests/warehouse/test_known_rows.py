"""What is read to be learned: by labels that had arrived, and no more in a longer stream."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from tests.transactions import BARE, CREDITCARD
from tests.warehouse.test_counting_labels import (
    BY_ID,
    BY_POSITION,
    HOUR,
    MATURITY_DAYS,
    START,
    Told,
    counts,
    decision,
    drawn,
    fill,
    server,
    tables,
)

from fraudline import flows
from fraudline.contract import Contract
from fraudline.errors import InputError
from fraudline.warehouse import known_rows
from fraudline.warehouse.client import Warehouse
from fraudline.warehouse.history_table import load_history
from fraudline.warehouse.known_payments import Known
from fraudline.warehouse.known_rows import LEAST_FRAUDS, TooFew, count_mature_frauds, read_known
from fraudline.warehouse.query import query

__all__ = ["server"]
MATURITY = dt.timedelta(days=MATURITY_DAYS)
APPROVED, REVIEWED, BLOCKED = (
    {"decision": word, "propensity": None} for word in ("approve", "review", "block")
)
EXPLORED = {"decision": "review", "propensity": 0.05}
LONG = START + 400 * HOUR


@dataclass(frozen=True)
class Truth:
    """A decision as the slow reference sees it at a moment."""

    number: float
    decided_at: dt.datetime
    is_fraud: bool
    is_mature: bool
    known_at: dt.datetime
    is_hidden: bool
    is_explored: bool


def truths(decided: list[dict], told: list[Told], at: dt.datetime, amount: str) -> list[Truth]:
    found = []
    for row in decided:
        one = counts([each for each in told if each.decision is row], at)
        matured_at = row["decided_at"] + MATURITY
        if row["decided_at"] > at or (one is None and matured_at > at):
            continue
        is_explored = row["propensity"] is not None
        is_hidden = one is None and (row["decision"] == "block" or is_explored)
        known_at = matured_at if one is None else max(one.known_at, one.arrived_at)
        found.append(
            Truth(
                row[amount],
                row["decided_at"],
                one is not None and one.label == "fraud",
                matured_at <= at,
                known_at,
                is_hidden,
                is_explored and not is_hidden,
            )
        )
    return found


def numbers(contract: Contract, rows: pa.Table, chosen: np.ndarray) -> list[float]:
    return sorted(contract.amounts(rows)[chosen].tolist())


def rows_of(known: Known, contract: Contract, chosen: np.ndarray) -> list[tuple[float, int]]:
    amounts, labels = contract.amounts(known.rows), contract.labels(known.rows)
    return sorted(zip(amounts[chosen].tolist(), labels[chosen].tolist(), strict=True))


@pytest.mark.parametrize("contract", [BY_ID, BY_POSITION], ids=["by id", "by position"])
def test_no_label_is_learned_before_it_arrived_whatever_the_delays(server, contract) -> None:
    """All labels lie in the table from the start, and those to come must not be seen."""
    chance = random.Random(f"{contract.name} known")
    warehouse = tables(server, contract, f"known_{contract.name}")
    decided = [
        decision(
            contract,
            number,
            **chance.choice([APPROVED, APPROVED, REVIEWED, EXPLORED, BLOCKED]),
            decided_at=START + chance.uniform(0, 200) * HOUR,
            **{contract.amount: float(number) if contract.id is None else number},
        )
        for number in range(240)
    ]
    told = [drawn(chance, decided, offset) for offset in range(500)]
    fill(warehouse, flows.DECISIONS, contract, decided)
    fill(warehouse, flows.LABELS, contract, [one.row(contract) for one in told])
    read = 0
    for at in (START + chance.uniform(120, 400) * HOUR for _ in range(4)):
        most = chance.choice([25, 1000])
        known = read_known(warehouse, contract, as_of=at, most_frauds=most, legitimate_per_fraud=1)
        all_of_then = truths(decided, told, at, contract.amount)
        all_known = [one for one in all_of_then if not one.is_hidden]
        newest = sorted(all_known, key=lambda one: one.decided_at, reverse=True)
        frauds = [one for one in newest if one.is_fraud][:most]
        mature = [one for one in frauds if one.is_mature]
        if len(mature) < LEAST_FRAUDS:
            assert known == TooFew(len(mature))
            continue
        assert isinstance(known, Known)
        read += 1
        since = frauds[-1].decided_at
        judged_since = mature[max(LEAST_FRAUDS, len(mature) // 5) - 1].decided_at
        assert (known.since, known.judged_since) == (since, judged_since)
        by_number = {one.number: one for one in all_known}
        learned = rows_of(known, contract, known.is_learned)
        assert [row for row in learned if row[1]] == sorted((one.number, 1) for one in frauds)
        for number, label in rows_of(known, contract, np.ones(known.rows.num_rows, bool)):
            one = by_number[number]
            assert one.is_fraud == bool(label)
            assert one.decided_at >= since
        judged = [one for one in all_known if one.is_mature and one.decided_at >= judged_since]
        assert rows_of(known, contract, known.is_judged) == sorted(
            (one.number, int(one.is_fraud)) for one in judged
        )
        for number, known_s, is_before in zip(
            contract.amounts(known.rows), known.known_s, known.is_before, strict=True
        ):
            assert abs(known_s - by_number[number].known_at.timestamp()) < 1e-3
            one = by_number[number]
            was_known = not one.is_fraud or one.known_at <= judged_since
            assert is_before == (one.decided_at < judged_since and was_known)
        explored = [one.number for one in all_known if one.is_explored and one.decided_at >= since]
        assert numbers(contract, known.rows, known.is_explored) == sorted(explored)
        never = known.never_labelled
        hidden = {one.number: one for one in all_of_then if one.is_hidden}
        of_time = [one for one in hidden.values() if one.decided_at >= since]
        assert known.hidden == len(of_time)
        drawn_or_judged = numbers(contract, never.rows, never.is_learned | never.is_judged)
        assert drawn_or_judged == numbers(contract, never.rows, np.ones(len(never.known_s), bool))
        if most > len(of_time):
            assert numbers(contract, never.rows, never.is_learned) == sorted(
                one.number for one in of_time
            )
        assert numbers(contract, never.rows, never.is_judged) == sorted(
            one.number for one in of_time if one.decided_at >= judged_since
        )
        assert (never.is_judged ^ never.is_before).all()
        for number, known_s in zip(contract.amounts(never.rows), never.known_s, strict=True):
            assert abs(known_s - hidden[number].known_at.timestamp()) < 1e-3
    assert read >= 2, "too little was drawn to prove anything"


def test_what_is_learned_does_not_grow_with_the_stream_and_goes_on_with_the_same_draw(
    server,
) -> None:
    contract, warehouse = BY_POSITION, tables(server, BY_POSITION, "known_bound")

    def pay(numbers: range) -> None:
        decided = [
            decision(
                contract,
                number,
                decided_at=START + number * HOUR / 60,
                received_at=START + number * HOUR / 60,
                decision="block" if number % 10 == 5 else "approve",
                Amount=float(number),
            )
            for number in numbers
        ]
        fill(warehouse, flows.DECISIONS, contract, decided)
        frauds = [row for row in decided if row["Amount"] % 10 == 0]
        labels = [
            Told(row, "fraud", "customer", row["decided_at"], row["decided_at"], number)
            for number, row in enumerate(frauds)
        ]
        fill(warehouse, flows.LABELS, contract, [one.row(contract) for one in labels])

    def read(at: dt.datetime, most: int, each: int) -> Known:
        known = read_known(
            warehouse, contract, as_of=at, most_frauds=most, legitimate_per_fraud=each
        )
        assert isinstance(known, Known)
        return known

    pay(range(600))
    first = read(LONG, 60, 3)
    assert (contract.labels(first.rows) == 1).sum() == 60
    assert first.hidden == 60, "blocked, and nobody ever said what it was"
    legitimate = first.is_learned & (contract.labels(first.rows) == 0)
    assert 90 <= legitimate.sum() <= 270, "about three for each fraud, by chance"
    again = read(LONG, 60, 3)
    assert again.sha256 == first.sha256
    more = read(LONG, 60, 5)
    kept = set(contract.amounts(first.rows)[legitimate])
    drawn_more = set(contract.amounts(more.rows)[more.is_learned])
    assert kept < drawn_more
    pay(range(600, 2400))
    later = read(LONG, 60, 3)
    assert (contract.labels(later.rows)[later.is_learned] == 1).sum() == 60
    assert later.since > first.until
    assert later.is_learned.sum() < 1.5 * first.is_learned.sum()
    wide = read(LONG, 120, 3)
    assert wide.hidden > 100
    least = read(LONG, 20, 3)
    assert least.never_labelled.is_learned.sum() <= least.hidden <= 20


def test_where_the_stream_has_few_frauds_the_newest_before_those_that_judge_stand_beside_them(
    server,
) -> None:
    contract, warehouse = BY_POSITION, tables(server, BY_POSITION, "known_history")
    values = {column.name: 1.0 for column in CREDITCARD.columns}
    old = pa.Table.from_pylist(
        [
            {
                **values,
                "Time": float(number),
                "Amount": -1.0 - number,
                "Class": int(number % 4 == 0),
            }
            for number in range(200)
        ],
        contract.history_schema,
    )
    load_history(warehouse, contract, old, "ab" * 32)
    decided = [decision(contract, number, Amount=float(number), Time=100.0) for number in range(60)]
    fill(warehouse, flows.DECISIONS, contract, decided)
    told = [
        Told(row, "fraud", "customer", row["decided_at"], row["decided_at"], number)
        for number, row in enumerate(decided[::2])
    ]
    fill(warehouse, flows.LABELS, contract, [one.row(contract) for one in told])
    known = read_known(warehouse, contract, as_of=LONG, most_frauds=40, legitimate_per_fraud=2)
    assert isinstance(known, Known)
    amounts, labels = contract.amounts(known.rows), contract.labels(known.rows)
    of_history = amounts < 0
    assert known.of_history == of_history.sum()
    assert sorted(amounts[of_history & (labels == 1)]) == [-1.0 - n for n in range(96, 59, -4)]
    assert known.is_learned[of_history].all()
    assert known.is_before[of_history].all()
    assert not known.is_judged[of_history].any()
    assert np.isneginf(known.known_s[of_history]).all()
    assert (np.diff(contract.event_seconds(known.rows)) >= 0).all()
    none = read_known(warehouse, contract, as_of=START, most_frauds=40, legitimate_per_fraud=2)
    assert none == TooFew(0)


def test_frauds_are_looked_for_further_and_further_back_and_no_further_than_there_are_enough(
    server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most streams have few frauds a month; one that has many is not read for years."""
    contract, warehouse = BY_POSITION, tables(server, BY_POSITION, "known_reach")
    now, day = START + dt.timedelta(days=1000), 24 * HOUR
    ages = [*range(1, 6), *range(50, 70), *range(300, 320)]  # of 5, 20 and 20 frauds, in days
    decided = [
        decision(contract, number, decided_at=now - age * day, received_at=now - age * day)
        for number, age in enumerate(ages)
    ]
    told = [
        Told(row, "fraud", "customer", row["decided_at"], row["decided_at"], number)
        for number, row in enumerate(decided)
    ]
    fill(warehouse, flows.DECISIONS, contract, decided)
    fill(warehouse, flows.LABELS, contract, [one.row(contract) for one in told])
    asked: list[str] = []

    def ask(warehouse: Warehouse, sql: str, *arguments: object) -> pa.Table:
        asked.append(sql)
        return query(warehouse, sql, *arguments)

    monkeypatch.setattr(known_rows, "query", ask)
    assert count_mature_frauds(warehouse, contract, now) == LEAST_FRAUDS
    assert len(asked) == 2, "a month and its maturity, and then four times as far"
    for most, oldest, turns in ((25, 69, 2), (30, 304, 3), (2000, 319, None)):
        asked.clear()
        known = read_known(warehouse, contract, as_of=now, most_frauds=most, legitimate_per_fraud=1)
        assert isinstance(known, Known)
        assert known.since == now - oldest * day, f"the newest {most}"
        assert int(contract.labels(known.rows).sum()) == min(most, len(ages))
        found = sum("ORDER BY decided_at DESC, source_topic" in sql for sql in asked)
        assert turns in {None, found}, "no further than there are enough"


def test_without_an_event_time_nothing_is_learned_and_what_to_do_is_told(server) -> None:
    with pytest.raises(InputError, match="'bare' has no event time, so nothing tells which pay"):
        read_known(
            tables(server, BARE, "bare"), BARE, as_of=START, most_frauds=9, legitimate_per_fraud=1
        )
