"""A challenger is judged by what became known after it was made, and by nothing else."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from tests.faulty_bigquery import FaultyBigQuery
from tests.harness import Place
from tests.transactions import CREDITCARD
from tests.use_cases.test_run_learning import LENGTH, MATURITY_DAYS, project_of
from tests.use_cases.versions import add_version
from tests.warehouse.test_counting_labels import HOUR, Told, decision, fill

from fraudline import flows
from fraudline.contract import Period
from fraudline.errors import InputError
from fraudline.measures.fair_bet import MOST_A_DAY
from fraudline.use_cases import challenge_conditions
from fraudline.use_cases.champion import challenge
from fraudline.use_cases.judge_challenger import ChallengerVerdict, judge_challengers
from fraudline.use_cases.project import Project

MATURITY = dt.timedelta(days=MATURITY_DAYS)
# The champion adds features up, and finds frauds with a negative one unlikely; squares do not.
CHAMPION, SQUARES = 1.0, 2.0
PERIODS, PAYMENTS, FRAUDS = 8, 60, 12


@pytest.fixture(autouse=True)
def whatever_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a busy machine decides nothing here."""
    monkeypatch.setattr(challenge_conditions, "_TIMES_SLOWER", 1e6)


class Arena:
    """A champion, a challenger, and payments of the periods after it was made one."""

    def __init__(self, faulty: FaultyBigQuery, home: Path, name: str, power: float) -> None:
        self.project = project_of(faulty, home, CREDITCARD, name)
        registry = self.project.registry
        self.champion = add_version(registry, CREDITCARD, CHAMPION)
        self.challenger = add_version(registry, CREDITCARD, power, 0.6)
        registry.promote(self.champion)
        self.made = challenge(self.project, self.challenger).since
        self.begin = Period.holding(self.made, LENGTH.total_seconds()).end
        self.end = self.begin + PERIODS * LENGTH
        self.decided: list[dict] = []
        self.told: list[Told] = []

    def pay(self, at: dt.datetime, *, is_fraud: bool, known_after: dt.timedelta = HOUR, **changes):
        chance = random.Random(len(self.decided))
        row = decision(
            CREDITCARD,
            len(self.decided),
            **{
                "decided_at": at,
                "received_at": at,
                "V28": -3.0 if is_fraud else chance.uniform(0, 0.9),
                "Amount": 1.0,
                "Time": 1.0,
                "model_version": self.champion,
                **changes,
            },
        )
        self.decided.append(row)
        if is_fraud:
            at += known_after
            self.told.append(Told(row, "fraud", "customer", at, at, len(self.told)))

    def fill_periods(self) -> None:
        for number in range(PERIODS * PAYMENTS):
            at = self.begin + number * LENGTH / PAYMENTS
            self.pay(at, is_fraud=number % PAYMENTS < FRAUDS)

    def store(self) -> None:
        warehouse = self.project.warehouse
        fill(warehouse, flows.DECISIONS, CREDITCARD, self.decided)
        labels = [one.row(CREDITCARD) for one in self.told]
        if labels:
            fill(warehouse, flows.LABELS, CREDITCARD, labels)

    def judge(self, at: dt.datetime) -> ChallengerVerdict:
        (verdict,) = judge_challengers(self.project, at=at)
        return verdict


def met(verdict: ChallengerVerdict) -> dict[str, bool]:
    return {each.name: each.is_met for each in verdict.conditions}


