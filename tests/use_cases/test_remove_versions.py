"""Versions of a line go when nobody can need them, and the line goes on through the gap."""

from __future__ import annotations

import datetime as dt

import pytest
from tests.harness import Place
from tests.transactions import CREDITCARD
from tests.use_cases.versions import add_learned, add_version

from fraudline import flows
from fraudline.contract.columns import EARLIEST, LATEST
from fraudline.registry import Registry
from fraudline.registry import registry as registry_module
from fraudline.use_cases.champion_line import champions_line
from fraudline.use_cases.remove_versions import remove_unneeded
from fraudline.use_cases.run_learning import LearningRun, StepDone
from fraudline.warehouse.learning_tables import create_learning_tables, write_rows

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
NAME = CREDITCARD.name


def versions_a_day(registry: Registry, champion: str, days: int) -> list[str]:
    """A version a day, each from the one before."""
    made = [champion]
    for day in range(1, days + 1):
        made.append(add_learned(registry, CREDITCARD, made[-1], BEGIN + day * DAY, float(day)))
    return made[1:]


def judged_by_the_gate(here: Place, champion: str, since: dt.datetime, until: dt.datetime) -> None:
    start = until - DAY
    row = {
        "row_key": f"{champion}|{start}",
        "contract": NAME,
        "period_start": start,
        "period_end": until,
        "champion": champion,
        "champion_since": since,
        "version": champion,
        "newest": champion,
        "wealth": 1.0,
        "frauds": 0,
        "is_won": False,
        "told": "nothing",
        "state": "{}",
    }
    write_rows(here.project.warehouse, flows.GATES, [row])


def decided(here: Place, version: str, start: dt.datetime) -> None:
    numbers = {
        each.name: 0 if each.type == "int64" else 0.0
        for each in flows.MEASURES.row_columns
        if each.type in {"int64", "float64"} and not each.is_nullable
    }
    row = {
        **numbers,
        "row_key": f"{version}|{start}",
        "contract": NAME,
        "period_start": start,
        "period_end": start + DAY,
        "as_of": start + DAY,
        "part": "all",
        "model_versions": f"{version}, another",
    }
    write_rows(here.project.warehouse, flows.MEASURES, [row])


def test_of_a_line_those_go_that_never_decided_and_that_no_period_is_judged_by(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = here.project
    registry, warehouse = project.registry, project.warehouse
    create_learning_tables(warehouse, lambda _: None)
    monkeypatch.setattr(registry_module, "_now", lambda: BEGIN)
    champion = add_version(registry, CREDITCARD, 0.5)
    registry.promote(champion)
    versions = versions_a_day(registry, champion, 8)
    monkeypatch.undo()
    days = project.settings.learning.removed_after_days + CREDITCARD.maturity_days
    late = BEGIN + (days + 7.5) * DAY
    assert remove_unneeded(project, late) == "", "the gate may judge by any of them"
    judged_by_the_gate(here, champion, registry.champion_since(), BEGIN + 6 * DAY)
    registry.record_policy(versions[1], champion, {})
    decided(here, versions[2], BEGIN + 4 * DAY)
    assert remove_unneeded(project, BEGIN + (days + 1) * DAY) == "", "none is as old"
    assert remove_unneeded(project, late) == "removed 3 versions that never decided"
    kept = {each.version for each in registry.versions()}
    assert kept == {champion, versions[1], versions[2], *versions[5:]}
    gone = registry.removals.all(NAME)
    assert {each.version for each in gone} == {versions[0], versions[3], versions[4]}
    assert all("never decided, nobody named it" in each.told for each in gone)
    whole = {"since": EARLIEST, "before": LATEST}
    found = champions_line(registry.versions(), champion, **whole, removed=gone).newest
    assert found.version == versions[-1], "the line goes on through what is gone"
    assert champions_line(registry.versions(), champion, **whole).newest.version == champion
    assert remove_unneeded(project, late) == "", "once"
    asked = here.run("models", "show", versions[0])
    assert asked.code != 0
    assert f"{versions[0]} was removed at" in " ".join(asked.said.split())


def test_versions_are_removed_though_nothing_is_learned_nor_calibrated_any_more(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = here.project
    monkeypatch.setattr(registry_module, "_now", lambda: BEGIN)
    champion = add_version(project.registry, CREDITCARD, 0.5)
    project.registry.promote(champion)
    versions = versions_a_day(project.registry, champion, 3)
    monkeypatch.undo()
    off = {"update": "off", "recalibrates": False}
    learning = project.settings.learning.model_copy(update=off)
    project.settings = project.settings.model_copy(update={"learning": learning})
    days = learning.removed_after_days + CREDITCARD.maturity_days
    now, done = [BEGIN + (days + 5) * DAY], list[StepDone]()
    run = LearningRun(project, clock=lambda: now[0], on_done=done.append)
    judged_by_the_gate(here, champion, project.registry.champion_since(), BEGIN + 5 * DAY)
    run.advance()
    assert [(each.step, each.said) for each in done] == [
        ("remove", "removed 2 versions that never decided")
    ]
    run.advance()
    now[0] += DAY
    run.advance()
    told = "no version was removed: each of those that are old enough is needed"
    assert [each.said for each in done[1:]] == [told], "once a day"
    kept = {each.version for each in project.registry.versions()}
    assert kept == {champion, versions[-1]}


def test_none_is_removed_where_that_is_set(here: Place) -> None:
    project = here.project
    create_learning_tables(project.warehouse, lambda _: None)
    champion = add_version(project.registry, CREDITCARD, 0.5)
    project.registry.promote(champion)
    versions_a_day(project.registry, champion, 2)
    project.registry.promote(add_version(project.registry, CREDITCARD, 0.25))
    learning = project.settings.learning.model_copy(update={"removed_after_days": 0})
    project.settings = project.settings.model_copy(update={"learning": learning})
    assert remove_unneeded(project, LATEST) == ""
    assert len(project.registry.versions()) == 4
