"""The gate as a step: what is found better is promoted, what is found worse is gone back from."""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.transactions import CREDITCARD
from tests.use_cases.test_run_learning import LENGTH, MATURITY_DAYS, project_of
from tests.use_cases.versions import add_learned, add_version
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows
from fraudline.contract import Period
from fraudline.errors import InputError
from fraudline.registry import registry as registry_module
from fraudline.use_cases import challenge_conditions, gate_periods
from fraudline.use_cases.gate_periods import GatePeriods, last_gate
from fraudline.use_cases.promote_winner import LEARN
from fraudline.use_cases.run_learning import LearningRun
from fraudline.warehouse.learning_tables import read_rows

MATURITY = dt.timedelta(days=MATURITY_DAYS)
# The champion adds features up, and finds frauds with a negative one unlikely; squares do not.
SUM, SQUARES = 1.0, 2.0
PAYMENTS, FRAUDS = 40, 10


class Arena:
    """A champion, its line, and a clock that registry and learner share."""

    def __init__(
        self, faulty: FaultyBigQuery, home: Path, name: str, patch: pytest.MonkeyPatch, **settings
    ) -> None:
        self.project = project_of(faulty, home, CREDITCARD, name)
        self.set(**settings)
        self.registry = self.project.registry
        self.now = Period.holding(dt.datetime.now(dt.UTC), LENGTH.total_seconds()).end
        patch.setattr(registry_module, "_now", lambda: self.now)
        patch.setattr(challenge_conditions, "_TIMES_SLOWER", 1e6)  # of a busy machine
        self.champion = add_version(self.registry, CREDITCARD, SUM)
        self.registry.promote(self.champion)
        self.count = 0

    def learn(self, parent: str, power: float, **changes: float) -> str:
        """Another version of the line, of what is known now."""
        return add_learned(self.registry, CREDITCARD, parent, self.now, power, **changes)

    def set(self, **settings: object) -> None:
        """Let the settings of learning be others from now on."""
        learning = self.project.settings.learning.model_copy(update=settings)
        self.project.settings = self.project.settings.model_copy(update={"learning": learning})

    def flow(
        self, periods: int, *, negative_is_fraud: bool, is_labelled: bool = True, **columns: str
    ) -> None:
        """Let periods pass in which payments with a negative feature are frauds, or are none."""
        decided, told = [], []
        holding = Period.holding(self.now, LENGTH.total_seconds())
        self.now = self.now if holding.start == self.now else holding.end
        for number in range(periods * PAYMENTS):
            at = self.now + number * LENGTH / PAYMENTS
            is_fraud, chance = number % PAYMENTS < FRAUDS, random.Random(number)
            high = 0.9 + chance.uniform(0, 0.1)
            value = -3.0 if is_fraud == negative_is_fraud else chance.uniform(0, 0.9)
            value = high if is_fraud and not negative_is_fraud else value
            row = decision(
                CREDITCARD,
                self.count,
                V28=value,
                Amount=1.0,
                Time=1.0,
                model_version=self.champion,
                decided_at=at,
                received_at=at,
                **columns,
            )
            self.count += 1
            decided.append(row)
            if is_fraud and is_labelled:
                at += HOUR
                told.append(Told(row, "fraud", "customer", at, at, self.count))
        warehouse = self.project.warehouse
        fill(warehouse, flows.DECISIONS, CREDITCARD, decided)
        fill(warehouse, flows.LABELS, CREDITCARD, [one.row(CREDITCARD) for one in told])
        self.now += periods * LENGTH

    def gate(self) -> list[str]:
        """Judge all that is mature now; gives what was said."""
        said: list[str] = []
        self.now += MATURITY + HOUR
        LearningRun(
            self.project,
            clock=lambda: self.now,
            on_done=lambda done: said.append(done.said),
            steps=[GatePeriods(self.project)],
        ).advance()
        return said

    def rows(self) -> list[dict[str, Any]]:
        return read_rows(self.project.warehouse, flows.GATES, CREDITCARD)

    def changes(self) -> list[tuple[str, str, str]]:
        return [
            (each.change, each.version, each.signature.by)
            for each in self.registry.changes()[1:]
            if each.signature is not None and each.change != "label-rule-changed"
        ]