def test_a_better_challenger_wins_and_its_verdict_is_kept_with_it(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    arena = Arena(faulty, tmp_path, "better", SQUARES)
    arena.fill_periods()
    arena.store()
    early = arena.judge(arena.begin + LENGTH + MATURITY)  # no period proves alone
    assert (early.periods, early.found.rows) == (1, PAYMENTS)
    assert 1 < early.found.bet.wealth <= MOST_A_DAY
    assert not early.is_won
    assert not met(early)["order"]
    verdict = arena.judge(arena.end + MATURITY)
    assert verdict.is_won, verdict.conditions
    assert verdict.periods == PERIODS
    assert verdict.found.rows == PERIODS * PAYMENTS
    assert verdict.found.bet.frauds == PERIODS * FRAUDS
    assert verdict.found.bet.mean_gain > 0.5
    assert verdict.found.challenger.cost < verdict.found.champion.cost
    kept = arena.project.registry.directory / f"verdicts.{arena.challenger}"
    looks = [json.loads(line) for line in kept.read_text().splitlines()]
    assert [look["is_won"] for look in looks] == [False, True]
    assert looks[1]["found"]["bet"]["frauds"] == PERIODS * FRAUDS
    assert [each["name"] for each in looks[1]["conditions"]] == list(met(verdict))


def test_a_look_goes_on_from_the_verdict_before_and_finds_what_one_from_the_start_would(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    arena = Arena(faulty, tmp_path, "goes_on", SQUARES)
    arena.fill_periods()
    arena.pay(arena.begin + 2 * LENGTH, is_fraud=False, decision="block")  # never labelled
    arena.pay(arena.begin, is_fraud=False, Amount=-5.0)  # neither says anything
    arena.store()
    judged = [0]

    def judge(at: dt.datetime) -> ChallengerVerdict:
        judged[0] = 0
        found = judge_challengers(
            arena.project, at=at, on_judged=lambda count: judged.__setitem__(0, count)
        )
        return found[0]

    early, late = (arena.begin + MATURITY + count * LENGTH for count in (1, 3))
    assert judge(early).periods == 1
    assert judged[0] == PAYMENTS + 1
    gone_on = judge(late)
    assert judged[0] == 2 * PAYMENTS, "those before are known"
    assert judge(late).found == gone_on.found
    assert judged[0] == 0
    assert judge(early).periods == 1, "what was found later is not looked at"
    kept = arena.project.registry.directory / f"verdicts.{arena.challenger}"
    of_before = [json.loads(line) for line in kept.read_text().splitlines()]
    for each in of_before:
        del each["goes_on"]
    kept.write_text("".join(json.dumps(each) + "\n" for each in of_before))
    anew = judge(late)
    assert judged[0] == 3 * PAYMENTS + 1, "a verdict of the last release is not gone on from"
    for name in ("periods", "found", "hidden", "unjudged"):
        assert getattr(anew, name) == getattr(gone_on, name), name
    assert (anew.hidden, anew.unjudged) == (1, 1)
    arena.project.contract = replace(arena.project.contract, maturity_days=0.5)
    judge(late)
    assert judged[0] > 3 * PAYMENTS, "by another maturity"


def test_each_payment_counts_once_though_periods_have_another_length_now(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    """Else whoever sets another length has a second bet on the payments of the first one."""
    arena = Arena(faulty, tmp_path, "judged_length", SQUARES)
    arena.fill_periods()
    arena.store()
    before = arena.judge(arena.begin + 2 * LENGTH + MATURITY)
    settings = arena.project.settings
    learning = settings.learning.model_copy(update={"period_s": LENGTH.total_seconds() / 2})
    arena.project.settings = settings.model_copy(update={"learning": learning})
    after = arena.judge(arena.begin + 3 * LENGTH + MATURITY)
    assert (before.periods, after.periods) == (2, 4)
    assert after.found.rows == 3 * PAYMENTS
    assert after.found.bet.days >= before.found.bet.days + 1


def test_only_what_is_slower_more_than_once_and_mostly_is_too_slow(
    faulty: FaultyBigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long a batch takes is chance, too; one that was held up decides nothing."""
    arena = Arena(faulty, tmp_path, "judged_slow", SQUARES)
    arena.fill_periods()
    arena.store()
    monkeypatch.setattr(challenge_conditions, "_TIMES_SLOWER", 0.0)  # always slower
    once = arena.judge(arena.begin + LENGTH + MATURITY)
    assert met(once)["speed"]
    assert not met(arena.judge(arena.begin + 2 * LENGTH + MATURITY))["speed"]
    monkeypatch.setattr(challenge_conditions, "_TIMES_SLOWER", 1e6)  # never, from now on
    assert met(arena.judge(arena.begin + 4 * LENGTH + MATURITY))["speed"]
    monkeypatch.setattr(challenge_conditions, "_TIMES_SLOWER", 0.0)
    mostly = arena.judge(arena.begin + 5 * LENGTH + MATURITY)
    assert not met(mostly)["speed"]
    told = {each.name: each.told for each in mostly.conditions}["speed"]
    assert "; in 3 of 5 batches of payments more than 0 times as much" in told


def test_an_equal_challenger_does_not_win_though_it_costs_no_more(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    arena = Arena(faulty, tmp_path, "equal", CHAMPION)
    arena.fill_periods()
    arena.store()
    verdict = arena.judge(arena.end + MATURITY)
    assert verdict.found.bet.wealth == 1.0
    assert {name for name, is_met in met(verdict).items() if not is_met} == {"order"}
    assert not verdict.is_won


def test_only_what_became_known_later_counts_and_what_nobody_knows_is_left_out(
    faulty: FaultyBigQuery, tmp_path: Path
) -> None:
    arena = Arena(faulty, tmp_path, "later", SQUARES)
    made, hour, long = arena.made, HOUR, 5 * LENGTH
    arena.pay(made - 20 * hour, is_fraud=True)  # known before
    arena.pay(made - 20 * hour, is_fraud=True, known_after=21 * hour)
    arena.pay(made - 20 * hour, is_fraud=False)  # mature, so known, after
    arena.pay(made - long, is_fraud=False)  # mature before
    arena.pay(made + long, is_fraud=False, decision="block")  # never labelled
    arena.pay(made + long, is_fraud=False, decision="review", propensity=0.05)  # nor this one
    arena.pay(made + long, is_fraud=True, decision="block")
    arena.pay(made + long, is_fraud=True, known_after=2 * MATURITY)  # told too late: legitimate
    arena.pay(made + long, is_fraud=False, Amount=-5.0)  # neither says anything
    arena.store()
    verdict = arena.judge(made + 2 * long + MATURITY)
    assert (verdict.found.rows, verdict.found.bet.frauds) == (4, 2)
    assert (verdict.hidden, verdict.unjudged) == (2, 1)
    assert arena.judge(made).found.rows == 0


def test_who_is_no_challenger_is_told_why(faulty: FaultyBigQuery, tmp_path: Path) -> None:
    arena = Arena(faulty, tmp_path, "none", SQUARES)
    project: Project = arena.project
    with pytest.raises(InputError, match="is no challenger of the champion of contract"):
        judge_challengers(project, arena.champion)
    project.registry.promote(arena.challenger)
    with pytest.raises(InputError, match="is no challenger any more: became the champion"):
        judge_challengers(project, arena.challenger)
    assert judge_challengers(project) == []


def test_the_gate_tells_each_condition_and_what_follows(here: Place) -> None:
    registry = here.project.registry
    first, second = (add_version(registry, CREDITCARD, power) for power in (CHAMPION, SQUARES))
    registry.promote(first)
    none = here.run("learning", "gate")
    assert (none.code, "There is no challenger" in none.said) == (0, True)
    assert here.run("models", "challenge", second).code == 0
    registry.label_rules.record(CREDITCARD.name, {"maturity_days": 99.0})
    done = here.run("learning", "gate", second)
    said = " ".join(done.said.split())
    assert "LOOK: labels count by another rule than before: maturity_days 99.0 ->" in said
    assert registry.changes()[-1].fields["maturity_days"] == (None, 99.0), (
        "who looks writes nothing"
    )
    assert done.code == 0, said
    assert f"challenger {second} champion {first}" in said
    assert "compared 0 payments (0 frauds) of 0 mature periods" in said
    assert "NO order wealth 1.00 of 20 after 0 frauds in 0 periods" in said
    assert "It stays a challenger until" in said
    assert "not met: order, cost, calibration, speed." in said