def test_a_line_that_ranks_better_is_promoted_by_itself_and_gone_back_from_when_it_does_worse(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "gate_wins", monkeypatch)
    first = arena.learn(arena.champion, SQUARES)
    arena.flow(4, negative_is_fraud=True)
    second = arena.learn(first, SQUARES)
    arena.flow(1, negative_is_fraud=True)
    said = arena.gate()
    rows = arena.rows()
    assert [row["version"] for row in rows] == [first] * (len(rows) - 1) + [second], "as they began"
    assert {row["newest"] for row in rows} == {second}, "it was made before they were mature"
    assert [row["wealth"] for row in rows] == sorted(row["wealth"] for row in rows), "one bet"
    won = rows[-1]  # after it, it is asked what follows
    assert (won["is_won"], won["frauds"]) == (True, FRAUDS * len(rows))
    assert arena.registry.champion() == second, "the newest of the line"
    assert arena.changes() == [("promoted", second, LEARN), ("challenged", arena.champion, LEARN)]
    (promoted,) = [each for each in said if "promoted creditcard" in each]
    assert promoted.startswith(f"wealth {won['wealth']:,.2f} of 20 after {won['frauds']} frauds; ")
    assert "all conditions met; promoted" in promoted
    assert not any("log loss" in each for each in said), "what a line of the log has room for"
    why = arena.registry.changes()[-2].why
    assert "order: wealth" in why
    assert "cost: decisions would have cost" in why
    assert why == won["told"], "the whole is kept where it is looked up"
    arena.flow(6, negative_is_fraud=False)
    said = arena.gate()
    assert arena.registry.champion() == arena.champion
    assert arena.changes()[2:] == [("rolled-back-to", arena.champion, LEARN)]
    assert any(f"went back to {arena.champion}" in each for each in said)
    before = arena.rows()
    assert arena.gate() == [], "each period is judged once"
    assert arena.rows() == before
    last = last_gate(arena.project, arena.now)
    assert last is not None
    assert last["champion"] == second


def test_what_is_equal_is_not_promoted_and_what_wins_only_told_where_nothing_may_be(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "gate_off", monkeypatch, promotes=False)
    equal = arena.learn(arena.champion, SUM)
    arena.flow(2, negative_is_fraud=True)
    better = arena.learn(equal, SQUARES)
    arena.flow(6, negative_is_fraud=True)
    said = arena.gate()
    assert arena.registry.champion() == arena.champion
    assert arena.changes() == []
    rows = arena.rows()
    assert [row["version"] for row in rows] == [equal] + [better] * 6, (
        "after the one that has the promotion"
    )
    assert rows[0]["wealth"] == 1.0, "nothing was gained"
    assert [row["wealth"] for row in rows] == sorted(row["wealth"] for row in rows), "one bet"
    assert rows[-1]["wealth"] > 20
    assert rows[-1]["frauds"] == 7 * FRAUDS
    assert f"learning.promotes is false: `fraudline models promote {better}` does it" in said[-1]


def test_a_promotion_that_was_killed_before_its_guard_is_guarded_when_learning_goes_on(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "gate_killed", monkeypatch)
    version = arena.learn(arena.champion, SQUARES)
    arena.flow(6, negative_is_fraud=True)

    class KilledError(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(gate_periods, "challenge", die)
        with pytest.raises(KilledError):
            arena.gate()
    assert arena.changes() == [("promoted", version, LEARN)]
    arena.flow(2, negative_is_fraud=True)
    arena.gate()
    assert arena.changes()[1:] == [("challenged", arena.champion, LEARN)]


def test_a_persons_promotion_wins_over_one_that_was_just_found(
    faulty: FaultyBigQuery, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arena = Arena(faulty, home, "gate_person", monkeypatch)
    persons = add_version(arena.registry, CREDITCARD, 3.0)
    other = add_version(arena.registry, CREDITCARD, 4.0)
    arena.registry.promote(persons)
    with pytest.raises(InputError, match="the champion was changed meanwhile"):
        arena.registry.promote(other, over=arena.champion)
    assert arena.registry.champion() == persons
    assert len(arena.registry.promotions()) == 2
